// Who signs out leaves nothing of what they typed in this browser, and the way back shows no page of theirs.
const MARK = "signed-out-at";
const opened = Date.now();
let leaving = false;

function forget() {
  try {
    for (const storage of [localStorage, sessionStorage])
      for (const key of Object.keys(storage)) if (key.startsWith("draft:")) storage.removeItem(key);
    localStorage.setItem(MARK, String(Date.now()));
  } catch {
    // No storage: nothing was kept.
  }
}

function isOver() {
  try {
    return Number(localStorage.getItem(MARK)) > opened;
  } catch {
    return false;
  }
}

document.addEventListener("submit", (event) => {
  if (new URL(event.target.action, location).pathname.endsWith("/logout/")) {
    leaving = true;
    forget();
  }
});
// Once more at the end: an answer that arrives meanwhile would have the form keep itself again.
addEventListener("pagehide", () => leaving && forget());
// A page that the browser has kept whole is asked for anew when it comes back: the server says who may see it.
addEventListener("pageshow", (event) => event.persisted && isOver() && location.reload());
