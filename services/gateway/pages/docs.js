// Search in the reference: hides what does not match, opens what an address names. Without script everything is visible.
"use strict";
const input = document.getElementById("find");
const found = document.getElementById("found");
const rows = document.querySelectorAll("[data-search]");

function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const seen = new Set();
  for (const row of rows) {
    const match = words.every((word) => row.dataset.search.includes(word));
    row.hidden = !match;
    if (match) seen.add(row.dataset.search);
  }
  found.textContent = words.length ? String(seen.size) : "";
}

function open() {
  const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (target instanceof HTMLDetailsElement) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}

input.addEventListener("input", search);
addEventListener("hashchange", open);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    input.focus();
  }
});
search();
open();
