// The search box: it filters the list by what is typed, and suggests units and classes.

import { element } from "../shared/dom.js";
import { counted } from "../shared/text.js";
import { labels } from "../state/saved/labels.js";
import { thumbnail } from "../state/thumbnails.js";
import { FACET_NAMES } from "../state/unit-filter.js";
import { findUnits, matchingFacets } from "../state/unit-search.js";
import { unitTable } from "../state/unit-table.js";
import { NO_FILTERS, view } from "../state/view.js";

const UNITS_SUGGESTED = 6;
const FACETS_SUGGESTED = 4;

/** A text box with suggestions, after the ARIA pattern "combobox with list autocomplete". */
export class SearchBox {
  constructor() {
    this.list = element("ul", {
      id: "found",
      role: "listbox",
      "aria-label": "Suggestions",
      hidden: "",
    });
    this.none = element("p", { id: "none", role: "status", hidden: "" });
    this.input = element("input", {
      id: "search",
      type: "text",
      role: "combobox",
      placeholder: "Search: 9:2, class \u2026",
      "aria-label": "Search units by address, label, class or statement",
      "aria-controls": "found",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    this.node = element("div", { class: "find" }, this.input, this.list, this.none);
    this.actions = []; // what each suggestion does
    this.chosen = -1;
    this.typed = null; // hash of the view that was last typed
    this.input.addEventListener("input", () => {
      // A search is one step of the history, however long its text.
      view[location.hash === this.typed ? "replace" : "go"]({ q: this.input.value });
      this.typed = location.hash;
      this.suggest();
    });
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // keep the focus in the box
    this.list.addEventListener("click", (event) =>
      this.take([...this.list.children].indexOf(event.target.closest("[role=option]"))),
    );
  }

  select() {
    this.input.select();
  }

  /** Suggest facets and units for the text. The first is chosen only if the text names that unit. */
  suggest() {
    const text = this.input.value.trim();
    const { units, isNamed, isNear } = findUnits(text, UNITS_SUGGESTED);
    const facets = matchingFacets(text, FACETS_SUGGESTED);
    const suggestions = [
      ...(isNamed ? [] : facets.map((facet) => this.facetOption(facet))),
      ...units.map((i) => this.unitOption(i, isNear)),
    ];
    this.actions = suggestions.map(({ action }) => action);
    this.list.replaceChildren(
      ...suggestions.map(({ content }, index) =>
        element("li", { role: "option", id: `found-${index}`, "aria-selected": "false" }, content),
      ),
    );
    this.list.hidden = !suggestions.length;
    this.none.hidden = text === "" || suggestions.length > 0;
    this.none.replaceChildren(text === "" ? "" : `No unit matches \u201c${text}\u201d`);
    this.input.setAttribute("aria-expanded", String(suggestions.length > 0));
    this.choose(isNamed ? 0 : -1);
  }

  unitOption(i, isNear) {
    const address = unitTable.address(i);
    const { label } = labels.get(address);
    const facts = [label, unitTable.headline(i)].filter(Boolean).join(" \u00b7 ");
    return {
      content: [
        hidden(thumbnail(i, 32)),
        element(
          "span",
          {},
          isNear ? element("span", { class: "quiet" }, "Nearest: ") : null,
          element("span", { class: "address" }, address),
          facts ? element("span", { class: "quiet" }, ` ${facts}`) : null,
        ),
      ],
      action: () => view.go({ unit: address, q: "" }),
    };
  }

  facetOption({ key, value, count, first }) {
    return {
      content: [
        hidden(thumbnail(first, 32)),
        element(
          "span",
          {},
          `${FACET_NAMES[key]} `,
          element("bdi", {}, value),
          element("span", { class: "quiet" }, ` ${counted(count, "unit")}`),
        ),
      ],
      action: () => view.go({ ...NO_FILTERS, facets: { [key]: value } }),
    };
  }

  choose(index) {
    this.chosen = index;
    for (const [i, node] of [...this.list.children].entries())
      node.setAttribute("aria-selected", String(i === index));
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `found-${index}`);
  }

  press(event) {
    const { length } = this.list.children;
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" && length && isOpen) this.choose((this.chosen + 1) % length);
    else if (event.key === "ArrowUp" && length && isOpen)
      this.choose(this.chosen > 0 ? this.chosen - 1 : length - 1);
    else if (event.key === "Enter") {
      // The list below has all matches already.
      if (isOpen && this.chosen >= 0) this.take(this.chosen);
      else this.close();
    } else if (event.key === "Escape" && (isOpen || !this.none.hidden)) this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(index) {
    const action = this.actions[index];
    if (!action) return;
    this.input.value = "";
    this.close();
    action();
  }

  close() {
    this.list.hidden = true;
    this.none.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.choose(-1);
  }
}

/** A picture that the text beside it names. */
function hidden(node) {
  node.setAttribute("aria-hidden", "true");
  return node;
}
