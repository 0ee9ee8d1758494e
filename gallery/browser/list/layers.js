// Navigation by layer: links next to the grid that show one layer or all, or a select above it in a
// narrow window.

import { buttonOf, element } from "../shared/dom.js";
import { unitTable } from "../state/unit-table.js";
import { isByLayer, view } from "../state/view.js";

const ALL = "All layers";

/** The links and the select. */
export class Layers {
  constructor(container) {
    // By name; null stands for all layers.
    this.links = new Map(
      [null, ...unitTable.sites.map(({ name }) => name)].map((name) => [
        name,
        element(
          "a",
          { class: name === null ? "all" : "" },
          name ?? ALL,
          " ",
          element("span", { class: "quiet" }),
        ),
      ]),
    );
    this.options = new Map(
      [...this.links.keys()].map((name) => [name, element("option", { value: name ?? "" })]),
    );
    this.select = element("select", { id: "layer", "aria-label": "Layer" }, [
      ...this.options.values(),
    ]);
    this.select.addEventListener("change", () => view.go({ layer: this.select.value || null }));
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
    container.append(element("p", { class: "caption" }, "Show layer"), this.list, this.select, top);
    this.inView = null; // name of the layer in view, in a list of several
    this.update();
  }

  /** Update links and counts for the current view. Layers without matches have no link. */
  update() {
    const state = view.state();
    const counts = unitTable.countsBySite(state);
    const sum = counts.reduce((total, count) => total + count, 0);
    this.counts = new Map([
      [null, sum],
      ...unitTable.sites.map(({ name }, index) => [name, counts[index]]),
    ]);
    for (const [name, link] of this.links) {
      const count = this.counts.get(name);
      const isShown = state.layer === name;
      if (count || isShown || name === null) link.setAttribute("href", view.link({ layer: name }));
      else link.removeAttribute("href");
      if (isShown) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      link.lastChild.replaceChildren(count.toLocaleString("en"));
      const option = this.options.get(name);
      option.disabled = !count && !isShown && name !== null;
      this.fillOption(name);
    }
    this.select.value = state.layer ?? "";
    this.mark(isByLayer(state) && state.layer === null ? this.inView : null);
    this.updateTabStop();
    const current = this.links.get(state.layer);
    if (current) this.reveal(current);
  }

  fillOption(name) {
    const place = name === null && this.inView !== null ? `, at ${this.inView}` : "";
    const count = this.counts.get(name).toLocaleString("en");
    this.options.get(name).replaceChildren(`${name ?? ALL} (${count})${place}`);
  }

  /** Move between the links with the arrow keys, so that the tab key stops at one of them only. */
  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...this.list.querySelectorAll("a[href]")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }

  /** Keep one link in the tab order: that of the layer shown. */
  updateTabStop() {
    const links = [...this.list.querySelectorAll("a[href]")];
    const stop = links.find((link) => link.ariaCurrent) ?? links[0];
    for (const link of links) link.tabIndex = link === stop ? 0 : -1;
  }

  /** Mark the layer in view, where all layers are shown; null for none. */
  mark(name) {
    if (this.inView === name) return;
    this.links.get(this.inView)?.classList.remove("in-view");
    this.inView = name;
    this.fillOption(null);
    if (name === null) return;
    this.links.get(name).classList.add("in-view");
    this.reveal(this.links.get(name));
  }

  /** Scroll the list of links to one of them. */
  reveal(link) {
    const { parentElement: list } = this.list;
    const [top, bottom] = [link.offsetTop - 40, link.offsetTop + 60];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight)
      list.scrollTop = bottom - list.clientHeight;
  }

  /** Show the previous or the next layer that has matches; all layers are before the first. */
  step(offset) {
    const names = [...this.links.keys()];
    let to = names.indexOf(view.state().layer) + offset;
    while (this.counts.get(names[to]) === 0) to += offset;
    if (to >= 0 && to < names.length) view.go({ layer: names[to] });
  }
}
