// All requests, latest first: search, filters, and a table that reads on as one scrolls.

import { h, said, visible } from "./element.js";
import { asked, filter, FilterBar } from "./filter.js";
import { compact, count, date, duration, moment, plural, price } from "./format.js";
import { badge } from "./outcome.js";
import { beside, here } from "./route.js";
import { PATIENCE } from "./refresher.js";
import { Rows } from "./rows.js";
import { VirtualTable } from "./table.js";

const COLUMNS = [
  { name: "c-time", title: "Ended" },
  { name: "c-model", title: "Asked for" },
  { name: "c-target", title: "Answered by" },
  { name: "c-outcome", title: "Outcome" },
  { name: "c-first number", title: "First / total" },
  { name: "c-tokens number", title: "Tokens in / out" },
  { name: "c-cost number", title: "Cost" },
];
const REMEMBERED = 500;

export class Requests {
  #rows = new Rows();
  #shown = "";
  #visible = false;
  #unseen = 0;
  #failed = false;
  #late = true; // requests may have ended just before this page listened, and not be written yet
  /** @type {any[]} requests that have ended while this page was open: the history may not have them yet. Oldest first. */
  #heard = [];

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.title = "Requests";
    this.bar = new FilterBar();
    this.told = h("p", { class: "told muted", role: "status", "aria-live": "polite" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.fresh = h("button", { class: "fresh", type: "button", hidden: true, onclick: () => this.#toTop() });
    this.table = new VirtualTable({ label: "Requests", columns: COLUMNS, cells, near: () => this.#read() });
    this.table.element.addEventListener("scroll", () => this.table.atTop && this.#seen());
    this.element = h(
      "section",
      { class: "fill", "aria-label": this.title },
      this.bar.element,
      this.told,
      h("div", { class: "frame" }, this.table.element, this.fresh, this.empty),
    );
    live.addEventListener("request", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail));
    live.addEventListener("gap", () => this.#reload());
    live.addEventListener("connection", (event) => {
      if (this.#failed && /** @type {CustomEvent} */ (event).detail.state === "live") this.#reload();
    });
  }

  /** @param {Record<string, string>} params */
  show(params) {
    const entered = !this.#visible;
    this.#visible = true;
    this.bar.show(params);
    if (entered) this.bar.load().catch(() => {});
    if (asked(params) !== this.#shown) this.#load(params);
  }

  hide() {
    this.#visible = false;
  }

  #reload() {
    this.#late = true;
    this.#shown = "";
    if (this.#visible) this.show(here().params);
  }

  /** @param {Record<string, string>} params */
  async #load(params) {
    this.#shown = asked(params);
    try {
      await this.#rows.reset(filter(params, Date.now() / 1000));
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      if (name !== "AbortError") this.#fail(message);
      return;
    }
    this.#failed = false;
    const newest = this.#rows.all[0]?.time ?? 0;
    for (const row of this.#heard) if (row.time >= newest) this.#rows.add(row);
    this.#seen();
    this.table.set(this.#rows.all);
    this.#tell();
    if (this.#late) setTimeout(() => this.#catchUp(), PATIENCE);
    this.#late = false;
  }

  /** Nothing stands there rather than what another filter has found. @param {string} message */
  #fail(message) {
    this.#failed = true;
    this.#rows.clear();
    this.#seen();
    this.table.set(this.#rows.all);
    this.empty.hidden = true;
    this.#say(`Cannot read the history: ${visible(message)}`);
  }

  async #catchUp() {
    this.bar.load().catch(() => {});
    const found = await this.#rows.catchUp().catch(() => 0); // whatever it is, reading on will tell
    if (found) this.#grow(found);
  }

  async #read() {
    const before = this.#rows.all.length;
    await this.#rows.read().catch((error) => this.#say(`Cannot read on: ${visible(error.message)}`));
    if (this.#rows.all.length === before) return;
    this.table.grow();
    this.#tell();
  }

  /** @param {any} row */
  #hear(row) {
    this.#heard = [...this.#heard.slice(1 - REMEMBERED), row];
    if (!this.#shown || this.#failed || !this.#rows.add(row)) return;
    this.#grow(1);
  }

  /** @param {number} count new ones in front */
  #grow(count) {
    if (!this.table.atTop) this.#unseen += count;
    this.table.grow(count);
    this.#tell();
  }

  #seen() {
    this.#unseen = 0;
    this.fresh.hidden = true;
  }

  #toTop() {
    this.table.toTop();
    this.#seen();
  }

  #tell() {
    const { all, total, more, problem } = this.#rows;
    this.table.count(total ?? (more ? null : all.length));
    this.fresh.hidden = this.#unseen === 0;
    this.fresh.textContent = `${count(this.#unseen)} new`;
    this.empty.hidden = all.length > 0;
    this.empty.replaceChildren(...(all.length ? [] : nothing(this.#rows.enabled, this.#shown !== asked({}))));
    const known = total !== null || !more;
    this.#say(
      problem
        ? visible(problem)
        : all.length
          ? `${plural(total ?? all.length, "request")}${known ? "" : " and more"}`
          : "",
    );
  }

  /** @param {string} words */
  #say(words) {
    if (this.told.textContent !== words) this.told.textContent = words;
  }
}

/** @param {boolean} enabled @param {boolean} filtered */
function nothing(enabled, filtered) {
  if (filtered) return [h("p", {}, "No request matches."), h("a", { href: "#requests" }, "Show all requests")];
  const off = h(
    "p",
    {},
    "The history is switched off (",
    h("code", {}, "history.enabled"),
    "): only requests that end while this page is open are listed.",
  );
  const hint = h("p", {}, "Point Claude Code here with ", h("code", {}, "ccproxy-tray connect"));
  return [h("p", {}, h("strong", {}, "No requests yet")), enabled ? hint : off];
}

/** @param {any} row */
function cells(row) {
  const at = moment(row.time, Date.now() / 1000);
  return [
    two(
      h("a", { href: beside({ id: row.id }), title: date(row.time), class: "mono" }, at),
      row.kind === "main" ? "" : row.kind,
    ),
    two(said(row.requested), row.session.slice(0, 8)),
    two(said([row.provider, row.region].filter(Boolean).join(" ") || "nobody"), row.model),
    two(badge(row.outcome), row.outcome === "served" ? "" : row.error || row.story),
    two(duration(row.first_event_ms), duration(row.total_ms)),
    ...(tokens(row) || row.cost !== null ? taken(row) : ["–", "–"]),
  ];
}

/** Tokens and cost. @param {any} row */
const taken = (row) => [
  two(compact(row.input + row.cache_read + row.cache_write), `${row.estimated ? "about " : ""}${compact(row.output)}`),
  h("span", { class: row.cost === null ? "muted" : null }, price(row.cost)),
];

/** @param {any} row */
const tokens = ({ input, output, cache_read, cache_write }) => input + output + cache_read + cache_write;

/** Two lines. @param {Node|string} first @param {string} second */
function two(first, second) {
  return h(
    "div",
    { class: "two" },
    h("div", {}, first),
    h("div", { class: "muted", title: second.length > 20 ? visible(second) : null }, said(second)),
  );
}
