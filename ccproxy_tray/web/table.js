// A table of any length: only the rows that can be seen are in the document.

import { h } from "./element.js";

const FONT = parseFloat(getComputedStyle(document.documentElement).fontSize); // px, as large as the reader wants it
const ROW = Math.round((46 * FONT) / 14); // height of a row in px; style.css reads it from --row
const SPARE = 6; // rows beyond each edge

/**
 * @template Row
 * @typedef {object} Options
 * @property {string} label what the table lists
 * @property {{name: string, title: string}[]} columns `name` is the class of its cells
 * @property {(row: Row) => (Node|string)[]} cells the first holds a link, which the arrow keys go to
 * @property {() => void} near called when the end of what is loaded comes near
 */

/** @template Row */
export class VirtualTable {
  /** @type {Row[]} */
  #rows = [];
  /** @type {Map<Row, HTMLElement>} */
  #drawn = new Map();
  #active = 0;
  /** @type {Options<Row>} */
  #options;

  /** @param {Options<Row>} options */
  constructor(options) {
    this.#options = options;
    const heads = options.columns.map(({ name, title }) => h("th", { scope: "col", class: name }, title));
    this.head = h("thead", {}, h("tr", { "aria-rowindex": 1 }, ...heads));
    this.body = h("tbody");
    this.above = spacer();
    this.below = spacer();
    this.table = h(
      "table",
      { class: "virtual" },
      h("caption", { class: "hidden" }, options.label),
      this.head,
      this.above,
      this.body,
      this.below,
    );
    this.table.style.setProperty("--row", `${ROW}px`);
    this.element = h(
      "div",
      {
        class: "scroller",
        tabindex: 0,
        role: "region",
        "aria-label": options.label,
        onscroll: () => this.#draw(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      },
      this.table,
    );
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  get atTop() {
    return this.element.scrollTop < ROW;
  }

  toTop() {
    this.element.scrollTop = 0;
    this.#go(0);
  }

  /**
   * Show these rows. The array is read again at every draw, so that rows may be added to it.
   * @param {Row[]} rows
   */
  set(rows) {
    this.#rows = rows;
    this.#active = 0;
    this.#drawn.clear();
    this.body.replaceChildren();
    this.element.scrollTop = 0;
    this.#draw();
  }

  /**
   * Rows were added. What the user looks at stays where it is, unless that is the top.
   * @param {number} inFront how many of them stand before the others
   */
  grow(inFront = 0) {
    const top = this.atTop ? 0 : this.element.scrollTop + inFront * ROW;
    if (this.#active || top) this.#active += inFront;
    this.#draw(top);
    if (top) this.element.scrollTop = top;
  }

  /**
   * Say how many rows there are in all.
   * @param {number|null} total null: not known
   */
  count(total) {
    this.table.setAttribute("aria-rowcount", total === null ? "-1" : `${total + 1}`);
  }

  /**
   * Bring the document in line with what can be seen. In between, the content is too high rather than too low: the
   * browser would move what does not fit any more.
   * @param {number} [top] px above what can be seen
   */
  #draw(top = this.element.scrollTop) {
    const room = Math.ceil(this.element.clientHeight / ROW);
    const seen = Math.min(Math.floor(top / ROW), Math.max(0, this.#rows.length - room));
    const [first, last] = [Math.max(0, seen - SPARE), Math.min(this.#rows.length, seen + room + SPARE)];
    const wanted = this.#rows.slice(first, last);
    height(this.above, first * ROW);
    height(this.below, (this.#rows.length - last) * ROW);
    this.#insert(wanted, first);
    this.#drop(new Set(wanted));
    if (last > this.#rows.length - 2 * SPARE) this.#options.near();
  }

  /** Rows that stand there already are not touched: one of them may have the focus. @param {Row[]} wanted @param {number} first */
  #insert(wanted, first) {
    const kept = new Set(wanted.map((row) => this.#drawn.get(row)));
    const next = (/** @type {Element|null} */ node) => {
      while (node && !kept.has(/** @type {HTMLElement} */ (node))) node = node.nextElementSibling;
      return node;
    };
    let place = next(this.body.firstElementChild);
    wanted.forEach((row, position) => {
      const node = this.#node(row);
      node.setAttribute("aria-rowindex", `${first + position + 2}`);
      /** @type {HTMLElement} */ (node.querySelector("a")).tabIndex = first + position === this.#active ? 0 : -1;
      if (node === place) place = next(place.nextElementSibling);
      else this.body.insertBefore(node, place);
    });
  }

  /** Take out what cannot be seen any more; whoever was reading there goes on in the table as a whole. @param {Set<Row>} wanted */
  #drop(wanted) {
    for (const [row, node] of this.#drawn) {
      if (wanted.has(row)) continue;
      if (node.contains(document.activeElement)) this.element.focus({ preventScroll: true });
      node.remove();
      this.#drawn.delete(row);
    }
  }

  /** @param {Row} row */
  #node(row) {
    let node = this.#drawn.get(row);
    if (!node) {
      const cells = this.#options
        .cells(row)
        .map((cell, column) => h("td", { class: this.#options.columns[column].name }, cell));
      node = h("tr", { onclick: follow }, ...cells);
      this.#drawn.set(row, node);
    }
    return node;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#go(this.#active + (event.target === this.element && Math.abs(step) === 1 ? 0 : step));
  }

  /** @param {number} index */
  #go(index) {
    if (!this.#rows.length) return;
    this.#active = Math.max(0, Math.min(this.#rows.length - 1, index));
    const top = this.#active * ROW;
    const room = this.element.clientHeight - this.head.offsetHeight - ROW;
    const { scrollTop } = this.element;
    this.element.scrollTop = Math.min(top, Math.max(scrollTop, top - room));
    this.#draw();
    this.#drawn.get(this.#rows[this.#active])?.querySelector("a")?.focus({ preventScroll: true });
  }
}

/** A click anywhere in a row is one on its link. @param {MouseEvent} event */
function follow(event) {
  const row = /** @type {HTMLElement} */ (event.currentTarget);
  const inLink = /** @type {HTMLElement} */ (event.target).closest("a");
  if (!inLink && !getSelection()?.toString()) row.querySelector("a")?.click();
}

function spacer() {
  return h("tbody", { "aria-hidden": "true", class: "spacer" }, h("tr", {}, h("td")));
}

/** @param {HTMLElement} space @param {number} px */
function height(space, px) {
  space.hidden = px <= 0;
  /** @type {HTMLElement} */ (space.querySelector("td")).style.height = `${px}px`;
}
