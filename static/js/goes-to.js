// For whom a video is: what was chosen last stays, also over an answer to a question that was asked before the choice.
let chosen = null;

document.addEventListener("change", (event) => {
  if (event.target.id === "goes-to") chosen = event.target.value;
});

document.addEventListener("htmx:after:swap", () => {
  const select = document.getElementById("goes-to");
  if (select && chosen !== null) select.value = chosen;
});
