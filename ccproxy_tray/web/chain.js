// The chain: every target in the order in which it is tried, and what keeps it from serving.

import { countdown } from "./countdown.js";
import { h, said } from "./element.js";

const GLYPHS = { serving: "●", ready: "○", cooling: "▲", missing: "✕", offline: "△" };
const WORDS = {
  serving: "serving",
  ready: "ready",
  cooling: "cooling",
  missing: "no credentials",
  offline: "out of reach",
};

/**
 * @param {import("./live.js").Live} live
 * @returns {HTMLElement[]}
 */
export function chain(live) {
  const { chain: routes, rate_limits: coolings } = live.status;
  const [first, ...others] = routes;
  if (!first) return [h("p", { class: "empty" }, "No configuration is in force.")];
  const title = first.model ? h("p", { class: "muted" }, "For ", said(first.model, "mono"), ", asked for last") : null;
  return [
    .../** @type {HTMLElement[]} */ (title ? [title] : []),
    targets(live, first.targets),
    ...others.flatMap((/** @type {any} */ route) => [
      h("h4", {}, "Requests for ", said(route.model, "mono")),
      targets(live, route.targets),
    ]),
    ...alsoCooling(live, routes, coolings),
  ];
}

/** What has to change for the chain to be drawn anew; countdowns run by themselves. @param {import("./live.js").Live} live */
export function signature({ status: { chain: routes, rate_limits: coolings }, sleeps }) {
  return JSON.stringify([routes, coolings, sleeps], (key, value) => (key === "seconds_left" ? undefined : value));
}

/** @param {import("./live.js").Live} live @param {any[]} all */
const targets = (live, all) => h("ol", { class: "chain" }, ...all.map((target) => link(live, target, target.state)));

/** Coolings of models that no route above shows. @param {import("./live.js").Live} live @param {any[]} routes @param {any[]} coolings */
function alsoCooling(live, routes, coolings) {
  const seen = new Set(routes.flatMap((route) => route.targets.map((/** @type {any} */ each) => each.cooling?.target)));
  const rest = coolings.filter(({ target }) => !seen.has(target));
  if (!rest.length) return [];
  const links = rest.map((cooling) => link(live, { ...cooling, cooling, remedy: "" }, "cooling"));
  return [h("h4", {}, "Also cooling"), h("ul", { class: "chain" }, ...links)];
}

/** @param {import("./live.js").Live} live @param {any} target @param {keyof typeof WORDS} state */
function link(live, target, state) {
  const { provider, region, model, cooling, remedy } = target;
  return h(
    "li",
    { class: "link", "data-state": state },
    h("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[state]),
    h(
      "div",
      { class: "target" },
      h("div", {}, said(provider, "provider"), " ", said(region, "muted"), " ", said(model || "any model", "mono")),
      cooling ? h("div", { class: "why" }, said(cooling.reason)) : null,
      cooling?.lasting ? h("div", { class: "why" }, "Also ends when configuration or credentials change.") : null,
      remedy ? h("div", { class: "why" }, said(remedy)) : null,
    ),
    h("div", { class: "state" }, ...standing(live, cooling, state)),
  );
}

/** @param {import("./live.js").Live} live @param {any} cooling @param {keyof typeof WORDS} state */
function standing(live, cooling, state) {
  if (state !== "cooling") return [WORDS[state]];
  const back = ["back in ", countdown(live.deadline(cooling.seconds_left))];
  return cooling.simulated ? [...back, h("span", { class: "badge played" }, "simulated")] : back;
}
