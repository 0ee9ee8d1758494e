// The list of units. Only rows near the window are in the document, one node a unit and one for
// its place in the grid; so that tens of thousands of units scroll as a few hundred do.

import { pinnedBar } from "../marks/pinned-bar.js";
import { unitTable } from "../state/unit-table.js";
import { CTRL_KEYS, PLAIN_KEYS } from "./arrow-keys.js";
import { fitted, Layout, LEAD } from "./layout.js";
import { headRow, unitRow } from "./rows.js";

const AHEAD = 400; // pixels kept beyond the window, above and below

/** The list of units in its place. */
export class Grid {
  constructor(place) {
    this.place = place;
    this.rows = new Map(); // nodes in the document, by the height they lie at
    this.current = 0; // place in the list that the Tab key leads to
    this.layout = null;
    this.onlayer = () => {};
    this.asked = 0;
    addEventListener("scroll", () => this.ask(), { passive: true });
    addEventListener("resize", () => this.ask());
    new ResizeObserver(() => this.resize()).observe(place);
    place.addEventListener("keydown", (event) => this.press(event));
    place.addEventListener("focusin", (event) => this.take(event.target.closest("a.cell")));
  }

  /** Show a list; `headed` puts a heading over each layer, `sort` is the number told below pictures. */
  fill(units, { headed, sort }) {
    const { cell } = unitTable;
    const pitch = headed ? cell : Math.max(cell, 84);
    this.units = units;
    this.headed = headed;
    this.sort = sort;
    this.wanted = { size: cell, pitch, caption: headed ? 30 : sort ? 58 : 44 };
    this.places = null;
    this.current = 0;
    this.arrange();
  }

  /** Lay the list out anew for the width that there is. */
  arrange() {
    this.width = this.place.clientWidth;
    this.shape = fitted(this.wanted, this.width);
    this.layout = new Layout(
      this.units,
      this.headed ? unitTable.sites : null,
      this.width,
      this.shape,
    );
    this.place.style.setProperty("height", `${this.layout.height}px`);
    this.place.setAttribute("aria-rowcount", this.layout.rows);
    for (const node of this.rows.values()) node.remove();
    this.rows.clear();
    this.draw();
  }

  /** Keep what is at the top of the window there when the width changes. */
  resize() {
    if (!this.layout || !this.place.clientWidth || this.place.clientWidth === this.width) return;
    const [top] = this.window();
    const first = this.firstIn(top);
    const shift = first === null ? 0 : top - this.layout.at(first).top;
    const focused = this.focused();
    const heading = document.activeElement?.closest("#units h2")?.textContent;
    this.arrange();
    if (first !== null && top > 0)
      scrollBy(0, this.layout.at(first).top + shift - this.window()[0]);
    this.draw();
    if (focused !== null) this.focus(focused);
    if (heading)
      [...this.place.querySelectorAll("h2")]
        .find((other) => other.textContent === heading)
        ?.focus({ preventScroll: true });
  }

  /** Draw once in the next frame, however often it is asked for. */
  ask() {
    if (this.asked || !this.layout || this.place.offsetParent === null) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.draw();
    });
  }

  /** Heights of the list between which it is seen. */
  window() {
    const top = -this.place.getBoundingClientRect().top;
    return [top, top + innerHeight];
  }

  /** Put the rows near the window into the document, and take the others out. */
  draw() {
    if (!this.layout || this.place.offsetParent === null) return;
    const [top, bottom] = this.window();
    const wanted = new Map(
      [...this.layout.between(top - AHEAD, bottom + AHEAD)].map((row) => [row.top, row]),
    );
    const focused = document.activeElement?.closest("#units [role=row]");
    for (const [at, node] of this.rows) {
      if (wanted.has(at) || node === focused) continue; // the keyboard keeps its place
      node.remove();
      this.rows.delete(at);
    }
    const fresh = [...wanted.values()].filter((row) => !this.rows.has(row.top));
    for (const row of fresh) this.insert(row);
    this.mark();
    if (this.units.length) this.onlayer(this.layerAt(top + covered()));
  }

  /** Name of the layer at a height, or a little below; null in a list without layers. */
  layerAt(top) {
    return this.headed ? this.layout.bandAt(top + LEAD).site.name : null;
  }

  /** Put a row among its neighbours, so that the order of reading is that of the list. */
  insert(row) {
    const node = row.index < 0 ? headRow(row) : unitRow(this, row);
    node.style.setProperty("top", `${row.top}px`);
    node.dataset.top = row.top;
    const after = [...this.rows.keys()].filter((top) => top > row.top);
    this.place.insertBefore(node, after.length ? this.rows.get(Math.min(...after)) : null);
    this.rows.set(row.top, node);
  }

  /** Make the cells anew that are in the document: what is told of them has changed. */
  refresh() {
    if (!this.layout) return;
    const focused = this.focused();
    for (const node of this.rows.values()) node.remove();
    this.rows.clear();
    this.draw();
    if (focused !== null) this.focus(Math.min(focused, this.units.length - 1));
  }

  /** Make one cell the stop of the Tab key: the current one, or the first that is seen. */
  mark() {
    const cells = [...this.place.querySelectorAll("a.cell")];
    const current = cells.find((cell) => Number(cell.dataset.place) === this.current) ?? cells[0];
    if (current?.tabIndex === 0) return;
    for (const cell of cells) if (cell.tabIndex === 0) cell.tabIndex = -1;
    if (current) current.tabIndex = 0;
  }

  take(cell) {
    if (!cell) return;
    this.current = Number(cell.dataset.place);
    this.mark();
  }

  /** Place of the cell that has the keyboard; null elsewhere. */
  focused() {
    const cell = document.activeElement?.closest("#units a.cell");
    return cell ? Number(cell.dataset.place) : null;
  }

  /** Place of the first unit whose row starts below a height; null in an empty list. */
  firstIn(top) {
    for (const { band, index } of this.layout.between(top, top + innerHeight))
      if (index >= 0) return band.start + index * band.columns;
    return null;
  }

  /** Place of a unit in the list; -1 if it is not there. */
  placeOf(i) {
    this.places ??= new Map([...this.units].map((unit, place) => [unit, place]));
    return this.places.get(i) ?? -1;
  }

  /** Bring a height into the window: to its top if `top`, else no further than needed. */
  reveal(from, height, toTop = false) {
    const bars = covered();
    const [top, end] = this.window();
    const bottom = end - pinnedBar.offsetHeight - 16;
    if (toTop || from < top + bars) scrollBy(0, from - top - bars);
    else if (from + height > bottom) scrollBy(0, from + height - bottom);
    this.draw();
  }

  /** Give a place of the list the keyboard, and bring it into the window. */
  focus(place) {
    const row = this.layout.at(place);
    this.current = place;
    this.reveal(row.top, this.layout.rowHeight);
    if (!this.rows.has(row.top)) this.insert(row);
    this.mark();
    this.place.querySelector(`a.cell[data-place="${place}"]`).focus({ preventScroll: true });
  }

  /** Bring the heading of a layer to the top; tell whether the list has it. */
  showLayer(name) {
    const band = this.layout.bands.find(({ site }) => site?.name === name);
    if (!band) return false;
    this.reveal(band.top, LEAD, true);
    this.current = band.start;
    this.mark();
    this.rows.get(band.top).querySelector("h2").focus({ preventScroll: true });
    return true;
  }

  press(event) {
    const place = this.focused();
    if (place === null || event.altKey || event.metaKey || event.shiftKey) return;
    const to = (event.ctrlKey ? CTRL_KEYS : PLAIN_KEYS)[event.key]?.(place, this);
    if (to === undefined) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.units.length - 1, to)));
  }
}

/** Height at the top of the window that bars over the list cover. */
export function covered() {
  const { left } = document.getElementById("units").getBoundingClientRect();
  const bars = ["sites", "tools"]
    .map((name) => document.getElementById(name))
    .filter((bar) => getComputedStyle(bar).position === "sticky");
  const boxes = bars.map((bar) => bar.getBoundingClientRect()).filter((box) => box.right > left);
  return boxes.reduce((height, box) => height + box.height, 0);
}
