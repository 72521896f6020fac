// A row of tabs that is wider than the screen begins where the current one is.
for (const row of document.querySelectorAll(".tabs")) {
  const here = row.querySelector("[aria-current]");
  if (!here) continue;
  const [tab, all] = [here.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollBy({ left: tab.left + tab.width / 2 - (all.left + all.width / 2), behavior: "instant" });
}
