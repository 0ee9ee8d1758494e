// How far one picture sums up what a unit looks for at each token.

import { element } from "../shared/dom.js";
import { wholeWidth } from "../shared/picture-size.js";
import { tableOf } from "../shared/tables.js";
import { counted, hundredths, listed, measured, percent } from "../shared/text.js";
import { loadEntry } from "../state/load.js";
import { addressLink, blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable } from "./enlarge.js";
import { legend } from "./figures.js";

function tokenCard(section, [address, [figure], share, likeness, count, detail], site) {
  const caption = () => [
    element("b", {}, addressLink(section, address)),
    listed(["", `median ${percent(share)}`, `likeness ${hundredths(likeness)}`]),
  ];
  const rows = async () => {
    const [tokens, optimum, reached, shares, similarity] = await loadEntry("tokens", detail);
    return tokens.map((token, i) => [
      addressLink(section, `${address}@${token}`, String(token)),
      measured(optimum[i]),
      measured(reached[i]),
      percent(shares[i]),
      hundredths(similarity[i]),
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
      element("span", { class: "quiet" }, `likeness ${hundredths(likeness)}`),
    ),
    tableOf(counted(count, "token"), ["token", "optimum", "reached", "share", "likeness"], rows),
  );
}

/** The section of token maps. */
export function tokensView(section, data) {
  return [
    sectionHead(
      "Token by token",
      "How far the picture over all patches sums up what a unit looks for at each of them: by how much it raises the value at a token above that on grey, as a share of what the picture made for that token does. ",
      legend(data.scale, 0, 1),
      " A patch is grey where no picture was made for it, or that one does no better than grey.",
    ),
    blocksOf(data.tokens, (block) =>
      layersOf(section, block, "unit", "token-maps", (entry, site) =>
        tokenCard(section, entry, site),
      ),
    ),
  ];
}
