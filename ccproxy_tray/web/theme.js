// Light, dark, or what the system says. The choice is remembered.

const KEY = "ccproxy-tray theme";

/** Apply the remembered theme at once, and let the switch change it. @param {HTMLSelectElement} select */
export function chooseTheme(select) {
  select.value = localStorage.getItem(KEY) ?? "";
  apply(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    apply(select.value);
  });
}

/** @param {string} theme */
function apply(theme) {
  document.documentElement.dataset.theme = theme;
}
