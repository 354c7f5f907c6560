// Where on the page we are: `#requests?provider=bedrock&id=req_1`. Everything that can be linked to is in there.

export const VIEWS = ["overview", "requests", "sessions", "usage", "config"];

/**
 * @typedef {{view: string, params: Record<string, string>}} Place
 */

/**
 * @param {string} hash
 * @returns {Place}
 */
export function parse(hash) {
  const [name, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const view = VIEWS.includes(name) ? name : VIEWS[0];
  return { view, params: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The link to a place; empty parameters are left out.
 * @param {string} view
 * @param {Record<string, string|null|undefined>} [params]
 */
export function link(view, params = {}) {
  const told = Object.entries(params).filter(([, value]) => value);
  const query = new URLSearchParams(/** @type {[string, string][]} */ (told)).toString();
  return `#${view}${query ? `?${query}` : ""}`;
}

/** Where we are now. */
export const here = () => parse(location.hash);

/**
 * The same place with other parameters.
 * @param {Record<string, string|null>} changes
 */
export function beside(changes) {
  const { view, params } = here();
  return link(view, { ...params, ...changes });
}

/**
 * Go to a place without leaving a trace for the back button: for what is typed.
 * @param {string} hash
 */
export function replace(hash) {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
