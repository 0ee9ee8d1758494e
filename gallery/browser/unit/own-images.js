// The reader's own images on the page of a unit, with its activation on each.

import {
  loadImage,
  referenceName,
  relativeText,
  unitResponse,
  valueText,
} from "../sections/images/data.js";
import { pictureOf } from "../sections/images/stage.js";
import { element } from "../shared/dom.js";
import { loadData, loadEntry } from "../state/load.js";
import { model } from "../state/model.js";

/** The images with the values of a unit, and its map on those where it is among the strongest; null without images. */
export async function ownImagesBlock(unit) {
  if (!model.sections.some(([name]) => name === "images")) return null;
  const [section, entries] = await Promise.all([
    loadData("sections/images"),
    loadEntry("responses", unit.index),
  ]);
  const responses = entries.map(unitResponse);
  const maps = await Promise.all(responses.map(({ hasMap }, i) => hasMap && mapOf(unit, i)));
  return element(
    "section",
    { class: "evidence own-of-unit", "aria-label": "Your images" },
    element("h2", {}, element("a", { href: "#images" }, "Your images")),
    element(
      "div",
      { class: "examples" },
      responses.map((one, i) => imageFigure(section, i, one, maps[i] || null)),
    ),
  );
}

/** The map of a unit on an image, from the strongest units of its layer. */
async function mapOf(unit, number) {
  const { layers } = await loadImage(number);
  const all = [...layers.values()].flat();
  return all.find((one) => one.unit === unit.index)?.map ?? null;
}

function imageFigure(section, number, one, map) {
  const image = section.images[number];
  return element(
    "figure",
    { class: "example" },
    element("span", { class: "own-framed" }, pictureOf(number, image), map?.draw() ?? null),
    element(
      "figcaption",
      {},
      element("b", {}, relativeText(one.relative)),
      ` ${referenceName(section)}`,
      element("span", { class: "own-line" }, element("bdi", {}, image[0])),
      element(
        "span",
        { class: "own-line" },
        one.value === null ? "" : `activation ${valueText(one, section)}`,
      ),
    ),
  );
}
