// The latest requests that did not go smoothly, each with what happened in one line.

import { get } from "./client.js";
import { h, keepFocus, said, visible } from "./element.js";
import { date, moment } from "./format.js";
import { beside } from "./route.js";
import { badge } from "./outcome.js";

const LENGTH = 20;
const SHOWN = ["fell back", "exhausted", "broke off"];

/** Incidents from three sources: the program's memory, the history before its start, and what happens now. */
export class Feed {
  /** @type {Map<string, any>} */
  #incidents = new Map();
  // What stands there while nothing is known to have gone wrong: before the history has answered, that is not certain.
  #nothing = "Loading";

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.element = h("ol", { class: "feed", "aria-live": "off" });
    live.addEventListener("status", () => this.#take(live.status.fallbacks.map(incident)));
    live.addEventListener("request", (event) => this.#take([/** @type {CustomEvent} */ (event).detail]));
    live.addEventListener("gap", () => this.load());
  }

  /** Read what has happened before this page was opened. */
  async load() {
    const pages = await Promise.all(SHOWN.map(read));
    const { problem, enabled } = pages.find((page) => page.problem) ?? pages[0];
    if (problem) this.#nothing = `What went wrong earlier cannot be read: ${visible(problem)}`;
    else this.#nothing = enabled ? "Nothing has gone wrong yet." : "Nothing has gone wrong since the start.";
    this.#take(pages.flatMap(({ requests }) => requests));
  }

  /** @param {any[]} rows */
  #take(rows) {
    const fresh = rows.filter(({ id, outcome }) => SHOWN.includes(outcome) && !this.#incidents.has(id));
    if (!fresh.length && this.#incidents.size) return;
    for (const row of fresh) this.#incidents.set(row.id, row);
    const latest = [...this.#incidents.values()].sort((one, other) => other.time - one.time).slice(0, LENGTH);
    this.#incidents = new Map(latest.map((row) => [row.id, row]));
    const items = latest.length ? latest.map(item) : [h("li", { class: "empty" }, this.#nothing)];
    keepFocus(this.element, () => this.element.replaceChildren(...items));
  }
}

/** The latest requests that ended so; what keeps them from being read is their `problem`. @param {string} outcome */
async function read(outcome) {
  try {
    return await get("/status/requests", { outcome, limit: LENGTH });
  } catch (error) {
    return { requests: [], enabled: true, problem: /** @type {Error} */ (error).message };
  }
}

/** An entry of `fallbacks` in /debug in the shape of a row. @param {any} told */
function incident({ request_id: id, time, outcome, story, model }) {
  return {
    id,
    time: Date.parse(time) / 1000,
    outcome: outcome === "served" ? "fell back" : outcome,
    story,
    requested: model,
  };
}

/** @param {any} row */
function item(row) {
  const at = moment(row.time, Date.now() / 1000);
  return h(
    "li",
    {},
    h(
      "a",
      { href: beside({ id: row.id }), title: date(row.time) },
      h("time", { class: "mono" }, at),
      " ",
      badge(row.outcome),
      " ",
      said(row.requested, "muted"),
    ),
    h("p", { class: "story" }, said(row.story)),
  );
}
