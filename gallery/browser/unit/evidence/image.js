// A natural image with its patches marked, its activation and its class.

import { element } from "../../shared/dom.js";
import { enlargeButton } from "../../shared/enlarge.js";
import { listed, scaleFormat } from "../../shared/text.js";
import { dataFolder } from "../../state/model.js";
import { mapLayer, mapSwitch } from "./activation-maps.js";
import { className } from "./names.js";

const PATCH_UNITS = 1000; // units per image side of patch coordinates, see gallery/units/evidence_json.py

const PATCH_NAMES = ["query", "key"];

/** Format of the activations of a unit on natural images. */
export const activationFormat = ({ low, high }) => scaleFormat(low, high);

const exampleFile = (number) => `${dataFolder}/examples/${number}.webp`;

/** Name of a patch; of a pair, query or key. */
const patchName = (patches, i) =>
  patches.length > 1 ? `${PATCH_NAMES[i]} patch` : "most active patch";

/** The patches of an image that have a place in it, as [patch, index]. */
const markedPatches = (patches) =>
  patches.map((patch, i) => [patch, i]).filter(([patch]) => patch !== null);

/** A frame around a patch of an image. */
function patchFrame([left, top, right, bottom], color) {
  const frame = element("span", { class: `frame ${color}`, "aria-hidden": "true" });
  const share = (part) => `${(100 * part) / PATCH_UNITS}%`;
  Object.assign(frame.style, {
    left: share(left),
    top: share(top),
    width: share(right - left),
    height: share(bottom - top),
  });
  return frame;
}

/** An enlarged patch. */
function patchCrop(number, [left, top, right, bottom], color, alt) {
  const crop = element("span", { class: `crop ${color}`, role: "img", "aria-label": alt });
  const [wide, high] = [(right - left) / PATCH_UNITS, (bottom - top) / PATCH_UNITS];
  const at = (start, size) => `${size < 1 ? (100 * start) / PATCH_UNITS / (1 - size) : 0}%`;
  crop.style.setProperty("background-image", `url("${exampleFile(number)}")`);
  crop.style.setProperty("background-size", `${100 / wide}% ${100 / high}%`);
  crop.style.setProperty("background-position", `${at(left, wide)} ${at(top, high)}`);
  return crop;
}

/** The enlarged patches of an image; null if it has none. */
function patchCrops([number, , , patches]) {
  const marked = markedPatches(patches);
  if (!marked.length) return null;
  return element(
    "div",
    { class: "crops" },
    marked.map(([patch, i]) =>
      patchCrop(number, patch, `patch-${i}`, `${patchName(patches, i)} of natural image ${number}`),
    ),
  );
}

/**
 * A natural image with its activation map and frames around its patches, as wide as its container
 * or `width` pixels.
 */
function framedImage([number, value, label, patches, map], examples, width, loading) {
  const format = activationFormat(examples);
  const image = element("img", {
    src: exampleFile(number),
    alt: `Natural image ${number}${label === null ? "" : `, ${label}`}, activation ${format(value)}`,
    loading,
    decoding: "async",
  });
  image.addEventListener("error", () =>
    image.replaceWith(
      element("span", { class: "no-image" }, "This image is missing or cannot be read"),
    ),
  );
  const framed = element(
    "span",
    { class: "framed" },
    image,
    mapLayer(examples, map),
    markedPatches(patches).map(([patch, i]) => patchFrame(patch, `patch-${i}`)),
  );
  if (width !== null) framed.style.setProperty("width", `${width}px`);
  return framed;
}

/** A natural image of the `examples` of a unit, which a click enlarges. */
export function exampleButton(entry, examples, title) {
  const [number, value, label] = entry;
  const { side, data } = examples;
  const format = activationFormat(examples);
  const draw = (width, loading) => framedImage(entry, examples, width, loading);
  const caption = () => [
    element("b", {}, format(value)),
    ...(label === null ? [] : ["\u00a0\u00b7 ", className(label)]),
    `\u00a0\u00b7 image ${number.toLocaleString("en")} of `,
    element("bdi", {}, data),
    element(
      "div",
      { class: "crops-and-maps" },
      patchCrops(entry),
      entry[4] ? mapSwitch(examples) : null,
    ),
  ];
  const attributes = title ? { title: listed([format(value), label ?? ""].filter(Boolean)) } : {};
  return enlargeButton([side, side], draw, null, caption, attributes);
}

/** A natural image with its enlarged patches, its activation and its class. */
export function exampleFigure(entry, examples, lead) {
  const [, value, label] = entry;
  return element(
    "figure",
    { class: "example" },
    exampleButton(entry, examples, false),
    patchCrops(entry),
    element(
      "figcaption",
      {},
      lead ? element("span", { class: "quantile" }, lead) : null,
      element("b", {}, activationFormat(examples)(value)),
      label === null ? null : element("bdi", { class: "label-of" }, label),
    ),
  );
}

/** Legend of the frames. */
export function frameLegend(entries) {
  const patches = entries.map(([, , , found]) => found);
  const most = Math.max(0, ...patches.map((found) => found.length));
  if (!most) return null;
  const note = patches.some((found) => found.includes(null))
    ? " Tokens that are not patches have no frame."
    : "";
  if (most === 1)
    return element(
      "p",
      { class: "quiet" },
      element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
      "Frame: the patch with the highest activation, enlarged below the image.",
      note,
    );
  return element(
    "p",
    { class: "quiet" },
    element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
    "Solid frame: query patch. ",
    element("span", { class: "swatch patch-1", "aria-hidden": "true" }),
    "Dashed frame: key patch, which is attended to. Both are enlarged below the image.",
    note,
  );
}
