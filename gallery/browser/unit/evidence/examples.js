// Natural images of a unit: the nine beside its picture, and all of them in rows.

import { element } from "../../shared/dom.js";
import { counted, rounded } from "../../shared/text.js";
import { mapSwitch } from "./activation-maps.js";
import { activationFormat, exampleButton, exampleFigure, frameLegend } from "./image.js";

const NINE = 9;

/** A row of natural images with a heading. */
function exampleRow(heading, lead, entries, examples, leadOf = () => null) {
  if (!entries.length) return null;
  return element(
    "section",
    { "aria-label": heading },
    element("h3", {}, heading),
    lead ? element("p", { class: "quiet" }, lead) : null,
    element(
      "div",
      { class: "examples enlarge-group" },
      entries.map((entry, i) => exampleFigure(entry, examples, leadOf(i))),
    ),
  );
}

/** The section of natural images. */
export function examplesBlock({ evidence }) {
  const found = evidence?.examples;
  if (!found) return null;
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
      ", each with the activation of the unit and its class. Click to enlarge.",
    ),
    frameLegend(all),
    mapSwitch(found),
    exampleRow("Highest activation", null, found.top, found),
    exampleRow(
      "Examples by percentile",
      "The image at each percentile of the activation.",
      found.spread,
      found,
      ordinal,
    ),
    exampleRow("Lowest activation", null, found.bottom, found),
  );
}

/** The nine natural images with the highest activation, 3 x 3; null if there are none. */
export function nineExamples({ evidence }) {
  const found = evidence?.examples;
  if (!found?.top.length) return null;
  const nine = found.top.slice(0, NINE);
  const [first, last] = [nine[0][1], nine.at(-1)[1]].map(activationFormat(found));
  return element(
    "figure",
    { class: "nine" },
    element(
      "div",
      { class: "nine-images enlarge-group" },
      nine.map((entry) => exampleButton(entry, found, true)),
    ),
    element(
      "figcaption",
      {},
      nine.length > 1
        ? [
            `Top ${nine.length} of ${counted(found.images, "natural image")}: activation `,
            element("b", {}, first),
            ` to ${last}`,
          ]
        : [
            `Top of ${counted(found.images, "natural image")}: activation `,
            element("b", {}, first),
          ],
    ),
    mapSwitch(found),
  );
}

/** The natural images with the highest activation, for a table cell; null if there are none. */
export function fewExamples({ evidence }) {
  const found = evidence?.examples;
  if (!found?.top.length) return null;
  const figures = found.top.slice(0, 4).map((entry) => exampleFigure(entry, found, null));
  return element("div", { class: "examples few enlarge-group" }, figures);
}
