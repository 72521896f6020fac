// The heartbeat of the cards. The element #live asks for changes whenever the event "tick" reaches it:
// every 2 s while the page is seen, every 15 s while it is hidden, never once the server stops sending a #live that listens.
const SEEN = 2000;
const HIDDEN = 15000;
let timer = 0;
let busy = false;

const live = () => document.querySelector("#live[data-active]");

function arm() {
  clearTimeout(timer);
  if (live()) timer = setTimeout(tick, document.hidden ? HIDDEN : SEEN);
}

function tick() {
  const element = live();
  if (element && !busy) element.dispatchEvent(new CustomEvent("tick"));
  arm();
}

document.addEventListener("htmx:before:request", (event) => {
  if (event.detail.ctx?.sourceElement?.id === "live") busy = true;
});
document.addEventListener("htmx:finally:request", (event) => {
  if (event.detail.ctx?.sourceElement?.id === "live") busy = false;
});
document.addEventListener("htmx:after:swap", arm);
document.addEventListener("visibilitychange", () => (document.hidden ? arm() : tick()));
arm();
