// Comparison with another model: layer similarity and matched units.

import { unitHash } from "../shared/address-links.js";
import { element, svgElement } from "../shared/dom.js";
import { settingsTable, tableOf } from "../shared/tables.js";
import { hundredths, listed, measured } from "../shared/text.js";
import { dataFolder, model } from "../state/model.js";
import { addressLink, layersOf, sectionHead } from "./blocks.js";
import { enlargeable, legend, shownWidth } from "./figures.js";

const LAYERS = { text: 13, letter: 7.9, gap: 6, least: 6, most: 30 }; // pixels

/** Truncate a label to a number of characters. */
const truncated = (text, room) =>
  text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}\u2026`;

/** Heat map of layers against layers, at most `width` pixels wide, with labels. */
function layerPlot({ rows, columns, map: [figure], values }, other, own, width, readout) {
  const room = Math.floor((width * 0.34) / LAYERS.letter);
  const letters = (labels) => Math.min(room, Math.max(...labels.map((label) => label.length)));
  const left = letters(rows) * LAYERS.letter + LAYERS.gap + 20;
  const top = letters(columns) * LAYERS.letter + LAYERS.gap + 22;
  const side = Math.min(LAYERS.most, Math.max(LAYERS.least, (width - left - 2) / columns.length));
  const [across, down] = [side * columns.length, side * rows.length];
  const step = Math.ceil((LAYERS.text + 2) / side);
  const label = (i, text, transform, anchor) =>
    i % step
      ? null
      : svgElement(
          "text",
          { class: "tick", transform, "text-anchor": anchor, dy: "0.35em" },
          truncated(text, room),
          svgElement("title", {}, text),
        );
  const svg = svgElement(
    "svg",
    {
      class: "layers",
      viewBox: `0 0 ${left + across + 2} ${top + down + 2}`,
      width: left + across + 2,
      height: top + down + 2,
      role: "img",
      "aria-label": `Similarity of ${rows.length} layers of ${own} to ${columns.length} layers of ${other}`,
    },
    svgElement("image", {
      class: "pixels",
      href: `${dataFolder}/figures/${figure[0]}.webp`,
      x: left,
      y: top,
      width: across,
      height: down,
      preserveAspectRatio: "none",
    }),
    rows.map((text, i) =>
      label(i, text, `translate(${left - LAYERS.gap} ${top + (i + 0.5) * side})`, "end"),
    ),
    columns.map((text, i) =>
      label(
        i,
        text,
        `translate(${left + (i + 0.5) * side} ${top - LAYERS.gap}) rotate(-90)`,
        "start",
      ),
    ),
    svgElement("text", { class: "name", x: left, y: 12 }, other),
    svgElement(
      "text",
      { class: "name", transform: `translate(12 ${top}) rotate(-90)`, "text-anchor": "end" },
      own,
    ),
  );
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const column = Math.floor(
      (((event.clientX - box.left) * (left + across + 2)) / box.width - left) / side,
    );
    const row = Math.floor(
      (((event.clientY - box.top) * (top + down + 2)) / box.height - top) / side,
    );
    const value = values[row]?.[column];
    readout.textContent =
      value === undefined ? "" : listed([rows[row], columns[column], hundredths(value)]);
  });
  return svg;
}

function layersBlock(scale, block) {
  const container = element("div", { class: "layers-container" });
  const readout = element("output", { class: "quiet" });
  new ResizeObserver(() => {
    if (container.clientWidth)
      container.replaceChildren(
        layerPlot(block, block.other, model.name, container.clientWidth, readout),
      );
  }).observe(container);
  const rows = () => block.rows.map((layer, i) => [layer, ...block.values[i].map(hundredths)]);
  return [
    element(
      "figure",
      { class: "cka" },
      container,
      element("figcaption", {}, legend(scale, 0, 1), " linear CKA ", readout),
    ),
    tableOf("Values", ["Layer", ...block.columns], rows),
  ];
}

const otherName = ({ other, page }) =>
  page === null ? element("span", {}, other) : element("a", { href: page }, other);

function matchFigure(section, block, [address, match, correlation, pair, activation, isShown]) {
  const link =
    block.page !== null && isShown
      ? element("a", { href: `${block.page}${unitHash(match)}` }, match)
      : element("span", {}, match);
  const sides = [
    [pair[0], address, addressLink(section, address), activation[0]],
    [pair[1], match, link, activation[1]],
  ];
  return element(
    "figure",
    { class: "match", tabindex: "-1" },
    element(
      "div",
      { class: "two" },
      sides.map(([figure, name, caption, value]) =>
        element(
          "div",
          {},
          enlargeable(figure, shownWidth(figure[1]), name, () => [
            element("b", {}, name),
            listed(["", `activation ${measured(value)}`]),
          ]),
          element("span", { class: "who" }, caption),
        ),
      ),
    ),
    element("figcaption", {}, "correlation ", element("b", {}, hundredths(correlation))),
  );
}

/** The section that compares the model with another one. */
export function compareView(section, data) {
  return [
    sectionHead(
      "Model comparison",
      "Similarity of the layers of two models on the same images, and for units of this model the unit of the other model with the most correlated activation.",
    ),
    data.cka.map((block) => [
      element("h3", { class: "label" }, "Layer similarity to ", otherName(block)),
      block.label ? element("p", { class: "quiet" }, block.label) : null,
      layersBlock(data.scale, block),
      settingsTable(block.settings),
    ]),
    data.matches.map((block) => [
      element("h3", { class: "label" }, "Matched units in ", otherName(block)),
      block.label ? element("p", { class: "quiet" }, block.label) : null,
      layersOf(section, block, "unit", "matches", (entry) => matchFigure(section, block, entry)),
      settingsTable(block.settings),
    ]),
  ];
}
