// Server-sent events over fetch, because EventSource cannot send a token. Comes back by itself, where it left off.
// A page that nobody sees lets go: browsers open six connections to one host, for all of their tabs together.

import { open, Refused } from "./client.js";

const SILENCE = 40000; // the proxy says something every 15 s
const FIRST = 400;
const LONGEST = 5000;
const UNSEEN = 10000;

/**
 * @typedef {{id: string, type: string, data: string}} Told
 * @typedef {"connecting"|"live"|"reconnecting"|"stopped"|"paused"} Connection
 */

/** Splits text that comes in pieces into events (HTML standard, "Parsing an event stream"; lines end in LF here). */
export class Parser {
  #rest = "";
  /** @type {{id: string, type: string, data: string[]}} */
  #event = { id: "", type: "message", data: [] };

  /**
   * @param {string} text
   * @returns {Told[]}
   */
  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = /** @type {string} */ (lines.pop());
    return lines.flatMap((line) => this.#line(line));
  }

  /** @param {string} line @returns {Told[]} */
  #line(line) {
    if (line === "") {
      const { id, type, data } = this.#event;
      this.#event = { id: "", type: "message", data: [] };
      return data.length ? [{ id, type, data: data.join("\n") }] : [];
    }
    const [, field, value] = /** @type {RegExpMatchArray} */ (line.match(/^([^:]*):? ?(.*)$/s));
    if (field === "data") this.#event.data.push(value);
    else if (field === "event") this.#event.type = value;
    else if (field === "id") this.#event.id = value;
    return [];
  }
}

/**
 * Follow a path for as long as the page lives.
 * @param {string} path
 * @param {(told: Told) => void} hear
 * @param {(state: Connection, why: string) => void} tell
 */
export async function follow(path, hear, tell) {
  let last = "";
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const told of connection(path, last, () => ((failures = 0), tell("live", "")))) {
        last = told.id || last;
        hear(told);
      }
      tell("reconnecting", "");
    } catch (error) {
      if (document.hidden) {
        tell("paused", "");
        await seen();
        failures = -1;
        continue;
      }
      const answered = error instanceof Refused || failures === 0;
      tell(answered ? "reconnecting" : "stopped", error instanceof Refused ? error.message : "");
    }
    await pause(Math.min(LONGEST, FIRST * 2 ** failures) * (0.5 + Math.random() / 2));
  }
}

/** @param {string} path @param {string} last @param {() => void} connected @returns {AsyncGenerator<Told>} */
async function* connection(path, last, connected) {
  const abort = new AbortController();
  const release = whenUnseen(() => abort.abort());
  let alarm = setTimeout(() => abort.abort(), SILENCE);
  try {
    const response = await open(path, { headers: last ? { "last-event-id": last } : {}, signal: abort.signal });
    connected();
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    const decoder = new TextDecoder();
    const parser = new Parser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => abort.abort(), SILENCE);
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    release();
    clearTimeout(alarm);
    abort.abort();
  }
}

/** Calls back when nobody has seen the page for a while. @param {() => void} letGo @returns {() => void} to stop that */
function whenUnseen(letGo) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(letGo, UNSEEN);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Waits until somebody looks. */
function seen() {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve(undefined);
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

/** @param {number} ms shorter when the user comes back to the page, or the network does */
function pause(ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", done);
      resolve(undefined);
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", done);
  });
}
