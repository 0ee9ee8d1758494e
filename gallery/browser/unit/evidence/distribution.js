// The distribution of a unit's activation over natural images.

import { barList } from "../../charts/bars.js";
import { chartFigure } from "../../charts/frame.js";
import { histogramPlot } from "../../charts/histogram.js";
import { element } from "../../shared/dom.js";
import { brief, counted, hundredths, percent } from "../../shared/text.js";
import { activationFormat } from "./image.js";

/** A share as a percentage of three digits: a latent may fire on one token in a million. */
const sharePercent = (share) => `${brief(100 * share)}\u00a0%`;

/** Histogram of the activation on natural images, with the picture marked. */
function valuesFigure(found, activation) {
  const format = activationFormat(found);
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
  const reached =
    activation === null ? "" : ` The picture reaches ${format(activation)}, ${position}.`;
  const description = `Activation on natural images from ${format(found.low)} to ${format(found.high)}, median ${format(found.median)}.${reached}`;
  return chartFigure(
    (width) => histogramPlot(found.histogram, found.low, found.high, marks, width, description),
    `Activation on ${counted(found.images, "natural image")}.${reached}`,
  );
}

/** Statistics of a unit's activation, and of the firing of a latent; unknown ones are left out. */
function valuesList(found, firing) {
  const { mean, deviation, sparsity, active } = found;
  const format = activationFormat(found);
  const entry = (name, value, description, text = format(value)) =>
    value === null
      ? null
      : [
          element("dt", {}, name),
          element(
            "dd",
            {},
            element("b", {}, text),
            " ",
            element("span", { class: "quiet" }, description),
          ),
        ];
  return element(
    "dl",
    { class: "value-list" },
    entry("Mean", mean, "over all natural images"),
    entry("Standard deviation", deviation, "over all natural images"),
    entry(
      "Sparsity",
      sparsity,
      "(0 if equal on all images, 1 if active on a single one)",
      hundredths(sparsity),
    ),
    entry("Active", active, "of the images have an activation above 0", percent(active)),
    firing
      ? [
          entry(
            "Density",
            firing.tokens,
            "of the tokens on which it fires",
            sharePercent(firing.tokens),
          ),
          entry("Images", firing.images, "of the images on which it fires", percent(firing.images)),
          entry(
            "Median",
            firing.quantiles[found.quantiles.indexOf(0.5)] ?? null,
            "over the images on which it fires",
          ),
        ]
      : null,
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
    barList("Highest", up, most, hundredths),
    down.length ? barList("Lowest", down, most, hundredths) : null,
  );
}

/** Histogram and class means of a unit; null without natural images. */
export function distributionBlock({ evidence }) {
  const found = evidence?.examples;
  if (!found) return null;
  const activation = evidence.pictures[evidence.best]?.activation ?? null;
  return element(
    "section",
    { class: "evidence distribution", "aria-label": "Activation on natural images" },
    element(
      "div",
      {},
      element("h2", {}, "Activation on natural images"),
      valuesFigure(found, activation),
      valuesList(found, evidence.firing),
    ),
    classMeans(found),
  );
}
