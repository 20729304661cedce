"use strict";
const cards = [...document.querySelectorAll("article")], main = document.querySelector("main");
const control = id => document.getElementById(id);
function sort() {
  const asked = control("sort").value, down = asked.startsWith("-"), key = asked.replace("-", "") || "order";
  const value = card => card.dataset[key];
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (key === "name") { return x.localeCompare(y, undefined, {numeric: true}); }
    if (x === "" || y === "") { return (x === "") - (y === ""); }
    return down ? y - x : x - y;
  };
  main.append(...cards.slice().sort((a, b) => compare(a, b) || a.dataset.order - b.dataset.order));
}
function choose() {
  const flag = control("flag") ? control("flag").value : "", word = control("quality").value;
  const name = control("name").value.toLowerCase();
  for (const card of cards) {
    card.hidden = (word && card.dataset.word !== word) || (flag && !card.dataset.flags.includes("|" + flag + "|")) ||
      !card.dataset.name.toLowerCase().includes(name);
  }
  const shown = cards.filter(card => !card.hidden).length;
  control("count").textContent = shown === cards.length ? "" : shown + " of " + cards.length;
}
control("sort").addEventListener("change", sort);
for (const id of ["quality", "flag", "name"]) { if (control(id)) { control(id).addEventListener("input", choose); } }
document.querySelector("form").addEventListener("submit", event => event.preventDefault());
