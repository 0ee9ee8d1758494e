// Drawing of the map: a square for each unit, in its color or with its picture.

import { unitTable } from "../../state/unit-table.js";
import { Pictures } from "./pictures.js";

const PICTURES_FROM = 16; // pixels per cell
const MOST_DRAWN = 700; // pictures in a frame; with more units in the window, only colors are drawn
const GAPS_FROM = 5; // pixels per cell
const MOST_PICTURES = 2048; // that are kept: 32 MB for cells of 64 pixels
const MOST_LARGE = 160; // pictures that are larger than a cell of a sheet
const DIMMED = 0.14; // opacity of units that a filter leaves out
const FRAME = 0.09; // of a cell: its color around the picture

/** Draws the map on a canvas; `unitAt` has the unit of each cell, or -1. */
export class Painter {
  constructor(canvas, viewport, unitAt, onload) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.viewport = viewport;
    this.unitAt = unitAt;
    this.squares = document.createElement("canvas"); // a pixel for each cell
    this.squares.width = viewport.columns;
    this.squares.height = viewport.rows;
    this.thumbnails = new Pictures(MOST_PICTURES, (i) => unitTable.sprite(i), onload);
    this.large = new Pictures(MOST_LARGE, largeSource, onload);
  }

  /** Set the color of each unit, whether it is shown or dimmed, and whether its picture has a frame. */
  setColors(colors, isShown, hasFrame) {
    this.isShown = isShown;
    this.hasFrame = hasFrame;
    const context = this.squares.getContext("2d");
    const { columns, rows } = this.viewport;
    context.clearRect(0, 0, columns, rows);
    for (const [cell, i] of this.unitAt.entries()) {
      if (i < 0) continue;
      context.globalAlpha = isShown(i) ? 1 : DIMMED;
      context.fillStyle = colors[i];
      context.fillRect(cell % columns, Math.floor(cell / columns), 1, 1);
    }
  }

  /** Draw the map; outline the unit under the mouse and the one with the focus, each null if none. */
  draw(theme, hovered, focused) {
    const { context, canvas, viewport } = this;
    const ratio = canvas.width / viewport.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = theme.paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    // Positions are whole pixels, so that gaps are sharp.
    const { columns, rows, scale } = viewport;
    const [x, y] = [Math.round(viewport.left(0) * ratio), Math.round(viewport.top(0) * ratio)];
    const across = Math.round(columns * scale * ratio);
    const down = Math.round(rows * scale * ratio);
    const left = (column) => x + Math.round((column * across) / columns);
    const top = (row) => y + Math.round((row * down) / rows);
    context.imageSmoothingEnabled = scale * ratio < 1;
    context.drawImage(this.squares, x, y, across, down);
    const range = viewport.visible();
    const gap = scale < GAPS_FROM ? 0 : Math.max(1, Math.round(scale * ratio * 0.06));
    const boxOf = (cell) => {
      const [column, row] = [cell % columns, Math.floor(cell / columns)];
      const [from, over] = [left(column), top(row)];
      return [from, over, left(column + 1) - from - gap, top(row + 1) - over - gap];
    };
    this.drawGaps(range, gap, left, top);
    this.drawPictures(range, ratio, boxOf);
    for (const [cell, width] of [
      [hovered, 2],
      [focused, 3],
    ])
      if (cell !== null) this.outline(theme, boxOf(cell), width * ratio);
  }

  drawGaps(range, gap, left, top) {
    if (!gap) return;
    const { width, height } = this.canvas;
    for (let column = range.left; column <= range.right; column += 1)
      this.context.fillRect(left(column + 1) - gap, 0, gap, height);
    for (let row = range.top; row <= range.bottom; row += 1)
      this.context.fillRect(0, top(row + 1) - gap, width, gap);
  }

  drawPictures(range, ratio, boxOf) {
    const { scale, columns } = this.viewport;
    if (scale < PICTURES_FROM) return;
    const cells = [];
    for (let row = range.top; row <= range.bottom; row += 1)
      for (let column = range.left; column <= range.right; column += 1) {
        const cell = row * columns + column;
        if (this.unitAt[cell] >= 0) cells.push(cell);
      }
    if (cells.length > MOST_DRAWN) return;
    const isLarge = scale * ratio > 1.25 * unitTable.cell && cells.length <= MOST_LARGE;
    const units = cells.map((cell) => this.unitAt[cell]);
    this.thumbnails.request(units);
    if (isLarge) this.large.request(units);
    this.context.imageSmoothingEnabled = true;
    for (const [index, cell] of cells.entries()) {
      const i = units[index];
      const bitmap = (isLarge ? this.large.get(i) : null) ?? this.thumbnails.get(i);
      if (!bitmap) continue;
      const [x, y, width, height] = boxOf(cell);
      const frame = this.hasFrame ? Math.max(2, Math.round(width * FRAME)) : 0;
      const fit = Math.min(
        (width - 2 * frame) / bitmap.width,
        (height - 2 * frame) / bitmap.height,
      );
      const across = Math.round(bitmap.width * fit);
      const down = Math.round(bitmap.height * fit);
      this.context.globalAlpha = this.isShown(i) ? 1 : DIMMED;
      this.context.drawImage(
        bitmap,
        x + ((width - across) >> 1),
        y + ((height - down) >> 1),
        across,
        down,
      );
    }
    this.context.globalAlpha = 1;
  }

  outline(theme, [x, y, width, height], thickness) {
    for (const [color, grow] of [
      [theme.paper, 2],
      [theme.accent, 1],
    ]) {
      const line = grow === 2 ? thickness * 2 : thickness;
      const out = thickness;
      this.context.strokeStyle = color;
      this.context.lineWidth = line;
      this.context.strokeRect(x - out, y - out, width + 2 * out, height + 2 * out);
    }
  }
}

/** The picture of a unit in full size; null if the gallery does not have it, or it is a pair. */
function largeSource(i) {
  const files = unitTable.pictureFiles(i);
  return files?.length === 1 ? { file: files[0] } : null;
}
