// The requests that ended: how many, by how and by how long they took, and the last of each.

import { cause, duration, element, fullPlace, place, short } from "./words.js";

const names = {
  finished: "Finished", deadline: "Deadline passed", disconnected: "Client went away",
  shutdown: "Shut down", panicked: "Panicked", cancelled: "Cancelled",
};

export class Recent {
  #open;
  #told = "";

  constructor() {
    this.table = document.getElementById("buckets");
    this.list = document.getElementById("bucket");
    this.table.addEventListener("click", (event) => {
      const at = event.target.closest("button")?.dataset.at;
      if (!at) return;
      this.#open = this.#open === at ? undefined : at;
      this.#mark();
      this.refresh();
    });
  }

  // The counts. Those that did not change are left alone.
  show(summary) {
    const told = JSON.stringify(summary);
    if (told === this.#told) return;
    this.#told = told;
    const bounds = summary.bounds_ms;
    const ranges = [...bounds.map((bound) => `≤ ${duration(bound)}`), `> ${duration(bounds.at(-1))}`];
    const head = element("tr", {}, element("th", { text: "Ended" }), ...ranges.map((text) => element("th", { text })));
    const most = Math.max(1, ...summary.families.flatMap(([, counts]) => counts));
    const some = summary.families.filter(([how, counts]) => how === "finished" || counts.some(Boolean));
    const rows = some.map(([how, counts]) => {
      const cells = counts.map((count, n) => {
        const cell = element("button", { type: "button", text: count ? String(count) : "·", "data-at": `${how}/${n}`, "aria-label": `${names[how] ?? how}, ${ranges[n]}: ${count}` });
        if (count) cell.className = "some";
        cell.style.setProperty("--weight", (Math.log1p(count) / Math.log1p(most)).toFixed(2));
        return element("td", {}, cell);
      });
      return element("tr", { className: how === "finished" ? "" : "bad" }, element("th", { text: names[how] ?? how }), ...cells);
    });
    this.table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
    this.#mark();
    if (this.#open) this.refresh();
  }

  #mark() {
    for (const button of this.table.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.at === this.#open));
  }

  async refresh() {
    const open = this.#open;
    this.list.hidden = !open;
    if (!open) return;
    const answer = await fetch("ctx/recent").catch(() => undefined);
    if (!answer?.ok || this.#open !== open) return;
    const { families } = await answer.json(), [how, n] = open.split("/");
    const last = families.find((family) => family.how === how)?.buckets[Number(n)]?.last ?? [];
    const rows = last.map((one) => {
      const waited = one.awaits?.at(-1);
      const where = waited ? `waited at ${place(waited.place)} for ${short(waited.what)}` : one.end.by ? `ended at ${fullPlace(one.end.by)}` : how === "finished" ? "" : cause(one.end);
      return element("div", { className: "ended" },
        element("span", { className: "number", text: duration(one.took_ms) }),
        element("span", { text: one.name, title: one.name }),
        element("span", { className: "faint", text: where, title: where }),
        element("code", { className: "faint", text: one.trace?.trace_id ?? "" }));
    });
    this.list.replaceChildren(...(rows.length ? rows : [element("p", { className: "faint", text: "None yet." })]));
  }
}
