// What a press on a card does beyond its form. A poster plays its video in place; without this module it leads to the video's page.
// Two clicks in a row, or a key that is held down, are one press: the answer to the first may have come already, with
// new cards, or a form for the next order, or a sum to confirm, under the pointer.
const ORDERS = ".job__actions [type=submit], .create__bar [type=submit]";

document.addEventListener(
  "click",
  (event) => {
    if (event.detail < 2 || !event.target.closest?.(ORDERS)) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

document.addEventListener(
  "keydown",
  (event) => {
    if (event.repeat && event.key === "Enter" && event.target.closest?.(ORDERS)) event.preventDefault();
  },
  true,
);

// A card that is drawn anew leaves its stage alone from now on, so that the video goes on.
function play(link) {
  const stage = link.closest(".job__stage");
  const before = [...stage.childNodes];
  const image = link.querySelector("img");
  const video = document.createElement("video");
  video.className = "job__video";
  video.controls = true;
  video.preload = "none";
  // Where the stage is too small to watch, a telephone plays on its whole screen.
  video.playsInline = matchMedia("(min-width: 720px)").matches;
  video.width = image.width;
  video.height = image.height;
  video.poster = image.currentSrc || image.src;
  video.src = link.dataset.play;
  video.setAttribute("aria-label", link.dataset.title);
  video.addEventListener("error", () => {
    stage.replaceChildren(...before);
    stage.removeAttribute("hx-morph-skip");
    document.dispatchEvent(
      new CustomEvent("toast", { detail: { text: link.dataset.failed, url: link.href, label: link.closest(".job").dataset.open } }),
    );
  });
  stage.setAttribute("hx-morph-skip", "");
  stage.replaceChildren(video);
  video.focus();
  video.play().catch((error) => console.info(`It waits for a press: ${error.name}`));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-play]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  play(link);
});

document.addEventListener(
  "play",
  (event) => {
    if (!event.target.matches(".job__video")) return;
    for (const other of document.querySelectorAll(".job__video")) if (other !== event.target) other.pause();
  },
  true,
);
