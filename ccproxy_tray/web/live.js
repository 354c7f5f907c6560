// What the proxy tells while it runs. Views listen; nobody else talks to /events.

import { get } from "./client.js";
import { sleepDetector } from "./sleep.js";
import { follow } from "./stream.js";

/**
 * Dispatches `status` (the /debug document), `request` (the row of one that has just ended), `connection`
 * (`{state, why}`), and `gap` when requests were missed, so that lists have to be read again.
 */
export class Live extends EventTarget {
  /** @type {any} */
  status = null;
  /** The moment of `status` by this page's own clock, in ms: the proxy's may differ. */
  heard = 0;
  /** How often the machine has slept: what was counted down before is wrong. */
  sleeps = 0;
  #slept = sleepDetector();

  start() {
    follow(
      "/events",
      (told) => this.#hear(told),
      (state, why) => this.#tell("connection", { state, why }),
    );
  }

  /** Look again: a countdown has ended, which is no event of the proxy. */
  async refresh() {
    try {
      this.#take(await get("/debug"));
    } catch {
      // Nobody answers: the stream has noticed as well, and asks again.
    }
  }

  /**
   * When something will have ended, in ms of performance.now().
   * @param {number} secondsLeft as the latest status told it
   */
  deadline(secondsLeft) {
    return this.heard + secondsLeft * 1000;
  }

  /** @param {import("./stream.js").Told} told */
  #hear(told) {
    const data = JSON.parse(told.data);
    if (told.type === "status") this.#take(data);
    else this.#tell(told.type, data);
  }

  /** @param {any} document */
  #take(document) {
    if (this.#slept()) this.sleeps += 1;
    this.status = document;
    this.heard = performance.now();
    this.#tell("status", document);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
