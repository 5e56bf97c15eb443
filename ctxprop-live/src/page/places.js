// Where they wait: the awaits that keep most of what is live, so that one that holds thousands is seen at once.

import { element, fullPlace, place, short } from "./words.js";

const MOST = 5;

export class Places {
  #told = "";

  constructor(onChoose) {
    this.box = document.getElementById("places");
    this.box.addEventListener("click", ({ target }) => {
      const at = target.closest("button")?.dataset.at;
      if (at !== undefined) onChoose(at);
    });
  }

  show(rows, filter) {
    const found = new Map();
    let waiting = 0;
    for (const { waits } of rows) {
      if (!waits) continue;
      waiting += 1;
      const at = fullPlace(waits.place), known = found.get(at);
      if (known) known.count += 1;
      else found.set(at, { at, waits, count: 1 });
    }
    const first = [...found.values()].sort((a, b) => b.count - a.count || (a.at < b.at ? -1 : 1)).slice(0, MOST);
    const told = JSON.stringify([filter, waiting, first.map(({ at, count }) => [at, count])]);
    if (told === this.#told) return;
    this.#told = told;
    this.box.hidden = first.length === 0;
    this.box.replaceChildren(...first.map(({ at, waits, count }) => {
      const chosen = filter === at.toLowerCase();
      const button = element("button", { type: "button", title: `${waits.what}\n${at}`, "data-at": chosen ? "" : at, "aria-pressed": String(chosen) },
        element("b", { text: count.toLocaleString("en") }),
        element("span", { text: short(waits.what) }),
        element("i", { text: place(waits.place) }));
      button.style.setProperty("--part", `${((100 * count) / waiting).toFixed(1)}%`);
      return button;
    }));
  }
}
