// The first view: the day in numbers, the chain, and the fallbacks as they happen.

import { chain, signature } from "./chain.js";
import { h } from "./element.js";
import { Feed } from "./feed.js";
import { count, moment } from "./format.js";
import { link } from "./route.js";
import { tiles } from "./tiles.js";

const earlier = () =>
  h(
    "p",
    { class: "more" },
    "All that ",
    h("a", { href: link("requests", { outcome: "fell back" }) }, "fell back"),
    " or ",
    h("a", { href: link("requests", { outcome: "failed" }) }, "failed"),
  );

export class Overview {
  #drawn = "";

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.title = "Overview";
    this.today = h("div");
    this.chain = h("div");
    this.feed = new Feed(live);
    this.element = h(
      "section",
      { "aria-label": this.title },
      this.today,
      h(
        "div",
        { class: "columns" },
        h("section", { class: "card" }, h("h2", {}, "Chain"), this.chain),
        h("section", { class: "card" }, h("h2", {}, "Fallbacks"), this.feed.element, earlier()),
      ),
    );
    live.addEventListener("status", () => this.#draw(live));
    this.feed.load();
  }

  show() {}

  hide() {}

  /** @param {import("./live.js").Live} live */
  #draw(live) {
    const { today, total } = live.status.requests;
    const { time, uptime_seconds: uptime, version } = live.status;
    const started = moment(Date.parse(time) / 1000 - uptime, Date.now() / 1000);
    this.today.replaceChildren(
      tiles([
        ["Requests today", count(today.total), `${count(total)} since the start`],
        ["Fell back today", count(today.fell_back), "one failed, a later one answered"],
        ["Unanswered today", count(today.exhausted + today.broke_off), "nobody answered, or the answer broke off"],
        ["Running since", started, `version ${version}`],
      ]),
    );
    const drawn = signature(live);
    if (drawn !== this.#drawn) this.chain.replaceChildren(...chain(live));
    this.#drawn = drawn;
  }
}
