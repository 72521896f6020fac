// The neighbours of the video page by key (k and left newer, j and right older, d downloads, f is the star).
const KEYS = { k: "[data-newer]", ArrowLeft: "[data-newer]", j: "[data-older]", ArrowRight: "[data-older]", d: "a[download]", f: "[data-star]" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest?.("input, textarea, select, video, [contenteditable], dialog[open]")) return;
  document.querySelector(KEYS[event.key] ?? ":not(*)")?.click();
});
