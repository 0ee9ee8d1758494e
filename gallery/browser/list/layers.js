// The layers of the model: a list beside the units, or a choice above them on a narrow window.

import { element } from "../shared/dom.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/** The links to layers, and the choice. */
export class Layers {
  constructor(place) {
    this.links = new Map(
      unitTable.sites.map(({ name, count }) => [
        name,
        element(
          "a",
          {},
          name,
          " ",
          element("span", { class: "quiet" }, count.toLocaleString("en")),
        ),
      ]),
    );
    this.choice = element(
      "select",
      { id: "layer", "aria-label": "Layer" },
      unitTable.sites.map(({ name, count }) =>
        element("option", { value: name }, `${name} (${count.toLocaleString("en")})`),
      ),
    );
    this.choice.addEventListener("change", () => this.go(this.choice.value));
    this.all = element("option", { value: "" }, "All layers");
    place.append(
      element(
        "ol",
        {},
        [...this.links.values()].map((link) => element("li", {}, link)),
      ),
      this.choice,
    );
    this.seen = null;
    this.update();
  }

  /** Where a layer is seen: from its heading on, or alone where a list has no headings. */
  hash(name) {
    return view.state().sort ? view.link({ layer: name }) : view.link({ site: name, layer: null });
  }

  go(name) {
    view.open(name ? this.hash(name) : view.link({ layer: null }));
  }

  /** Let the links lead on from the present view; that of a layer alone leads back to all. */
  update() {
    const { sort, layer } = view.state();
    for (const [name, link] of this.links)
      link.setAttribute(
        "href",
        sort && layer === name ? view.link({ layer: null }) : this.hash(name),
      );
    if (sort) this.choice.prepend(this.all);
    else this.all.remove();
    if (sort) this.mark(layer);
  }

  /** Mark the layer that is seen; null for none. */
  mark(name) {
    if (this.seen === name && this.choice.value === (name ?? "")) return;
    this.links.get(this.seen)?.removeAttribute("aria-current");
    this.seen = name;
    this.choice.value = name ?? "";
    const link = this.links.get(name);
    if (!link) return;
    link.setAttribute("aria-current", "true");
    const { parentElement: list } = link.closest("ol");
    const [top, bottom] = [link.offsetTop - 40, link.offsetTop + 60];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight)
      list.scrollTop = bottom - list.clientHeight;
  }

  /** Go to the layer before or after the one that is seen. */
  step(by) {
    const at = unitTable.sites.findIndex(({ name }) => name === this.seen);
    const next = unitTable.sites[Math.max(0, at + by)];
    if (!next || next.name === this.seen) return;
    this.go(next.name);
    this.mark(next.name); // though the list may be too short to bring it to the top
  }
}
