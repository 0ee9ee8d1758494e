// Figures of the effects of patching.

import { element } from "../shared/dom.js";
import { listed } from "../shared/text.js";
import { blocksOf, layersOf, sectionHead } from "./blocks.js";
import { enlargeable } from "./enlarge.js";

/** What was drawn, of which metric, of which images: `effects:kl@all-images`. */
function tracedText(address) {
  const [name, rest = ""] = address.split(":");
  const [metric, images] = rest.split("@");
  return listed([name, metric.replaceAll("_", " "), images?.replaceAll("-", " ")].filter(Boolean));
}

function traceFigure([address, figure]) {
  const text = tracedText(address);
  return element(
    "figure",
    { class: "labeled", tabindex: "-1" },
    enlargeable(figure, Math.min(figure[1], 1100), text, () => element("b", {}, text)),
    element("figcaption", {}, element("b", {}, text)),
  );
}

/** The section of the effects of patching. */
export function tracesView(section, data) {
  return [
    sectionHead(
      "Effects of patching",
      "Which part of the model carries a cue: activations of one run were put into another, one site after the other. A click enlarges.",
    ),
    blocksOf(data.figures, (block) => layersOf(section, block, "figure", "figures", traceFigure)),
  ];
}
