// Natural images of a unit, and the distribution of its activation over them.

import { barList } from "../charts/bars.js";
import { chartFigure } from "../charts/frame.js";
import { histogramPlot } from "../charts/histogram.js";
import { element } from "../shared/dom.js";
import { brief, counted, percent, rounded } from "../shared/text.js";
import { dataFolder } from "../state/model.js";

const PATCH_UNITS = 1000; // units per image side of patch coordinates, see gallery/units/evidence_json.py

const PATCH_NAMES = ["query", "key"];

const exampleFile = (number) => `${dataFolder}/examples/${number}.webp`;

/** Name of a patch; of a pair, query or key. */
const patchName = (patches, i) =>
  patches.length > 1 ? `${PATCH_NAMES[i]} patch` : "most active patch";

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

/** A natural image with its patches marked, its activation and its class. */
function exampleFigure([number, value, label, patches], lead) {
  const name = `Natural image ${number}${label === null ? "" : `, ${label}`}, activation ${brief(value)}`;
  const image = element("img", {
    src: exampleFile(number),
    alt: name,
    loading: "lazy",
    decoding: "async",
  });
  image.addEventListener("error", () =>
    image.replaceWith(
      element("span", { class: "no-image" }, "This image is missing or cannot be read"),
    ),
  );
  const marked = patches.map((patch, i) => [patch, i]).filter(([patch]) => patch !== null);
  return element(
    "figure",
    { class: "example" },
    element(
      "div",
      { class: "framed" },
      image,
      marked.map(([patch, i]) => patchFrame(patch, `patch-${i}`)),
    ),
    marked.length
      ? element(
          "div",
          { class: "crops" },
          marked.map(([patch, i]) =>
            patchCrop(
              number,
              patch,
              `patch-${i}`,
              `${patchName(patches, i)} of natural image ${number}`,
            ),
          ),
        )
      : null,
    element(
      "figcaption",
      {},
      lead ? element("span", { class: "quantile" }, lead) : null,
      element("b", {}, brief(value)),
      label === null ? null : element("bdi", { class: "label-of" }, label),
    ),
  );
}

/** A row of natural images with a heading. */
function exampleRow(heading, lead, entries, leadOf = () => null) {
  if (!entries.length) return null;
  return element(
    "section",
    { "aria-label": heading },
    element("h3", {}, heading),
    lead ? element("p", { class: "quiet" }, lead) : null,
    element(
      "div",
      { class: "examples" },
      entries.map((entry, i) => exampleFigure(entry, leadOf(i))),
    ),
  );
}

/** Legend of the frames. */
function frameLegend(entries) {
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

/** Histogram of the activation on natural images, with the picture marked. */
function valuesFigure(found, activation) {
  const marks = [
    [found.median, "median", "sample-7"],
    ...(activation === null ? [] : [[activation, "this picture", "sample-1"]]),
  ];
  const position =
    activation === null
      ? ""
      : activation > found.high
        ? "above all of them"
        : activation < found.low
          ? "below all of them"
          : "within their range";
  const description = `Activation on natural images from ${brief(found.low)} to ${brief(found.high)}, median ${brief(found.median)}.${activation === null ? "" : ` The picture reaches ${brief(activation)}, ${position}.`}`;
  return chartFigure(
    (width) => histogramPlot(found.histogram, found.low, found.high, marks, width, description),
    `Activation on ${counted(found.images, "natural image")}.${activation === null ? "" : ` The picture reaches ${brief(activation)}, ${position}.`}`,
  );
}

/** Statistics of a unit's activation. */
function valuesList({ mean, deviation, sparsity, active }) {
  const entry = (name, value, description) => [
    element("dt", {}, name),
    element(
      "dd",
      {},
      element("b", {}, value),
      " ",
      element("span", { class: "quiet" }, description),
    ),
  ];
  return element(
    "dl",
    { class: "value-list" },
    entry("Mean", brief(mean), "over all natural images"),
    entry("Standard deviation", brief(deviation), "over all natural images"),
    sparsity === null
      ? null
      : entry(
          "Sparsity",
          brief(sparsity),
          "(0 if equal on all images, 1 if active on a single one)",
        ),
    entry("Active", percent(active), "of the images have an activation above 0"),
  );
}

/** Classes with the highest and the lowest mean activation, in standard deviations. */
function classMeans({ classes, mean, deviation }) {
  if (!deviation || !classes.up.length) return null;
  const scaled = (pairs) =>
    pairs.map(([name, value]) => [name, value === null ? null : (value - mean) / deviation]);
  const [up, down] = [scaled(classes.up), scaled(classes.down)];
  const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value)));
  return element(
    "section",
    { "aria-label": "Classes by mean activation" },
    element("h3", {}, "Classes by mean activation"),
    element(
      "p",
      { class: "quiet" },
      "Difference of the class mean from the mean over all images, in standard deviations.",
    ),
    element(
      "div",
      { class: "sided" },
      barList("Highest", up, most),
      down.length ? barList("Lowest", down, most) : null,
    ),
  );
}

/** The section of natural images. */
export function examplesBlock({ evidence }) {
  const found = evidence?.examples;
  if (!found) return null;
  const activation = evidence.pictures[evidence.best].activation;
  const ordinal = (i) =>
    i < found.quantiles.length ? `${rounded(100 * found.quantiles[i])}\u00a0%` : null;
  const all = [...found.top, ...found.spread, ...found.bottom];
  return element(
    "section",
    { class: "evidence natural", "aria-label": "Natural images" },
    element("h2", {}, "Natural images"),
    element(
      "p",
      { class: "quiet" },
      `From ${counted(found.images, "image")} of `,
      element("bdi", {}, found.data),
      ", each with the activation of the unit and its class.",
    ),
    frameLegend(all),
    exampleRow("Highest activation", null, found.top),
    element("div", { class: "sided" }, valuesFigure(found, activation), valuesList(found)),
    classMeans(found),
    exampleRow(
      "Examples by percentile",
      "The image at each percentile of the activation.",
      found.spread,
      ordinal,
    ),
    exampleRow("Lowest activation", null, found.bottom),
  );
}

/** The natural images with the highest activation, for a table cell; null if there are none. */
export function fewExamples({ evidence }) {
  if (!evidence?.examples?.top.length) return null;
  const figures = evidence.examples.top.slice(0, 4).map((entry) => exampleFigure(entry, null));
  return element("div", { class: "examples few" }, figures);
}
