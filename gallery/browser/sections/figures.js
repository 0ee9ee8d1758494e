// Pictures of the sections, and color scales.

import { element } from "../shared/dom.js";
import { enlargeButton } from "../shared/enlarge.js";
import { wholeWidth } from "../shared/picture-size.js";
import { rounded } from "../shared/text.js";
import { dataFolder } from "../state/model.js";

/** A picture of a section, enlarged without smoothing; `figure` is [file number, width, height]. */
function pictureOf([number, width, height], shown, alt, loading) {
  return element("img", {
    src: `${dataFolder}/figures/${number}.webp`,
    alt,
    width: Math.round(shown),
    height: Math.round((shown * height) / width),
    loading,
    decoding: "async",
    class: shown >= 2 * width ? "pixels" : "smooth",
  });
}

/** A picture of a section that a click enlarges; `caption` makes the nodes of its caption. */
export function enlargeable(figure, width, alt, caption) {
  const [, ...size] = figure;
  const draw = (shown, loading) => pictureOf(figure, shown, alt, loading);
  return enlargeButton(size, draw, width, caption);
}

/** A color scale with the values at its ends. */
export function legend(scale, low, high) {
  return element(
    "span",
    {
      class: "legend",
      role: "img",
      "aria-label": `Color scale from ${rounded(low)} to ${rounded(high)}`,
    },
    element("span", {}, rounded(low)),
    element("img", {
      src: `${dataFolder}/figures/${scale[0]}.webp`,
      alt: "",
      width: 96,
      height: 8,
    }),
    element("span", {}, rounded(high)),
  );
}

/** A color scale, with the maximum if the scale is clipped. */
export const scaleWithMaximum = (scale, low, high, most) => [
  legend(scale, low, high),
  most > high ? element("span", {}, ` (maximum ${rounded(most)})`) : null,
];

/** Width at which a picture is shown: about 160 pixels, a whole multiple of small pictures. */
export const shownWidth = (width) => (width < 160 ? wholeWidth(width, 160) : 160);
