// Charts as SVG: stacked bars and lines over slots of time. Series differ by colour and by pattern or dash.

import { s } from "./element.js";

const HEIGHT = 190;
const PAD = { top: 8, right: 8, bottom: 22, left: 58 };
const LOOKS = 6; // colours, and as many patterns, in style.css and below
const HATCHES = ["", "M0 6L6 0", "M0 3H6", "M0 0L6 6", "M3 0V6", "M0 6L6 0M0 0L6 6"];
let drawn = 0;

/**
 * @typedef {{name: string, look: number, values: (number|null)[], dashed?: boolean}} Series
 * @typedef {{slots: {name: string, label: string, href: string}[], series: Series[], format: (value: number) => string, tick: (value: number) => string, whole: boolean}} Data
 * `format` tells a value exactly, `tick` a place on the axis; `whole` is what cannot be divided.
 */

/**
 * Round numbers from 0 to at least `max`, about `count` steps.
 * @param {number} max
 * @param {number} count
 * @param {boolean} [whole] only whole numbers: rounded, others would stand there twice or at the wrong height
 * @returns {number[]}
 */
export function ticks(max, count, whole = false) {
  if (max <= 0) return [0, 1];
  const rough = whole ? Math.max(1, max / count) : max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 2.5, 5, 10].filter((each) => !whole || Number.isInteger(each * power));
  const step = power * /** @type {number} */ (round.find((each) => each * power >= rough * 0.999));
  return Array.from({ length: Math.ceil((max / step) * 0.999) + 1 }, (_, index) => index * step);
}

/**
 * One stack of bars for each slot.
 * @param {Data} data
 * @param {number} width px
 */
export function bars(data, width) {
  const sums = data.slots.map((_, slot) => data.series.reduce((sum, { values }) => sum + (values[slot] ?? 0), 0));
  const { svg, x, y, band } = frame(data, width, Math.max(...sums));
  const id = `chart${(drawn += 1)}`;
  svg.append(s("defs", {}, ...data.series.map(({ look }) => pattern(id, look))));
  const thick = Math.max(2, Math.min(44, band * 0.72));
  data.slots.forEach((_, slot) => {
    let base = 0;
    for (const { values, look } of data.series) {
      const value = values[slot] ?? 0;
      const [top, bottom] = [y(base + value), y(base)];
      if (value > 0)
        svg.append(
          s("rect", {
            x: x(slot) - thick / 2,
            width: thick,
            y: top,
            height: Math.max(1, bottom - top),
            fill: `url(#${id}-${look})`,
          }),
        );
      base += value;
    }
  });
  svg.append(targets(data, x, band));
  return svg;
}

/**
 * One line for each series, interrupted where there is no value.
 * @param {Data} data
 * @param {number} width px
 */
export function lines(data, width) {
  const all = data.series.flatMap(({ values }) => values.filter((value) => value !== null));
  const { svg, x, y, band } = frame(data, width, Math.max(0, .../** @type {number[]} */ (all)));
  for (const { values, look, dashed } of data.series) {
    const name = `line look-${look % LOOKS}${dashed ? " dashed" : ""}`;
    svg.append(s("path", { class: name, d: path(values, x, y) }));
    values.forEach((value, slot) => value !== null && svg.append(marker(look, x(slot), y(value), Boolean(dashed))));
  }
  svg.append(targets(data, x, band));
  return svg;
}

/**
 * The look of a series, for a legend.
 * @param {Series} series
 */
export function swatch({ look, dashed }, line = false) {
  const id = `chart${(drawn += 1)}`;
  const svg = s("svg", { class: "swatch", width: 22, height: 12, "aria-hidden": "true" });
  if (line)
    svg.append(
      s("path", { class: `line look-${look % LOOKS}${dashed ? " dashed" : ""}`, d: "M0 6H22" }),
      marker(look, 11, 6, Boolean(dashed)),
    );
  else
    svg.append(
      s("defs", {}, pattern(id, look)),
      s("rect", { width: 22, height: 12, rx: 2, fill: `url(#${id}-${look})` }),
    );
  return svg;
}

/** Axes and scales. @param {Data} data @param {number} width @param {number} max */
function frame({ slots, tick, whole }, width, max) {
  const marks = ticks(max, 4, whole);
  const top = marks[marks.length - 1];
  const band = (width - PAD.left - PAD.right) / slots.length;
  const x = (/** @type {number} */ slot) => PAD.left + band * (slot + 0.5);
  const y = (/** @type {number} */ value) => PAD.top + (HEIGHT - PAD.top - PAD.bottom) * (1 - value / top);
  const svg = s("svg", { class: "chart", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group" });
  for (const mark of marks) {
    svg.append(
      s("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(mark), y2: y(mark) }),
      s(
        "text",
        { class: "tick", x: PAD.left - 6, y: y(mark) + 4, "text-anchor": "end", "aria-hidden": "true" },
        tick(mark),
      ),
    );
  }
  const every = Math.ceil(52 / band);
  slots.forEach(({ name }, slot) => {
    if ((slots.length - 1 - slot) % every) return;
    svg.append(
      s(
        "text",
        {
          class: "tick",
          x: Math.min(x(slot), width - 20),
          y: HEIGHT - 6,
          "text-anchor": "middle",
          "aria-hidden": "true",
        },
        name,
      ),
    );
  });
  return { svg, x, y, band };
}

/** What can be pointed at: a link for each slot, one of which the tab key stops at. @param {Data} data @param {(slot: number) => number} x @param {number} band */
function targets({ slots }, x, band) {
  const area = { y: PAD.top, height: HEIGHT - PAD.top - PAD.bottom, width: band };
  const link = (/** @type {Data["slots"][0]} */ { href, label }, /** @type {number} */ slot) =>
    s(
      "a",
      { href, class: "slot", "aria-label": label, tabindex: slot === slots.length - 1 ? 0 : -1, "data-slot": slot },
      s("rect", { x: x(slot) - band / 2, ...area }),
    );
  return s("g", {}, ...slots.map(link));
}

/** @param {string} id @param {number} look */
function pattern(id, look) {
  const hatch = HATCHES[(look + Math.floor(look / LOOKS)) % HATCHES.length];
  return s(
    "pattern",
    { id: `${id}-${look}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
    s("rect", { class: `ink look-${look % LOOKS}`, width: 6, height: 6 }),
    hatch ? s("path", { class: "hatch", d: hatch }) : null,
  );
}

/** @param {number} look @param {number} x @param {number} y @param {boolean} hollow */
function marker(look, x, y, hollow) {
  const shapes = [
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
    "M-3-3H3V3H-3Z",
    "M0-4L4 3H-4Z",
    "M0-4L4 0L0 4L-4 0Z",
    "M0 4L4-3H-4Z",
    "M-3-1.2H3V1.2H-3Z",
  ];
  return s("path", {
    class: `marker look-${look % LOOKS}${hollow ? " hollow" : ""}`,
    d: shapes[look % LOOKS],
    transform: `translate(${x} ${y})`,
  });
}

/** @param {(number|null)[]} values @param {(slot: number) => number} x @param {(value: number) => number} y */
function path(values, x, y) {
  const step = (/** @type {number|null} */ value, /** @type {number} */ slot) => {
    if (value === null) return "";
    return `${slot > 0 && values[slot - 1] !== null ? "L" : "M"}${x(slot)} ${y(value)}`;
  };
  return values.map(step).join("");
}
