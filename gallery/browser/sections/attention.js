// Where attention heads look, on average over a dataset.

import { shareBar } from "../charts/bars.js";
import { element } from "../shared/dom.js";
import { wholeWidth } from "../shared/picture-size.js";
import { hundredths, listed, percent } from "../shared/text.js";
import { blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable } from "./enlarge.js";
import { beyond } from "./figures.js";

const HEAD = 160; // pixels, about, at which a heat map is shown

function heatFigure(scale, [figure, low, high, most = high], address, text) {
  const ends = () => beyond(scale, low, high, most);
  const caption = () => [element("b", {}, address), listed(["", text]), " ", ends()];
  return element(
    "figure",
    {},
    enlargeable(figure, wholeWidth(figure[1], HEAD), `${address}, ${text}`, caption),
    element("figcaption", {}, element("span", {}, text), ends()),
  );
}

function attentionCard(
  scale,
  [address, displacement, pattern, [prefix, self, local], entropy, most],
  site,
) {
  const known = [prefix, self, local].every((share) => share !== null);
  const rest = known ? Math.max(0, 1 - prefix - self - local) : null;
  const parts = [
    ["class and registers", prefix],
    ["the patch itself", self],
    ["its neighbours", local],
    ["elsewhere", rest],
  ];
  return element(
    "article",
    { class: "card-head", tabindex: "-1", "aria-label": address },
    element("h4", {}, `head ${address.slice(site.length + 1)}`),
    element(
      "div",
      { class: "maps" },
      heatFigure(scale, displacement, address, "by displacement of the key"),
      heatFigure(scale, pattern, address, "queries (rows) to keys"),
    ),
    shareBar(parts.map(([name, share]) => [name, share, percent(share)])),
    element(
      "p",
      { class: "quiet" },
      `entropy ${hundredths(entropy)} of at most ${hundredths(most)} nats`,
    ),
  );
}

/** The section of where heads look. */
export function attentionView(section, data) {
  return [
    sectionHead(
      "Attention",
      "Where the heads look, on average over a dataset. In the map by displacement the middle is the patch itself. Each map has its own scale; a few pairs of the second may lie beyond its end.",
    ),
    blocksOf(data.attention, (block) =>
      layersOf(section, block, "head", "heads", (entry, site) =>
        attentionCard(data.scale, entry, site),
      ),
    ),
  ];
}
