// Sets the page's theme before anything is drawn: that of the Airflow UI around it, else the one that Airflow
// has stored for this browser, else the system's. Airflow's UI marks its root element with the class light or dark.
"use strict";

(() => {
  const root = document.documentElement;

  function outerRoot() {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // another origin has embedded the page
    }
  }

  function stored() {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off
    }
  }

  const outer = outerRoot();
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function isDark() {
    if (outer !== null && (outer.classList.contains("dark") || outer.classList.contains("light"))) {
      return outer.classList.contains("dark");
    }
    const theme = stored();
    return theme === "dark" || (theme !== "light" && system.matches);
  }

  function apply() {
    root.classList.toggle("dark", isDark());
  }

  apply();
  system.addEventListener("change", apply);
  if (outer !== null) {
    new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
  }
})();
