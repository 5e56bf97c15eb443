// A request that was opened: what it is, and as a tree what it and all below it wait for.

import { bar, budget, cause, duration, element, fullPlace, isLeak, place, short } from "./words.js";

export class Opened {
  #id;
  #last;

  constructor(now) {
    this.now = now;
    this.aside = document.getElementById("open");
    this.body = document.getElementById("open-body");
    this.name = document.getElementById("open-name");
    document.getElementById("close").addEventListener("click", () => this.close());
  }

  get id() {
    return this.#id;
  }

  async open(id) {
    if (this.#id !== id) this.#last = undefined;
    this.#id = id;
    this.aside.hidden = false;
    document.querySelector("main").classList.add("opened");
    await this.refresh();
  }

  close() {
    this.#id = this.#last = undefined;
    this.aside.hidden = true;
    document.querySelector("main").classList.remove("opened");
    this.onClose?.();
  }

  async refresh() {
    const id = this.#id;
    if (id === undefined) return;
    const answer = await fetch(`ctx/work/${id}`).catch(() => undefined);
    if (this.#id !== id || !answer) return;
    if (answer.status === 404) this.#over();
    else if (answer.ok) this.#show(await answer.json());
  }

  // It is over while it is open: what was known last stays, and says so.
  #over() {
    if (this.body.querySelector(".gone")) return;
    if (!this.#last) this.body.replaceChildren();
    const when = new Date(this.now()).toLocaleTimeString();
    this.body.prepend(element("p", { className: "banner over gone", text: `It is over, since ${when}. This is what was known of it last.` }));
  }

  #show({ works }) {
    const byId = new Map(works.map((work) => [work.id, { ...work, below: [] }]));
    let top;
    for (const work of byId.values()) {
      const parent = byId.get(work.parent);
      if (parent) parent.below.push(work);
      else top ??= work;
    }
    if (!top) return;
    this.#last = top;
    const now = this.now();
    this.name.textContent = top.name;
    this.name.title = top.name;
    const { scrollTop } = this.body;
    this.body.replaceChildren(...banners(top, now), facts(top, now), tree(top, now, true));
    this.body.scrollTop = scrollTop;
  }
}

function* banners(work, now) {
  if (work.end) {
    const by = work.end.by ? `, by ${fullPlace(work.end.by)}` : "";
    const leaks = isLeak(work, now), rest = leaks ? "It has not unwound." : "It unwinds.";
    const text = `Ended ${duration(now - work.end.at)} ago: ${cause(work.end)}${by}. ${rest}`;
    yield element("p", { className: leaks ? "banner" : "banner over", text });
  }
  const runs = work.running_since !== undefined ? now - work.running_since : 0;
  if (runs > 100) yield element("p", { className: "banner blocks", text: `Runs for ${duration(runs)} without an await: it blocks its thread.` });
}

function facts(work, now) {
  const list = element("dl", { className: "facts" });
  const fact = (name, ...values) => list.append(element("dt", { text: name }), element("dd", {}, ...values));
  const code = (text) => element("code", { text });
  fact("Age", duration(now - work.began));
  const left = budget(work.budget, now);
  fact("Budget", ...(left ? [bar(left), left.words] : ["no deadline"]));
  if (work.trace) fact("Trace", code(work.trace.trace_id), element("br"), "span ", code(work.trace.span_id));
  if (work.place) fact("Spawned", code(fullPlace(work.place)));
  if (work.detached) fact("Detached", work.detached);
  for (const { key, value } of work.baggage ?? []) fact(key, value === undefined ? element("span", { className: "faint", text: "not shown" }) : value);
  return list;
}

function tree(work, now, isTop) {
  const made = element("div", { className: "work", "data-id": work.id });
  if (!isTop) {
    const kind = element("span", { className: "kind", text: work.kind });
    made.append(element("h3", { title: work.name }, kind, short(work.name)));
    const told = [];
    if (work.detached) told.push(`detached: ${work.detached}`);
    const left = budget(work.budget, now);
    if (left) told.push(left.words);
    if (work.place) told.push(`spawned at ${place(work.place)}`);
    if (told.length) made.append(element("p", { text: told.join(" · ") }));
    made.append(...banners(work, now));
  }
  made.append(chain(work, now));
  for (const below of work.below.sort((a, b) => a.began - b.began)) made.append(tree(below, now, false));
  return made;
}

function chain(work, now) {
  const list = element("ol", { className: "chain" }), awaits = work.awaits ?? [];
  awaits.forEach((one, n) => {
    const isLast = (awaits[n + 1]?.depth ?? 0) <= one.depth;
    const item = element("li", { className: isLast ? "last" : "" });
    item.style.marginLeft = `${one.depth * 14}px`;
    const what = element("span", { className: "what mono", text: short(one.what), title: one.what });
    if (one.shield) {
      const left = budget(one.shield, now);
      what.prepend(element("span", { className: "tag shield", text: `shield, ${left.words}` }));
    }
    if (one.end) what.prepend(element("span", { className: "tag bad-ink", text: `ended ${duration(now - one.end.at)} ago: ${cause(one.end)}` }));
    else if (one.budget) what.prepend(element("span", { className: "tag", text: `budget, ${budget(one.budget, now).words}` }));
    const at = `${place(one.place)}${one.function ? `  in ${short(one.function)}` : ""}`;
    item.append(what, element("span", { className: "for", text: duration(now - one.since) }));
    item.append(element("span", { className: "at mono", text: at, title: fullPlace(one.place) }));
    list.append(item);
  });
  if (!awaits.length) list.append(element("li", { className: "last" }, element("span", { className: "what faint", text: work.kind === "blocking" ? "blocking code" : "at no await that is known" })));
  return list;
}
