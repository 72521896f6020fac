// What the native player lacks: frame steps, loop, speed, "use this frame". Space plays, comma and full stop step, Shift+F fills the screen.
const root = document.querySelector("[data-player]");
const video = root.querySelector("video");
const loop = root.querySelector("[data-loop]");
const useFrame = root.querySelector("[data-use-frame]");
const LOOP_KEY = "player-loop";
// The file does not tell the browser its frame rate; 24 is what nearly all models make, and a measured one replaces it.
let frame = 1 / 24;

if (video.requestVideoFrameCallback) {
  let last = null;
  const measure = (now, { mediaTime, presentedFrames }) => {
    if (last && presentedFrames === last.presentedFrames + 1 && mediaTime > last.mediaTime) {
      const length = mediaTime - last.mediaTime;
      if (length > 1 / 121 && length < 1 / 7) frame = length;
    }
    last = { mediaTime, presentedFrames };
    if (!video.paused || !last) video.requestVideoFrameCallback(measure);
  };
  video.addEventListener("play", () => {
    last = null;
    video.requestVideoFrameCallback(measure);
  });
}

function step(count) {
  video.pause();
  const end = Number.isFinite(video.duration) ? video.duration : Infinity;
  video.currentTime = Math.min(end, Math.max(0, video.currentTime + count * frame));
}

function setLoop(on) {
  video.loop = on;
  loop.setAttribute("aria-pressed", String(on));
}

function toast(text) {
  document.dispatchEvent(new CustomEvent("toast", { detail: { text } }));
}

// Behind a remote store the address leads to a link that runs out. A player left open that long fails at its next bytes: then the
// address is asked once more, for a fresh link, at the same place.
let restarted = 0;
video.addEventListener("error", () => {
  if (Date.now() - restarted < 60000) return;
  restarted = Date.now();
  const [at, playing] = [video.currentTime, !video.paused];
  video.load();
  video.currentTime = at;
  if (playing) video.play().catch(() => {});
});

function pictureOf(source) {
  const canvas = document.createElement("canvas");
  canvas.width = source.videoWidth;
  canvas.height = source.videoHeight;
  canvas.getContext("2d").drawImage(source, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// A video from another origin may be played but not read. One that is loaded anew with CORS may be, where the bucket allows it.
async function readablePicture() {
  try {
    return await pictureOf(video);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
  const copy = document.createElement("video");
  copy.crossOrigin = "anonymous";
  copy.muted = true;
  copy.preload = "auto";
  await new Promise((resolve, reject) => {
    copy.addEventListener("loadedmetadata", () => (copy.currentTime = video.currentTime), { once: true });
    copy.addEventListener("seeked", resolve, { once: true });
    copy.addEventListener("error", () => reject(new Error("the bucket allows no reading: it needs a CORS rule")), { once: true });
    copy.src = video.src;
  });
  return pictureOf(copy);
}

async function takeFrame() {
  if (video.readyState < 2) {
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", reject, { once: true });
      video.preload = "auto";
      video.load();
    });
  }
  video.pause();
  const blob = await readablePicture();
  const { upload, create, from, parent, team } = useFrame.dataset;
  const body = new FormData();
  body.append("reference", blob, "frame.png");
  body.append("team", team);
  body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  const answer = await fetch(upload, { method: "POST", body, credentials: "same-origin" });
  if (!answer.ok) throw new Error(`the upload was answered ${answer.status}`);
  const field = new DOMParser().parseFromString(await answer.text(), "text/html");
  const id = field.querySelector("[name=reference_id]")?.value;
  if (!id) throw new Error("the upload gave no reference");
  const query = new URLSearchParams({ reference_id: id, parent });
  if (from) query.set("from", from);
  location.assign(`${create}?${query}`);
}

root.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.step) step(Number(button.dataset.step));
  else if (button === loop) {
    setLoop(!video.loop);
    localStorage.setItem(LOOP_KEY, String(video.loop));
  } else if (button === useFrame) {
    button.disabled = true;
    try {
      await takeFrame();
    } catch (error) {
      console.warn(error);
      toast(button.dataset.failed);
    } finally {
      button.disabled = false;
    }
  }
});

root.querySelector("[data-speed]").addEventListener("change", (event) => {
  video.playbackRate = Number(event.target.value);
});

const busy = (target) => target.closest?.("input, textarea, select, button, a, summary, [contenteditable], dialog[open]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.key === "," || event.key === ".") {
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    step(event.key === "," ? -1 : 1);
    event.preventDefault();
  } else if (busy(event.target) || event.target === video) return;
  else if (event.key === " ") {
    if (video.paused) video.play();
    else video.pause();
    event.preventDefault();
  } else if (event.key === "F") video.requestFullscreen?.();
});

setLoop(localStorage.getItem(LOOP_KEY) === "true");
