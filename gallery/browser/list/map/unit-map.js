// The map of all units: those that respond alike, or look alike, are near each other. Each has a cell
// of its own on a grid (see gallery/units/unit_map).

import { unitHash } from "../../shared/address-links.js";
import { buttonOf, element } from "../../shared/dom.js";
import { keys } from "../../shared/keyboard.js";
import { counted } from "../../shared/text.js";
import { labels } from "../../state/saved/labels.js";
import { unitTable } from "../../state/unit-table.js";
import { view } from "../../state/view.js";
import { hidePreview, showPreview } from "../preview.js";
import { COLORINGS, coloring, themeColor } from "./coloring.js";
import { addGestures } from "./gestures.js";
import { Painter } from "./painter.js";
import { Viewport } from "./viewport.js";

const STEP = 1.5; // factor of a zoom by key or button
const PAN_STEP = 80; // pixels
const NEAR = 8; // pixels around the mouse within which a unit is found
const UNIT_SCALE = 64; // pixels per cell, of a unit that a link names
const NOTE_DELAY = 250; // milliseconds until the link follows
const PREVIEW_DELAY = 150;
const MIN_HEIGHT = 320; // pixels
const STATUS_HEIGHT = 48; // pixels below the map

const BASES = {
  pictures: "Units with similar pictures are near each other.",
  activations: "Units that are active on the same natural images are near each other.",
};

const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The map in a container, of the content of `map/0.js`. */
export class UnitMap {
  constructor(container, { basis, columns, rows, cells }) {
    this.columns = columns;
    this.cells = cells; // of each unit; null if it is not on the map
    this.unitAt = new Int32Array(columns * rows).fill(-1);
    for (const [i, cell] of cells.entries()) if (cell !== null) this.unitAt[cell] = i;
    this.viewport = new Viewport(columns, rows);
    this.isShown = () => true; // whether a unit passes the filters
    this.focused = null; // units
    this.hovered = null;
    this.frame = 0;
    this.place = undefined; // text of the part that was shown last
    this.build(container, basis);
    this.painter = new Painter(this.canvas, this.viewport, this.unitAt, () => this.requestDraw());
    this.listen();
  }

  build(container, basis) {
    this.canvas = element("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": "Map of units",
      "aria-describedby": "map-note",
    });
    this.color = element(
      "select",
      { id: "map-color", "aria-label": "Color of the units" },
      Object.entries(COLORINGS).map(([value, name]) => element("option", { value }, name)),
    );
    this.color.addEventListener("change", () =>
      view.replace({ color: this.color.value === "picture" ? null : this.color.value }),
    );
    this.legend = element("ul", { class: "colors-legend", "aria-label": "Colors" });
    this.status = element("p", { class: "map-status", role: "status" });
    this.list = element("a", {}, "Show as list");
    const missing = this.cells.filter((cell) => cell === null).length;
    const zoomButton = (text, label, action) =>
      buttonOf(text, "", action, { "aria-label": label, title: label });
    container.replaceChildren(
      element(
        "div",
        { class: "map-bar" },
        this.color,
        element(
          "p",
          { id: "map-note", class: "quiet" },
          BASES[basis],
          missing ? ` ${counted(missing, "unit")} cannot be placed.` : null,
        ),
        this.list,
      ),
      this.legend,
      element(
        "div",
        { class: "map-frame" },
        this.canvas,
        element(
          "div",
          { class: "map-zoom" },
          zoomButton("+", "Zoom in", () => this.zoom(STEP)),
          zoomButton("\u2212", "Zoom out", () => this.zoom(1 / STEP)),
          zoomButton("Fit", "Show the whole map", () => this.fit()),
        ),
      ),
      this.status,
    );
  }

  listen() {
    addGestures(this.canvas, {
      pan: (across, down) => this.move(() => this.viewport.pan(across, down)),
      zoom: (factor, left, top) => this.zoom(factor, left, top),
      click: (left, top, event) => this.click(left, top, event),
      hover: (left, top) => this.hover(left, top),
    });
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.canvas.addEventListener("focus", () => this.requestDraw());
    this.canvas.addEventListener("blur", () => this.requestDraw());
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    addEventListener("resize", () => this.resize());
    const recolor = () => this.recolor();
    new MutationObserver(recolor).observe(document.documentElement, {
      attributeFilter: ["data-theme"],
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
    document.addEventListener("view", () => clearTimeout(this.noteTimer));
    for (const key of Object.keys(DIRECTIONS))
      keys.add("Map", key, "Move to the next unit in a direction; with Shift, move the map");
    keys.add("Map", "Enter", "Open unit");
    for (const key of ["+", "-"]) keys.add("Map", key, "Zoom in or out");
    keys.add("Map", "0", "Show the whole map");
  }

  /** Show the map of a view: `shown` are the units that pass its filters. */
  show(state, shown) {
    this.color.value = Object.hasOwn(COLORINGS, state.color) ? state.color : "picture";
    this.list.setAttribute("href", view.link({ page: "units", color: null, at: null }));
    const isAll = shown.length === unitTable.count;
    const members = isAll ? null : new Set(shown);
    this.isShown = isAll ? () => true : (i) => members.has(i);
    this.resize();
    const named = state.name === undefined ? -1 : unitTable.find(state.name);
    if (named >= 0 && this.cells[named] !== null) this.showUnit(named);
    else if (state.at !== this.place || this.place === undefined)
      this.viewport.read(state.at ?? "");
    this.place = state.at;
    this.recolor();
  }

  /** Center a unit, and give it the focus. */
  showUnit(i) {
    const [column, row] = this.cellOf(i);
    this.viewport.fit();
    this.viewport.zoom(Math.max(1, UNIT_SCALE / this.viewport.scale));
    this.viewport.moveTo(column + 0.5, row + 0.5);
    this.focusUnit(i);
    this.noteSoon();
  }

  /** Give the focus to the map, and to a unit on it. */
  focus(i = this.focused) {
    this.canvas.focus({ preventScroll: true });
    if ((this.cells[i] ?? null) !== null) this.focusUnit(i);
  }

  /** Column and row of a unit. */
  cellOf(i) {
    return [this.cells[i] % this.columns, Math.floor(this.cells[i] / this.columns)];
  }

  focusUnit(i) {
    this.focused = i;
    const address = unitTable.address(i);
    this.status.textContent = [address, labels.get(address).label, unitTable.headline(i)]
      .filter(Boolean)
      .join(" \u00b7 ");
    this.requestDraw();
  }

  /** Compute the colors again, after a change of the view or the theme. */
  recolor() {
    this.theme = { paper: themeColor("--paper"), accent: themeColor("--accent") };
    const { colors, legend } = coloring(this.color.value);
    this.painter.setColors(colors, this.isShown, this.color.value !== "picture");
    this.legend.hidden = !legend.length;
    this.legend.replaceChildren(...legend.map(legendItem));
    this.requestDraw();
  }

  /** Follow the size of the window: the map takes what is left below the tools. */
  resize() {
    if (!this.canvas.clientWidth) return;
    const top = this.canvas.getBoundingClientRect().top + scrollY;
    const height = Math.max(MIN_HEIGHT, innerHeight - top - STATUS_HEIGHT);
    this.canvas.style.setProperty("height", `${height}px`);
    const { clientWidth, clientHeight } = this.canvas;
    this.viewport.resize(clientWidth, clientHeight);
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.draw();
  }

  /** Draw once in the next animation frame. */
  requestDraw() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.theme || !this.canvas.clientWidth) return;
    const cell = (i) => (i === null ? null : this.cells[i]);
    const isFocused = document.activeElement === this.canvas;
    this.painter.draw(this.theme, cell(this.hovered), isFocused ? cell(this.focused) : null);
  }

  /** Move the map; the link follows when it rests. */
  move(action) {
    this.hover();
    action();
    this.requestDraw();
    this.noteSoon();
  }

  noteSoon() {
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => this.notePlace(), NOTE_DELAY);
  }

  notePlace() {
    clearTimeout(this.noteTimer);
    this.place = this.viewport.text;
    view.note({ at: this.place });
  }

  zoom(factor, left, top) {
    this.move(() => this.viewport.zoom(factor, left, top));
  }

  fit() {
    this.move(() => this.viewport.fit());
  }

  /** The unit at a position, or the nearest one around it; null if there is none. */
  unitNear(left, top) {
    const [x, y] = this.viewport.cellAt(left, top);
    const { columns, rows, scale } = this.viewport;
    const reach = Math.max(0.5, NEAR / scale);
    let [found, best] = [null, Infinity];
    for (let row = Math.floor(y - reach); row <= y + reach; row += 1)
      for (let column = Math.floor(x - reach); column <= x + reach; column += 1) {
        if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
        const i = this.unitAt[row * columns + column];
        const distance = Math.max(Math.abs(column + 0.5 - x), Math.abs(row + 0.5 - y));
        if (i >= 0 && distance <= reach + 0.5 && distance < best) [found, best] = [i, distance];
      }
    return best <= 0.5 || scale < NEAR ? found : null;
  }

  click(left, top, event) {
    const i = this.unitNear(left, top);
    if (i === null) return;
    const address = unitTable.address(i);
    if (event.ctrlKey || event.metaKey) open(unitHash(address));
    else this.openUnit(i);
  }

  openUnit(i) {
    this.notePlace();
    view.go({ unit: unitTable.address(i) });
  }

  hover(left, top) {
    const i = left === undefined ? null : this.unitNear(left, top);
    if (i === this.hovered) return;
    this.hovered = i;
    this.canvas.classList.toggle("on-unit", i !== null);
    hidePreview();
    clearTimeout(this.previewTimer);
    if (i !== null) this.previewTimer = setTimeout(() => this.preview(i), PREVIEW_DELAY);
    this.requestDraw();
  }

  preview(i) {
    const [column, row] = this.cellOf(i);
    const box = this.canvas.getBoundingClientRect();
    const left = box.left + this.canvas.clientLeft + this.viewport.left(column);
    const top = box.top + this.canvas.clientTop + this.viewport.top(row);
    showPreview(i, { left, top, right: left + this.viewport.scale });
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const direction = DIRECTIONS[event.key];
    if (direction && event.shiftKey)
      this.move(() => this.viewport.pan(-PAN_STEP * direction[0], -PAN_STEP * direction[1]));
    else if (direction) this.step(direction);
    else if (event.key === "Enter" && this.focused !== null) this.openUnit(this.focused);
    else if (event.key === "+" || event.key === "=") this.zoomAtFocus(STEP);
    else if (event.key === "-") this.zoomAtFocus(1 / STEP);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Zoom around the unit with the focus, if it is in the window. */
  zoomAtFocus(factor) {
    if (this.focused === null) return this.zoom(factor);
    const [column, row] = this.cellOf(this.focused);
    const left = this.viewport.left(column + 0.5);
    const top = this.viewport.top(row + 0.5);
    const isVisible =
      left >= 0 && top >= 0 && left <= this.viewport.width && top <= this.viewport.height;
    return isVisible ? this.zoom(factor, left, top) : this.zoom(factor);
  }

  /** Move the focus to the nearest unit in a direction; at first, to the one nearest to the center. */
  step([across, down]) {
    const isFirst = this.focused === null;
    const [x, y] = isFirst
      ? [this.viewport.x - 0.5, this.viewport.y - 0.5]
      : this.cellOf(this.focused);
    let [found, best] = [null, Infinity];
    for (const [cell, i] of this.unitAt.entries()) {
      if (i < 0 || i === this.focused || !this.isShown(i)) continue;
      const right = (cell % this.columns) - x;
      const below = Math.floor(cell / this.columns) - y;
      const along = right * across + below * down;
      const aside = Math.abs(right * down) + Math.abs(below * across);
      if (!isFirst && (along <= 0 || aside > along)) continue;
      const distance = isFirst ? Math.hypot(right, below) : along + 2 * aside;
      if (distance < best) [found, best] = [i, distance];
    }
    if (found === null) return;
    this.focusUnit(found);
    this.move(() => this.viewport.reveal(...this.cellOf(found)));
  }
}

/** An entry of the legend; a click filters by it. */
function legendItem({ color, text, count, filter }) {
  const swatch = element("span", { class: "swatch" });
  swatch.style.setProperty("background", color);
  const content = [
    swatch,
    element("bdi", {}, text),
    element("span", { class: "quiet" }, ` ${count.toLocaleString("en")}`),
  ];
  return element("li", {}, filter ? element("a", { href: view.link(filter) }, content) : content);
}
