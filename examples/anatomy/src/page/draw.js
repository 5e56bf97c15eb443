// Draws a run. It keeps its elements, and touches what has changed.

import { SERVICES, asked, leftAt, ms } from "./story.js";

const $ = (selector, within = document) => within.querySelector(selector);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function attribute(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const nodes = SERVICES.map((name) => {
  const node = $(`.node[data-service="${name}"]`);
  const parts = {
    node, name,
    pill: make("p", { className: "pill" }), granted: make("i"), rest: make("b"),
    left: make("p", { className: "left" }), chips: make("div", { className: "chips" }), said: "",
  };
  const budget = make("div", { className: "budget" }, parts.granted, parts.rest);
  budget.setAttribute("aria-hidden", "true");
  node.append(parts.pill, budget, parts.left, parts.chips);
  return parts;
});

export function map(run, now) {
  const most = Math.max(1, ...SERVICES.map((name) => run.services[name].granted ?? 0));
  for (const parts of nodes) {
    const service = run.services[parts.name];
    attribute(parts.node, "data-state", service.state);
    text(parts.pill, service.pill);
    const left = leftAt(service, now);
    parts.granted.style.width = `${(100 * (service.granted ?? 0)) / most}%`;
    parts.rest.style.width = `${(100 * (left ?? 0)) / most}%`;
    text(parts.left, left === null ? waits(parts.name, service) : `${ms(left)} of ${ms(service.granted)} left`);
    chips(parts, service);
  }
  run.links.forEach((state, index) => attribute($(`.link[data-link="${index}"]`), "data-state", state || null));
}

function waits(name, service) {
  return name === "client" && service.state === "waiting" ? "waits as long as it takes" : "";
}

function chips(parts, service) {
  const chips = Object.entries(service.baggage).map(([key, value]) => ["", `${key}=${value}`]);
  for (const { header } of service.dropped) chips.push(["dropped", `${header} dropped`]);
  if (service.shield) chips.push(["shield", `${service.shield}, shielded`]);
  const said = JSON.stringify(chips);
  if (said === parts.said) return;
  parts.said = said;
  parts.chips.replaceChildren(...chips.map(([className, words]) => make("span", { className, textContent: words })));
}

// The waterfall

const rows = new Map();
let chosen = null;

export function forget() {
  rows.clear();
  chosen = null;
  for (const list of ["#rows", "#log", "#checks", "#wire thead", "#wire tbody", ".ruler"]) $(list).replaceChildren();
  $("#details").hidden = true;
  for (const parts of nodes) parts.said = "";
}

export function waterfall(run, now) {
  const met = run.deadline !== null && now >= run.deadline;
  const total = Math.max(400, (run.over ? run.last : now) * (run.over ? 1.09 : 1.12));
  ruler(run, total, met || (run.deadline !== null && run.deadline < total));
  for (const [id, span] of run.spans) {
    const row = rows.get(id) ?? addRow(run, id, span);
    const end = span.closed ?? now;
    attribute(row.button, "class", `${span.name}${span.closed === null ? " open" : ""}`);
    place(row.bar, span.opened, end, total);
    took(row.took, span, end, total);
    if (span.shield) {
      row.cover ??= row.lane.appendChild(make("span", { className: "bar cover" }));
      place(row.cover, span.shield.from, span.shield.to ?? now, total);
    }
    span.marks.forEach((mark, index) => {
      row.marks[index] ??= row.lane.appendChild(make("span", { className: "mark" }));
      row.marks[index].style.left = `${(100 * mark.at) / total}%`;
    });
    attribute(row.button, "aria-label", `${label(span)}, began at ${ms(span.opened)}, ${span.closed === null ? "is open" : `took ${ms(end - span.opened)}`}`);
  }
}

function label(span) {
  return span.name === "send" ? `${span.service} waits for ${asked(span)}` : `${span.service} at work`;
}

function depth(run, span) {
  if (span.service === "client") return 0;
  const parent = run.spans.get((span.name === "send" ? "request" : "send") + span.parent_id);
  if (parent) return depth(run, parent) + 1;
  return span.service === "gateway" ? 1 : 0;
}

function addRow(run, id, span) {
  const name = make("span", { className: "name" });
  name.style.setProperty("--depth", depth(run, span));
  if (span.name === "send") name.append("→ ", make("em", { textContent: asked(span) }));
  else name.append(make("em", { textContent: span.service }), make("small", { textContent: ` ${span.fields.path}` }));
  const bar = make("span", { className: "bar" });
  const tookLabel = make("span", { className: "took" });
  const lane = make("span", { className: "lane" }, bar, tookLabel);
  const button = make("button", { type: "button" }, name, lane);
  button.dataset.service = span.service;
  button.setAttribute("aria-expanded", "false");
  const row = { button, bar, lane, took: tookLabel, marks: [], cover: null };
  button.addEventListener("click", () => choose(run, id));
  rows.set(id, row);
  $("#rows").append(make("li", {}, button));
  return row;
}

function place(element, from, to, total) {
  element.style.left = `${(100 * from) / total}%`;
  element.style.width = `${(100 * Math.max(0, to - from)) / total}%`;
}

// How long it took stands behind the bar, before it where there is no room, on it where there is neither.
function took(element, span, end, total) {
  text(element, ms(end - span.opened));
  const [from, to] = [span.opened / total, end / total];
  const where = to < 0.9 ? "" : from > 0.1 ? " before" : span.name === "send" ? " before" : " on";
  attribute(element, "class", `took${where}`);
  const above = where === " before" && from <= 0.1;
  element.style.left = `${100 * (where === "" || above ? to : from)}%`;
  element.style.top = above ? "-3px" : "";
}

function ruler(run, total, withDeadline) {
  const step = [50, 100, 200, 500, 1000, 2000].find((step) => total / step <= 9) ?? 5000;
  const ticks = [];
  for (let at = 0; at < total * 0.97; at += step) ticks.push(["", at, ms(at).replace(".00 s", " s")]);
  if (withDeadline) ticks.push([run.deadline > total * 0.85 ? "deadline flip" : "deadline", run.deadline, "deadline"]);
  const ruler = $(".ruler");
  while (ruler.children.length > ticks.length) ruler.lastChild.remove();
  ticks.forEach(([className, at, words], index) => {
    const tick = ruler.children[index] ?? ruler.appendChild(make("span"));
    attribute(tick, "class", className);
    text(tick, words);
    tick.style.left = `${(100 * at) / total}%`;
  });
}

function choose(run, id) {
  chosen = chosen === id ? null : id;
  for (const [other, row] of rows) attribute(row.button, "aria-expanded", String(other === chosen));
  const details = $("#details");
  details.hidden = chosen === null;
  if (chosen === null) return;
  const span = run.spans.get(id);
  const lines = [["span", `${span.name} in ${span.service}`], ...Object.entries(span.fields)];
  details.replaceChildren(...lines.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]));
}

// Up and down walk through the rows.
$("#rows").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = [...document.querySelectorAll("#rows button")];
  buttons[buttons.indexOf(document.activeElement) + step]?.focus();
  event.preventDefault();
});

// What happened, in words

export function words(run) {
  const log = $("#log");
  while (log.children.length < run.log.length) {
    const { at, service, words, kind } = run.log[log.children.length];
    const line = make("li", {}, make("time", { textContent: ms(at) }), make("b", { textContent: service }), make("span", { className: kind, textContent: words }));
    line.dataset.service = service;
    log.append(line);
    log.scrollTop = log.scrollHeight;
  }
  const checks = $("#checks");
  while (checks.children.length < run.checks.length) {
    const { what, held } = run.checks[checks.children.length];
    checks.append(make("li", { className: held ? "" : "broken", textContent: what }));
  }
}

// What each hop was sent

const HEADERS = ["traceparent", "baggage", "x-timeout-ms", "x-deadline"];

export function wire(run) {
  const hops = SERVICES.slice(1).filter((name) => run.services[name].headers);
  const head = make("tr", {}, make("th", { textContent: "header" }));
  for (const name of hops) {
    const cell = make("th", { textContent: name, scope: "col" });
    cell.dataset.service = name;
    head.append(cell);
  }
  const body = HEADERS.map((header) => {
    const cells = hops.map((name) => cell(run.services[name], header));
    return make("tr", {}, make("th", { textContent: header, scope: "row" }), ...cells);
  });
  $("#wire thead").replaceChildren(head);
  $("#wire tbody").replaceChildren(...(hops.length ? body : []));
}

function cell(service, header) {
  const value = service.headers[header];
  if (value === undefined) return make("td", { className: "none", textContent: "none" });
  const dropped = service.dropped.find((dropped) => dropped.header === header);
  if (dropped) {
    const why = make("span", { className: "why", textContent: dropped.reason });
    const all = header !== "baggage";
    return make("td", {}, all ? make("s", { textContent: value }) : value, why);
  }
  const [version, trace, span, flags] = header === "traceparent" ? value.split("-") : [];
  if (!flags) return make("td", { textContent: value });
  return make("td", {}, `${version}-`, make("span", { className: "same", textContent: trace }), `-${span}-${flags}`);
}
