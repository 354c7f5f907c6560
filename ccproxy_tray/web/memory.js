// What the page remembers for the user. Browsers that keep nothing for pages throw: then it lasts as long as the page.

/**
 * @param {string} key
 * @param {() => Storage} storage
 * @returns {{read: () => string, write: (value: string) => void}} empty is nothing
 */
export function memory(key, storage) {
  let known = "";
  return {
    read() {
      try {
        return storage().getItem(key) ?? "";
      } catch {
        return known;
      }
    },
    write(value) {
      known = value;
      try {
        storage().setItem(key, value);
      } catch {
        // `known` has it.
      }
    },
  };
}
