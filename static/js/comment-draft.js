// A comment that is half written stays in this tab, for this person and this video, until it is sent or emptied: the way to
// another team, a reload or signing in again does not lose it. Signing out forgets it with the other drafts (signout.js).
const form = () => document.querySelector("[data-comment-form]");
const fields = () => [...form().querySelectorAll("[name=text], [name=at]")];
const key = () => `draft:comment:${form().dataset.person}:${form().dataset.commentForm}`;
let shown = form();

// What stands in the form is what is kept. An answer that took the comment leaves it empty, one that refused it does not.
function save() {
  try {
    const values = Object.fromEntries(fields().map(({ name, value }) => [name, value]));
    if (Object.values(values).some(Boolean)) sessionStorage.setItem(key(), JSON.stringify(values));
    else sessionStorage.removeItem(key());
  } catch {
    // No storage: then leaving the page forgets, as browsers do.
  }
}

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(key()) || "null");
  } catch {
    return null;
  }
}

// Never over what stands there: the server, or the browser itself after a reload, has put back what is newer.
function restore() {
  const draft = stored();
  if (draft && !fields().some((field) => field.value)) for (const field of fields()) field.value = draft[field.name] || "";
  save();
}

document.addEventListener("input", (event) => form()?.contains(event.target) && save());
document.addEventListener("click", (event) => event.target.closest("[data-at-now]") && setTimeout(save));
document.addEventListener("htmx:after:swap", () => {
  if (!form() || form() === shown) return;
  shown = form(); // drawn anew by the answer to it
  save();
});
// Sent without htmx, the answer is a page: with the comment in its form again where it was refused.
document.addEventListener("submit", (event) => {
  if (event.target === form() && !event.defaultPrevented) sessionStorage.removeItem(key());
});

if (form()) restore();
