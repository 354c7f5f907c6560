// Elements from code. Texts of somebody else become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
// What redact.escape() escapes on the server, but for line breaks, tabs and joiners: bodies come as they were kept.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * An HTML element. Attributes that are functions are listeners (`onclick`), `true` is an attribute without a value,
 * `null` and `false` are left out.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (fill(document.createElement(tag), attributes, children));
}

/**
 * An SVG element, as `h`.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null)} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return /** @type {SVGElement} */ (fill(document.createElementNS(SVG, tag), attributes, children));
}

/**
 * Somebody else's text, which cannot turn the direction of ours or hide a part of itself.
 * @param {string} text
 * @param {string} [name] class
 * @returns {HTMLElement}
 */
export function said(text, name) {
  return h("bdi", { class: name }, visible(text));
}

/**
 * The text with its control, bidi and invisible characters spelled out.
 * @param {string} text
 * @returns {string}
 */
export function visible(text) {
  return text.replace(HIDDEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The element of the page with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Draw something anew; who stood on a link in it stands there afterwards.
 * @param {Element} container
 * @param {() => void} draw
 */
export function keepFocus(container, draw) {
  const { activeElement } = document;
  const href = container.contains(activeElement) ? activeElement?.getAttribute("href") : null;
  draw();
  const again = [...container.querySelectorAll("a")].find((link) => href && link.getAttribute("href") === href);
  again?.focus({ preventScroll: true });
}

/** @param {Element} element @param {Record<string, unknown>} attributes @param {(Node|string|number|null)[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(
    ...children.filter((child) => child !== null).map((child) => (typeof child === "number" ? `${child}` : child)),
  );
  return element;
}
