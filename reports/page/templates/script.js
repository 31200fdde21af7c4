"use strict";
// The page reads completely without this: it sorts, filters, unfolds what a link leads to, says where
// one is, and names a curve under the pointer.
const key = (cell) => cell.dataset.sort ?? words(cell);
// Spaces that hold a number to its unit are spaces to whoever looks for them.
const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
// The number a cell begins with, whatever bounds it: "> 16.0", "at least 12", "1,200 images", "\u22123".
const number = (text) => {
  const found = /^(?:[<>\u2264\u2265]|at least|at most|a factor of)? ?([+\u2212-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.])/.exec(text);
  return found ? parseFloat(found[1].replaceAll(",", "").replace("\u2212", "-")) : NaN;
};

for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
      const given = rows.filter(([text]) => text !== "" && text !== "-");
      // One rule for the whole column: comparing some cells as numbers and others as words has no order.
      const numeric = given.every(([text]) => !isNaN(number(text)));
      const order = (a, b) => numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true });
      given.sort(([a], [b]) => down ? order(b, a) : order(a, b));
      const empty = rows.filter((row) => !given.includes(row)); // last, whichever way
      body.append(...[...given, ...empty].map(([, row]) => row));
    });
  });
}

const filter = document.getElementById("filter");
if (filter) {
  const rows = [...document.querySelectorAll(".ledger tbody tr")];
  const folded = [...document.querySelectorAll("details.folded")];
  filter.parentElement.hidden = false;
  filter.addEventListener("input", () => {
    const wanted = filter.value.replace(/\s+/g, " ").trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words(row).toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    for (const one of folded) one.open = wanted !== "";
    filter.parentElement.querySelector("output").textContent = wanted ? `${shown} of ${rows.length}` : "";
  });
}

// ---- What is folded, and where one is

const contents = document.querySelector("nav.side");
const narrow = matchMedia("(max-width: 71.99rem)");

// A link leads to what is read: folds around it open, and those that hold all that its heading is of.
const reveal = (hash) => {
  const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!target) return;
  for (let one = target; (one = one.parentElement?.closest("details")); ) one.open = true;
  const whole = target.closest("article, section")?.querySelector(":scope > details.whole");
  if (whole) whole.open = true;
  return target;
};
if (contents) {
  const fold = contents.querySelector("details");
  const fit = () => { fold.open = !narrow.matches; };
  narrow.addEventListener("change", fit);
  fit();
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    if (narrow.matches && contents.contains(link)) fold.open = false; // it would cover what it led to
    reveal(link.hash);
  });
  addEventListener("hashchange", () => reveal(location.hash));
  reveal(location.hash)?.scrollIntoView();

  const links = [...contents.querySelectorAll("a")];
  const heads = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const passed = heads.filter((head) => head.getBoundingClientRect().top < innerHeight / 4);
    const atEnd = scrollY > 0 && innerHeight + scrollY >= document.scrollingElement.scrollHeight - 2;
    const here = atEnd ? links.at(-1) : links[heads.indexOf(passed.at(-1))]; // a short last part never gets to the top
    if (here?.hasAttribute("aria-current")) return;
    for (const link of links) link.removeAttribute("aria-current");
    if (!here) return;
    here.setAttribute("aria-current", "true");
    if (fold.scrollHeight > fold.clientHeight) fold.scrollTop = here.offsetTop - fold.clientHeight / 2;
  };
  addEventListener("scroll", mark, { passive: true });
  mark();

  const unfold = contents.querySelector(".unfold");
  const rest = [...document.querySelectorAll("main details, header details")];
  unfold.hidden = rest.length === 0;
  unfold.addEventListener("click", () => {
    const open = rest.some((one) => !one.open);
    for (const one of rest) one.open = open;
    unfold.textContent = open ? "Fold it again" : "Unfold everything";
  });
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
for (const figure of document.querySelectorAll("[data-runs]")) {
  const runs = JSON.parse(figure.dataset.runs);
  for (const curve of figure.querySelectorAll('[id*="curve-"]')) {
    const name = runs[curve.id.slice(curve.id.lastIndexOf("curve-"))];
    if (!name) continue;
    curve.addEventListener("pointermove", (event) => {
      tip.textContent = name;
      tip.hidden = false;
      tip.style.left = `${event.pageX + 12}px`;
      tip.style.top = `${event.pageY - 28}px`;
    });
    curve.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
}
