// How things are said: durations, places, names. And elements made without a parser: nothing here is ever read as HTML.

export function element(tag, { text, title, className, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (title) made.title = title;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter(Boolean));
  return made;
}

export function duration(ms) {
  if (ms < 0) ms = 0;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 60000) return `${Math.floor(ms / 1000)} s`;
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))} h`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// The last folders of a path are what tells it.
export function place(at) {
  if (!at) return "";
  const parts = at.file.split("/");
  return `${parts.slice(-3).join("/")}:${at.line}`;
}

export const fullPlace = (at) => (at ? `${at.file}:${at.line}` : "");

// `shop::stock::reserve` is `stock::reserve`; what is in angle brackets stays whole.
export function short(path) {
  const generic = path.indexOf("<"), head = generic < 0 ? path : path.slice(0, generic);
  const parts = head.split("::");
  return parts.slice(-2).join("::") + (generic < 0 ? "" : path.slice(generic));
}

export const causes = {
  cancelled: "cancelled",
  deadline_exceeded: "its deadline passed",
  disconnected: "the client went away",
  finished: "its request is over",
  shutdown: "the server shuts down",
};

// What ended just now unwinds; what is still there after a while is a leak.
const UNWINDS = 1000;
export const isLeak = (of, now) => of.end !== undefined && now - of.end.at > UNWINDS;

export const cause = (end) => causes[end.cause] ?? end.cause.replaceAll("_", " ");

// What is left of a budget: how much, as a part of what was granted, and in words.
export function budget(of, now) {
  if (!of) return undefined;
  const left = of.deadline - now, part = of.granted_ms > 0 ? Math.min(1, Math.max(0, left / of.granted_ms)) : 0;
  const kind = left <= 0 ? "out" : part < 0.25 ? "low" : "";
  const words = left <= 0 ? `over since ${duration(-left)}, of ${duration(of.granted_ms)}` : `${duration(left)} of ${duration(of.granted_ms)}`;
  const brief = left <= 0 ? `over since ${duration(-left)}` : `${duration(left)} left`;
  return { part, kind, words, brief };
}

export function bar(told) {
  const inner = element("span");
  inner.style.transform = `scaleX(${told.part.toFixed(3)})`;
  return element("div", { className: `bar ${told.kind}` }, inner);
}
