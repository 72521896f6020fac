// A small muted loop over the poster after 350 ms of hovering or focus: one at a time, gone on leave. Nothing plays by itself
// with reduced motion, and touch has no hover: there a small button on the poster plays it.
const WAIT = 350;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const hovers = matchMedia("(hover: hover)");
let timer = 0;
let playing = null;

function stop() {
  clearTimeout(timer);
  if (!playing) return;
  playing.removeAttribute("src");
  playing.load();
  playing.closest("[data-tile]")?.querySelector("[data-preview-press]")?.setAttribute("aria-pressed", "false");
  playing.remove();
  playing = null;
}

function start(stage) {
  const video = document.createElement("video");
  video.className = "preview";
  video.muted = true;
  video.loop = true;
  video.playsInline = true;
  video.setAttribute("aria-hidden", "true");
  video.tabIndex = -1;
  video.src = stage.dataset.preview;
  video.addEventListener("playing", () => video.classList.add("is-playing"), { once: true });
  stage.append(video);
  playing = video;
  video.play().catch(stop);
}

function soon(stage) {
  if (playing?.parentElement === stage) return;
  stop();
  if (!still.matches && hovers.matches) timer = setTimeout(() => start(stage), WAIT);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-preview-press]");
  if (!button) return;
  const stage = button.closest("[data-tile]").querySelector("[data-preview]");
  const wasOn = playing?.parentElement === stage;
  stop();
  if (wasOn) return;
  start(stage);
  button.setAttribute("aria-pressed", "true");
});

const stageOf = (target) => target.closest?.("[data-tile-link]")?.querySelector("[data-preview]");

document.addEventListener("pointerover", (event) => {
  const stage = stageOf(event.target);
  if (stage) soon(stage);
  else if (!event.target.closest?.("[data-tile]")) stop();
});
document.addEventListener("focusin", (event) => {
  const stage = stageOf(event.target);
  if (stage && event.target.matches(":focus-visible")) soon(stage);
  else if (!event.target.closest("[data-preview-press]")) stop();
});
document.addEventListener("pointerleave", stop);
document.addEventListener("visibilitychange", () => document.hidden && stop());
