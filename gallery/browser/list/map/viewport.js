// The part of the map that is shown.

const MIN_SCALE = 1; // pixels per cell
const MAX_SCALE = 192;
const MARGIN = 12; // pixels around the whole map
const PLACE = /^(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/;

/**
 * A window of `width` x `height` pixels over a grid of `columns` x `rows` cells: the cell coordinates
 * `x` and `y` at its center, and the pixels per cell, `scale`.
 */
export class Viewport {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.width = this.height = 1;
    this.fit();
  }

  /** Scale at which the whole map is shown. */
  get fitting() {
    const across = (this.width - 2 * MARGIN) / this.columns;
    const down = (this.height - 2 * MARGIN) / this.rows;
    return Math.min(MAX_SCALE, Math.max(0.1, Math.min(across, down)));
  }

  /** Show the whole map. */
  fit() {
    this.scale = this.fitting;
    this.x = this.columns / 2;
    this.y = this.rows / 2;
  }

  get isFitted() {
    return this.scale === this.fitting && this.x === this.columns / 2 && this.y === this.rows / 2;
  }

  /** Change the size of the window; a map that is shown as a whole stays so. */
  resize(width, height) {
    const { isFitted } = this;
    this.width = width;
    this.height = height;
    if (isFitted) this.fit();
  }

  /** Horizontal position of a cell coordinate in the window, in pixels. */
  left(x) {
    return this.width / 2 + (x - this.x) * this.scale;
  }

  /** Vertical position of a cell coordinate in the window, in pixels. */
  top(y) {
    return this.height / 2 + (y - this.y) * this.scale;
  }

  /** Cell coordinates of a position in the window. */
  cellAt(left, top) {
    return [
      this.x + (left - this.width / 2) / this.scale,
      this.y + (top - this.height / 2) / this.scale,
    ];
  }

  /** First and last column and row that are in the window. */
  visible() {
    const [left, top] = this.cellAt(0, 0);
    const [right, bottom] = this.cellAt(this.width, this.height);
    return {
      left: Math.max(0, Math.floor(left)),
      top: Math.max(0, Math.floor(top)),
      right: Math.min(this.columns - 1, Math.floor(right)),
      bottom: Math.min(this.rows - 1, Math.floor(bottom)),
    };
  }

  /** Move the map by pixels. */
  pan(across, down) {
    this.moveTo(this.x - across / this.scale, this.y - down / this.scale);
  }

  /** Center a cell coordinate, within the map. */
  moveTo(x, y) {
    this.x = Math.min(this.columns, Math.max(0, x));
    this.y = Math.min(this.rows, Math.max(0, y));
  }

  /** Multiply the scale; what is at a position in the window stays there. */
  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.cellAt(left, top);
    const lowest = Math.min(MIN_SCALE, this.fitting);
    this.scale = Math.min(MAX_SCALE, Math.max(lowest, this.scale * factor));
    this.moveTo(x - (left - this.width / 2) / this.scale, y - (top - this.height / 2) / this.scale);
  }

  /** Move as little as possible so that a cell is in the window. */
  reveal(column, row) {
    const margin = Math.min(0.25 * this.width, 0.25 * this.height, this.scale);
    const left = this.left(column);
    const top = this.top(row);
    const across =
      Math.max(margin - left, 0) || Math.min(this.width - margin - this.scale - left, 0);
    const down = Math.max(margin - top, 0) || Math.min(this.height - margin - this.scale - top, 0);
    if (across || down) this.pan(across, down);
  }

  /** Text for a link; null for the whole map. */
  get text() {
    if (this.isFitted) return null;
    return [this.x, this.y, this.scale].map((value) => Number(value.toFixed(2))).join(",");
  }

  /** Show what the text of a link says. */
  read(text) {
    const [, x, y, scale] = PLACE.exec(text) ?? [];
    this.fit();
    if (scale === undefined) return;
    this.zoom(Number(scale) / this.scale);
    this.moveTo(Number(x), Number(y));
  }
}

/** Whether a text of a link is a part of the map. */
export const isPlace = (text) => PLACE.test(text);
