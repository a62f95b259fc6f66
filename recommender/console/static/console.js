"use strict";
// Improves pages that work without it: the theme changes at once, charts are drawn.

const theme = document.getElementById("theme");
if (theme) {
  const form = theme.form;
  form.classList.add("at-once");
  theme.addEventListener("change", () => form.submit());
}

// Announces what htmx put in, for those who do not see it.
document.addEventListener("htmx:afterSwap", event => {
  const status = event.detail.target.querySelector?.("[data-said]");
  const said = document.getElementById("said");
  if (said && status) said.textContent = status.textContent;
});
