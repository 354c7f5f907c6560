// Numbers with names, side by side.

import { h } from "./element.js";

/**
 * @param {[string, string, string][]} all name, value, and what it means
 */
export function tiles(all) {
  return h(
    "dl",
    { class: "tiles" },
    ...all.map(([name, value, hint]) =>
      h(
        "div",
        {},
        h("dt", {}, name),
        h("dd", { class: "value" }, value),
        hint ? h("dd", { class: "muted" }, hint) : null,
      ),
    ),
  );
}
