// Position dependence: how well one picture activates a unit at each token.

import { element } from "../shared/dom.js";
import { wholeWidth } from "../shared/picture-size.js";
import { tableOf } from "../shared/tables.js";
import { counted, hundredths, listed, measured, percent } from "../shared/text.js";
import { loadEntry } from "../state/load.js";
import { addressLink, blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable, legend } from "./figures.js";

function tokenCard(section, [address, [figure], share, similarity, count, detail], site) {
  const caption = () => [
    element("b", {}, addressLink(section, address)),
    listed(["", `median ${percent(share)}`, `similarity ${hundredths(similarity)}`]),
  ];
  const rows = async () => {
    const [tokens, optimum, reached, shares, similarities] = await loadEntry("tokens", detail);
    return tokens.map((token, i) => [
      addressLink(section, `${address}@${token}`, String(token)),
      measured(optimum[i]),
      measured(reached[i]),
      percent(shares[i]),
      hundredths(similarities[i]),
    ]);
  };
  return element(
    "figure",
    { class: "token-map", tabindex: "-1" },
    enlargeable(
      figure,
      wholeWidth(figure[1], 112),
      `${address}: median ${percent(share)}`,
      caption,
    ),
    element(
      "figcaption",
      {},
      element("b", {}, addressLink(section, address, address.slice(site.length))),
      element("span", {}, `median ${percent(share)}`),
      element("span", { class: "quiet" }, `similarity ${hundredths(similarity)}`),
    ),
    tableOf(counted(count, "token"), ["Token", "Optimum", "Reached", "Share", "Similarity"], rows),
  );
}

/** The section of position dependence. */
export function tokensView(section, data) {
  return [
    sectionHead(
      "Position dependence",
      "How well the picture optimized for all patches activates the unit at each token: the increase over a gray image, as a share of the increase by the picture optimized for that token. ",
      legend(data.scale, 0, 1),
      " Gray patches have no picture, or theirs does not exceed a gray image.",
    ),
    blocksOf(data.tokens, (block) =>
      layersOf(section, block, "unit", "token-maps", (entry, site) =>
        tokenCard(section, entry, site),
      ),
    ),
  ];
}
