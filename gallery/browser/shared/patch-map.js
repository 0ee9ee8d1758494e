// Maps of a unit's activation by patch, laid over a picture.

import { element } from "./dom.js";

const MOST = 255;
const DIM = 0.85; // opacity over a patch where the unit is least active
const COLOR = [22, 30, 74]; // dark blue, which differs from black pictures and from bright ones

/** The bytes of a base64 text. */
export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/**
 * A layer over a picture that dims it the more, the lower a map is. `levels` are bytes, row by row:
 * 255 leaves the picture as it is. Append it to a positioned node of the size of the picture.
 */
export function patchMap(levels, rows, columns) {
  const canvas = element("canvas", {
    class: "patch-map",
    width: columns,
    height: rows,
    "aria-hidden": "true",
  });
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i += 1) {
    const opacity = DIM * (1 - levels[i] / MOST);
    pixels.data.set([...COLOR, Math.round(255 * opacity)], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
