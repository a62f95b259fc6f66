"use strict";
// Improves pages that work without it: the theme changes at once, charts are drawn.

const theme = document.getElementById("theme");
if (theme) {
  const form = theme.form;
  form.classList.add("at-once");
  theme.addEventListener("change", () => form.submit());
}

// Announces what htmx put in, for those who do not see it.
document.addEventListener("htmx:afterSettle", () => {
  const found = document.querySelector("[data-said]"), said = document.getElementById("said");
  if (found && said.textContent !== found.textContent) said.textContent = found.textContent;
});

// Searches for what was typed before the scripts were there.
addEventListener("load", () => {
  const query = document.getElementById("q");
  if (query && query.value !== query.defaultValue) query.dispatchEvent(new Event("input", { bubbles: true }));
});

// Takes away pictures that cannot be had: the tile below them has a letter.
const broken = picture => picture.matches?.(".tile img") && picture.remove();
document.addEventListener("error", event => broken(event.target), true);
for (const picture of document.querySelectorAll(".tile img")) {
  if (picture.complete && !picture.naturalWidth) broken(picture);
}
