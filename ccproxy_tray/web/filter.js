// Which requests are shown: a search, some lists, and what a link elsewhere on the page asked for.

import { get } from "./client.js";
import { h, said, visible } from "./element.js";
import { interval } from "./format.js";
import { beside, here, replace } from "./route.js";

const LISTS = {
  provider: "Any provider",
  model: "Any model",
  outcome: "Any outcome",
  kind: "Any kind",
  range: "Any time",
};
const KINDS = { main: "Main", subagent: "Subagents", background: "Background" };
/** @type {Map<string, [string, number]>} */
const RANGES = new Map([
  ["1h", ["Last hour", 3600]],
  ["24h", ["Last 24 hours", 86400]],
  ["7d", ["Last 7 days", 604800]],
  ["30d", ["Last 30 days", 2592000]],
]);
/** In the address of the page: requests for which nobody was tried. No provider's name begins like that. */
export const NOBODY = "-";
const LONGEST = 200; // characters of a search that the proxy takes
const NAMES = ["q", ...Object.keys(LISTS), "session", "since", "until"];

/** The form above the table. It changes the address of the page, and nothing else. */
export class FilterBar {
  /** @type {Map<string, HTMLSelectElement>} */
  #lists = new Map();

  constructor() {
    this.search = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "search",
        placeholder: "Search ids, models, stories, errors",
        "aria-label": "Search requests",
        spellcheck: "false",
        maxlength: LONGEST,
        oninput: () => this.#typed(),
      })
    );
    for (const [name, any] of Object.entries(LISTS)) {
      /** @type {Record<string, null>} */
      const instead = name === "range" ? { since: null, until: null } : {};
      const changed = () => (location.hash = beside({ [name]: this.#list(name).value, ...instead }));
      const list = h(
        "select",
        { "aria-label": `${name === "range" ? "time" : name} of requests`, onchange: changed },
        h("option", { value: "" }, any),
      );
      this.#lists.set(name, /** @type {HTMLSelectElement} */ (list));
    }
    options(this.#list("kind"), Object.entries(KINDS));
    options(
      this.#list("range"),
      [...RANGES].map(([value, [name]]) => [value, name]),
    );
    this.chips = h("span", { class: "chips" });
    this.element = h(
      "form",
      { class: "filters", role: "search", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
      this.search,
      ...this.#lists.values(),
      this.chips,
    );
  }

  /** Show what the address asks for. @param {Record<string, string>} params */
  show(params) {
    if (document.activeElement !== this.search) this.search.value = params.q ?? "";
    for (const [name, list] of this.#lists) choose(list, params[name] ?? "");
    this.chips.replaceChildren(...chips(params));
  }

  /** Offer what occurs in the history. */
  async load() {
    const { providers, models, outcomes } = await get("/status/facets");
    const same = (/** @type {string[]} */ names) =>
      names.filter(Boolean).map((name) => /** @type {[string, string]} */ ([name, name]));
    const nobody = providers.includes("") ? /** @type {[string, string][]} */ ([[NOBODY, "nobody"]]) : [];
    options(this.#list("provider"), [...same(providers), ...nobody]);
    options(this.#list("model"), same(models));
    options(this.#list("outcome"), [["failed", "All that failed"], ...same(outcomes)]);
    this.show(here().params);
  }

  /** @param {string} name */
  #list(name) {
    return /** @type {HTMLSelectElement} */ (this.#lists.get(name));
  }

  #typed() {
    const { value } = this.search;
    const asked = () => value === this.search.value && here().view === "requests"; // not where a link has led meanwhile
    setTimeout(() => asked() && replace(beside({ q: value.trim() })), 200);
  }
}

/**
 * What to ask the history for.
 * @param {Record<string, string>} params of the page's address
 * @param {number} now Unix seconds
 * @returns {import("./rows.js").Filter}
 */
export function filter({ provider, range, since, ...rest }, now) {
  const [, seconds] = RANGES.get(range) ?? ["", 0];
  const from = seconds ? String(Math.floor(now - seconds)) : since;
  const told = { ...rest, provider: provider === NOBODY ? "" : provider || undefined, since: from };
  const asked = Object.entries(told).filter(([name, value]) => NAMES.includes(name) && (value || name === "provider"));
  return Object.fromEntries(asked);
}

/** The part of an address that says which requests are shown. @param {Record<string, string>} params */
export const asked = (params) => JSON.stringify(NAMES.map((name) => params[name] ?? ""));

/** @param {Record<string, string>} params */
function chips(params) {
  const { session, since, until } = params;
  const found = [];
  if (session) found.push(chip("session", said(session, "mono"), { session: null }));
  if (since || until) found.push(chip("time", visible(interval(since, until)), { since: null, until: null }));
  if (NAMES.some((name) => params[name])) {
    const nothing = Object.fromEntries(NAMES.map((name) => [name, null]));
    found.push(h("a", { href: beside(nothing), class: "clear" }, "Clear all"));
  }
  return found;
}

/** @param {string} name @param {Node|string} value @param {Record<string, null>} without */
function chip(name, value, without) {
  return h(
    "a",
    { class: "chip", href: beside(without), title: `Show every ${name}` },
    `${name} `,
    value,
    h("span", { "aria-hidden": "true" }, " ✕"),
    h("span", { class: "hidden" }, " (remove)"),
  );
}

/**
 * Replace all but the first, unless nothing has changed: the list may be open.
 * @param {HTMLSelectElement} list
 * @param {[string, string][]} all value and words
 */
function options(list, all) {
  const before = [...list.options].slice(1).map((option) => option.value);
  if (JSON.stringify(before) === JSON.stringify(all.map(([value]) => value))) return;
  list.replaceChildren(
    /** @type {Node} */ (list.firstElementChild),
    ...all.map(([value, words]) => h("option", { value }, visible(words))),
  );
}

/** A value that does not occur is offered nevertheless: somebody has linked to it. @param {HTMLSelectElement} list @param {string} value */
function choose(list, value) {
  if (![...list.options].some((option) => option.value === value))
    list.append(h("option", { value }, value === NOBODY ? "nobody" : visible(value)));
  list.value = value;
}
