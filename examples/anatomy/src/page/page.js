// The page: hears of each moment, draws while something is under way, and sends what is pressed.

import { add, newRun } from "./story.js";
import { forget, map, waterfall, wire, words } from "./draw.js";

let run = newRun(0);
// How much later than the program's clock ours is: the least that any moment took to get here.
let behind = Infinity;
let drawing = false;

const acts = [...document.querySelectorAll("[data-act]")];
const leave = document.querySelector("#leave");
const title = document.querySelector("#title");

const source = new EventSource("/moments");
source.addEventListener("run", (event) => {
  run = newRun(Number(event.data));
  behind = Infinity;
  forget();
  draw();
});
source.addEventListener("message", (event) => {
  const moment = JSON.parse(event.data);
  behind = Math.min(behind, performance.now() - moment.at_ms);
  add(run, moment);
  if (moment.told?.event === "received" || moment.what === "dropped") wire(run);
  draw();
});
source.addEventListener("open", () => { document.querySelector("#lost").hidden = true; });
source.addEventListener("error", () => { document.querySelector("#lost").hidden = false; });

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const now = run.over ? run.last : Math.max(run.last, performance.now() - behind);
    map(run, now);
    waterfall(run, now);
    words(run);
    controls();
    if (!run.over) draw();
  });
}

function controls() {
  for (const button of acts) {
    button.setAttribute("aria-disabled", String(!run.over));
    if (button.dataset.act === run.scene) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  leave.setAttribute("aria-disabled", String(run.over));
  document.body.dataset.over = String(run.over);
  document.body.dataset.run = String(run.number);
  const words = run.title ? `${run.title[0].toUpperCase()}${run.title.slice(1)}.${outcome()}` : "Press a button, or a key from 1 to 4.";
  if (title.textContent !== words) title.textContent = words;
}

function outcome() {
  if (!run.over) return "";
  const took = `${(run.last / 1000).toFixed(2)} s`;
  if (run.answer === null) return ` It left; ${took} after it began nothing runs any more.`;
  return ` The answer is ${run.answer}; ${took} after it began nothing runs any more.`;
}

async function press(path, allowed) {
  if (!allowed) return;
  try {
    await fetch(path, { method: "POST" });
  } catch {
    document.querySelector("#lost").hidden = false;
  }
}

for (const button of acts) {
  button.addEventListener("click", () => press(`/play/${button.dataset.act}`, run.over));
}
leave.addEventListener("click", () => press("/leave", !run.over));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const shortcut = event.key.toUpperCase();
  const button = [...acts, leave].find((button) => button.getAttribute("aria-keyshortcuts") === shortcut);
  if (!button) return;
  button.focus();
  button.click();
});

// The theme: the system's, until somebody chooses.
const THEMES = ["system", "light", "dark"];
const themeButton = document.querySelector("#theme");

function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  themeButton.textContent = `Theme: ${name}`;
}

function remembered() {
  try {
    return localStorage.getItem("theme") ?? "system";
  } catch {
    return "system";
  }
}

themeButton.addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  theme(next);
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Without storage it lasts as long as the page.
  }
});

theme(THEMES.includes(remembered()) ? remembered() : "system");
