// Light, dark, or what the system says. The choice is remembered.

import { memory } from "./memory.js";

const chosen = memory("ccproxy-tray theme", () => localStorage);

/** Apply the remembered theme at once, and let the switch change it. @param {HTMLSelectElement} select */
export function chooseTheme(select) {
  select.value = chosen.read();
  apply(select.value);
  select.addEventListener("change", () => {
    chosen.write(select.value);
    apply(select.value);
  });
}

/** @param {string} theme */
function apply(theme) {
  document.documentElement.dataset.theme = theme;
}
