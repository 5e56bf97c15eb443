// The page: events come in, the list, the opened request and the counts go with them.

import { Opened } from "./opened.js";
import { Places } from "./places.js";
import { Recent } from "./recent.js";
import { Table } from "./table.js";
import { duration } from "./words.js";

const by = (id) => document.getElementById(id);

// The server's clock, as far as it is known.
let ahead = 0, paused = false, asleep = false;
const now = () => Date.now() + ahead;

const opened = new Opened(now), recent = new Recent();
const table = new Table(by("scroll"), by("space"), now, (id) => opened.open(id));
opened.onClose = () => {
  table.chosen = undefined;
  table.paint();
};

function look(told) {
  const begun = performance.now();
  ahead = told.now - Date.now();
  table.apply(told);
  if (!paused) show(told);
  // For whoever measures: how many looks there were, and how long the last kept the page busy before it was painted.
  const { dataset } = document.documentElement;
  dataset.looks = Number(dataset.looks ?? 0) + 1;
  dataset.look = (performance.now() - begun).toFixed(1);
}

let last;
function show(told) {
  last = told;
  table.arrange();
  const { process, counts } = told;
  by("program").textContent = process.program;
  by("pid").textContent = `pid ${process.pid}`;
  document.title = `${counts.leaks ? `(${counts.leaks}) ` : ""}${process.program} · ctxprop live`;
  for (const name of ["requests", "tasks", "shields", "leaks"]) by(`count-${name}`).textContent = counts[name].toLocaleString("en");
  by("tile-leaks").classList.toggle("bad", counts.leaks > 0);
  told.recent && recent.show(told.recent);
  notice(told);
  shown();
  opened.refresh();
}

const places = new Places((at) => {
  by("filter-name").value = at;
  table.filter.name = at.toLowerCase();
  rearrange();
});

function shown() {
  places.show(table.rows.values(), table.filter.name);
  const all = table.rows.size, some = table.shown.length;
  by("shown").textContent = some === all ? `${all.toLocaleString("en")} shown` : `${some.toLocaleString("en")} of ${all.toLocaleString("en")}`;
  const empty = by("empty");
  empty.hidden = some > 0;
  empty.textContent = all ? "Nothing matches the filters." : "Nothing is live.";
}

function notice({ enabled, counts, process }) {
  const box = by("notice");
  if (!enabled) {
    if (box.dataset.is !== "off") {
      box.dataset.is = "off";
      const button = document.createElement("button");
      button.textContent = "Switch on";
      button.addEventListener("click", () => fetch("ctx/enable", { method: "POST", headers: { "x-ctxprop": "1" } }));
      box.replaceChildren("This process is not looked at: nothing is known of what is live. ", button);
    }
    box.hidden = false;
  } else if (counts.untracked) {
    box.dataset.is = "full";
    box.textContent = `The bound on memory is reached: ${counts.untracked.toLocaleString("en")} were not let in since ${duration(now() - process.observed_since)} ago. \`enable_with\` sets the bound.`;
    box.hidden = false;
  } else {
    box.dataset.is = "";
    box.hidden = true;
  }
}

function status(text, className) {
  by("status").textContent = text;
  by("status").className = className;
}

let events;
function connect() {
  events?.close();
  events = new EventSource("ctx/events");
  events.addEventListener("open", () => {
    // The first event of a connection has all there is.
    table.rows.clear();
    status(paused ? "paused" : "live", paused ? "" : "live");
  });
  events.addEventListener("look", (event) => look(JSON.parse(event.data)));
  events.addEventListener("error", () => status("connection lost, trying again", "lost"));
}

// A page that nobody sees asks for nothing.
document.addEventListener("visibilitychange", () => {
  asleep = document.hidden;
  if (asleep) events.close();
  else connect();
});

by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  by("pause").textContent = paused ? "Go on" : "Pause";
  status(paused ? "paused" : "live", paused ? "" : "live");
});

for (const [id, name] of [["filter-name", "name"], ["filter-trace", "trace"]]) {
  by(id).addEventListener("input", () => {
    table.filter[name] = by(id).value.trim().toLowerCase();
    rearrange();
  });
}
by("filters").addEventListener("submit", (event) => event.preventDefault());
by("filter-state").addEventListener("click", ({ target }) => {
  if (target.dataset.state === undefined) return;
  table.filter.state = target.dataset.state;
  for (const button of by("filter-state").children) button.setAttribute("aria-pressed", String(button === target));
  rearrange();
});
by("head").addEventListener("click", ({ target }) => {
  const sort = target.dataset.sort;
  if (!sort) return;
  const words = ["name", "place", "trace", "left"];
  table.sort = { by: sort, down: table.sort.by === sort ? !table.sort.down : !words.includes(sort) };
  rearrange();
});

function rearrange() {
  for (const button of by("head").children) {
    const is = button.dataset.sort === table.sort.by;
    if (is) button.setAttribute("aria-sort", table.sort.down ? "descending" : "ascending");
    else button.removeAttribute("aria-sort");
  }
  table.arrange();
  shown();
}

// What the machine prefers, unless somebody chose.
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme(chosen) {
  const is = chosen ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = is;
  by("theme").textContent = is === "dark" ? "Light" : "Dark";
}
const kept = () => localStorage.getItem("ctxprop-theme") ?? undefined;
dark.addEventListener("change", () => theme(kept()));
by("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("ctxprop-theme", next);
  theme(next);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") opened.close();
  if (event.key === "/" && event.target.tagName !== "INPUT") {
    event.preventDefault();
    by("filter-name").focus();
  }
});

theme(kept());
rearrange();
connect();
// Ages and bars go on between two looks.
setInterval(() => !paused && !asleep && table.paint(), 500);
