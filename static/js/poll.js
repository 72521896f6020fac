// The heartbeat of the cards. While a card on the page is being made, #live asks for news: every 2 s while the page is seen,
// every 15 s while it is hidden. Where only a late result may still come, or a person decides, it is every 15 s as well.
// Which cards are shown, and how, is read off the page itself at each question.
const SEEN = 2000;
const CALM = 15000;
const title = document.title;
let timer = 0;
let busy = false;
let unseen = 0;

const isActive = () => document.querySelector("[data-generation][data-active]") !== null;
const asked = () => [...document.querySelectorAll("[data-generation]:is([data-active], [data-calm])")];

function arm() {
  clearTimeout(timer);
  if (asked().length) timer = setTimeout(tick, isActive() && !document.hidden ? SEEN : CALM);
}

function tick() {
  const live = document.getElementById("live");
  if (live && !busy && asked().length) live.dispatchEvent(new CustomEvent("tick"));
  arm();
}

const isLive = (event) => event.detail.ctx?.sourceElement?.id === "live";
let before = new Map();

document.addEventListener("htmx:config:request", (event) => {
  if (!isLive(event)) return;
  const cards = asked();
  before = new Map(cards.map((card) => [card.id, card.dataset.status]));
  event.detail.ctx.request.body.set("g", cards.map((card) => `${card.dataset.generation}:${card.dataset.stamp}`).join(","));
});
document.addEventListener("htmx:before:request", (event) => {
  if (isLive(event)) busy = true;
});
document.addEventListener("htmx:finally:request", (event) => {
  if (!isLive(event)) return;
  busy = false;
  arm();
});

// What ended while the page was open: said once, in words, and in the title while nobody looks.
function news() {
  for (const [id, status] of before) {
    const card = document.getElementById(id);
    if (!card || card.dataset.status === status) continue;
    const word = card.querySelector(".job__word");
    word.classList.remove("is-changed");
    void word.offsetWidth;
    word.classList.add("is-changed");
    if (card.hasAttribute("data-active")) continue;
    const link = card.querySelector(".job__title a");
    const name = card.querySelector(".job__title").textContent.trim();
    const short = name.length > 60 ? `${[...name].slice(0, 60).join("")}...` : name;
    const detail = { text: `${word.textContent}: ${short}` };
    if (link) Object.assign(detail, { url: link.href, label: card.dataset.open });
    document.dispatchEvent(new CustomEvent("toast", { detail }));
    unseen += 1;
    document.title = `(${unseen}) ${word.textContent} - ${title}`;
  }
  before = new Map();
}

document.addEventListener("htmx:after:swap", (event) => {
  if (isLive(event)) news();
  arm();
});

function seen() {
  if (document.hidden) return;
  unseen = 0;
  document.title = title;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) arm();
  else {
    seen();
    tick();
  }
});
for (const name of ["pointerdown", "keydown"]) addEventListener(name, seen);

// Elapsed time runs in the page: the server need not be asked for it.
function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, "0");
  return parts[0] ? `${parts[0]}:${two(parts[1])}:${two(parts[2])}` : `${parts[1]}:${two(parts[2])}`;
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since]")) {
    const words = clock(Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000)));
    if (element.textContent !== words) element.textContent = words;
  }
}, 1000);

arm();
