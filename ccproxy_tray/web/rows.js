// The requests that match a filter, as far as they have been read: further pages behind, new ones in front.

import { get } from "./client.js";

const PAGE = 200;

/**
 * @typedef {{q?: string, provider?: string, model?: string, outcome?: string, kind?: string, session?: string,
 *            since?: string, until?: string}} Filter
 */

export class Rows {
  /** @type {any[]} latest first */
  all = [];
  /** @type {number|null} how many match in all, where that is known */
  total = null;
  enabled = true;
  problem = "";
  #filter = {};
  #known = new Set();
  /** @type {string|null} */
  #next = null;
  #abort = new AbortController();
  /** @type {Promise<void>|null} */
  #reading = null;

  /** Whether there are more to be read. */
  get more() {
    return this.#next !== null;
  }

  /**
   * Start over. Throws like `get`, an AbortError when it was started over meanwhile.
   * @param {Filter} filter
   */
  async reset(filter) {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#reading = null;
    const { signal } = this.#abort;
    const page = await get("/status/requests", { ...filter, limit: PAGE }, signal);
    signal.throwIfAborted();
    this.clear();
    this.#filter = filter;
    this.#take(page);
  }

  /** Hold no rows, and know of none. */
  clear() {
    this.all = [];
    this.#known.clear();
    this.#next = null;
  }

  /** Read the next page, once at a time. */
  read() {
    if (this.#next !== null) {
      this.#reading ??= this.#read(this.#abort.signal).finally(() => {
        this.#reading = null;
      });
    }
    return this.#reading ?? Promise.resolve();
  }

  /**
   * Put a request that has just ended in front, unless it is known already or does not match.
   * @param {any} row
   * @returns {boolean}
   */
  add(row) {
    if (this.#known.has(row.id) || !matches(row, this.#filter)) return false;
    this.#known.add(row.id);
    this.all.unshift(row);
    if (this.total !== null) this.total += 1;
    return true;
  }

  /**
   * Read the first page again, for what the history had not written yet.
   * @returns {Promise<number>} how many that were
   */
  async catchUp() {
    const { signal } = this.#abort;
    const { requests } = await get("/status/requests", { ...this.#filter, limit: PAGE }, signal);
    const newest = this.all[0]?.time ?? 0;
    const fresh = signal.aborted
      ? []
      : requests.filter((/** @type {any} */ { id, time }) => time >= newest && !this.#known.has(id));
    for (const { id } of fresh) this.#known.add(id);
    this.all.unshift(...fresh);
    if (this.total !== null) this.total += fresh.length;
    return fresh.length;
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const page = await get("/status/requests", { ...this.#filter, limit: PAGE, before: this.#next }, signal);
    if (!signal.aborted) this.#take({ ...page, total: this.total });
  }

  /** @param {any} page */
  #take({ enabled, problem, requests, next, total }) {
    Object.assign(this, { enabled, problem, total });
    for (const row of requests) {
      if (!this.#known.has(row.id)) this.all.push(row);
      this.#known.add(row.id);
    }
    this.#next = next;
  }
}

/**
 * Whether a row is one that the history would give: for those that have just ended. As there, each word of `q` begins
 * a word of the row.
 * @param {any} row
 * @param {Filter} filter
 */
export function matches(row, { q = "", provider, model, outcome, kind, session, since, until }) {
  const failed = !["served", "fell back"].includes(row.outcome);
  return (
    (provider === undefined || row.provider === provider) &&
    (model === undefined || row.model === model) &&
    (!outcome || row.outcome === outcome || (outcome === "failed" && failed)) &&
    (!kind || row.kind === kind) &&
    (!session || row.session === session) &&
    (!since || row.time >= Number(since)) &&
    (!until || row.time < Number(until)) &&
    words(q).every((word) => words(texts(row)).some((each) => each.startsWith(word)))
  );
}

/** @param {any} row */
const texts = ({ story, error, model, requested, provider, session, agent, client, id }) =>
  [story, error, model, requested, provider, session, agent, client, id].join(" ");

/** @param {string} text */
const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
