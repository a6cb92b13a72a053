// Before the first paint, and in a file of its own because the page's policy forbids inline script.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("athanor-scheme");
  } catch (refused) {
    chosen = null;
  }
  var dark = matchMedia("(prefers-color-scheme: dark)").matches;
  var scheme = chosen === "light" || chosen === "dark" ? chosen : dark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
})();
