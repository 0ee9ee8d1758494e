// Pictures of the sections, and their scales of colours.

import { element } from "../shared/dom.js";
import { wholeWidth } from "../shared/picture-size.js";
import { rounded } from "../shared/text.js";
import { dataFolder } from "../state/model.js";

/** A picture of the sections, enlarged without smoothing; `figure` is number, width and height. */
export function pictureOf([number, width, height], shown, alt, loading = "lazy") {
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

/** The scale of colours between the values at its ends. */
export function legend(scale, low, high) {
  return element(
    "span",
    { class: "legend" },
    element("span", {}, rounded(low)),
    element("img", {
      src: `${dataFolder}/figures/${scale[0]}.webp`,
      alt: "to",
      width: 96,
      height: 8,
    }),
    element("span", {}, rounded(high)),
  );
}

/** A scale, and how far values go beyond it. */
export const beyond = (scale, low, high, most) => [
  legend(scale, low, high),
  most > high ? element("span", {}, ` up to ${rounded(most)}`) : null,
];

/** A third of a column on the smallest screens, and whole multiples of small pictures. */
export const shownWidth = (width) => (width < 160 ? wholeWidth(width, 160) : 160);
