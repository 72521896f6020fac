// The Create form: price checks while choosing, a draft that survives everything, the count of characters, the key that sends.
// Elements inside the form are replaced by answers, so everything is looked up when needed and events are caught on document.
const DEBOUNCE = 300;
const LOOKS = [600, 900, 1500, 2500, 4000];
const PRICED = new Set(["model", "size", "shape", "quality", "seconds", "seconds_other", "count", "audio", "route", "parameters"]);
const CLEARED = new Set(["seconds_other", "route", "parameters"]); // an empty one says something too
const form = () => document.getElementById("create");
// What an address filled in is kept for this tab and this address only: it must not replace what was typed without one.
const keptIn = () => (location.search ? sessionStorage : localStorage);
const key = () => `draft:${form().dataset.person}:${location.search}`;
let timer = 0;
let composing = false;
let byKey = false;
let picking = false;
let looks = 0; // how often prices that are still to come were looked for since something was chosen
let later = 0;
let outdated = false; // what the price check on its way will answer: something was chosen or sent since

// --- price
function check() {
  looks = 0;
  document.getElementById("order")?.classList.add("is-checking");
  ask();
}

function ask() {
  clearTimeout(timer);
  clearTimeout(later);
  outdated = false;
  const picker = form().querySelector("[name=picker]");
  if (picker) picker.value = form().querySelector(".picker").open ? "open" : "";
  document.getElementById("price-check")?.dispatchEvent(new CustomEvent("check"));
}

// Prices of other choices are being asked for: look again in a while, with nothing on the page saying so, and not while
// something half typed would be sent along.
function lookLater() {
  clearTimeout(later);
  const lengths = document.getElementById("lengths");
  if (looks >= LOOKS.length) lengths?.removeAttribute("data-more"); // they come with the next choice
  if (!lengths?.hasAttribute("data-more")) return;
  later = setTimeout(() => {
    if (outdated || document.hidden || document.activeElement?.matches("#route, #parameters")) return;
    looks += 1;
    ask();
  }, LOOKS[looks]);
}

function checkSoon() {
  clearTimeout(timer);
  clearTimeout(later);
  outdated = true;
  document.getElementById("order")?.classList.add("is-checking");
  timer = setTimeout(check, DEBOUNCE);
}

function chosen(event) {
  const { name } = event.target;
  if (!PRICED.has(name)) return;
  if (name === "seconds") {
    const other = document.getElementById("seconds-other");
    if (other) other.value = "";
  }
  if (name === "seconds_other") uncheckLengths();
  const consent = form().querySelector("[name=accept_unpriced]");
  if (consent) consent.checked = false; // it was given for other settings
  checkSoon();
}

// A length that was typed counts instead of the chips.
function uncheckLengths() {
  for (const chip of form().querySelectorAll("[name=seconds]")) chip.checked = false;
}

// --- characters, counted as models count them: code points, from 80 % on
function count() {
  const line = document.getElementById("prompt-count");
  if (!line) return;
  const limit = Number(line.dataset.limit);
  const length = [...document.getElementById("prompt").value].length;
  const number = new Intl.NumberFormat(document.documentElement.lang);
  let words = "";
  if (length >= limit * 0.8) {
    words = line.dataset.words.replace("%length%", number.format(length)).replace("%limit%", number.format(limit));
    if (length > limit) words += ` ${line.dataset.over.replace("%over%", number.format(length - limit))}`;
  }
  if (line.textContent !== words) line.textContent = words;
  line.classList.toggle("tone-bad", length > limit);
}

// --- draft
function save() {
  try {
    const values = {};
    for (const [name, value] of new FormData(form())) {
      if (typeof value === "string" && !["csrfmiddlewaretoken", "token", "quoted_micros", "team", "person", "accept_unpriced", "model_shown", "parent", "picker", "answers"].includes(name)) values[name] = value;
    }
    keptIn().setItem(key(), JSON.stringify(values));
  } catch {
    // No storage: then reload forgets, as browsers do.
  }
}

function stored() {
  try {
    return JSON.parse(keptIn().getItem(key()) || "null");
  } catch {
    return null;
  }
}

// Only into a form that the server sent without a wish of its own (no ?from=, no errors, no kept input), or after a reload
// or a step back, where the draft is newer than the address. A browser that reloads puts back some fields and not others,
// so that a model would stand beside the settings of another one: the draft knows them all, and starts from the form as it
// was sent.
function restore() {
  const draft = stored();
  const prompt = document.getElementById("prompt");
  const reloaded = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type);
  if (!draft || form().querySelector("[aria-invalid=true]")) return;
  if (!reloaded && (location.search || prompt.defaultValue.trim())) return;
  form().reset();
  prompt.value = draft.prompt || "";
  const negative = document.getElementById("negative-prompt");
  if (negative && draft.negative_prompt) negative.value = draft.negative_prompt;
  let changed = false;
  const shown = form().querySelector("[name=model]:checked")?.value;
  restoreReference(draft);
  for (const [name, value] of Object.entries(draft)) {
    if (["prompt", "negative_prompt", "reference_id", "crop_at"].includes(name) || (value === "" && !CLEARED.has(name))) continue;
    changed = put(name, value, draft.model !== shown) || changed;
  }
  if (changed) check();
}

// The picture is drawn by the server again, so that nothing is ordered with an image that is not seen.
function restoreReference(draft) {
  const names = ["reference_id", "crop_at"];
  const field = document.getElementById("reference-field");
  const shown = (name) => field.querySelector(`[name=${name}]`)?.value ?? "";
  if (names.every((name) => shown(name) === (draft[name] ?? ""))) return;
  const ask = () => {
    if (draft.reference_id) {
      for (const input of field.querySelectorAll("[name=reference_id], [name=crop_at]")) input.remove();
      for (const name of names) if (draft[name]) field.append(hidden(name, draft[name]));
    } else field.append(hidden("remove", "1"));
    field.dispatchEvent(new CustomEvent("upload"));
  };
  // htmx listens once the document is there, which is after this module has run.
  if (document.readyState === "complete") ask();
  else window.addEventListener("load", ask, { once: true });
}

// True when this changed something that the server must hear of. What only the draft's model offers travels hidden: the
// answer for that model replaces it.
function put(name, value, otherModel) {
  const fields = [...form().elements].filter((field) => field.name === name);
  if (!fields.length) {
    if (!PRICED.has(name) || !otherModel) return false;
    document.getElementById("settings").append(hidden(name, value));
    return true;
  }
  const radio = fields.find((field) => field.type === "radio" && field.value === value);
  if (fields[0].type === "radio") {
    if (!radio && otherModel && name !== "model") {
      document.getElementById("settings").append(hidden(name, value));
      return true;
    }
    if (!radio || radio.checked) return false;
    radio.checked = true;
    return true;
  }
  if (fields[0].type === "hidden" || fields[0].value === value) return false;
  fields[0].value = value;
  if (name === "seconds_other" && value) uncheckLengths();
  return PRICED.has(name);
}

function hidden(name, value) {
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = name;
  input.value = value;
  return input;
}

// --- events
document.addEventListener("compositionstart", () => (composing = true));
document.addEventListener("compositionend", () => (composing = false));

document.addEventListener("change", (event) => {
  if (!form()?.contains(event.target)) return;
  if (event.target.type !== "number") chosen(event);
  save();
});

document.addEventListener("input", (event) => {
  if (!form()?.contains(event.target)) return;
  if (event.target.id === "prompt") count();
  if (event.target.type === "number") chosen(event);
  save();
});

document.addEventListener("keydown", (event) => {
  byKey = event.key.startsWith("Arrow");
  if (event.key !== "Enter" || event.isComposing || composing || event.keyCode === 229 || !form()?.contains(event.target)) return;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    const button = document.getElementById("generate");
    if (button && !button.disabled && !event.repeat) form().requestSubmit(button);
  } else if (event.target.matches("input")) {
    event.preventDefault();
    if (event.target.closest(".picker")) event.target.closest(".picker").open = false;
    else check();
  }
});

document.addEventListener("pointerdown", () => (byKey = false));

// Buttons that only ask for the price, or change the form, never order.
document.addEventListener(
  "submit",
  (event) => {
    const { submitter } = event;
    if (event.target !== form() || !(submitter?.hasAttribute("data-check") || submitter?.name === "cheaper")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (submitter.name === "cheaper") payLess(submitter);
    check();
  },
  true,
);

// A cheaper choice is a press on the chip of that name and value. The keyboard stays in the panel that will change.
function payLess(button) {
  const [name, ...rest] = button.value.split("=");
  const value = rest.join("=");
  [...form().elements].find((field) => field.name === name && field.value === value && field.type === "radio")?.click();
  if (document.activeElement === button) document.getElementById("cheaper").focus({ preventScroll: true });
}

// The prices of all models are asked for once their list is opened. The event does not bubble.
document.addEventListener(
  "toggle",
  (event) => {
    if (form()?.contains(event.target) && event.target.matches(".picker[open]") && !outdated && !picking) {
      looks = 0;
      ask();
    }
  },
  true,
);

document.addEventListener("click", (event) => {
  const example = event.target.closest("[data-example]");
  if (!example || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const prompt = document.getElementById("prompt");
  prompt.value = example.dataset.example;
  prompt.focus();
  count();
  save();
});

// Choosing a model by arrow key replaces the list that the key moves in: remember that, to go on in the new one.
// An answer to an older question must not undo what was chosen since, nor replace the panel that a press will be answered in.
document.addEventListener("htmx:before:swap", (event) => {
  if (outdated && event.detail.ctx?.sourceElement?.id === "price-check") {
    event.preventDefault();
    return;
  }
  const here = document.activeElement;
  picking = byKey && here?.name === "model" && here.closest("details").open;
});

// An answer changes the chips in place, so that a press just then is not lost. A chip that was pressed once no longer
// follows its `checked` attribute by itself; what was chosen after the question counts more than its answer.
function followAnswer() {
  for (const chip of form().querySelectorAll("#sizes [type=radio], #lengths [type=radio]")) chip.checked = chip.defaultChecked;
  if (document.getElementById("seconds-other")?.value) uncheckLengths();
  for (const name of ["route", "parameters"]) {
    const wrong = Boolean(document.getElementById(`${name}-said`)?.firstElementChild);
    document.getElementById(name)?.setAttribute("aria-invalid", wrong);
  }
}

// After any answer: count again, ask for a price that is still missing, keep the list of models open for the keyboard.
document.addEventListener("htmx:after:swap", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (!form() || source?.id === "live") return;
  if (source?.id === "price-check" && !outdated) followAnswer();
  count();
  save();
  if (document.getElementById("order")?.dataset.state === "checking" || source?.id === "reference-field") check();
  const model = picking && form().querySelector("[name=model]:checked");
  picking = false;
  if (model) {
    model.closest("details").open = true;
    model.focus();
  }
  if (document.querySelector(".job")) document.querySelector(".create__empty")?.replaceChildren();
  document.querySelector("#create [autofocus]")?.focus();
  lookLater();
});

// Before a press is sent: nothing is asked about prices any more.
document.addEventListener("htmx:before:request", (event) => {
  if (event.detail.ctx?.sourceElement !== form()) return;
  clearTimeout(timer);
  outdated = true;
});

document.addEventListener("htmx:finally:request", (event) => {
  if (form() && event.detail.ctx?.sourceElement === form() && document.querySelector("#order.is-checking")) check();
  if (event.detail.ctx?.sourceElement?.id === "price-check" && event.detail.ctx.status?.startsWith?.("error"))
    document.getElementById("order")?.classList.remove("is-checking");
});

if (form()) {
  // What restoring asks for reaches htmx only once it has gone over the page, which a timer of its own starts.
  if (form().hasAttribute("data-htmx-powered")) restore();
  else document.addEventListener("htmx:after:process", restore, { once: true });
  count();
  lookLater();
}
