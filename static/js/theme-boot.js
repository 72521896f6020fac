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

// A transition that the browser gives up, since the next page came late or another tab is in front, is no fault: the page
// then simply changes at once. Listened for here, before anything is drawn.
function mayBeGivenUp(event) {
  for (const promise of [event.viewTransition?.ready, event.viewTransition?.finished]) promise?.catch(() => {});
}
addEventListener("pageswap", mayBeGivenUp);
addEventListener("pagereveal", mayBeGivenUp);
