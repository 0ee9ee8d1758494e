// Sizes of the pictures in the list, from which the reader chooses.

import { settings } from "../shared/settings.js";
import { unitTable } from "../state/unit-table.js";

/** Name and height in pixels of each size. */
export const SIZES = { S: 64, M: 96, L: 144, XL: 224 };

const WIDE = 1600; // pixels of a window

/**
 * Name of the size that is shown: the chosen one, or that of the sheets. Models of few units, which
 * would leave much of a wide window empty, have larger pictures there.
 */
export function sizeName() {
  const chosen = settings.get("size");
  if (Object.hasOwn(SIZES, chosen)) return chosen;
  if (innerWidth >= WIDE && unitTable.cell === SIZES.M && unitTable.pictureFormat) return "L";
  return Object.keys(SIZES).find((name) => SIZES[name] === unitTable.cell) ?? "M";
}

/** Height of the pictures in pixels. */
export const pictureSize = () => SIZES[sizeName()];
