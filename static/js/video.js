// The video page: copy the prompt, and the neighbours by key (k and left newer, j and right older, d downloads, f is the star).
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: button.dataset.done } }));
  } catch {
    // Without the right to the clipboard the words are at least marked, one key away from a copy.
    getSelection().selectAllChildren(source);
  }
});

const KEYS = { k: "[data-newer]", ArrowLeft: "[data-newer]", j: "[data-older]", ArrowRight: "[data-older]", d: "a[download]", f: "[data-star]" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest?.("input, textarea, select, video, [contenteditable], dialog[open]")) return;
  document.querySelector(KEYS[event.key] ?? ":not(*)")?.click();
});
