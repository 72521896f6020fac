// After a press that ordered, the button says so for two seconds. Until then another one orders nothing: on a phone the new
// card is out of sight, and a tap that seems to have done nothing is given again.
const HELD = 2000;
let until = 0;
let words = "";
let held = null; // the button and what stood on it
let timer = 0;
const form = () => document.getElementById("create");

function hold() {
  const button = document.getElementById("generate");
  clearTimeout(timer);
  timer = setTimeout(free, until - performance.now());
  if (!button || button.disabled || button.hasAttribute("data-check") || button.ariaDisabled === "true") return;
  held = { button, before: [...button.childNodes] };
  button.ariaDisabled = "true"; // not `disabled`: the keyboard stays where it is
  button.replaceChildren(words);
}

function free() {
  if (held) {
    held.button.removeAttribute("aria-disabled");
    held.button.replaceChildren(...held.before);
  }
  held = null;
}

document.addEventListener("htmx:after:swap", (event) => {
  const order = document.getElementById("order");
  if (event.detail.ctx?.sourceElement === form() && order?.dataset.ordered) {
    words = order.dataset.ordered;
    until = performance.now() + HELD;
  }
  if (performance.now() < until) hold(); // the panel may have been drawn anew meanwhile
});

document.addEventListener(
  "submit",
  (event) => {
    const { submitter } = event;
    if (event.target !== form() || performance.now() >= until) return;
    if (submitter?.hasAttribute("data-check") || ["cheaper", "to_team"].includes(submitter?.name)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
