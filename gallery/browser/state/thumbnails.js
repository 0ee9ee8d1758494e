// Thumbnails of units, cut out of sprite sheets.

import { element } from "../shared/dom.js";
import { unitTable } from "./unit-table.js";

const PAIR_GAP = 4; // pixels, as in gallery/build/sheets.py

/** CSS variables for a unit's thumbnail, `size` pixels high (see styles/list.css). */
export function thumbnailStyle(i, size) {
  const color = unitTable.color(i);
  return {
    ...(color ? { "--color": color } : {}),
    ...((size > unitTable.cell ? wholeStyle(i, size) : null) ?? spriteStyle(i, size)),
  };
}

/** Variables for a part of a sheet. */
function spriteStyle(i, size) {
  const { file, x, y, width, cell, sheetWidth, sheetHeight } = unitTable.sprite(i);
  const scale = size / cell;
  return {
    "--sheet-file": `url("${file}")`,
    "--offset": `${-x * scale}px ${-y * scale}px`,
    "--sheet-size": `${sheetWidth * scale}px ${sheetHeight * scale}px`,
    "--width": `${width * scale}px`,
    "--height": `${size}px`,
    "--rendering": "auto",
  };
}

/**
 * Variables for the picture itself, or both of a pair, where sheets are too small; null if there are no
 * such files. Pictures of less than half the size are enlarged by a whole number, without smoothing.
 */
function wholeStyle(i, size) {
  const files = unitTable.pictureFiles(i);
  if (files === null) return null;
  const [own, ownHeight] = unitTable.pictureSize(i);
  const across = unitTable.siteOf(i).wide ? 2 * size : size;
  const slot = (across - PAIR_GAP * (files.length - 1)) / files.length;
  const scale = Math.min(slot / own, size / ownHeight);
  const isSmall = scale >= 2;
  const [width, height] = [own, ownHeight].map(
    (side) => side * (isSmall ? Math.floor(scale) : scale),
  );
  const left = (side) => side * (slot + PAIR_GAP) + (slot - width) / 2;
  const each = (text) => files.map(text).join(", ");
  return {
    ...(width < across || height < size ? { "--color": "var(--surface)" } : {}),
    "--sheet-file": each((file) => `url("${file}")`),
    "--offset": each((_, side) => `${left(side)}px ${(size - height) / 2}px`),
    "--sheet-size": each(() => `${width}px ${height}px`),
    "--width": `${across}px`,
    "--height": `${size}px`,
    "--rendering": isSmall ? "pixelated" : "auto",
  };
}

/** Set CSS variables on a node, except those that it inherits. */
export function setStyle(node, style, inherited = {}) {
  for (const [name, value] of Object.entries(style))
    if (inherited[name] !== value) node.style.setProperty(name, value);
}

/** A unit's thumbnail, `size` pixels high. */
export function thumbnail(i, size) {
  const node = element("span", {
    class: "sprite",
    role: "img",
    "aria-label": unitTable.description(i),
  });
  setStyle(node, thumbnailStyle(i, size));
  return node;
}
