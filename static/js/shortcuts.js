// Keys for people who type: never while something is being written, never with a modifier.
const dialog = document.getElementById("shortcuts");
let pending = "";
let forget = 0;

const writing = (target) => target.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");

function go(address) {
  if (address) location.assign(address);
}

function toPrompt() {
  const prompt = document.getElementById("prompt");
  if (prompt) prompt.focus();
  else go(dialog.dataset.create);
}

function single(key) {
  if (key === "?") dialog.showModal();
  else if (key === "n") toPrompt();
  else if (key === "/") (document.querySelector("[type=search]") || document.getElementById("prompt"))?.focus();
  else return false;
  return true;
}

function after(key) {
  if (key === "c") go(dialog.dataset.create);
  else if (key === "g") go(dialog.dataset.gallery);
  else if (key === "r") go(dialog.dataset.runs);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (writing(event.target) || document.querySelector("dialog[open]")) return;
  clearTimeout(forget);
  if (pending === "g") {
    pending = "";
    event.preventDefault(); // so that no page takes the second key for one of its own
    after(event.key);
    return;
  }
  if (event.key === "g") {
    pending = "g";
    forget = setTimeout(() => (pending = ""), 1200);
    return;
  }
  if (single(event.key)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-shortcuts]")) dialog.showModal();
});
