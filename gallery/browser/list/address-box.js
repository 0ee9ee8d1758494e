// A text box for unit addresses, with suggestions.

import { element } from "../shared/dom.js";
import { labels } from "../state/labels.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

const SUGGESTED = 8;

/** Indices of the units that match a text best: equal addresses, then those that start with it, contain all its words, or share the longest prefix. */
function nearestUnits(text) {
  const wanted = text.trim().toLowerCase();
  const parts = wanted.split(/\s+/).filter(Boolean);
  if (!parts.length) return [];
  const ranked = [[], [], [], []];
  let longest = 1;
  for (let i = 0; i < unitTable.count; i += 1) {
    const address = unitTable.address(i).toLowerCase();
    if (address === wanted) ranked[0].push(i);
    else if (address.startsWith(wanted)) ranked[1].push(i);
    else if (parts.every((part) => address.includes(part))) ranked[2].push(i);
    else {
      const shared = commonPrefix(address, wanted);
      if (shared < longest) continue;
      if (shared > longest) ranked[3].length = 0;
      longest = shared;
      ranked[3].push(i);
    }
  }
  return ranked.flatMap((units) => units.slice(0, SUGGESTED)).slice(0, SUGGESTED);
}

function commonPrefix(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

/** A text box with suggestions, after the ARIA pattern "combobox with list autocomplete". */
export class AddressBox {
  constructor() {
    this.list = element("ul", { id: "found", role: "listbox", "aria-label": "Units", hidden: "" });
    this.input = element("input", {
      id: "find",
      type: "text",
      role: "combobox",
      placeholder: "Go to address",
      "aria-label": "Go to address",
      "aria-controls": "found",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    this.node = element("div", { class: "find" }, this.input, this.list);
    this.input.addEventListener("input", () => this.suggest());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // keep the focus in the box
    this.list.addEventListener("click", (event) =>
      this.go(event.target.closest("[role=option]")?.dataset.address),
    );
  }

  suggest() {
    const units = nearestUnits(this.input.value);
    this.list.replaceChildren(
      ...units.map((i, index) => {
        const address = unitTable.address(i);
        const { label } = labels.get(address);
        const node = thumbnail(i, 32);
        node.setAttribute("aria-hidden", "true");
        return element(
          "li",
          {
            role: "option",
            id: `found-${index}`,
            "aria-selected": "false",
            "data-address": address,
          },
          node,
          element(
            "span",
            {},
            address,
            label ? element("span", { class: "quiet" }, ` ${label}`) : null,
          ),
        );
      }),
    );
    this.list.hidden = !units.length;
    this.input.setAttribute("aria-expanded", String(units.length > 0));
    this.choose(units.length ? 0 : -1);
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
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && length && !this.list.hidden) this.choose((this.chosen + step + length) % length);
    else if (event.key === "Enter")
      this.go(this.list.hidden ? undefined : this.list.children[this.chosen]?.dataset.address);
    else if (event.key === "Escape" && !this.list.hidden) this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  go(address) {
    if (address === undefined) return;
    this.input.value = "";
    this.close();
    view.go({ unit: address });
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.choose(-1);
  }
}
