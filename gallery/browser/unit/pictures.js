// The pictures of a unit in one configuration: a large one, and the others to choose from.

import { sampleColor } from "../charts/scales.js";
import { buttonOf, element } from "../shared/dom.js";
import { enlargeButton } from "../shared/enlarge.js";
import { icon } from "../shared/icons.js";
import { wholeWidth } from "../shared/picture-size.js";
import { measured, plainName } from "../shared/text.js";
import { dataFolder, model } from "../state/model.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { embedButton } from "./embed.js";

export const SIDES = ["query", "key"]; // of a query-key logit that is rendered as two images

const pictureFile = (render, sample, side) =>
  render.image !== null
    ? `${dataFolder}/examples/${render.image}.webp`
    : `${dataFolder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.${model.pictures}`;

/**
 * A picture of a sample; if its file is missing or damaged, a message. `rank` is the sample's among
 * the unit's, from 0, and `side` that of a pair, or null. Without a `target` width, the style
 * sheet sets the size.
 */
export function samplePicture(unit, render, size, { sample, rank, side }, target = null) {
  const [width, height] = size;
  const names = [
    unitTable.description(unit.index),
    ...(render.samples > 1 ? [`sample ${rank + 1}`] : []),
    ...(side === null ? [] : [`${SIDES[side]} side`]),
  ];
  const shown = target === null ? null : target >= width ? wholeWidth(width, target) : target;
  // Wider pictures are not enlarged, see --limit in styles/base.css.
  const crisp = width <= (side === null ? 224 : 128) ? "pixels" : "smooth";
  const src = pictureFile(render, sample, side);
  const image = element("img", {
    src,
    alt: names.join(", "),
    width: shown ?? width,
    height: Math.round(((shown ?? width) * height) / width),
    class: shown === null ? `fitted ${crisp}` : shown >= 2 * width ? "pixels" : "smooth",
  });
  image.addEventListener("error", () =>
    image.replaceWith(
      element("p", { class: "notice" }, `This picture is missing or cannot be read: ${src}`),
    ),
  );
  return image;
}

/** A large sample, which a click enlarges: a picture, or the pair of a query-key logit. */
function largePicture(unit, render, detail, sample, rank) {
  const value = measured(detail.activation[sample]);
  const button = (side) => {
    const draw = (width) => samplePicture(unit, render, detail.size, { sample, rank, side }, width);
    const caption = () => [
      element("b", {}, unit.address),
      side === null ? "" : `, ${SIDES[side]}`,
      `\u00a0\u00b7 activation ${value}`,
    ];
    return enlargeButton(detail.size, draw, null, caption);
  };
  if (render.sides === 1) return button(null);
  return element(
    "div",
    { class: "two" },
    SIDES.map((name, side) =>
      element("div", {}, button(side), element("span", { class: "side" }, name)),
    ),
  );
}

/** Samples by decreasing activation; those without one come last. */
export function byActivation(activation) {
  return activation
    .map((_, sample) => sample)
    .sort(
      (one, other) =>
        (activation[other] ?? -Infinity) - (activation[one] ?? -Infinity) || one - other,
    );
}

/** Number of a sample by its rank: that of the key that shows it. */
const sampleNumber = (rank) =>
  element("span", { class: `number ${sampleColor(rank)}` }, String(rank + 1));

/** A download link. For local files, some browsers open the picture in a new tab instead. */
function downloadLink(side) {
  const hint =
    location.protocol === "file:"
      ? { title: "If the picture opens in a tab, save it from there" }
      : {};
  return element(
    "a",
    {
      class: "button download",
      target: "_blank",
      "aria-label": side ? `Download ${side} picture` : "Download picture",
      ...hint,
    },
    icon("download"),
    side ? `Download ${side}` : "Download",
  );
}

/** File name of a downloaded picture. */
function fileName(unit, render, rank, side) {
  const parts = [
    plainName(unit.address) || "unit",
    ...(render.samples > 1 ? [rank + 1] : []),
    ...(render.sides > 1 ? [SIDES[side]] : []),
  ];
  return `${parts.join("-")}.${render.image === null ? model.pictures : "webp"}`;
}

/** The pictures of one configuration, one of them large. */
export function samplesFigure(unit, render, detail) {
  const several = render.samples > 1;
  const order = byActivation(detail.activation);
  const shown = element("div", { class: "large enlarge-group" });
  const caption = element("span", { "aria-live": "polite" });
  const downloads = Array.from({ length: render.sides }, (_, side) =>
    downloadLink(render.sides > 1 ? SIDES[side] : ""),
  );
  const choices = several
    ? order.map((sample, rank) =>
        sampleButton(unit, render, detail, sample, rank, () => show(rank)),
      )
    : [];
  let shownRank = 0;
  const show = (rank) => {
    const sample = order[rank];
    shownRank = rank;
    shown.replaceChildren(largePicture(unit, render, detail, sample, rank));
    caption.replaceChildren(
      ...(several ? [sampleNumber(rank)] : []),
      render.image === null ? "activation " : "best natural image, activation ",
      element("b", {}, measured(detail.activation[sample])),
    );
    downloads.forEach((link, side) => {
      link.href = pictureFile(render, sample, render.sides > 1 ? side : null);
      link.download = fileName(unit, render, rank, side);
    });
    choices.forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === rank));
    });
  };
  show(0);
  const embed = embedButton(unit, detail.size, () => ({
    activation: detail.activation[order[shownRank]],
    pictures: downloads.map((link, side) => ({
      src: link.getAttribute("href"),
      name: link.download,
      side: render.sides > 1 ? SIDES[side] : "",
    })),
  }));
  return element(
    "div",
    { class: "samples" },
    element("figure", {}, shown, element("figcaption", {}, caption, downloads, embed)),
    several
      ? element(
          "div",
          { class: "choices", role: "group", "aria-label": "Samples, by decreasing activation" },
          choices,
        )
      : null,
  );
}

/** A button that shows a sample as the large picture. */
function sampleButton(unit, render, detail, sample, rank, show) {
  const side = render.sides > 1 ? 0 : null;
  const picture = samplePicture(unit, render, detail.size, { sample, rank, side }, 64);
  picture.alt = "";
  const value = measured(detail.activation[sample]);
  return buttonOf([picture, element("span", {}, sampleNumber(rank), value)], "choice", show, {
    "aria-label": `Sample ${rank + 1}, activation ${value}`,
    title: `Sample ${sample} in the store`,
  });
}

/** The enlarged thumbnail, for a gallery without full-size pictures. */
export function thumbnailFigure(unit) {
  return element(
    "div",
    { class: "samples" },
    element(
      "figure",
      {},
      thumbnail(unit.index, 288),
      element(
        "figcaption",
        {},
        "Enlarged thumbnail: this gallery was exported without full-size pictures.",
      ),
    ),
  );
}
