// The gallery by keyboard and finger: j and k move, Enter opens (it is a link), x chooses, f is the star. Select mode with its bar, filters
// that apply when chosen, and a calm question every 20 s whether something new came.
const CALM = 20000;
const grid = document.getElementById("tiles");
const bar = document.querySelector("[data-selection]");
const writing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable], dialog[open]");

const links = () => [...document.querySelectorAll("[data-tile-link]")];
const boxes = () => [...document.querySelectorAll("[data-tile-box]")];

function move(step) {
  const all = links();
  if (!all.length) return;
  const here = all.indexOf(document.activeElement?.closest("[data-tile]")?.querySelector("[data-tile-link]"));
  const next = here < 0 ? 0 : Math.min(all.length - 1, Math.max(0, here + step));
  all[next].focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  if (next === all.length - 1 && here === next && step > 0) document.querySelector("[data-more]")?.focus();
}

function choose() {
  const box = document.activeElement?.closest("[data-tile]")?.querySelector("[data-tile-box]");
  if (!box) return false;
  box.checked = !box.checked;
  select(true);
  return true;
}

function select(on) {
  if (!grid || !bar) return;
  grid.classList.toggle("is-selecting", on);
  bar.classList.toggle("js-waits", !on);
  const button = document.querySelector("[data-select]");
  if (button) button.setAttribute("aria-pressed", String(on));
  if (!on) for (const box of boxes()) box.checked = false;
  count();
}

function count() {
  const marked = boxes().filter((box) => box.checked);
  const chosen = marked.length;
  const line = bar.querySelector("[data-count]");
  const { none, one, many } = line.dataset;
  line.textContent = chosen === 0 ? none : chosen === 1 ? one : many.replace("%n%", String(chosen));
  const mine = marked.some((box) => box.hasAttribute("data-mine"));
  for (const button of bar.querySelectorAll("[data-needs-choice]")) {
    button.disabled = button.hasAttribute("data-needs-mine") ? !mine : chosen === 0;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (writing(event.target)) return;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "f") document.activeElement?.closest("[data-tile]")?.querySelector("[data-star]")?.click();
  else if (event.key === "x" && choose()) event.preventDefault();
  else if (event.key === "Escape" && grid?.classList.contains("is-selecting")) select(false);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tile-box]")) select(true);
  const form = event.target.closest("[data-filters]");
  if (form) {
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    location.assign(form.action + (asked.size ? `?${asked}` : ""));
  }
});

if (bar) {
  const button = document.querySelector("[data-select]");
  button?.setAttribute("role", "button");
  button?.setAttribute("aria-pressed", String(grid.classList.contains("is-selecting")));
  button?.addEventListener("click", (event) => {
    event.preventDefault();
    select(!grid.classList.contains("is-selecting"));
  });
  button?.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      button.click();
    }
  });
  bar.querySelector("[data-select-done]").addEventListener("click", () => {
    select(false);
    button?.focus();
  });
  // In select mode a press on a tile chooses it.
  grid.addEventListener("click", (event) => {
    const link = event.target.closest("[data-tile-link]");
    if (!link || !grid.classList.contains("is-selecting") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const box = link.closest("[data-tile]").querySelector("[data-tile-box]");
    if (!box) return;
    event.preventDefault();
    box.checked = !box.checked;
    count();
  });
  count();
}

// "Rename" leads to a form that shows itself as the target of the address; the field takes the focus.
addEventListener("hashchange", () => {
  document.querySelector("details[data-menu][open]")?.removeAttribute("open");
  document.querySelector("form:target .input")?.select();
});

// The tile that was opened lends its poster to the player (a view transition in CSS); coming back it is still marked.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-tile-link]");
  if (!link || event.defaultPrevented) return;
  for (const stage of document.querySelectorAll(".stage.is-opened")) stage.classList.remove("is-opened");
  link.querySelector(".stage").classList.add("is-opened");
});

const newer = document.querySelector("[data-newer]");
if (newer) setInterval(() => document.hidden || newer.dispatchEvent(new CustomEvent("calm")), CALM);
