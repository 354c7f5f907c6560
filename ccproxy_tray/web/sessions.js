// Conversations: what each took, and who asked in it.

import { get } from "./client.js";
import { h, keepFocus, said, visible } from "./element.js";
import { cacheRate, count, date, moment, percent, plural, sum } from "./format.js";
import { link } from "./route.js";
import { Refresher } from "./refresher.js";

const PAGE = 50;
const MOST = 500; // that the proxy tells at a time
const COLUMNS = ["Session", "Last request", "Requests", "Input", "Output", "Cache hits", "Cost", "Fell back", "Failed"];

export class Sessions {
  /** @type {string|null} */
  #next = null;
  #refresher;

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.title = "Sessions";
    this.body = h("tbody");
    this.note = h("div", { class: "empty", hidden: true });
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.#read(true) }, "Show earlier sessions");
    const heads = COLUMNS.map((title, index) => h("th", { scope: "col", class: index > 1 ? "number" : null }, title));
    this.table = h(
      "table",
      { class: "plain conversations" },
      h("caption", { class: "hidden" }, "Sessions, latest first"),
      h("thead", {}, h("tr", {}, ...heads)),
      this.body,
    );
    this.element = h(
      "section",
      { "aria-label": this.title },
      h("h2", {}, this.title),
      h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Table of sessions" }, this.table),
      this.note,
      this.more,
    );
    this.#refresher = new Refresher(live, () => this.#read(false));
  }

  show() {
    this.#refresher.start();
  }

  hide() {
    this.#refresher.stop();
  }

  /** @param {boolean} on further sessions below those that stand there, or the first ones again */
  async #read(on) {
    try {
      const { sessions, next, problem, enabled } = await get("/status/sessions", {
        limit: on ? PAGE : Math.min(MOST, Math.max(PAGE, this.body.childElementCount)),
        before: on ? this.#next : null,
      });
      const rows = sessions.map(row);
      if (on) this.body.append(...rows);
      else keepFocus(this.body, () => this.body.replaceChildren(...rows));
      this.#next = next;
      this.#tell(problem || (enabled ? "" : "The history is switched off (history.enabled)."));
    } catch (error) {
      this.#tell(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} problem */
  #tell(problem) {
    const empty = this.body.childElementCount === 0;
    this.more.hidden = this.#next === null;
    this.table.hidden = empty;
    this.note.hidden = !empty && !problem;
    this.note.textContent = visible(problem) || "No sessions yet: Claude Code names its session in every request.";
  }
}

/** @param {any} told */
function row(told) {
  const { session, last, requests, main, subagent, background, agents } = told;
  const kinds = [
    `${count(main)} main`,
    `${count(subagent)} by ${plural(agents, "subagent")}`,
    `${count(background)} background`,
  ];
  const parts = kinds.filter((_, index) => [main, subagent, background][index]);
  const [cost, hint] = sum(told.cost, told.unpriced);
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("a", { href: link("requests", { session }), title: "Show its requests" }, said(session, "mono")),
    ),
    h("td", { title: date(last) }, moment(last, Date.now() / 1000)),
    h("td", { class: "number" }, count(requests), h("div", { class: "muted" }, parts.join(", "))),
    h("td", { class: "number" }, count(told.input + told.cache_read + told.cache_write)),
    h("td", { class: "number" }, count(told.output)),
    h("td", { class: "number" }, percent(cacheRate(told))),
    h("td", { class: "number" }, cost, hint ? h("div", { class: "muted" }, hint) : null),
    h("td", { class: "number" }, count(told.fell_back)),
    h("td", { class: "number" }, count(told.failed)),
  );
}
