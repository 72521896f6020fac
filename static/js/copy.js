// <button data-copy="id of a field" data-copied="words">: puts the field's text into the clipboard and says so for a moment.
const SAID = 2000;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    return; // not allowed here: the text is selected, the person's own key copies it
  }
  const words = button.querySelector("span");
  const before = (button.dataset.before ??= words.textContent);
  words.textContent = button.dataset.copied;
  setTimeout(() => (words.textContent = before), SAID);
});
