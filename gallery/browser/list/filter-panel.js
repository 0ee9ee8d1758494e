// The filter panel: by labels, favorites and pins, by facets, and by ranges of metrics.

import { buttonOf, element } from "../shared/dom.js";
import { counted } from "../shared/text.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { ANY, FACET_NAMES } from "../state/unit-filter.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { RangeFacet } from "./range-facet.js";

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
    this.ranges = null; // of the metrics, made when the panel is opened first
    this.where = [];
    this.node = element(
      "div",
      { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
      element("label", {}, element("span", {}, "Show"), this.only),
      this.listLabel,
      [...this.facets].map(([key, select]) =>
        element("label", {}, element("span", {}, FACET_NAMES[key]), select),
      ),
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

  /** Show or hide the panel. */
  open(open) {
    this.node.hidden = !open;
    if (!open) return;
    this.ranges ??= this.addRanges();
    this.updateRanges();
    this.node.querySelector("select, input").focus();
  }

  addRanges() {
    const ranges = unitTable.metrics.flatMap((metric) => {
      const extent = unitTable.extent(metric.key);
      return extent ? [new RangeFacet(metric, extent, () => this.read())] : [];
    });
    this.problem.before(...ranges.map(({ node }) => node));
    return ranges;
  }

  updateRanges() {
    for (const range of this.ranges ?? []) range.update(this.where);
  }

  /** Apply the bounds. Text that is not a number is marked as invalid, named, and not applied. */
  read() {
    for (const range of this.ranges) range.validate();
    const strict = view.state().where.filter(({ op }) => op === ">" || op === "<");
    view.go({ where: [...strict, ...this.ranges.flatMap((range) => range.where())] });
    const invalid = this.ranges.flatMap((range) => range.invalid());
    this.problem.hidden = !invalid.length;
    this.problem.replaceChildren(
      ...invalid.map(
        (input) =>
          `${input.getAttribute("aria-label")}: \u201c${input.value}\u201d is not a number, and is not applied. `,
      ),
    );
  }

  update({ only, list, where, facets }, shown) {
    this.done.replaceChildren(`Show ${counted(shown, "unit")}`);
    for (const [key, select] of this.facets) select.value = facets[key] ?? "";
    this.only.value = only ?? "";
    this.list.value = list ?? "";
    this.where = where;
    this.updateRanges();
  }
}
