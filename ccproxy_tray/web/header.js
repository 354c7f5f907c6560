// Above every view: who serves now, whether this page hears of it, and what the user should know.

import { countdown } from "./countdown.js";
import { byId, h, said, visible } from "./element.js";
import { entitle } from "./title.js";

const CONNECTION = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  stopped: "Proxy stopped; waiting for it",
  paused: "Paused",
};
const BREAKAGE = { 429: "answers 429", hang: "says nothing", cut: "cuts every connection" };

/** @param {import("./live.js").Live} live */
export function runHeader(live) {
  let told = "";
  live.addEventListener("status", () => {
    showHeadline(live.status);
    const noticed = JSON.stringify([live.status.config, live.status.history, live.status.outage?.until, live.sleeps]);
    if (noticed !== told) byId("notices").replaceChildren(...notices(live));
    told = noticed;
  });
  live.addEventListener("connection", (event) => showConnection(/** @type {CustomEvent} */ (event).detail));
}

/** @param {any} status */
function showHeadline({ headline, version, urls }) {
  const text = visible(headline.text);
  const element = byId("headline");
  if (element.dataset.text !== text) {
    const [glyph, ...words] = text.split(" ");
    element.dataset.text = text;
    element.dataset.state = headline.state;
    element.replaceChildren(h("span", { class: "glyph", "aria-hidden": "true" }, glyph), said(words.join(" ")));
    entitle({ headline: text });
  }
  byId("version").textContent = version;
  byId("address").textContent = urls[0] ?? "";
}

/** @param {{state: keyof typeof CONNECTION, why: string}} connection */
function showConnection({ state, why }) {
  const element = byId("connection");
  element.dataset.state = state;
  const words = why ? `${CONNECTION[state]}: ${visible(why)}` : CONNECTION[state];
  if (element.textContent !== words) element.textContent = words;
  const { text } = byId("headline").dataset;
  entitle({ headline: text && state !== "paused" ? text : "" });
  document.body.classList.toggle("stale", state === "stopped");
}

/** @param {import("./live.js").Live} live */
function notices(live) {
  const { config, history, outage } = live.status;
  const found = [];
  if (outage) {
    const what = `${outage.provider} ${BREAKAGE[/** @type {keyof typeof BREAKAGE} */ (outage.kind)]}`;
    found.push(
      notice("played", "Simulated outage", said(what), " for another ", countdown(live.deadline(outage.seconds_left))),
    );
  }
  if (history) found.push(notice("warning", "History", said(history)));
  if (config.problems.length)
    found.push(notice("error", "The changed configuration is not used", list(config.problems)));
  if (config.warnings.length) found.push(notice("warning", "Configuration", list(config.warnings)));
  return found;
}

/** @param {string} kind @param {string} title @param {...(Node|string)} words */
const notice = (kind, title, ...words) => h("div", { class: `notice ${kind}` }, h("strong", {}, title), " ", ...words);

/** @param {string[]} texts */
const list = (texts) =>
  texts.length === 1 ? said(texts[0]) : h("ul", {}, ...texts.map((text) => h("li", {}, said(text))));
