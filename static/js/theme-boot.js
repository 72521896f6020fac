// Runs before the first paint: marks that scripts work and sets the chosen theme, so that nothing flashes.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (error) {
    // Storage may be forbidden: then the system's theme is used.
  }
})();
