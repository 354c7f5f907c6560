// The attempts of a request on one axis of time, as bars and in words.

import { h, said } from "./element.js";
import { duration, left } from "./format.js";
import { ticks } from "./chart.js";

/**
 * @param {any[]} attempts
 * @param {number} total ms from the request's arrival to its end
 */
export function timeline(attempts, total) {
  const end = Math.max(1, total, ...attempts.map(({ started_ms: started, total_ms: length }) => started + length));
  return h(
    "div",
    { class: "timeline" },
    axis(end),
    h("ol", {}, ...attempts.map((attempt, index) => row(attempt, index, end))),
  );
}

/** @param {number} end ms */
function axis(end) {
  const marks = ticks(end, 4, true)
    .filter((at) => at <= end)
    .map((at) => place(h("span", {}, duration(at)), at / end, null));
  return h("div", { class: "axis", "aria-hidden": "true" }, ...marks);
}

/** @param {any} attempt @param {number} index @param {number} end ms */
function row(attempt, index, end) {
  const { started_ms: started, first_event_ms: first, total_ms: length, fault } = attempt;
  const state = fault === null ? "served" : first === null ? "failed" : "broken";
  const waiting = place(
    h("span", { class: "bar waiting", "data-state": state }),
    started / end,
    (first ?? length) / end,
  );
  const speaking =
    first === null
      ? null
      : place(
          h("span", { class: "bar speaking", "data-state": state }),
          (started + first) / end,
          (length - first) / end,
        );
  return h(
    "li",
    {},
    h(
      "div",
      { class: "attempt" },
      h("strong", {}, `${index + 1}. `, said(attempt.target)),
      ...(attempt.simulated ? [" ", h("span", { class: "badge played" }, "simulated")] : []),
    ),
    h("div", { class: "track", "aria-hidden": "true" }, waiting, speaking),
    h("p", { class: "muted" }, said(came(attempt))),
    attempt.reason ? h("p", { class: "story" }, said(attempt.reason)) : null,
  );
}

/** What came of it, in words. @param {any} attempt */
function came({
  started_ms: started,
  first_event_ms: first,
  total_ms: length,
  status,
  fault,
  cooling_seconds: cooling,
}) {
  const parts = [`began at ${duration(started)}`];
  if (first !== null) parts.push(`first content after ${duration(first)}`);
  parts.push(
    fault === null
      ? `done after ${duration(length)}`
      : `${first === null ? "failed" : "broke off"} after ${duration(length)}: ${fault}`,
  );
  if (status) parts.push(`HTTP ${status}`);
  if (cooling !== null) parts.push(`cooling for ${left(cooling)}`);
  return parts.join(", ");
}

/** @param {HTMLElement} element @param {number} left share of the whole @param {number|null} width */
function place(element, left, width) {
  element.style.left = `${left * 100}%`;
  if (width !== null) element.style.width = `${Math.max(0, width) * 100}%`;
  return element;
}
