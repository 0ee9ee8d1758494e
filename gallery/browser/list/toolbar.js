// The toolbar above the grid: search, sort, filter. It sets the URL hash and shows its state.

import { buttonOf, element } from "../shared/dom.js";
import { keys } from "../shared/keyboard.js";
import { settings } from "../shared/settings.js";
import { counted, rounded } from "../shared/text.js";
import { model } from "../state/model.js";
import { ANY, FACET_NAMES } from "../state/unit-filter.js";
import { unitTable } from "../state/unit-table.js";
import { MAP, NO_FILTERS, view } from "../state/view.js";
import { ListActions } from "./actions/list-actions.js";
import { FilterPanel, MARK_NAMES } from "./filter-panel.js";
import { SIZES, sizeName } from "./picture-sizes.js";
import { SearchBox } from "./search-box.js";

/** The toolbar in a container. */
export class Toolbar {
  constructor(container) {
    this.container = container;
    this.search = new SearchBox();
    this.sort = element(
      "select",
      { id: "sort", "aria-label": "Sort" },
      element("option", { value: "" }, "Sort by layer"),
      unitTable.metrics.map(({ key, name }) =>
        element("option", { value: key }, `Sort by ${name}`),
      ),
    );
    this.sort.addEventListener("change", () => this.sortBy(this.sort.value));
    this.direction = buttonOf("", "direction", () => view.go({ down: !view.state().down }));
    this.ranges = new FilterPanel(() => {
      this.open(false);
      this.toggle.focus();
    });
    this.sizes = element(
      "select",
      { id: "size", "aria-label": "Size of pictures" },
      Object.keys(SIZES).map((name) => element("option", { value: name }, `Size ${name}`)),
    );
    this.sizes.value = sizeName();
    this.sizes.addEventListener("change", () => {
      settings.set("size", this.sizes.value);
      this.onsize();
    });
    this.onsize = () => {};
    this.toggle = buttonOf("Filter", "", () => this.open(this.ranges.node.hidden), {
      id: "filter",
      "aria-expanded": "false",
      "aria-controls": "ranges",
    });
    const random = buttonOf("Random", "", () => this.random());
    const help = buttonOf("?", "help", () => keys.show(), {
      "aria-label": "Keyboard shortcuts",
      title: "Keyboard shortcuts",
    });
    this.count = element("span", { id: "count", role: "status" });
    this.chips = element("span", { class: "chips" });
    this.actions = new ListActions();
    this.map = element("a", { class: "to-map", hidden: "" }, "Show on map");
    this.sorting = element("span", { class: "sorting" }, this.sort, this.direction);
    container.append(
      element(
        "div",
        { class: "bar-row" },
        this.search.node,
        this.sorting,
        this.sizes,
        this.toggle,
        random,
        help,
      ),
      this.ranges.node,
      element("div", { class: "found" }, this.count, this.chips, this.map, this.actions.node),
    );
  }

  /** Sort by a metric, better values first; without one, in layer order. */
  sortBy(key) {
    const metric = unitTable.metrics.find((one) => one.key === key);
    view.go({ sort: metric ? key : null, down: metric ? metric.higher !== false : false });
  }

  open(open) {
    this.ranges.open(open);
    this.toggle.setAttribute("aria-expanded", String(open));
  }

  /** Open a random unit of the list. */
  random() {
    const units = unitTable.order(view.state());
    if (units.length)
      view.go({ unit: unitTable.address(units[Math.floor(Math.random() * units.length)]) });
  }

  /** Show the state of the view. Order and size of the pictures are not those of a map. */
  update(state, shown) {
    const isMap = view.section === MAP;
    this.sorting.hidden = this.sizes.hidden = isMap;
    this.map.hidden = isMap || !model.map || !shown;
    this.map.setAttribute("href", view.link({ page: MAP }));
    const { input } = this.search;
    if (document.activeElement !== input || input.value.trim() !== state.q.trim())
      input.value = state.q;
    this.sort.options[0].text = state.list === null ? "Sort by layer" : "In the list's order";
    this.sort.value = state.sort ?? "";
    this.direction.hidden = !state.sort;
    this.direction.replaceChildren(state.down ? "\u2193" : "\u2191");
    this.direction.setAttribute(
      "aria-label",
      state.down ? "Highest first; reverse order" : "Lowest first; reverse order",
    );
    this.direction.title = state.down ? "Highest first" : "Lowest first";
    this.ranges.update(state, shown);
    this.actions.update(state, shown);
    const all = counted(unitTable.count, "unit");
    this.count.replaceChildren(
      shown < unitTable.count ? `${shown.toLocaleString("en")} of ${all}` : all,
    );
    const focused = [...this.chips.children].indexOf(document.activeElement);
    const chips = chipsOf(state);
    this.chips.replaceChildren(
      ...chips,
      ...(chips.length
        ? [element("a", { href: view.link(NO_FILTERS), class: "clear" }, "Clear filters")]
        : []),
    );
    // The chip with the focus was removed: focus the one that replaced it.
    if (focused >= 0)
      (
        this.chips.children[Math.min(focused, this.chips.children.length - 1)] ?? this.toggle
      ).focus();
  }
}

/** A link for each active filter that removes it. */
function chipsOf({ q, layer, only, list, where, facets }) {
  const chip = (text, changes) =>
    element(
      "a",
      { class: "chip-off", href: view.link(changes), "aria-label": `Remove filter: ${text}` },
      text,
      element("span", { "aria-hidden": "true" }, " \u00d7"),
    );
  return [
    ...(q.trim() ? [chip(`\u201c${q.trim()}\u201d`, { q: "" })] : []),
    ...(layer !== null ? [chip(layer, { layer: null })] : []),
    ...(only ? [chip(MARK_NAMES[only], { only: null })] : []),
    ...(list !== null ? [chip(`list: ${list}`, { list: null })] : []),
    ...Object.entries(facets).map(([key, value]) => {
      const { [key]: _, ...others } = facets;
      return chip(`${FACET_NAMES[key]} ${value === ANY ? "any class" : value}`, { facets: others });
    }),
    ...where.map((one) =>
      chip(conditionText(one), { where: where.filter((other) => other !== one) }),
    ),
  ];
}

/** Text of a condition: "ratio ≥ 1.2". */
function conditionText({ key, op, value }) {
  const signs = { ">": ">", ">=": "\u2265", "<": "<", "<=": "\u2264" };
  return `${unitTable.metrics.find((metric) => metric.key === key).name} ${signs[op]} ${rounded(value)}`;
}
