// The panel that narrows the list: by layer, by what the reader marked, by ranges of numbers.

import { element } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/** What a reader may have marked, in words. */
export const MARK_NAMES = { labeled: "labeled", favourites: "favourites", pinned: "pinned" };

/** The panel, which is opened by a button of the toolbar. */
export class FilterPanel {
  constructor() {
    this.layer = element(
      "select",
      { id: "only-layer" },
      element("option", { value: "" }, "all"),
      unitTable.sites.map(({ name }) => element("option", { value: name }, name)),
    );
    this.layer.addEventListener("change", () => view.go({ layer: this.layer.value || null }));
    this.only = element(
      "select",
      { id: "only" },
      element("option", { value: "" }, "all"),
      Object.entries(MARK_NAMES).map(([value, name]) => element("option", { value }, name)),
    );
    this.only.addEventListener("change", () => view.go({ only: this.only.value || null }));
    this.bounds = []; // of each number: {key, op, input}
    this.node = element(
      "div",
      { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
      element("label", {}, element("span", {}, "Layer"), this.layer),
      element("label", {}, element("span", {}, "Units"), this.only),
      unitTable.numbers.map((number) => this.range(number)),
    );
  }

  /** Two boxes, for the least and the greatest value; the range that there is stands in them in grey. */
  range({ key, name }) {
    const extent = unitTable.extent(key);
    if (extent === null) return null;
    const bound = (op, word, value) => {
      const input = element("input", {
        type: "text",
        inputmode: "decimal",
        placeholder: rounded(value),
        "aria-label": `${name}, ${word}`,
        autocomplete: "off",
        size: 6,
      });
      input.addEventListener("change", () => this.read());
      this.bounds.push({ key, op, input });
      return input;
    };
    return element(
      "div",
      { class: "range", role: "group", "aria-label": name },
      element("span", {}, name),
      bound(">=", "at least", extent[0]),
      "\u2013",
      bound("<=", "at most", extent[1]),
    );
  }

  /** Take what is typed; what is no number is marked, and counts for nothing. */
  read() {
    const where = this.bounds.flatMap(({ key, op, input }) => {
      const text = input.value
        .trim()
        .replace("\u2212", "-")
        .replace(/^(-?\d+),(\d+)$/, "$1.$2");
      const value = Number(text);
      input.setAttribute("aria-invalid", String(text !== "" && !Number.isFinite(value)));
      return text !== "" && Number.isFinite(value) ? [{ key, op, value }] : [];
    });
    const strict = view.state().where.filter(({ op }) => op === ">" || op === "<");
    view.go({ where: [...strict, ...where] });
  }

  update({ layer, only, where }) {
    this.layer.value = layer ?? "";
    this.only.value = only ?? "";
    for (const { key, op, input } of this.bounds) {
      const found = where.find((one) => one.key === key && one.op === op);
      if (document.activeElement === input && !found) continue; // it is typed in
      input.value = found ? String(found.value) : "";
      input.setAttribute("aria-invalid", "false");
    }
  }
}
