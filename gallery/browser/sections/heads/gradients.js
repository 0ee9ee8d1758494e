// Gradients of query-key logits with respect to images.

import { element } from "../../shared/dom.js";
import { listed, measured } from "../../shared/text.js";
import { addressLink, blocksOf, layersOf, sectionHead } from "../blocks.js";
import { enlargeable, scaleWithMaximum, shownWidth } from "../figures.js";

function gradientArticle(section, scale, [address, samples]) {
  const titles = ["image", "gradient through the query", "gradient through the key"];
  const ends = (range) => (range.length ? scaleWithMaximum(scale, 0, ...range) : null);
  const caption = (text, range) => () => [
    element("b", {}, address),
    listed(["", text]),
    " ",
    ends(range),
  ];
  const triple = ([image, query, key, value], i) => {
    const pictures = [[image], query, key];
    return element(
      "figure",
      { class: "triple" },
      element(
        "div",
        { class: "three" },
        pictures.map(([figure, ...range], j) =>
          element(
            "div",
            {},
            enlargeable(
              figure,
              shownWidth(figure[1]),
              `${address}, image ${i + 1}, ${titles[j]}`,
              caption(`image ${i + 1}, ${titles[j]}`, range),
            ),
            element("span", { class: "quiet" }, titles[j], ends(range)),
          ),
        ),
      ),
      element("figcaption", {}, "activation ", element("b", {}, measured(value))),
    );
  };
  return element(
    "article",
    { class: "gradient", tabindex: "-1" },
    element("h4", {}, addressLink(section, address)),
    element("div", { class: "triples" }, samples.map(triple)),
  );
}

/** The section of gradients on images. */
export function gradientsView(section, data) {
  return [
    sectionHead(
      "Gradients",
      "Norm of the gradient of a query-key logit at each pixel, through the query only and through the key only. The image is dimmed where the gradient is small.",
    ),
    blocksOf(data.gradients, (block) =>
      layersOf(section, block, "unit", "gradients", (entry) =>
        gradientArticle(section, data.scale, entry),
      ),
    ),
  ];
}
