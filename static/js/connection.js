// Says so when the server cannot be reached, and when it is back. It listens to htmx and asks nothing itself.
const line = document.getElementById("connection");
let since = null;

function lost() {
  if (since) return;
  since = new Date();
  const time = since.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  line.textContent = line.dataset.words.replace("%time%", time);
  line.hidden = false;
}

function found() {
  if (!since) return;
  since = null;
  line.hidden = true;
  document.dispatchEvent(new CustomEvent("toast", { detail: { text: line.dataset.back } }));
}

if (line) {
  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!ctx?.response && !ctx?.request?.signal?.aborted) lost();
  });
  document.addEventListener("htmx:before:response", found);
  addEventListener("offline", lost);
}
