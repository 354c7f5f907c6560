// A chart with its name, its legend, what is told of a slot, and the same numbers as a table.

import { swatch } from "./chart.js";
import { h, said } from "./element.js";

/**
 * @typedef {object} Options
 * @property {string} title
 * @property {string} hint what is counted
 * @property {(data: import("./chart.js").Data, width: number) => SVGElement} draw
 * @property {boolean} [line] whether it draws lines
 */

export class Figure {
  /** @type {import("./chart.js").Data|null} */
  #data = null;
  #width = 0;
  /** @type {Options} */
  #options;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.plot = h("div", {
      class: "plot",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      onfocusin: (/** @type {Event} */ event) => this.#point(event),
      onmouseover: (/** @type {Event} */ event) => this.#point(event),
      onfocusout: () => this.#leave(),
      onmouseleave: () => this.#leave(),
    });
    this.tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.legend = h("ul", { class: "legend" });
    this.table = h("details", { ontoggle: () => this.#fillTable() }, h("summary", {}, "Show as a table"));
    this.element = h(
      "figure",
      { class: "card" },
      h("figcaption", {}, h("h3", {}, options.title), h("p", { class: "muted" }, options.hint)),
      h("div", { class: "stage" }, this.plot, this.tip),
      this.legend,
      this.table,
    );
    new ResizeObserver(([{ contentRect }]) => this.#fit(Math.floor(contentRect.width))).observe(this.plot);
  }

  /** @param {import("./chart.js").Data} data */
  show(data) {
    this.#data = data;
    const { line } = this.#options;
    this.legend.replaceChildren(...data.series.map((each) => h("li", {}, swatch(each, line), " ", said(each.name))));
    this.#draw();
    this.#fillTable();
  }

  /** @param {number} width */
  #fit(width) {
    if (width === this.#width) return;
    this.#width = width;
    this.#draw();
  }

  #draw() {
    if (!this.#data || !this.#width) return;
    const { activeElement } = document;
    const slot = this.plot.contains(activeElement)
      ? Number(/** @type {SVGElement} */ (activeElement).dataset.slot)
      : null;
    const svg = this.#options.draw(this.#data, this.#width);
    svg.setAttribute("aria-label", `${this.#options.title}: ${this.#options.hint} Arrow keys go from slot to slot.`);
    this.plot.replaceChildren(svg);
    if (slot !== null) this.#focus(slot);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const slot = Number(/** @type {SVGElement} */ (event.target).dataset.slot);
    const last = this.plot.querySelectorAll(".slot").length - 1;
    const goals = { ArrowLeft: slot - 1, ArrowRight: slot + 1, Home: 0, End: last };
    const goal = goals[/** @type {keyof typeof goals} */ (event.key)];
    if (event.key === "Escape") this.#leave();
    if (goal === undefined) return;
    event.preventDefault();
    this.#focus(Math.max(0, Math.min(last, goal)));
  }

  /** @param {number} slot */
  #focus(slot) {
    const links = /** @type {NodeListOf<SVGElement>} */ (this.plot.querySelectorAll(".slot"));
    links.forEach((link, index) => link.setAttribute("tabindex", index === slot ? "0" : "-1"));
    links[slot]?.focus();
  }

  /** @param {Event} event */
  #point(event) {
    const link = /** @type {Element} */ (event.target).closest(".slot");
    if (!link || !this.#data) return;
    const slot = Number(/** @type {SVGElement} */ (link).dataset.slot);
    const { slots, series, format } = this.#data;
    const values = series.filter(({ values }) => values[slot]);
    const rows = values.map((each) =>
      h(
        "li",
        {},
        swatch(each, this.#options.line),
        " ",
        said(each.name),
        " ",
        h("b", {}, format(each.values[slot] ?? 0)),
      ),
    );
    this.tip.replaceChildren(
      h("strong", {}, slots[slot].label.split(": ")[0]),
      rows.length ? h("ul", {}, ...rows) : h("p", {}, "nothing"),
    );
    this.tip.hidden = false;
    const { left, width } = link.getBoundingClientRect();
    const stage = this.plot.getBoundingClientRect();
    const middle = left + width / 2 - stage.left;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(0, Math.min(stage.width - 2 * half, middle - half))}px`;
  }

  #leave() {
    this.tip.hidden = true;
  }

  /** The table is made when somebody opens it. */
  #fillTable() {
    const details = /** @type {HTMLDetailsElement} */ (this.table);
    if (!details.open || !this.#data) return;
    const { slots, series, format } = this.#data;
    const heads = ["From", ...series.map(({ name }) => name)].map((name) => h("th", { scope: "col" }, said(name)));
    const cell = (/** @type {number|null} */ value) =>
      h("td", { class: "number" }, value === null ? "–" : format(value));
    const rows = slots.map(({ name }, slot) =>
      h("tr", {}, h("th", { scope: "row" }, name), ...series.map(({ values }) => cell(values[slot]))),
    );
    details.querySelector(".wide")?.remove();
    const table = h(
      "table",
      { class: "plain" },
      h("caption", { class: "hidden" }, this.#options.title),
      h("thead", {}, h("tr", {}, ...heads)),
      h("tbody", {}, ...rows),
    );
    details.append(
      h(
        "div",
        { class: "wide", tabindex: 0, role: "region", "aria-label": `${this.#options.title} as a table` },
        table,
      ),
    );
  }
}
