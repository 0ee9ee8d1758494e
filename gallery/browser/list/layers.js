// Navigation by layer: links next to the grid, or a select above it in a narrow window.

import { buttonOf, element } from "../shared/dom.js";
import { unitTable } from "../state/unit-table.js";
import { isByLayer, view } from "../state/view.js";

/** The links and the select. */
export class Layers {
  constructor(container) {
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
    this.select = element(
      "select",
      { id: "layer", "aria-label": "Layer" },
      unitTable.sites.map(({ name, count }) =>
        element("option", { value: name }, `${name} (${count.toLocaleString("en")})`),
      ),
    );
    this.select.addEventListener("change", () => this.go(this.select.value));
    this.list = element(
      "ol",
      {},
      [...this.links.values()].map((link) => element("li", {}, link)),
    );
    this.list.addEventListener("keydown", (event) => this.press(event));
    const top = buttonOf("\u2191 Search", "to-top", () => {
      scrollTo(0, 0);
      document.getElementById("search").focus();
    });
    this.all = element("option", { value: "" }, "All layers");
    this.caption = element("p", { class: "caption" });
    container.append(this.caption, this.list, this.select, top);
    this.current = null;
    this.update();
  }

  /** Link to a layer: to its heading, or to the filtered list if the list has no headings. */
  hash(name) {
    return isByLayer(view.state())
      ? view.link({ site: name, layer: null })
      : view.link({ layer: name });
  }

  go(name) {
    view.open(name ? this.hash(name) : view.link({ layer: null }));
  }

  /** Update the links for the current view; that of the layer filtered by leads back to all. */
  update() {
    const state = view.state();
    const { layer } = state;
    const isFilter = !isByLayer(state);
    const counts = unitTable.countsBySite(state);
    this.counts = counts;
    this.caption.replaceChildren(isFilter ? "Show one layer" : "Go to layer");
    for (const [index, [name, link]] of [...this.links].entries()) {
      // A layer without matches has no link.
      if (!counts[index] && layer !== name) link.removeAttribute("href");
      else
        link.setAttribute(
          "href",
          isFilter && layer === name ? view.link({ layer: null }) : this.hash(name),
        );
      const count = counts[index].toLocaleString("en");
      link.lastChild.replaceChildren(count);
      const option = this.select.querySelector(`option[value="${CSS.escape(name)}"]`);
      option.replaceChildren(`${name} (${count})`);
      option.disabled = !counts[index] && layer !== name;
    }
    if (isFilter) this.select.prepend(this.all);
    else this.all.remove();
    if (isFilter) this.mark(layer);
    this.updateTabStop();
  }

  /** Move between the links with the arrow keys, so that the tab key stops at one of them only. */
  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...this.list.querySelectorAll("a[href]")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }

  /** Keep one link in the tab order: that of the current layer, or else the first. */
  updateTabStop() {
    const links = [...this.list.querySelectorAll("a[href]")];
    const stop = links.find((link) => link.ariaCurrent) ?? links[0];
    for (const link of links) link.tabIndex = link === stop ? 0 : -1;
  }

  /** Mark the layer in view; null for none. */
  mark(name) {
    if (this.current === name && this.select.value === (name ?? "")) return;
    this.links.get(this.current)?.removeAttribute("aria-current");
    this.current = name;
    this.select.value = name ?? "";
    const link = this.links.get(name);
    if (!link) return;
    link.setAttribute("aria-current", "true");
    this.updateTabStop();
    const { parentElement: list } = link.closest("ol");
    const [top, bottom] = [link.offsetTop - 40, link.offsetTop + 60];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight)
      list.scrollTop = bottom - list.clientHeight;
  }

  /** Go to the previous or the next layer that has matches. */
  step(offset) {
    const at = unitTable.sites.findIndex(({ name }) => name === this.current);
    let to = Math.max(0, at + offset);
    while (this.counts[to] === 0) to += offset; // layers without matches have no heading
    const next = unitTable.sites[to];
    if (!next || next.name === this.current) return;
    this.go(next.name);
    this.mark(next.name); // even if the list is too short to scroll it to the top
  }
}
