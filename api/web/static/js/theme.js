// Light, dark, or as the system has it. A plain script in the head, so that the page never flashes in the wrong colours.
"use strict";
(() => {
  const STORED = "jcurve.theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem(STORED);
  const isDark = () => (chosen() ? chosen() === "dark" : system.matches);

  function apply() {
    const theme = chosen();
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    window.dispatchEvent(new Event("themechange"));
  }

  function toggle() {
    const next = isDark() ? "light" : "dark";
    // Back to what the system wants: forget the choice, so that the page follows the system again.
    if ((next === "dark") === system.matches) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, next);
    apply();
  }

  system.addEventListener("change", apply);
  window.theme = { isDark, toggle };
  apply();
})();
