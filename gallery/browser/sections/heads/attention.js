// Mean attention maps of the heads over a dataset.

import { shareBar } from "../../charts/bars.js";
import { element } from "../../shared/dom.js";
import { wholeWidth } from "../../shared/picture-size.js";
import { hundredths, listed, percent } from "../../shared/text.js";
import { blocksOf, layersOf, sectionHead } from "../blocks.js";
import { enlargeable, scaleWithMaximum } from "../figures.js";

const MAP = 160; // approximate width of a heat map, in pixels

function heatFigure(scale, [figure, low, high, most = high], address, text) {
  const ends = () => scaleWithMaximum(scale, low, high, most);
  const caption = () => [element("b", {}, address), listed(["", text]), " ", ends()];
  return element(
    "figure",
    {},
    enlargeable(figure, wholeWidth(figure[1], MAP), `${address}, ${text}`, caption),
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
    ["class and register tokens", prefix],
    ["same patch", self],
    ["neighboring patches", local],
    ["other patches", rest],
  ];
  return element(
    "article",
    { class: "card-head", tabindex: "-1", "aria-label": address },
    element("h4", {}, `head ${address.slice(site.length + 1)}`),
    element(
      "div",
      { class: "maps" },
      heatFigure(scale, displacement, address, "by relative position of the key"),
      heatFigure(scale, pattern, address, "queries (rows) to keys (columns)"),
    ),
    shareBar(parts.map(([name, share]) => [name, share, percent(share)])),
    element(
      "p",
      { class: "quiet" },
      `entropy ${hundredths(entropy)} nats (maximum ${hundredths(most)})`,
    ),
  );
}

/** The section of attention maps. */
export function attentionView(section, data) {
  return [
    sectionHead(
      "Attention maps",
      "Mean attention of each head over a dataset. The center of the map by relative position is the query\u2019s own patch. Each map has its own color scale; the scale of the second map is clipped at its 99th percentile.",
    ),
    blocksOf(data.attention, (block) =>
      layersOf(section, block, "head", "heads", (entry, site) =>
        attentionCard(data.scale, entry, site),
      ),
    ),
  ];
}
