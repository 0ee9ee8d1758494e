// The grid of units. Only rows near the viewport are in the document, so that tens of thousands of
// units scroll smoothly.

import { pinnedBar } from "../../marks/pinned-bar.js";
import { unitTable } from "../../state/unit-table.js";
import { pictureSize } from "../picture-sizes.js";
import { CTRL_KEYS, PLAIN_KEYS } from "./arrow-keys.js";
import { fitCells, HEADING, Layout } from "./layout.js";
import "../preview.js";
import { captionLines, colorRow, headingRow, unitRow } from "./rows.js";

const OVERSCAN = 400; // pixels rendered above and below the viewport
const CAPTION_LINE = 17; // pixels; as in styles/list.css
const CAPTION_GAP = 13; // pixels above and below a caption
const WIDEST_VALUE = 84; // pixels, of the values in captions
const MARGIN_DELAY = 150; // milliseconds until these follow a list that has changed
const FAST = 0.2; // of the viewport's height, scrolled between two draws
const PAUSE = 100; // milliseconds without fast scrolling until pictures are loaded

/** The grid of units in a container. */
export class Grid {
  constructor(container) {
    this.container = container;
    this.rows = new Map(); // rows in the document, by their top in pixels
    this.current = 0; // position of the cell in the tab order
    this.layout = null;
    this.onlayer = () => {};
    this.frame = 0; // pending animation frame
    this.marginTimer = 0;
    this.hasMargin = false; // whether rows outside of the viewport are drawn
    this.drawn = { top: 0, time: 0 }; // top of the viewport when last drawn, and when that was
    this.jump = 0; // time of the last one that the page itself made
    this.pauseTimer = 0; // pending while the list is scrolled fast
    addEventListener("scroll", () => this.requestDraw(), { passive: true });
    addEventListener("resize", () => this.requestDraw());
    new ResizeObserver(() => this.resize()).observe(container);
    container.addEventListener("keydown", (event) => this.press(event));
    container.addEventListener("focusin", (event) =>
      this.setCurrent(event.target.closest("a.cell")),
    );
  }

  /** Show a list of units; `headed` adds a heading per layer, `metrics` are those shown in captions. */
  fill(units, { headed, metrics }) {
    this.units = units;
    this.headed = headed;
    this.metrics = metrics;
    this.positions = null;
    this.current = 0;
    this.measure();
    this.arrange();
  }

  /** Compute the size of a cell: that of its picture, and lines of text below it. */
  measure() {
    const size = pictureSize();
    const hasName = this.headed && !this.metrics.length;
    this.wanted = {
      size,
      pitch: hasName ? size : Math.max(size, WIDEST_VALUE),
      caption: captionHeight(this),
    };
  }

  /** Show pictures of another size; keep the first unit in view. */
  resizePictures() {
    if (!this.layout) return;
    this.measure();
    this.rearrange();
  }

  /** Compute the layout for the current width. */
  arrange() {
    this.width = this.container.clientWidth;
    this.shape = fitCells(this.wanted, this.width);
    this.layout = new Layout(
      this.units,
      this.headed ? unitTable.sites : null,
      this.width,
      this.shape,
    );
    this.container.style.setProperty("height", `${this.layout.height}px`);
    this.container.setAttribute("aria-rowcount", this.layout.rows);
    for (const node of this.rows.values()) node.remove();
    this.rows.clear();
    this.jumped();
    this.draw();
  }

  /** Update the layout when the width changes; keep the scroll position and the focus. */
  resize() {
    if (!this.layout || !this.container.clientWidth || this.container.clientWidth === this.width)
      return;
    this.rearrange();
  }

  /** Compute the layout again; keep the scroll position and the focus. */
  rearrange() {
    const [top] = this.viewport();
    const first = this.firstIn(top);
    const shift = first === null ? 0 : top - this.layout.at(first).top;
    const focused = this.focused();
    const heading = document.activeElement?.closest("#units h2")?.textContent;
    this.arrange();
    if (first !== null && top > 0)
      scrollBy(0, this.layout.at(first).top + shift - this.viewport()[0]);
    this.draw();
    if (focused !== null) this.focus(focused);
    if (heading)
      [...this.container.querySelectorAll("h2")]
        .find((other) => other.textContent === heading)
        ?.focus({ preventScroll: true });
  }

  /** Draw once in the next animation frame. */
  requestDraw() {
    if (this.frame || !this.layout || this.container.offsetParent === null) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Draw the rows outside of the viewport when the pictures in it have been requested. */
  requestMargin() {
    this.hasMargin = false;
    clearTimeout(this.marginTimer);
    this.marginTimer = setTimeout(() => {
      this.hasMargin = true;
      this.requestDraw();
    }, MARGIN_DELAY);
  }

  /** Top and bottom of the viewport, relative to the grid. */
  viewport() {
    const top = -this.container.getBoundingClientRect().top;
    return [top, top + innerHeight];
  }

  /**
   * Notice fast scrolling, during which new rows show mean colors only: their pictures could not be
   * seen, and their cells would take longer than a frame. A single jump is no fast scrolling.
   */
  watchSpeed(top) {
    const now = performance.now();
    const isScrolling = now - this.drawn.time < 2 * PAUSE && now - this.jump > 2 * PAUSE;
    const isFast = isScrolling && Math.abs(top - this.drawn.top) > FAST * innerHeight;
    this.drawn = { top, time: now };
    if (!isFast) return;
    clearTimeout(this.pauseTimer);
    this.pauseTimer = setTimeout(() => this.pause(), PAUSE);
  }

  /** Take the next draws as a jump. */
  jumped() {
    this.jump = performance.now();
  }

  /** Replace rows of mean colors. */
  pause() {
    this.pauseTimer = 0;
    for (const [at, node] of this.rows) {
      if (!node.matches(".colors")) continue;
      node.remove();
      this.rows.delete(at);
    }
    this.draw();
  }

  /**
   * Insert the rows near the viewport, and remove the others. If no row of the viewport is in the
   * document, those outside of it follow later, so that their pictures delay no visible one.
   */
  draw() {
    if (!this.layout || this.container.offsetParent === null) return;
    const [top, bottom] = this.viewport();
    this.watchSpeed(top);
    const isNew = ![...this.layout.between(top, bottom)].some((row) => this.rows.has(row.top));
    if (isNew && this.units.length) this.requestMargin();
    const margin = this.hasMargin ? OVERSCAN : 0;
    const wanted = new Map(
      [...this.layout.between(top - margin, bottom + margin)].map((row) => [row.top, row]),
    );
    const focused = document.activeElement?.closest("#units [role=row]");
    for (const [at, node] of this.rows) {
      if (wanted.has(at) || node === focused) continue; // keep the focus
      node.remove();
      this.rows.delete(at);
    }
    const fresh = [...wanted.values()].filter((row) => !this.rows.has(row.top));
    for (const row of fresh) this.insert(row);
    this.updateTabStop();
    if (this.units.length) this.onlayer(this.layerAt(top + stickyHeight()));
  }

  /** Name of the layer at a height; null if the list has no headings. */
  layerAt(top) {
    return this.headed ? this.layout.bandAt(top + HEADING).site.name : null;
  }

  /** Insert a row, in document order. */
  insert(row) {
    const node = this.node(row);
    node.style.setProperty("top", `${row.top}px`);
    node.dataset.top = row.top;
    const after = [...this.rows.keys()].filter((top) => top > row.top);
    this.container.insertBefore(node, after.length ? this.rows.get(Math.min(...after)) : null);
    this.rows.set(row.top, node);
  }

  node(row) {
    if (row.index < 0) return headingRow(row);
    return this.pauseTimer ? colorRow(this, row) : unitRow(this, row);
  }

  /** Rebuild the rows in the document, after labels or pins changed. */
  refresh() {
    if (!this.layout) return;
    if (this.wanted.caption !== captionHeight(this)) {
      this.resizePictures();
      return;
    }
    const focused = this.focused();
    for (const node of this.rows.values()) node.remove();
    this.rows.clear();
    this.draw();
    if (focused !== null) this.focus(Math.min(focused, this.units.length - 1));
  }

  /** Keep one cell in the tab order: the current one, or else the first in the document. */
  updateTabStop() {
    const cells = [...this.container.querySelectorAll("a.cell")];
    const current =
      cells.find((cell) => Number(cell.dataset.position) === this.current) ?? cells[0];
    if (current?.tabIndex === 0) return;
    for (const cell of cells) if (cell.tabIndex === 0) cell.tabIndex = -1;
    if (current) current.tabIndex = 0;
  }

  setCurrent(cell) {
    if (!cell) return;
    this.current = Number(cell.dataset.position);
    this.updateTabStop();
  }

  /** Position of the cell with the focus; null if none has it. */
  focused() {
    const cell = document.activeElement?.closest("#units a.cell");
    return cell ? Number(cell.dataset.position) : null;
  }

  /** Position of the first unit below a height; null if there is none. */
  firstIn(top) {
    for (const { band, index } of this.layout.between(top, top + innerHeight))
      if (index >= 0) return band.start + index * band.columns;
    return null;
  }

  /** Position of a unit in the list; -1 if it is not in it. */
  positionOf(i) {
    this.positions ??= new Map([...this.units].map((unit, position) => [unit, position]));
    return this.positions.get(i) ?? -1;
  }

  /** Scroll a range of heights into view, as little as possible. */
  reveal(from, height) {
    const bars = stickyHeight();
    const [top, end] = this.viewport();
    const bottom = end - pinnedBar.offsetHeight - 16;
    if (from < top + bars) scrollBy(0, from - top - bars);
    else if (from + height > bottom) scrollBy(0, from + height - bottom);
    clearTimeout(this.pauseTimer);
    this.jumped();
    this.pause();
  }

  /** Focus the cell at a position, and scroll it into view. */
  focus(position) {
    const row = this.layout.at(position);
    this.current = position;
    this.reveal(row.top, this.layout.rowHeight);
    if (!this.rows.has(row.top)) this.insert(row);
    this.updateTabStop();
    this.container
      .querySelector(`a.cell[data-position="${position}"]`)
      .focus({ preventScroll: true });
  }

  press(event) {
    const position = this.focused();
    if (position === null || event.altKey || event.metaKey || event.shiftKey) return;
    const to = (event.ctrlKey ? CTRL_KEYS : PLAIN_KEYS)[event.key]?.(position, this);
    if (to === undefined) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.units.length - 1, to)));
  }
}

/** Height of the captions of a list, with the gap to the next row. */
const captionHeight = (grid) => CAPTION_GAP + captionLines(grid) * CAPTION_LINE;

/** Height of the sticky bars over the top of the list. */
export function stickyHeight() {
  const { left } = document.getElementById("units").getBoundingClientRect();
  const bars = ["sites", "tools"]
    .map((name) => document.getElementById(name))
    .filter((bar) => getComputedStyle(bar).position === "sticky");
  const boxes = bars.map((bar) => bar.getBoundingClientRect()).filter((box) => box.right > left);
  return boxes.reduce((height, box) => height + box.height, 0);
}
