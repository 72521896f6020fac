// Copies the words of the element that a button names: <button data-copy-text="#address" data-done="Address copied">.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-text]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copyText);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: button.dataset.done } }));
  } catch {
    // Without the right to the clipboard the words are at least marked, one key away from a copy.
    getSelection().selectAllChildren(source);
  }
});
