// What passed through: requests, tokens, cost and latency by provider over a day, a week or a month.

import { bars, lines } from "./chart.js";
import { get } from "./client.js";
import { h, visible } from "./element.js";
import { Figure } from "./figure.js";
import { NOBODY } from "./filter.js";
import { cacheRate, compact, count, duration, money, percent, slot as slotName, sum } from "./format.js";
import { Refresher } from "./refresher.js";
import { beside, here, link } from "./route.js";
import { tiles } from "./tiles.js";

const PERIODS = new Map([
  ["day", "Day"],
  ["week", "Week"],
  ["month", "Month"],
]);
const TOKENS = { input: "Input", cache_read: "Cache read", cache_write: "Cache write", output: "Output" };

export class Usage {
  #params = here().params;
  #offered = "";
  #refresher;

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.title = "Usage";
    this.periods = h("nav", { class: "switch", "aria-label": "Period" });
    const choose = () => (location.hash = beside({ provider: this.list.value }));
    this.list = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": "Provider", onchange: choose }));
    this.sums = h("div");
    this.note = h("p", { class: "empty", hidden: true });
    this.requests = new Figure({
      title: "Requests",
      hint: "Ended requests by the provider that answered, or was tried last.",
      draw: bars,
    });
    this.tokens = new Figure({
      title: "Tokens",
      hint: "As the providers counted them; estimates where they did not.",
      draw: bars,
    });
    this.cost = new Figure({ title: "Cost", hint: "US dollars, of the requests whose cost is known.", draw: bars });
    this.latency = new Figure({
      title: "Latency",
      hint: "Time to the first content: half of the requests were faster (p50), 95 % were (p95).",
      draw: lines,
      line: true,
    });
    const figures = [this.requests, this.tokens, this.cost, this.latency].map(({ element }) => element);
    this.element = h(
      "section",
      { "aria-label": this.title },
      h("div", { class: "head" }, h("h2", {}, this.title), this.periods, this.list),
      this.note,
      this.sums,
      h("div", { class: "figures" }, ...figures),
    );
    this.#refresher = new Refresher(live, () => this.#read());
  }

  /** @param {Record<string, string>} params */
  show(params) {
    this.#params = params;
    this.#refresher.start();
  }

  hide() {
    this.#refresher.stop();
  }

  get #period() {
    const { period } = this.#params;
    return PERIODS.has(period) ? period : "day";
  }

  async #read() {
    const period = this.#period;
    this.periods.replaceChildren(
      ...[...PERIODS].map(([value, name]) =>
        h("a", { href: beside({ period: value }), "aria-current": value === period ? "true" : null }, name),
      ),
    );
    try {
      const told = await get("/status/usage", { period });
      if (period === this.#period) this.#draw(told);
    } catch (error) {
      this.#tell(`Cannot read the history: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {any} told */
  #draw({ slots, providers, totals, problem, enabled }) {
    const looks = providers.map((/** @type {any} */ each, /** @type {number} */ look) => ({
      ...each,
      look,
      key: each.name || NOBODY,
      name: each.name || "nobody",
    }));
    const { provider } = this.#params;
    this.#offer(looks);
    const shown = looks.filter((/** @type {any} */ { key }) => !provider || key === provider);
    const nothing = shown.length ? "" : "No requests in this time.";
    this.#tell(problem || (enabled ? nothing : "The history is switched off (history.enabled)."));
    this.sums.replaceChildren(tiles(provider ? figures(added(shown)) : [...figures(totals), speed(totals)]));
    const columns = axis(slots, provider ?? "");
    this.requests.show(data(columns, series(shown, "requests"), count));
    const kinds = Object.entries(TOKENS).map(([key, name], look) => ({ name, look, values: total(shown, key) }));
    this.tokens.show(data(columns, kinds, count, compact));
    this.cost.show(data(columns, known(series(shown, "cost")), money));
    const pairs = shown.flatMap((/** @type {any} */ { name, look, p50, p95 }) => [
      { name: `${name} p50`, look, values: p50 },
      { name: `${name} p95`, look, values: p95, dashed: true },
    ]);
    this.latency.show(data(columns, known(pairs), duration));
  }

  /** The providers to choose from, and the chosen one even where it has no requests. @param {any[]} looks */
  #offer(looks) {
    const { provider = "" } = this.#params;
    /** @type {Map<string, string>} */
    const names = new Map([["", "All providers"], ...looks.map(({ key, name }) => /** @type {const} */ ([key, name]))]);
    if (!names.has(provider)) names.set(provider, provider === NOBODY ? "nobody" : provider);
    const offered = JSON.stringify([...names]);
    if (offered !== this.#offered)
      this.list.replaceChildren(...[...names].map(([value, name]) => h("option", { value }, visible(name))));
    this.#offered = offered;
    this.list.value = provider;
  }

  /** @param {string} problem */
  #tell(problem) {
    this.note.hidden = !problem;
    this.note.textContent = visible(problem);
  }
}

/** @param {{start: number, end: number}[]} slots @param {string} provider */
function axis(slots, provider) {
  const period = slots.length ? slots[slots.length - 1].end - slots[0].start : 0;
  const href = (/** @type {number} */ start, /** @type {number} */ end) =>
    link("requests", { provider, since: `${start}`, until: `${end}` });
  return slots.map(({ start, end }) => ({ name: slotName({ start, end }, period), start, href: href(start, end) }));
}

/** @param {{name: string, start: number, href: string}[]} slots @param {import("./chart.js").Series[]} all @param {(value: number) => string} format @param {(value: number) => string} [tick] */
function data(slots, all, format, tick = format) {
  const told = (/** @type {number} */ slot) =>
    all.filter(({ values }) => values[slot]).map(({ name, values }) => `${visible(name)} ${format(values[slot] ?? 0)}`);
  const label = (/** @type {string} */ name, /** @type {number} */ slot) =>
    `${name}: ${told(slot).join(", ") || "nothing"}`;
  return {
    series: all,
    format,
    tick,
    whole: format !== money,
    slots: slots.map(({ name, href }, slot) => ({ name, href, label: label(name, slot) })),
  };
}

/** @param {any[]} providers @param {string} key */
const series = (providers, key) => providers.map(({ name, look, [key]: values }) => ({ name, look, values }));

/** Those with anything to draw. @param {import("./chart.js").Series[]} all */
const known = (all) => all.filter(({ values }) => values.some(Boolean));

/** Each slot's sum over providers. @param {any[]} providers @param {string} key @returns {number[]} */
const total = (providers, key) =>
  (providers[0]?.[key] ?? []).map((/** @type {number} */ _, /** @type {number} */ slot) =>
    providers.reduce((all, each) => all + each[key][slot], 0),
  );

/** The sums of some providers, as `totals` has them for all. @param {any[]} providers @returns {any} */
function added(providers) {
  const keys = ["requests", "failed", "input", "output", "cache_read", "cache_write", "cost", "unpriced"];
  return Object.fromEntries(keys.map((key) => [key, total(providers, key).reduce((all, value) => all + value, 0)]));
}

/** @param {any} sums @returns {[string, string, string][]} */
function figures(sums) {
  return [
    ["Requests", count(sums.requests), `${count(sums.failed)} failed`],
    [
      "Input tokens",
      compact(sums.input + sums.cache_read + sums.cache_write),
      `${compact(sums.cache_read)} of them from the cache`,
    ],
    ["Output tokens", compact(sums.output), ""],
    ["Cache hit rate", percent(cacheRate(sums)), cacheRate(sums) === null ? "" : "of all input"],
    cost(sums),
  ];
}

/** @param {any} sums @returns {[string, string, string]} */
const cost = (sums) => ["Cost", ...sum(sums.cost, sums.unpriced)];

/** @param {any} totals @returns {[string, string, string]} */
const speed = ({ p50, p95 }) => ["First content", duration(p50), p95 === null ? "" : `95 % within ${duration(p95)}`];
