// Everything about one request, in a panel over whatever view it was opened from.

import { get, Refused } from "./client.js";
import { byId, h, said, visible } from "./element.js";
import { cacheRate, count, date, duration, percent, price } from "./format.js";
import { badge } from "./outcome.js";
import { beside, here, link, replace } from "./route.js";
import { timeline } from "./timeline.js";

const TRIES = 3;
const PAUSE = 600; // the history writes at most a second after the end of a request

export class Detail {
  #id = "";

  constructor() {
    this.dialog = /** @type {HTMLDialogElement} */ (byId("detail"));
    this.dialog.addEventListener("close", () => {
      if (here().params.id === this.#id) replace(beside({ id: null }));
      this.#id = "";
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  /** Show a request, or none. @param {string|undefined} id */
  async show(id = "") {
    if (id === this.#id) return;
    this.#id = id;
    if (!id) return this.dialog.close();
    this.#fill(h("p", { class: "muted" }, "Loading"));
    if (!this.dialog.open) this.dialog.showModal();
    const content = await read(id).then(request, (error) => [h("p", { class: "empty" }, missing(error))]);
    if (this.#id === id) this.#fill(...content);
  }

  /** @param {...Node} content */
  #fill(...content) {
    const close = h(
      "button",
      { type: "button", class: "close", "aria-label": "Close", onclick: () => this.dialog.close() },
      "✕",
    );
    const title = h("h2", { id: "detail-title" }, "Request ", said(this.#id, "mono"));
    this.dialog.replaceChildren(
      h("div", { class: "panel-head" }, title, close),
      h("div", { class: "panel-body" }, ...content),
    );
  }
}

/** A request that has just ended may not have been written yet. @param {string} id */
async function read(id) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await get(`/status/requests/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404 || tries === TRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** @param {unknown} error */
function missing(error) {
  if (!(error instanceof Refused)) return "The proxy cannot be reached.";
  return error.status === 404
    ? "The history does not have this request: it is switched off, or the request is older than what is kept."
    : visible(error.message);
}

/** @param {any} row */
function request(row) {
  return [
    h("p", { class: "lead" }, badge(row.outcome), " ", said(row.story, "story")),
    ...(row.error ? [part("Error", h("p", { class: "error" }, said(row.error)))] : []),
    part("Attempts", ...attempts(row)),
    part("Tokens and cost", tokens(row)),
    part("Request", facts(row)),
    ...(row.tools.length
      ? [
          part(
            "Tools called",
            h(
              "ul",
              { class: "tools" },
              ...row.tools.map((/** @type {string} */ name) => h("li", {}, said(name, "mono"))),
            ),
          ),
        ]
      : []),
    part(
      "Repeat it",
      copyable("Request id", row.id),
      ...(row.body
        ? [copyable("Command", `ccproxy-tray replay ${row.id}`)]
        : [h("p", { class: "muted" }, "Bodies were not kept (history.bodies), so there is nothing to replay.")]),
    ),
    ...(row.body ? bodies(row.body) : []),
  ];
}

/** @param {string} title @param {...Node} content */
const part = (title, ...content) => h("section", {}, h("h3", {}, title), ...content);

/** @param {any} row */
function attempts({ attempts: tried, skipped, total_ms: total }) {
  const found = [];
  if (skipped.length) {
    const each = (/** @type {any} */ { target, reason }) => h("li", {}, said(target), ": ", said(reason, "muted"));
    found.push(h("p", {}, "Skipped without a try:"), h("ul", { class: "skipped" }, ...skipped.map(each)));
  }
  found.push(tried.length ? timeline(tried, total) : h("p", { class: "muted" }, "Nobody was tried."));
  return found;
}

/** @param {any} row */
function tokens(row) {
  const all = row.input + row.output + row.cache_read + row.cache_write;
  if (!all && row.cost === null) return h("p", { class: "muted" }, "No answer, no tokens.");
  return list([
    ["Input", count(row.input)],
    ["Cache read", count(row.cache_read)],
    ["Cache write", count(row.cache_write)],
    ["Output", count(row.output)],
    ["Cache hit rate", percent(cacheRate(row))],
    ["Cost", price(row.cost)],
    ["Counted by", row.estimated ? "this proxy, in part: an estimate" : "the provider"],
  ]);
}

/** @param {any} row */
function facts(row) {
  const session = row.session
    ? h("a", { href: link("requests", { session: row.session }) }, said(row.session, "mono"))
    : "";
  return list([
    ["Ended", date(row.time)],
    ["Asked for", said(row.requested, "mono")],
    ["Last target", said([row.provider, row.region, row.model].filter(Boolean).join(" "), "mono")],
    ["First content", duration(row.first_event_ms)],
    ["In all", duration(row.total_ms)],
    ["Status", row.status ? `${row.status}` : "the client left before"],
    ["Stop reason", said(row.stop_reason)],
    ["Stream", row.stream ? "yes" : "no"],
    ["Session", session],
    ["Kind", said(row.kind)],
    ["Agent", said(row.agent, "mono")],
    ["Client", said(row.client)],
  ]);
}

/** Names and values; those without a value are left out. @param {[string, Node|string][]} pairs */
function list(pairs) {
  const filled = pairs.filter(([, value]) => (typeof value === "string" ? value : value.textContent));
  return h("dl", { class: "facts" }, ...filled.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** @param {string} name @param {string} text */
function copyable(name, text) {
  const button = h("button", { type: "button", "aria-label": `Copy ${name.toLowerCase()}`, onclick: copy }, "Copy");
  async function copy() {
    await navigator.clipboard.writeText(text).then(
      () => (button.textContent = "Copied"),
      () => (button.textContent = "Select and copy"),
    );
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }
  return h("div", { class: "copyable" }, h("code", {}, said(text)), button);
}

/** @param {any} body */
function bodies({ request: asked, response: answered, request_size: askedSize, response_size: answeredSize }) {
  return [text("Request body", asked, askedSize), text("Answer", answered, answeredSize)];
}

/** @param {string} title @param {string} body @param {number} size */
function text(title, body, size) {
  const cut = new Blob([body]).size < size ? `, the beginning of ${count(size)} bytes` : `, ${count(size)} bytes`;
  return h(
    "details",
    { class: "body" },
    h("summary", {}, title, h("span", { class: "muted" }, cut)),
    h("pre", { tabindex: 0 }, visible(pretty(body))),
  );
}

/** JSON with line breaks; anything else, and what is cut, as it is. @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
