// Numbers, times and sums as people read them. Pure: the clock is an argument.

const WHOLE = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "short" });
const MINUTE = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECOND = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const WEEK = 6 * 86400;

const UNKNOWN = "unknown";

/**
 * `12,345`
 * @param {number} number
 */
export const count = (number) => WHOLE.format(number);

/**
 * `12.3K`
 * @param {number} number
 */
export const compact = (number) => (number < 10000 ? WHOLE.format(Math.round(number)) : COMPACT.format(number));

/**
 * `1 request`, `2 requests`
 * @param {number} number
 * @param {string} one
 */
export const plural = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

/**
 * US dollars with as many digits as tell something: `$0.0042`, `$1.23`.
 * @param {number} dollars
 */
export function money(dollars) {
  if (dollars > 0 && dollars < 0.0001) return "under $0.0001";
  const digits = dollars === 0 || dollars >= 0.0995 ? 2 : dollars >= 0.00995 ? 3 : 4;
  return `$${dollars.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/**
 * A sum of costs of which some may not be known, and a word on those. What is not known is never shown as nothing.
 * @param {number} dollars the known part
 * @param {number} unpriced requests without a known cost
 * @returns {[string, string]}
 */
export function sum(dollars, unpriced) {
  if (!unpriced) return [money(dollars), ""];
  return dollars ? [`at least ${money(dollars)}`, `${plural(unpriced, "request")} unpriced`] : [UNKNOWN, ""];
}

/**
 * The cost of one request.
 * @param {number|null} dollars
 */
export const price = (dollars) => (dollars === null ? UNKNOWN : money(dollars));

/**
 * A length of time: `320 ms`, `1.2 s`, `2 min 5 s`.
 * @param {number|null} ms
 */
export function duration(ms) {
  if (ms === null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : hours(seconds);
}

/**
 * What is left of a cooling: `37 s`, `4 min 05 s`, `2 h 10 min`. Rounded up: nobody comes too early.
 * @param {number} seconds
 */
export function left(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 100) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s` : hours(whole);
}

/** @param {number} seconds */
function hours(seconds) {
  const minutes = Math.ceil(seconds / 60);
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`;
}

/**
 * A moment of the past few days or long ago: `14:02:33`, `22 Nov 14:02`.
 * @param {number} at Unix seconds
 * @param {number} now Unix seconds
 */
export function moment(at, now) {
  const then = new Date(at * 1000);
  const today = then.toDateString() === new Date(now * 1000).toDateString();
  return today ? SECOND.format(then) : `${DAY.format(then)} ${MINUTE.format(then)}`;
}

/**
 * A moment in full, for a tooltip.
 * @param {number} at Unix seconds
 */
export const date = (at) => new Date(at * 1000).toString().replace(/ \(.*/, "");

/**
 * The name of a slot of time: its hour, weekday or day, by its length and that of the whole period.
 * @param {{start: number, end: number}} slot
 * @param {number} period seconds
 */
export function slot({ start, end }, period) {
  const then = new Date(start * 1000);
  if (end - start <= 3600) return MINUTE.format(then);
  return period <= WEEK + 90000 ? `${WEEKDAY.format(then)} ${then.getDate()}` : DAY.format(then);
}

/**
 * From when to when, `22 Nov 14:00 to 22 Nov 15:00`; what is no time is shown as it is.
 * @param {string} [start] Unix seconds
 * @param {string} [end] Unix seconds
 */
export function interval(start, end) {
  const name = (/** @type {string} */ at) => {
    const then = new Date(Number(at) * 1000);
    return Number.isNaN(then.getTime()) ? at : `${DAY.format(then)} ${MINUTE.format(then)}`;
  };
  if (!start) return `until ${name(end ?? "")}`;
  return end ? `${name(start)} to ${name(end)}` : `since ${name(start)}`;
}

/**
 * The share of the prompt that came from the cache, null when there was no prompt.
 * @param {{input: number, cache_read: number, cache_write: number}} tokens
 * @returns {number|null}
 */
export function cacheRate({ input, cache_read, cache_write }) {
  const all = input + cache_read + cache_write;
  return all ? cache_read / all : null;
}

/**
 * `83 %`
 * @param {number|null} share
 */
export const percent = (share) => (share === null ? "–" : `${Math.floor(share * 100)} %`);
