// Texts that count down. One clock for all of them.

import { h } from "./element.js";
import { left } from "./format.js";
import { sleepDetector } from "./sleep.js";

const LATE = 200; // ms that `seconds_left`, rounded as it is, may be too short: asked earlier, the proxy would say "0 s"

/** @type {WeakMap<Element, number>} */
const deadlines = new WeakMap();

/**
 * `37 s`, a second later `36 s`.
 * @param {number} deadline ms of performance.now()
 */
export function countdown(deadline) {
  const element = h("span", { class: "countdown" });
  deadlines.set(element, deadline);
  show(element, performance.now());
  return element;
}

/**
 * Run all countdowns of the page. `over` is called when one of them has ended, or may have.
 * @param {() => void} over
 */
export function runCountdowns(over) {
  const slept = sleepDetector();
  setInterval(() => {
    const now = performance.now();
    const ended = [...document.querySelectorAll(".countdown")].filter((element) => show(element, now));
    if (slept() || ended.length) over();
  }, 1000);
}

/** @param {Element} element @param {number} now @returns {boolean} whether it has just ended */
function show(element, now) {
  const deadline = deadlines.get(element);
  if (deadline === undefined) return false;
  element.textContent = left((deadline - now) / 1000);
  if (now < deadline + LATE) return false;
  deadlines.delete(element);
  return true;
}
