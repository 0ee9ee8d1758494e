// Natural images beside a unit's pictures, and what its values on all of them are like.

import { barList } from "../charts/bars.js";
import { chartFigure } from "../charts/frame.js";
import { histogramPlot } from "../charts/histogram.js";
import { element } from "../shared/dom.js";
import { brief, counted, percent, rounded } from "../shared/text.js";
import { dataFolder } from "../state/model.js";

const PATCH = 1000; // parts of an image in which patches are told, as in gallery/units/evidence.py

const PATCH_NAMES = ["query", "key"];

const exampleFile = (number) => `${dataFolder}/examples/${number}.webp`;

/** What a patch is called: one alone has no side. */
const patchName = (patches, i) =>
  patches.length > 1 ? `${PATCH_NAMES[i]} patch` : "strongest patch";

/** A frame around a patch of the image below it. */
function patchFrame([left, top, right, bottom], colour) {
  const frame = element("span", { class: `frame ${colour}`, "aria-hidden": "true" });
  const share = (part) => `${(100 * part) / PATCH}%`;
  Object.assign(frame.style, {
    left: share(left),
    top: share(top),
    width: share(right - left),
    height: share(bottom - top),
  });
  return frame;
}

/** A patch by itself, enlarged. */
function patchCrop(number, [left, top, right, bottom], colour, alt) {
  const crop = element("span", { class: `crop ${colour}`, role: "img", "aria-label": alt });
  const [wide, high] = [(right - left) / PATCH, (bottom - top) / PATCH];
  const at = (start, size) => `${size < 1 ? (100 * start) / PATCH / (1 - size) : 0}%`;
  crop.style.setProperty("background-image", `url("${exampleFile(number)}")`);
  crop.style.setProperty("background-size", `${100 / wide}% ${100 / high}%`);
  crop.style.setProperty("background-position", `${at(left, wide)} ${at(top, high)}`);
  return crop;
}

/** A natural image with its patches marked, and its value. */
function exampleFigure([number, value, label, patches], lead) {
  const name = `Natural image ${number}${label === null ? "" : `, ${label}`}, value ${brief(value)}`;
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

/** A row of natural images under a heading. */
function exampleRow(heading, lead, entries, tell = () => null) {
  if (!entries.length) return null;
  return element(
    "section",
    { "aria-label": heading },
    element("h3", {}, heading),
    lead ? element("p", { class: "quiet" }, lead) : null,
    element(
      "div",
      { class: "examples" },
      entries.map((entry, i) => exampleFigure(entry, tell(i))),
    ),
  );
}

/** What the frames mean, in words. */
function frameLegend(entries) {
  const patches = entries.map(([, , , found]) => found);
  const most = Math.max(0, ...patches.map((found) => found.length));
  if (!most) return null;
  const lost = patches.some((found) => found.includes(null))
    ? " A token that is no patch has no frame."
    : "";
  if (most === 1)
    return element(
      "p",
      { class: "quiet" },
      element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
      "The frame is around the patch where the unit is strongest; it stands enlarged below the image.",
      lost,
    );
  return element(
    "p",
    { class: "quiet" },
    element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
    "Solid frame: the query\u2019s patch. ",
    element("span", { class: "swatch patch-1", "aria-hidden": "true" }),
    "Dashed frame: the key\u2019s patch, the one that is attended to. Both stand enlarged below the image.",
    lost,
  );
}

/** How often the unit takes which values on natural images, and where its picture is. */
function valuesFigure(found, activation) {
  const marks = [
    [found.median, "median", "sample-7"],
    ...(activation === null ? [] : [[activation, "this picture", "sample-1"]]),
  ];
  const where =
    activation === null
      ? ""
      : activation > found.high
        ? "beyond the best natural image"
        : activation < found.low
          ? "below every natural image"
          : "within their range";
  const description = `Values on natural images from ${brief(found.low)} to ${brief(found.high)}, median ${brief(found.median)}.${activation === null ? "" : ` The picture reaches ${brief(activation)}, ${where}.`}`;
  return chartFigure(
    (width) => histogramPlot(found.histogram, found.low, found.high, marks, width, description),
    `How many of ${counted(found.images, "natural image")} give the unit which value.${activation === null ? "" : ` Its picture reaches ${brief(activation)}, ${where}.`}`,
  );
}

/** The statistics of a unit's values in words. */
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
    entry("Deviation", brief(deviation), "standard deviation over them"),
    entry("Sparsity", brief(sparsity), "from 0, alike on all images, to 1, all of it on one"),
    entry("Active", percent(active), "of the images give a value above 0"),
  );
}

/** Classes whose images excite a unit most and least, in deviations from its mean. */
function classMeans({ classes, mean, deviation }) {
  if (!deviation || !classes.up.length) return null;
  const scaled = (pairs) =>
    pairs.map(([name, value]) => [name, value === null ? null : (value - mean) / deviation]);
  const [up, down] = [scaled(classes.up), scaled(classes.down)];
  const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value)));
  return element(
    "section",
    { "aria-label": "Classes by mean value" },
    element("h3", {}, "Classes by mean value"),
    element(
      "p",
      { class: "quiet" },
      "How far the mean over a class is from the mean over all images, in standard deviations.",
    ),
    element(
      "div",
      { class: "sided" },
      barList("Highest", up, most),
      down.length ? barList("Lowest", down, most) : null,
    ),
  );
}

/** The natural images of a unit. */
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
      `Of ${counted(found.images, "image")} of `,
      element("bdi", {}, found.data),
      ". Each with the unit\u2019s value and the class of the image.",
    ),
    frameLegend(all),
    exampleRow("Highest values", null, found.top),
    element("div", { class: "sided" }, valuesFigure(found, activation), valuesList(found)),
    classMeans(found),
    exampleRow(
      "Along the range",
      "The image at each quantile of the values: that share of the images has lower ones.",
      found.spread,
      ordinal,
    ),
    exampleRow("Lowest values", null, found.bottom),
  );
}

/** The natural images with the highest values, for a cell of a table; null without any. */
export function fewExamples({ evidence }) {
  if (!evidence?.examples?.top.length) return null;
  const figures = evidence.examples.top.slice(0, 4).map((entry) => exampleFigure(entry, null));
  return element("div", { class: "examples few" }, figures);
}
