// Data of the reader's own images, see gallery/input_images/page.py.

import { hundredths, listed, measured, percent } from "../../shared/text.js";
import { loadData } from "../../state/load.js";
import { dataFolder } from "../../state/model.js";
import { mapLayer } from "../../unit/evidence/activation-maps.js";

/** The file of an image. */
export const imageFile = (number) => `${dataFolder}/input-images/${number}.webp`;

/** Name the parts of a response; `map` is only that of the strongest units of a layer. */
const response = ([unit, value, relative, rank, percentile, map]) => ({
  unit,
  value,
  relative,
  rank,
  percentile,
  map: map === null ? null : mapOf(map),
});

/** Name the parts of a response on a unit's page. */
export const unitResponse = ([value, relative, rank, percentile, hasMap]) => ({
  value,
  relative,
  rank,
  percentile,
  hasMap,
});

function mapOf([rows, columns, low, high, levels]) {
  return { low, high, draw: () => mapLayer({ map: [rows, columns] }, levels) };
}

/** What units do on an image: its `grid` of patches, the responses of each layer, the units of each patch. */
export async function loadImage(number) {
  const { grid, layers, patches } = await loadData(`images/${number}`);
  return {
    grid,
    layers: new Map(layers.map(([layer, units]) => [layer, units.map(response)])),
    patches,
  };
}

/** A relative value as text: a multiple, of what `referenceName` says. */
export const relativeText = (relative) =>
  relative === null ? "\u2013" : `${hundredths(relative)}\u00d7`;

/** What relative values are multiples of. */
export const referenceName = ({ reference }) =>
  reference === "natural" ? "best natural image" : "its picture";

/** The activation of a response, and its place among the natural images if there are any. */
export function valueText({ value, rank, percentile }, { natural }) {
  const place =
    rank !== null
      ? `rank ${rank} of ${natural.toLocaleString("en")}`
      : percentile !== null
        ? `above ${percent(percentile / 100)}`
        : "";
  return listed([measured(value), place].filter(Boolean));
}

/** What relative values mean. */
export const scaleText = ({ reference, natural, data }) =>
  reference === "natural"
    ? `0\u00d7 is the median and 1\u00d7 the best of ${natural.toLocaleString("en")} images of ${data}`
    : "0\u00d7 is a gray image and 1\u00d7 the picture of the unit";
