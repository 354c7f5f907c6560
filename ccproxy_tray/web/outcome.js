// How a request ended, told by shape, colour and words.

import { h, visible } from "./element.js";

const GLYPHS = new Map([
  ["served", "●"],
  ["fell back", "◐"],
  ["exhausted", "✕"],
  ["broke off", "✕"],
  ["refused", "⊘"],
  ["abandoned", "○"],
]);

/** @param {string} outcome */
export function badge(outcome) {
  const glyph = h("span", { "aria-hidden": "true", class: "glyph" }, GLYPHS.get(outcome) ?? "?");
  return h("span", { class: "outcome", "data-outcome": outcome }, glyph, " ", visible(outcome));
}
