// Asks the proxy. When it wants its token, the page asks the user for it, once for all questions that wait.

import { byId } from "./element.js";
import { memory } from "./memory.js";

const known = memory("ccproxy-tray token", () => sessionStorage);

let typed = ""; // the token that the user has just given, until the proxy takes it

/** The proxy said no; the message is its own. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The answer to a GET, whose body is still to be read. Throws Refused, or TypeError when nobody answers.
 * @param {string} path
 * @param {{headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 */
export async function open(path, { headers = {}, signal } = {}) {
  for (;;) {
    const token = known.read();
    const sent = token ? { ...headers, authorization: `Bearer ${bytes(token)}` } : headers;
    const response = await fetch(path, { headers: sent, signal, cache: "no-store" }).catch(unanswered);
    if (response.ok) {
      typed = "";
      return response;
    }
    if (response.status !== 401) throw await refusal(response);
    if (token === known.read()) await askForToken();
  }
}

/**
 * What browsers say where nobody answers, each in words of its own, in ours.
 * @param {Error} fault
 * @returns {never}
 */
function unanswered(fault) {
  throw fault instanceof TypeError ? new TypeError("the proxy does not answer") : fault;
}

/** A text as a header can carry it: fetch() takes a character for each byte of UTF-8. @param {string} text */
const bytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));

/**
 * A JSON document; parameters without a value are left out.
 * @param {string} path
 * @param {Record<string, string|number|null|undefined>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, params = {}, signal) {
  const told = Object.entries(params).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(told.map(([name, value]) => [name, String(value)])).toString();
  return (await open(query ? `${path}?${query}` : path, { signal })).json();
}

/** @param {Response} response */
async function refusal(response) {
  const text = await response.text();
  try {
    return new Refused(response.status, JSON.parse(text).error.message);
  } catch {
    return new Refused(response.status, `The proxy answered ${response.status}.`);
  }
}

/** @type {Promise<void>|null} */
let asking = null;

function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId("token"));
    const field = /** @type {HTMLInputElement} */ (byId("token-value"));
    if (known.read())
      byId("token-hint").textContent = `${
        known.read() === typed ? "That was not it." : "The proxy has another token than before."
      } It is the value of server.token in the configuration.`;
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener(
      "close",
      () => {
        typed = field.value;
        known.write(typed);
        field.value = "";
        asking = null;
        resolve();
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}
