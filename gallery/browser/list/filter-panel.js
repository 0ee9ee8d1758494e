// The filter panel: by layer, by labels, favorites and pins, and by ranges of metrics.

import { buttonOf, element } from "../shared/dom.js";
import { counted, rounded } from "../shared/text.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { ANY, FACET_NAMES } from "../state/unit-filter.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/** Names of the filters by labels, favorites and pins. */
export const MARK_NAMES = { labeled: "labeled", favorites: "favorites", pinned: "pinned" };

/** A select with the values of a facet, and the number of units of each. */
function facetSelect(key) {
  const counts = unitTable
    .facetCounts()
    .filter((one) => one.key === key)
    .sort((a, b) => b.count - a.count);
  const known = counts.reduce((sum, { count }) => sum + count, 0);
  const select = element(
    "select",
    { id: `only-${key}` },
    element("option", { value: "" }, "all"),
    element("option", { value: ANY }, `any class (${known.toLocaleString("en")})`),
    counts.map(({ value, count }) =>
      element("option", { value }, `${value} (${count.toLocaleString("en")})`),
    ),
  );
  select.addEventListener("change", () => {
    const { [key]: _, ...others } = view.state().facets;
    view.go({ facets: select.value ? { ...others, [key]: select.value } : others });
  });
  return select;
}

/** The filter panel, which a button of the toolbar opens. */
export class FilterPanel {
  constructor(onclose) {
    this.done = buttonOf("", "done", onclose);
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
    this.list = element("select", { id: "only-list" });
    this.list.addEventListener("change", () => view.go({ list: this.list.value || null }));
    this.listLabel = element("label", {}, element("span", {}, "List"), this.list);
    this.fillLists();
    document.addEventListener("lists", () => this.fillLists());
    this.facets = new Map([...unitTable.facets.keys()].map((key) => [key, facetSelect(key)]));
    this.problem = element("p", {
      id: "bound-problem",
      class: "problem",
      role: "alert",
      hidden: "",
    });
    this.bounds = []; // {key, op, input} for each text box
    this.node = element(
      "div",
      { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
      element("label", {}, element("span", {}, "Layer"), this.layer),
      element("label", {}, element("span", {}, "Show"), this.only),
      this.listLabel,
      [...this.facets].map(([key, select]) =>
        element("label", {}, element("span", {}, FACET_NAMES[key]), select),
      ),
      unitTable.metrics.map((metric) => this.range(metric)),
      this.problem,
      this.done,
    );
  }

  /** Options of the named lists. */
  fillLists() {
    const lists = unitLists.entries();
    this.listLabel.hidden = !lists.length;
    this.list.replaceChildren(
      element("option", { value: "" }, "all"),
      ...lists.map(([name, { length }]) =>
        element("option", { value: name }, `${name} (${length.toLocaleString("en")})`),
      ),
    );
    this.list.value = view.state().list ?? "";
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
        "aria-describedby": "bound-problem",
        size: 9,
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

  /** Apply the bounds that were typed. Text that is not a number is marked as invalid, named, and not applied. */
  read() {
    const invalid = [];
    const where = this.bounds.flatMap(({ key, op, input }) => {
      const text = input.value
        .trim()
        .replace("\u2212", "-")
        .replace(/^(-?\d+),(\d+)$/, "$1.$2");
      const value = Number(text);
      const isInvalid = text !== "" && !Number.isFinite(value);
      input.setAttribute("aria-invalid", String(isInvalid));
      if (isInvalid) invalid.push(input);
      return text !== "" && Number.isFinite(value) ? [{ key, op, value }] : [];
    });
    const strict = view.state().where.filter(({ op }) => op === ">" || op === "<");
    view.go({ where: [...strict, ...where] });
    this.problem.hidden = !invalid.length;
    this.problem.replaceChildren(
      ...invalid.map(
        (input) =>
          `${input.getAttribute("aria-label")}: \u201c${input.value}\u201d is not a number, and is not applied. `,
      ),
    );
  }

  update({ layer, only, list, where, facets }, shown) {
    this.done.replaceChildren(`Show ${counted(shown, "unit")}`);
    for (const [key, select] of this.facets) select.value = facets[key] ?? "";
    this.layer.value = layer ?? "";
    this.only.value = only ?? "";
    this.list.value = list ?? "";
    for (const { key, op, input } of this.bounds) {
      const found = where.find((one) => one.key === key && one.op === op);
      if (!found && input.getAttribute("aria-invalid") === "true") continue; // to be corrected
      if (document.activeElement === input && !found) continue; // do not overwrite what is being typed
      input.value = found ? String(found.value) : "";
      input.setAttribute("aria-invalid", "false");
    }
  }
}
