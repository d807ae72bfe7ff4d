/**
 * Light, dark, or as the system has it: remembered, and the same in all windows.
 *
 * Loaded as a plain script in the head, before anything is painted, so that a dark page never
 * flashes white. The button comes later (views/theme_toggle.js) and uses `window.theme`.
 */
window.theme = (() => {
  const KEY = "space.theme";
  const CHOICES = ["system", "light", "dark"];
  const listeners = new Set();

  function chosen() {
    try {
      const kept = localStorage.getItem(KEY);
      return CHOICES.includes(kept) ? kept : "system";
    } catch {
      return "system"; // a browser that keeps nothing
    }
  }

  function show() {
    document.documentElement.dataset.theme = chosen();
    listeners.forEach((listener) => listener(chosen()));
  }

  function choose(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      return; // nothing can be kept: the system decides
    }
    show();
  }

  addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) show();
  });
  show();
  return { chosen, choose, choices: CHOICES, onChange: (listener) => listeners.add(listener) };
})();
