// The filter panel: by layer, by labels, favorites and pins, and by ranges of metrics.

import { element } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/** Names of the filters by labels, favorites and pins. */
export const MARK_NAMES = { labeled: "labeled", favorites: "favorites", pinned: "pinned" };

/** The filter panel, which a button of the toolbar opens. */
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
    this.bounds = []; // {key, op, input} for each text box
    this.node = element(
      "div",
      { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
      element("label", {}, element("span", {}, "Layer"), this.layer),
      element("label", {}, element("span", {}, "Show"), this.only),
      unitTable.metrics.map((metric) => this.range(metric)),
    );
  }

  /** Text boxes for the minimum and the maximum of a metric; the placeholders show its range. */
  range({ key, name }) {
    const extent = unitTable.extent(key);
    if (extent === null) return null;
    const bound = (op, name, value) => {
      const input = element("input", {
        type: "text",
        inputmode: "decimal",
        placeholder: rounded(value),
        "aria-label": name,
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
      bound(">=", `${name}, minimum`, extent[0]),
      "\u2013",
      bound("<=", `${name}, maximum`, extent[1]),
    );
  }

  /** Apply the bounds that were typed. Text that is not a number is marked as invalid and ignored. */
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
      if (document.activeElement === input && !found) continue; // do not overwrite what is being typed
      input.value = found ? String(found.value) : "";
      input.setAttribute("aria-invalid", "false");
    }
  }
}
