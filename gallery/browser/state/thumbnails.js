// Thumbnails of units, cut out of sprite sheets.

import { element } from "../shared/dom.js";
import { unitTable } from "./unit-table.js";

/** CSS variables for a unit's thumbnail, `size` pixels high (see styles/list.css). */
export function thumbnailStyle(i, size) {
  const whole = size > unitTable.cell ? unitTable.pictureFile(i) : null;
  if (whole) {
    const color = unitTable.color(i);
    return {
      ...(color ? { "--color": color } : {}),
      "--sheet-file": `url("${whole}")`,
      "--offset": "center",
      "--sheet-size": "contain",
      "--width": `${size}px`,
      "--height": `${size}px`,
    };
  }
  const { file, x, y, width, cell, sheetWidth, sheetHeight } = unitTable.sprite(i);
  const scale = size / cell;
  const color = unitTable.color(i);
  return {
    ...(color ? { "--color": color } : {}),
    "--sheet-file": `url("${file}")`,
    "--offset": `${-x * scale}px ${-y * scale}px`,
    "--sheet-size": `${sheetWidth * scale}px ${sheetHeight * scale}px`,
    "--width": `${width * scale}px`,
    "--height": `${size}px`,
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
    "aria-label": unitTable.address(i),
  });
  setStyle(node, thumbnailStyle(i, size));
  return node;
}
