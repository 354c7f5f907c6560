// Keeps sums fresh while they are looked at: reads them again when a request has ended, but not after every one.

export const PATIENCE = 1500; // ms by which the history has written what has just ended

export class Refresher {
  #shown = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #again = false;

  /** @param {import("./live.js").Live} live @param {() => void} read */
  constructor(live, read) {
    this.read = read;
    live.addEventListener("request", () => this.#later());
    live.addEventListener("gap", () => this.#later());
  }

  start() {
    this.#shown = true;
    this.read();
    this.#later();
  }

  stop() {
    this.#shown = false;
  }

  #later() {
    if (this.#timer !== undefined) {
      this.#again = true; // it may end too late for the reading that is due, which goes ahead: others must not wait
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#shown) this.read();
      if (this.#again) this.#later();
    }, PATIENCE);
    this.#again = false;
  }
}
