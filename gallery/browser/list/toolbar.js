// The bar above the units: search, go to an address, sort, filter. It only changes the hash,
// and shows what the hash says.

import { buttonOf, element } from "../shared/dom.js";
import { keys } from "../shared/keyboard.js";
import { counted, rounded } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { AddressBox } from "./address-box.js";
import { FilterPanel, MARK_NAMES } from "./filter-panel.js";

/** The bar in its place. */
export class Toolbar {
  constructor(place) {
    this.place = place;
    this.search = element("input", {
      id: "search",
      type: "search",
      placeholder: "Search",
      "aria-label": "Search addresses and labels",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.search.addEventListener("input", () => view.replace({ q: this.search.value }));
    this.find = new AddressBox();
    this.sort = element(
      "select",
      { id: "sort", "aria-label": "Sort" },
      element("option", { value: "" }, "In layer order"),
      unitTable.numbers.map(({ key, name }) => element("option", { value: key }, `By ${name}`)),
    );
    this.sort.addEventListener("change", () => this.sortBy(this.sort.value));
    this.turn = buttonOf("", "turn", () => view.go({ down: !view.state().down }));
    this.ranges = new FilterPanel();
    this.toggle = buttonOf("Filter", "", () => this.open(this.ranges.node.hidden), {
      id: "filter",
      "aria-expanded": "false",
      "aria-controls": "ranges",
    });
    const random = buttonOf("Random", "", () => this.random());
    const help = buttonOf("?", "help", () => keys.show(), { "aria-label": "Keys", title: "Keys" });
    this.count = element("span", { role: "status" });
    this.chips = element("span", { class: "chips" });
    place.append(
      element(
        "div",
        { class: "bar-row" },
        this.search,
        this.find.node,
        element("span", { class: "sorting" }, this.sort, this.turn),
        this.toggle,
        random,
        help,
      ),
      this.ranges.node,
      element("div", { class: "found" }, this.count, this.chips),
    );
  }

  /** Sort by a number, the better values first; by none, in the order of the layers. */
  sortBy(key) {
    const number = unitTable.numbers.find((one) => one.key === key);
    view.go({ sort: number ? key : null, down: number ? number.higher !== false : false });
  }

  open(open) {
    this.ranges.node.hidden = !open;
    this.toggle.setAttribute("aria-expanded", String(open));
    if (open) this.ranges.node.querySelector("select, input").focus();
  }

  /** Open a unit of the list by chance. */
  random() {
    const units = unitTable.order(view.state());
    if (units.length)
      view.go({ unit: unitTable.address(units[Math.floor(Math.random() * units.length)]) });
  }

  /** Show what the hash says. */
  update(state, shown) {
    if (document.activeElement !== this.search || this.search.value.trim() !== state.q.trim())
      this.search.value = state.q;
    this.sort.value = state.sort ?? "";
    this.turn.hidden = !state.sort;
    this.turn.replaceChildren(state.down ? "\u2193" : "\u2191");
    this.turn.setAttribute(
      "aria-label",
      state.down ? "Highest first; turn round" : "Lowest first; turn round",
    );
    this.turn.title = state.down ? "Highest first" : "Lowest first";
    this.ranges.update(state);
    const all = counted(unitTable.count, "unit");
    this.count.replaceChildren(
      shown < unitTable.count ? `${shown.toLocaleString("en")} of ${all}` : all,
    );
    const asked = [...this.chips.children].indexOf(document.activeElement);
    const chips = chipsOf(state);
    this.chips.replaceChildren(
      ...chips,
      ...(chips.length
        ? [
            element(
              "a",
              { href: view.link({ where: [], q: "", layer: null, only: null }), class: "clear" },
              "Clear",
            ),
          ]
        : []),
    );
    // The link that was followed is gone: the keyboard goes to the one in its place.
    if (asked >= 0)
      (this.chips.children[Math.min(asked, this.chips.children.length - 1)] ?? this.toggle).focus();
  }
}

/** What a list is narrowed by, each a link that takes it away. */
function chipsOf({ q, layer, only, where }) {
  const chip = (text, changes) =>
    element(
      "a",
      { class: "chip-off", href: view.link(changes), "aria-label": `Remove: ${text}` },
      text,
      element("span", { "aria-hidden": "true" }, " \u00d7"),
    );
  return [
    ...(q.trim() ? [chip(`\u201c${q.trim()}\u201d`, { q: "" })] : []),
    ...(layer !== null ? [chip(layer, { layer: null })] : []),
    ...(only ? [chip(MARK_NAMES[only], { only: null })] : []),
    ...where.map((one) =>
      chip(conditionText(one), { where: where.filter((other) => other !== one) }),
    ),
  ];
}

/** A condition in words: "ratio at least 1.2". */
function conditionText({ key, op, value }) {
  const words = { ">": "above", ">=": "at least", "<": "below", "<=": "at most" };
  return `${unitTable.numbers.find((number) => number.key === key).name} ${words[op]} ${rounded(value)}`;
}
