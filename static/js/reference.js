// A reference image by click, drop on the page or paste: sent at once, by the field itself, so that only its id travels on.
const KINDS = ["image/jpeg", "image/png", "image/webp"];
const MAY_BE_LARGE = 512 * 1024;
let latest = null;
const field = () => document.getElementById("reference-field");

function refuse(words) {
  const old = field().querySelector(".field__error");
  const line = old || document.createElement("p");
  line.className = "field__error";
  line.id = "reference-error";
  line.setAttribute("role", "alert");
  line.textContent = words;
  if (!old) field().append(line);
  const input = document.getElementById("reference");
  input.value = "";
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", line.id);
  input.focus();
}

// Cameras make larger pictures than the server opens, and than any model uses: those are made smaller here.
async function fitting(file) {
  if (file.size < MAY_BE_LARGE) return file;
  const picture = await createImageBitmap(file).catch(() => null);
  const most = Number(field().dataset.maxSide);
  const scale = picture ? most / Math.max(picture.width, picture.height) : 1;
  if (scale >= 1) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const made = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.95); });
  return made ? new File([made], "picture.jpg", { type: made.type }) : file;
}

async function send(picked) {
  if (!document.getElementById("reference") || !picked) return;
  if (!KINDS.includes(picked.type)) return refuse(field().dataset.wrongKind);
  latest = picked;
  const file = await fitting(picked);
  const input = document.getElementById("reference");
  if (latest !== picked || !input) return;
  if (file.size > Number(field().dataset.max)) return refuse(field().dataset.tooLarge);
  if (input.files[0] !== file) {
    const carrier = new DataTransfer();
    carrier.items.add(file);
    input.files = carrier.files;
  }
  const verb = field().querySelector(".drop__verb");
  if (verb) verb.textContent = `${field().dataset.uploading} ${file.name}`;
  field().classList.add("is-uploading");
  field().dispatchEvent(new CustomEvent("upload"));
}

const image = (list) => [...(list || [])].find((file) => file.type.startsWith("image/"));

document.addEventListener("change", (event) => {
  if (event.target.id !== "reference") return;
  event.stopImmediatePropagation();
  send(event.target.files[0]);
}, true);

document.addEventListener("paste", (event) => {
  const file = image(event.clipboardData?.files);
  if (!file) return;
  event.preventDefault();
  send(file);
});

document.addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  field()?.classList.add("is-over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) field()?.classList.remove("is-over");
});
document.addEventListener("drop", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  field()?.classList.remove("is-over");
  send(image(event.dataTransfer.files) || event.dataTransfer.files[0]);
});

// "Remove" without leaving the page.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remove-reference]");
  if (!button) return;
  event.preventDefault();
  const mark = document.createElement("input");
  mark.type = "hidden";
  mark.name = "remove";
  mark.value = "1";
  field().append(mark);
  field().dispatchEvent(new CustomEvent("upload"));
});

// No answer, or one that says in a toast what was wrong: the picture chosen before still stands.
for (const name of ["htmx:error", "htmx:response:error"])
  document.addEventListener(name, (event) => {
    if (event.detail.ctx?.sourceElement?.id !== "reference-field") return;
    field().classList.remove("is-uploading");
    const verb = field().querySelector(".drop__verb");
    if (verb) verb.textContent = field().dataset.choose;
  });

// Which part of a picture of another shape is sent: the slider, or the marked part dragged over the picture.
const slider = () => field()?.querySelector("[name=crop_at]");

function mark() {
  const rect = field().querySelector(".crop__mark");
  const { width, height } = rect.ownerSVGElement.viewBox.baseVal;
  const [w, h] = [rect.width.baseVal.value, rect.height.baseVal.value];
  const share = slider().value / 100;
  const [x, y] = [Math.round((width - w) * share), Math.round((height - h) * share)];
  rect.setAttribute("x", x);
  rect.setAttribute("y", y);
  field().querySelector(".crop__out").setAttribute("d", `M0 0H${width}V${height}H0ZM${x} ${y}h${w}v${h}h-${w}Z`);
}

document.addEventListener("input", (event) => {
  if (event.target.name === "crop_at") mark();
});

// An answer about the price knows the place of a moment ago: what is sent, and what is marked, is that of now.
let at = null;
document.addEventListener("htmx:before:swap", (event) => {
  at = event.detail.ctx?.sourceElement?.id === "price-check" ? slider()?.value : null;
});
document.addEventListener("htmx:after:swap", () => {
  if (at != null && slider()) {
    slider().value = at;
    if (field().querySelector(".crop__mark")) mark();
  }
  at = null;
});

document.addEventListener("pointerdown", (event) => {
  const box = event.target.closest?.(".crop--moves");
  if (!box || event.button) return;
  event.preventDefault();
  const rect = box.querySelector(".crop__mark");
  const { width, height } = rect.ownerSVGElement.viewBox.baseVal;
  const shown = box.getBoundingClientRect();
  // Of the two sides one is free to move along, the other has no room.
  const room = [shown.width * (1 - rect.width.baseVal.value / width), shown.height * (1 - rect.height.baseVal.value / height)];
  const from = Number(slider().value);
  const move = (to) => {
    const by = room[0] > room[1] ? (to.clientX - event.clientX) / room[0] : (to.clientY - event.clientY) / room[1];
    slider().value = from + by * 100;
    slider().dispatchEvent(new Event("input", { bubbles: true }));
  };
  box.setPointerCapture(event.pointerId);
  box.addEventListener("pointermove", move);
  box.addEventListener("lostpointercapture", () => box.removeEventListener("pointermove", move), { once: true });
});

// Who comes to change the picture, or whose picture was refused, sees its field, and no bar lies over it.
document.querySelector("#reference[autofocus]")?.closest(".field").scrollIntoView({ block: "center" });
