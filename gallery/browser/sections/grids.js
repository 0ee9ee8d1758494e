// Grids of pictures for pairs of query and key tokens.

import { element } from "../shared/dom.js";
import { tableOf } from "../shared/tables.js";
import { measured } from "../shared/text.js";
import { addressLink, blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable } from "./figures.js";

function gridFigure(section, [address, figure, queries, keys, activation]) {
  const head = address.split("@")[0];
  const caption = () => element("b", {}, address);
  const rows = () =>
    queries.map((query, i) => [
      `q${query}`,
      ...keys.map((key, j) =>
        addressLink(section, `${head}@q${query}.k${key}`, measured(activation[i][j])),
      ),
    ]);
  return element(
    "figure",
    { class: "labeled", tabindex: "-1" },
    enlargeable(figure, Math.min(figure[1], 1100), address, caption),
    element("figcaption", {}, element("b", {}, address)),
    tableOf("Values", ["Query \\ key", ...keys.map((key) => `k${key}`)], rows),
  );
}

/** The section of token grids. */
export function gridsView(section, data) {
  return [
    sectionHead(
      "Token grids",
      "Pictures of a head for each pair of a query token (rows) and a key token (columns). Click to enlarge.",
    ),
    blocksOf(data.grids, (block) =>
      layersOf(section, block, "grid", "figures", (entry) => gridFigure(section, entry)),
    ),
  ];
}
