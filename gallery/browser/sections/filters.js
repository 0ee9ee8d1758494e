// First-layer filters, their principal components, and position embeddings.

import { shareBar } from "../charts/bars.js";
import { element } from "../shared/dom.js";
import { wholeWidth } from "../shared/picture-size.js";
import { counted, listed, measured, percent } from "../shared/text.js";
import { addressLink, blockHead, blocksOf, sectionHead } from "./blocks.js";
import { enlargeable, legend } from "./figures.js";

const FILTER = 48; // approximate width of a filter, in pixels

function filterCell(section, [address, figure, name, [energy, spatial, color], cluster]) {
  const caption = () => [
    element("b", {}, addressLink(section, address)),
    listed([
      "",
      name,
      `energy ${measured(energy)}`,
      `spatial ${measured(spatial)}`,
      `color ${measured(color)}`,
      `cluster ${cluster}`,
    ]),
  ];
  return section.register(
    address,
    element(
      "div",
      { class: "chip" },
      enlargeable(figure, wholeWidth(figure[1], FILTER), `${address}, ${name}`, caption),
      element("span", { "aria-hidden": "true" }, address.slice(address.lastIndexOf(":") + 1)),
    ),
  );
}

function classBlock(section, { classes }) {
  const total = classes.reduce((sum, [, entries]) => sum + entries.length, 0);
  return [
    shareBar(
      classes.map(([name, entries]) => [name, entries.length, entries.length.toLocaleString("en")]),
    ),
    classes.map(([name, entries]) =>
      element(
        "section",
        { "aria-label": name },
        blockHead(
          name,
          listed([counted(entries.length, "filter"), percent(entries.length / total)]),
        ),
        element(
          "div",
          { class: "chips" },
          entries.map((entry) => filterCell(section, entry)),
        ),
      ),
    ),
  ];
}

function componentBlock(section, { rows }) {
  const cell = ([address, figure, variance]) => {
    const caption = () => [
      element("b", {}, address),
      listed(["", `${percent(variance)} of the variance`]),
    ];
    const picture = enlargeable(figure, wholeWidth(figure[1], FILTER), address, caption);
    return section.register(
      address,
      element("div", { class: "chip" }, picture, element("span", {}, percent(variance))),
    );
  };
  return element("div", { class: "chips" }, rows.map(cell));
}

function positionBlock(scale, { map: [figure, low, high], count }) {
  const alt =
    "For each patch, a map of the cosine similarity of its position embedding to those of all patches";
  return element(
    "figure",
    { class: "sheet" },
    enlargeable(figure, wholeWidth(figure[1], 480), alt, () => legend(scale, low, high)),
    element("figcaption", {}, legend(scale, low, high), ` ${count.toLocaleString("en")} maps`),
  );
}

/** The section of first-layer filters. */
export function filtersView(section, data) {
  return [
    data.filters.length
      ? sectionHead(
          "Filters",
          "Weights of the first layer as pictures, by class. Similar filters of a class are next to each other.",
        )
      : sectionHead("First layer"),
    blocksOf(data.filters, (block) => classBlock(section, block)),
    data.components.length
      ? [
          blockHead("Principal components", "of the filters, with explained variance"),
          blocksOf(data.components, (block) => componentBlock(section, block)),
        ]
      : null,
    data.positions.length
      ? [
          blockHead(
            "Position embeddings",
            "for each patch, at its position in the image, the cosine similarity of its embedding to all others",
          ),
          blocksOf(data.positions, (block) => positionBlock(data.scale, block)),
        ]
      : null,
  ];
}
