// <button data-copy="#codes" data-done="The codes are copied.">: the words of that element, or of that field, into the clipboard.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: button.dataset.done } }));
  } catch {
    // Without the right to the clipboard the words are at least marked, one key away from a copy.
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
  }
});
