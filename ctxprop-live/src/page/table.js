// The list. Only the rows in sight are elements, and those are used again: ten thousand rows cost as many objects, and some forty
// elements.

import { budget, cause, duration, element, fullPlace, place, short } from "./words.js";

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
    const top = (row) => (row.end || row.leaks > 0 ? 0 : 1);
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
  const two = (name) => {
    const b = element("b"), i = element("i");
    cells[name] = [b, i];
    return element("div", {}, b, i);
  };
  const one = (name, className) => (cells[name] = element("div", { className }));
  const row = element("div", { className: "row", role: "row" }, two("name"), two("waits"), one("for", "number"), one("age", "number"));
  const inner = element("span"), words = element("i");
  cells.bar = element("div", { className: "bar" }, inner);
  cells.inner = inner;
  cells.left = words;
  row.append(element("div", {}, cells.bar, words), one("below", "number"), one("trace", "mono faint"));
  return { row, cells, before: {} };
}

// Writes only what is not there already.
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fill({ row: node, cells }, row, top, now, chosen) {
  const blocks = row.running_since !== undefined && now - row.running_since > LONG;
  node.style.transform = `translateY(${top}px)`;
  node.dataset.id = row.id;
  const className = `row${row.end ? " ended" : blocks ? " blocks" : ""}${chosen ? " chosen" : ""}`;
  if (node.className !== className) node.className = className;
  put(cells.name[0], row.kind === "request" ? row.name : short(row.name));
  const line = cells.name[1];
  line.className = "cause";
  if (row.end) put(line, `ended ${duration(now - row.end.at)} ago: ${cause(row.end)}`);
  else if (blocks) put(line, `blocks a thread for ${duration(now - row.running_since)}`);
  else if (row.detached) put(line, `detached: ${row.detached}`);
  else put(line, row.leaks ? `${row.leaks} below ended, not unwound` : row.kind === "request" ? row.state : `${row.kind}, ${row.state}`);
  const waits = row.waits;
  put(cells.waits[0], waits ? `${short(waits.what)}` : row.state === "running" ? "runs" : "–");
  put(cells.waits[1], waits ? `${place(waits.place)}${waits.function ? `  in ${short(waits.function)}` : ""}` : "");
  cells.waits[1].title = waits ? `${waits.what}\n${fullPlace(waits.place)}` : "";
  put(cells.for, waits ? duration(now - waits.since) : "");
  put(cells.age, duration(now - row.began));
  const left = budget(row.budget, now);
  cells.bar.hidden = !left;
  put(cells.left, left ? left.words : "no deadline");
  if (left) {
    const barClass = `bar ${left.kind}`;
    if (cells.bar.className !== barClass) cells.bar.className = barClass;
    cells.inner.style.width = `${(left.part * 100).toFixed(1)}%`;
  }
  put(cells.below, [row.below || "", row.shields ? `${row.shields} ⛨` : ""].filter(Boolean).join(" · "));
  cells.below.title = `${row.below} below, ${row.shields} active shields`;
  put(cells.trace, row.trace ? `${row.trace.slice(0, 8)}…` : "");
  cells.trace.title = row.trace ?? "";
}
