// Comments: a moment seeks the player, "At 0:03" takes it from there, c goes to the field, Ctrl/Cmd+Enter sends, and a calm
// question every 20 s whether something came.
const CALM = 20000;
const player = document.getElementById("player");
const writing = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");

function moment(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const [whole, rest] = [Math.floor(tenths / 10), tenths % 10];
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${rest ? `.${rest}` : ""}`;
}

function showMoment() {
  const line = document.querySelector("[data-at-now] [data-words]");
  if (line && player) line.textContent = line.dataset.words.replace("%time%", moment(player.currentTime));
}

for (const name of ["timeupdate", "seeked", "loadedmetadata"]) player?.addEventListener(name, showMoment);
document.addEventListener("htmx:after:swap", showMoment);

document.addEventListener("click", (event) => {
  const seek = event.target.closest("[data-seek]");
  if (seek && player && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    player.currentTime = Number(seek.dataset.seek);
    const { top, bottom } = player.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) player.scrollIntoView({ block: "center" });
  } else if (event.target.closest("[data-at-now]") && player) {
    player.pause();
    document.getElementById("id_at").value = moment(player.currentTime);
    document.getElementById("id_comment").focus();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  const form = event.target.closest?.("[data-comment-form]");
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "c" && !event.ctrlKey && !event.metaKey && !event.altKey && !writing(event.target)) {
    event.preventDefault();
    document.getElementById("id_comment")?.focus();
  }
});

setInterval(() => {
  const list = document.getElementById("comment-list");
  // What somebody stands in is not swapped under them.
  if (list && !document.hidden && !list.contains(document.activeElement)) list.dispatchEvent(new CustomEvent("calm"));
}, CALM);

showMoment();
