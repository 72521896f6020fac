// Toasts: one at a time, 6 seconds, longer while hovered or focused. Other modules say them with
//   document.dispatchEvent(new CustomEvent("toast", { detail: { text, url, label } }))
const box = document.getElementById("toasts");
const LIFE = 6000;
let timer = 0;

function arm() {
  clearTimeout(timer);
  const toasts = [...box.querySelectorAll("[data-toast]")];
  for (const old of toasts.slice(0, -1)) old.remove();
  if (toasts.length) timer = setTimeout(expire, LIFE);
}

function expire() {
  if (box.matches(":hover") || box.contains(document.activeElement)) {
    timer = setTimeout(expire, 1000);
    return;
  }
  box.replaceChildren();
}

function say({ text, url, label }) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.dataset.toast = "";
  const words = document.createElement("p");
  words.dir = "auto";
  words.textContent = text;
  toast.append(words);
  if (url) {
    const link = document.createElement("a");
    link.className = "btn btn--small";
    link.href = url;
    link.textContent = label;
    toast.append(link);
  }
  box.append(toast);
}

if (box) {
  new MutationObserver(arm).observe(box, { childList: true });
  box.addEventListener("click", (event) => {
    if (event.target.closest("[data-toast-close]")) event.target.closest("[data-toast]").remove();
  });
  document.addEventListener("toast", (event) => say(event.detail));
  arm();
}
