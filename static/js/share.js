// What a shared page gains where scripts run: neighbours by arrow key, characters counted, a player that survives a short link.
const video = document.querySelector("[data-shared-video]");

// Behind a remote store the address leads to a link that runs out after minutes. Then it is asked once more, at the same place.
let restarted = 0;
video?.addEventListener("error", () => {
  if (Date.now() - restarted < 60000 || !video.currentTime) return;
  restarted = Date.now();
  const [at, playing] = [video.currentTime, !video.paused];
  video.load();
  video.currentTime = at;
  if (playing) video.play().catch(() => {});
});

const KEYS = { ArrowLeft: "[data-earlier]", ArrowRight: "[data-later]" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing || event.defaultPrevented) return;
  if (event.target.closest?.("input, textarea, select, video, [contenteditable]")) return;
  document.querySelector(KEYS[event.key] ?? ":not(*)")?.click();
});

// As the server counts: code points, a line break as one. Said from 80 % on.
function count() {
  const note = document.querySelector("textarea[data-count]");
  const hint = document.querySelector("[data-count-words]");
  if (!note || !hint) return;
  hint.dataset.plain ??= hint.textContent;
  const [length, limit] = [[...note.value.trim()].length, Number(note.dataset.count)];
  const words = hint.dataset.countWords.replace("%length%", length).replace("%limit%", limit);
  hint.textContent = length >= limit * 0.8 ? words : hint.dataset.plain;
  hint.classList.toggle("tone-bad", length > limit);
}

document.addEventListener("input", count);
document.addEventListener("htmx:after:swap", () => {
  document.querySelector("#mark [autofocus]")?.focus();
  count();
});
count();
