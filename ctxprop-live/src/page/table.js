// The list. Only the rows in sight are elements, and those are used again: ten thousand rows cost as many objects, and some forty
// elements.

import { budget, cause, duration, element, fullPlace, isLeak, place, short } from "./words.js";

const HEIGHT = 42, SPARE = 6, LONG = 100;

const worth = {
  name: (row) => row.name,
  place: (row) => (row.waits ? place(row.waits.place) : ""),
  waiting: (row) => (row.waits ? row.waits.since : Infinity),
  age: (row) => row.began,
  left: (row) => (row.budget ? row.budget.deadline : Infinity),
  below: (row) => row.below,
  trace: (row) => row.trace ?? "",
};
// Whose greatest worth is what was least lately: the longest wait is the earliest start.
const reversed = new Set(["waiting", "age"]);

export class Table {
  rows = new Map();
  shown = [];
  sort = { by: "age", down: true };
  filter = { name: "", trace: "", state: "" };
  chosen = undefined;
  #elements = [];

  constructor(scroll, space, now, onOpen) {
    Object.assign(this, { scroll, space, now, onOpen });
    scroll.addEventListener("scroll", () => this.paint(), { passive: true });
    new ResizeObserver(() => this.paint()).observe(scroll);
    scroll.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.choose(Number(row.dataset.id));
    });
    scroll.addEventListener("keydown", (event) => this.#key(event));
  }

  apply({ set, gone }) {
    for (const id of gone) this.rows.delete(id);
    for (const row of set) {
      const at = row.waits ? `${row.waits.function} ${row.waits.what} ${fullPlace(row.waits.place)}` : "";
      row.searched = `${row.name} ${row.detached ?? ""} ${at}`.toLowerCase();
      this.rows.set(row.id, row);
    }
  }

  arrange() {
    const { name, trace, state } = this.filter, { by, down } = this.sort;
    const words = name.toLowerCase().split(/\s+/).filter(Boolean);
    const is = (row) =>
      (!state || row.state === state || (state === "ended" && row.leaks > 0)) &&
      (!trace || (row.trace ?? "").startsWith(trace)) &&
      words.every((word) => row.searched.includes(word));
    this.shown = [...this.rows.values()].filter(is);
    const of = worth[by], sign = down !== reversed.has(by) ? -1 : 1;
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    // What has ended and is still there stands on top, whatever the order.
    const now = this.now(), top = (row) => (isLeak(row, now) || row.leaks > 0 ? 0 : 1);
    this.shown.sort((a, b) => top(a) - top(b) || sign * compare(of(a), of(b)) || a.id - b.id);
    this.space.style.height = `${this.shown.length * HEIGHT}px`;
    this.paint();
  }

  paint() {
    const now = this.now(), first = Math.max(0, Math.floor(this.scroll.scrollTop / HEIGHT) - SPARE);
    const count = Math.ceil(this.scroll.clientHeight / HEIGHT) + 2 * SPARE;
    const inSight = this.shown.slice(first, first + count);
    while (this.#elements.length < inSight.length) {
      const made = make();
      this.#elements.push(made);
      this.space.append(made.row);
    }
    while (this.#elements.length > inSight.length + SPARE) this.#elements.pop().row.remove();
    this.#elements.forEach((one, n) => {
      const row = inSight[n];
      one.row.hidden = !row;
      if (row) fill(one, row, (first + n) * HEIGHT, now, row.id === this.chosen);
    });
  }

  choose(id) {
    this.chosen = id;
    this.paint();
    this.onOpen(id);
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (!step || !this.shown.length) return;
    event.preventDefault();
    const at = this.shown.findIndex((row) => row.id === this.chosen);
    const next = Math.min(this.shown.length - 1, Math.max(0, at + step));
    const top = next * HEIGHT, { scrollTop, clientHeight } = this.scroll;
    if (top < scrollTop) this.scroll.scrollTop = top;
    if (top + HEIGHT > scrollTop + clientHeight) this.scroll.scrollTop = top + HEIGHT - clientHeight;
    this.choose(this.shown[next].id);
  }
}

function make() {
  const cells = {};
  const two = (name, className) => {
    const b = element("b"), i = element("i");
    cells[name] = [b, i];
    return element("div", { className }, b, i);
  };
  const one = (name, className) => (cells[name] = element("div", { className }));
  const name = two("name");
  cells.name[1].className = "cause";
  const row = element("div", { className: "row", role: "row" }, name, two("waits"), one("for", "number"), one("age", "number"));
  const inner = element("span"), words = element("i");
  cells.bar = element("div", { className: "bar" }, inner);
  cells.inner = inner;
  cells.left = words;
  row.append(element("div", {}, cells.bar, words), two("below", "number"), one("trace", "mono faint"));
  return { row, cells };
}

// Writes only what is not there already, and asks no element what is there.
const written = new WeakMap();
function put(node, text, title) {
  const before = written.get(node);
  if (before?.text === text && before.title === title) return;
  if (before?.text !== text) node.textContent = text;
  if (before?.title !== title) node.title = title ?? "";
  written.set(node, { text, title });
}

function fill({ row: node, cells }, row, top, now, chosen) {
  const blocks = row.running_since !== undefined && now - row.running_since > LONG;
  const leaks = isLeak(row, now);
  if (cells.top !== top) node.style.transform = `translateY(${(cells.top = top)}px)`;
  if (cells.id !== row.id) node.dataset.id = cells.id = row.id;
  const className = `row${leaks ? " ended" : row.end ? " unwinds" : blocks ? " blocks" : ""}${chosen ? " chosen" : ""}`;
  if (node.className !== className) node.className = className;
  put(cells.name[0], row.kind === "request" ? row.name : short(row.name));
  const line = cells.name[1];
  if (leaks) put(line, `ended ${duration(now - row.end.at)} ago: ${cause(row.end)}`);
  else if (row.end) put(line, `unwinds: ${cause(row.end)}`);
  else if (blocks) put(line, `blocks a thread for ${duration(now - row.running_since)}`);
  else if (row.detached) put(line, `detached: ${row.detached}`);
  else put(line, row.leaks ? `${row.leaks} below ended, not unwound` : row.kind === "request" ? row.state : `${row.kind}, ${row.state}`);
  const waits = row.waits;
  put(cells.waits[0], waits ? `${short(waits.what)}` : row.state === "running" ? "runs" : "–");
  const at = waits ? `${place(waits.place)}${waits.function ? `  in ${short(waits.function)}` : ""}` : "";
  put(cells.waits[1], at, waits ? `${waits.what}\n${fullPlace(waits.place)}` : undefined);
  put(cells.for, waits ? duration(now - waits.since) : "");
  put(cells.age, duration(now - row.began));
  const left = budget(row.budget, now);
  cells.bar.hidden = !left;
  put(cells.left, left ? left.brief : "no deadline", left?.words.replace(/^.* of /, "of "));
  if (left) {
    const barClass = `bar ${left.kind}`;
    if (cells.bar.className !== barClass) cells.bar.className = barClass;
    const scale = `scaleX(${left.part.toFixed(3)})`;
    if (cells.scale !== scale) cells.inner.style.transform = cells.scale = scale;
  }
  put(cells.below[0], row.below ? String(row.below) : "");
  put(cells.below[1], row.shields ? `${row.shields} shield${row.shields > 1 ? "s" : ""}` : "");
  put(cells.trace, row.trace ? `${row.trace.slice(0, 8)}…` : "", row.trace);
}
