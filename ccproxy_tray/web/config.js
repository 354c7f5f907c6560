// The configuration in force: every value, and where it comes from.

import { h, said, visible } from "./element.js";

export class Config {
  #drawn = "";

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.title = "Config";
    this.file = h("p", { class: "muted" });
    this.sections = h("div", { class: "sections" });
    this.element = h(
      "section",
      { "aria-label": this.title },
      h("h2", {}, "Configuration in force"),
      this.file,
      this.sections,
    );
    live.addEventListener("status", () => this.#draw(live.status));
  }

  show() {}

  hide() {}

  /** @param {any} status */
  #draw({ settings, config, providers }) {
    const drawn = JSON.stringify([settings, config.path, providers]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.file.replaceChildren(
      ...(config.path
        ? ["From ", said(config.path, "mono"), " and the environment. Secrets are masked."]
        : ["No file: defaults and the environment."]),
    );
    const sections = Map.groupBy(settings, (/** @type {Setting} */ { key }) => place(key));
    this.sections.replaceChildren(...[...sections].map(([name, rows]) => section(name, rows)), credentials(providers));
  }
}

/** The section that a key stands in; every provider is one of its own. @param {string} key */
const place = (key) =>
  key
    .split(".")
    .slice(0, key.startsWith("providers.") ? 2 : 1)
    .join(".");

/** @typedef {{key: string, value: unknown, source: string, note: string}} Setting */

/** @param {string} name @param {Setting[]} rows */
function section(name, rows) {
  return card(
    name,
    ["Key", "Value", "Source"],
    rows.map((row) => [worded(row.key.slice(name.length + 1)), shown(row), origin(row.source)]),
  );
}

/** A key that breaks between its words where it has to. @param {string} key */
const worded = (key) =>
  h("bdi", { class: "mono" }, ...visible(key).split(/(?<=_)/).flatMap((word) => [word, h("wbr")]));

/** @param {Record<string, {type: string, credentials: string, remedy: string}>} providers */
function credentials(providers) {
  const rows = Object.entries(providers).map(([name, { type, credentials: known, remedy }]) => [
    said(name, "mono"),
    said(type),
    h("span", {}, said(known), remedy ? ": " : "", said(remedy)),
  ]);
  return card("credentials", ["Provider", "Type", "Credentials"], rows);
}

/** @param {string} name @param {string[]} heads @param {(Node|string)[][]} rows the first cell of each names it */
function card(name, heads, rows) {
  const body = rows.map(([first, ...rest]) =>
    h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))),
  );
  const head = h("thead", {}, h("tr", {}, ...heads.map((title) => h("th", { scope: "col" }, title))));
  return h(
    "section",
    { class: "card" },
    h("h3", {}, said(name)),
    h(
      "table",
      { class: "plain settings" },
      h("caption", { class: "hidden" }, said(name)),
      head,
      h("tbody", {}, ...body),
    ),
  );
}

/** @param {Setting} setting */
function shown({ value, note }) {
  return note ? h("div", {}, plain(value), h("div", { class: "muted" }, said(note))) : plain(value);
}

/** @param {unknown} value */
function plain(value) {
  if (["", "null", "[]", "{}"].includes(typeof value === "string" ? value : JSON.stringify(value)))
    return h("span", { class: "muted" }, "none");
  if (typeof value !== "object") return said(String(value), "mono");
  const short = JSON.stringify(value);
  return h("pre", { class: "value" }, said(short.length < 40 ? short : JSON.stringify(value, null, 1)));
}

/** @param {string} source */
const origin = (source) => h("span", { class: source === "default" ? "muted" : "badge" }, said(source));
