// Figures of activation patching.

import { element } from "../shared/dom.js";
import { listed } from "../shared/text.js";
import { blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable } from "./figures.js";

/** Caption of a figure from its address, such as `effects:kl@all-images`. */
function figureCaption(address) {
  const [name, rest = ""] = address.split(":");
  const [metric, images] = rest.split("@");
  return listed([name, metric.replaceAll("_", " "), images?.replaceAll("-", " ")].filter(Boolean));
}

function traceFigure([address, figure]) {
  const text = figureCaption(address);
  return element(
    "figure",
    { class: "labeled", tabindex: "-1" },
    enlargeable(figure, Math.min(figure[1], 1100), text, () => element("b", {}, text)),
    element("figcaption", {}, element("b", {}, text)),
  );
}

/** The section of activation patching. */
export function tracesView(section, data) {
  return [
    sectionHead(
      "Activation patching",
      "Effect of patching activations of one run into another, one site at a time: which part of the model carries a cue. Click to enlarge.",
    ),
    blocksOf(data.figures, (block) => layersOf(section, block, "figure", "figures", traceFigure)),
  ];
}
