// The status page: wires what the proxy tells to the views, and the address to the view that is shown.

import { Config } from "./config.js";
import { runCountdowns } from "./countdown.js";
import { Detail } from "./detail.js";
import { byId, visible } from "./element.js";
import { runHeader } from "./header.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { Requests } from "./requests.js";
import { here, VIEWS } from "./route.js";
import { Sessions } from "./sessions.js";
import { chooseTheme } from "./theme.js";
import { entitle } from "./title.js";
import { Usage } from "./usage.js";

chooseTheme(/** @type {HTMLSelectElement} */ (byId("theme")));

const live = new Live();
const main = byId("main");
const detail = new Detail();
/** @type {Record<string, {title: string, element: HTMLElement, show: (params: Record<string, string>) => void, hide: () => void}>} */
const views = {
  overview: new Overview(live),
  requests: new Requests(live),
  sessions: new Sessions(live),
  usage: new Usage(live),
  config: new Config(live),
};
let shown = "";

function go() {
  const { view, params } = here();
  if (view !== shown) {
    if (shown) views[shown].hide();
    main.replaceChildren(views[view].element);
    document.body.dataset.view = view;
    for (const name of VIEWS) {
      const link = /** @type {HTMLElement} */ (document.querySelector(`nav a[href="#${name}"]`));
      if (name === view) choose(link);
      else link.removeAttribute("aria-current");
    }
    shown = view;
  }
  views[view].show(params);
  detail.show(params.id);
  entitle({ place: params.id ? `Request ${visible(params.id)}` : views[view].title });
}

/** Mark a view's link, and have it seen: on a telephone the list is wider than the screen. @param {HTMLElement} link */
function choose(link) {
  link.setAttribute("aria-current", "page");
  const list = /** @type {HTMLElement} */ (link.parentElement);
  list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
}

/** @type {Element} */ (document.querySelector(".skip")).addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", go);
runHeader(live);
runCountdowns(() => live.refresh());
go();
live.start();
