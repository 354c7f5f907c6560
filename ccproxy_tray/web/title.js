// The title of the document: who serves, and which place of the page this is. Tabs, bookmarks, the list behind the back
// button and screen readers have nothing else to tell places apart.

const NAME = "ccproxy-tray";
const parts = { headline: "", place: "" };

/**
 * What is not given stays as it was; an empty text leaves its part out.
 * @param {{headline?: string, place?: string}} changes
 */
export function entitle(changes) {
  Object.assign(parts, changes);
  document.title = [parts.headline, parts.place, NAME].filter(Boolean).join(" · ");
}
