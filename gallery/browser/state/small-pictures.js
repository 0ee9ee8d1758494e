// The small pictures of units: cells of large sheets.

import { element } from "../shared/dom.js";
import { unitTable } from "./unit-table.js";

/** Variables of the style that shows a unit's small picture, `size` pixels high (styles/list.css). */
export function smallPictureStyle(i, size) {
  const { file, x, y, width, cell, sheetWidth, sheetHeight } = unitTable.sprite(i);
  const scale = size / cell;
  return {
    "--sheet-file": `url("${file}")`,
    "--place": `${-x * scale}px ${-y * scale}px`,
    "--extent": `${sheetWidth * scale}px ${sheetHeight * scale}px`,
    "--width": `${width * scale}px`,
    "--height": `${size}px`,
  };
}

/** Give a node such variables, but for those that it inherits. */
export function setStyle(node, style, inherited = {}) {
  for (const [name, value] of Object.entries(style))
    if (inherited[name] !== value) node.style.setProperty(name, value);
}

/** A unit's small picture, `size` pixels high. */
export function smallPicture(i, size) {
  const node = element("span", {
    class: "sprite",
    role: "img",
    "aria-label": unitTable.address(i),
  });
  setStyle(node, smallPictureStyle(i, size));
  return node;
}
