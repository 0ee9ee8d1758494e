// The pictures of a unit in one configuration: a large one, and the others to choose from.

import { sampleColor } from "../charts/scales.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { wholeWidth } from "../shared/picture-size.js";
import { measured } from "../shared/text.js";
import { dataFolder, model } from "../state/model.js";
import { thumbnail } from "../state/thumbnails.js";

export const SIDES = ["query", "key"]; // of a query-key logit that is rendered as two images

const LARGE = 448; // approximate width of a large picture, in pixels

const HALF = 320; // of each picture of a pair

const pictureFile = (render, sample, side) =>
  `${dataFolder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.${model.pictures}`;

/** A picture; if its file is missing or damaged, a message. */
export function samplePicture(unit, render, size, sample, side, target) {
  const [width, height] = size;
  const shown = target >= width ? wholeWidth(width, target) : target;
  const names = [
    unit.address,
    ...(render.samples > 1 ? [`sample ${sample + 1}`] : []),
    ...(side === null ? [] : [`${SIDES[side]} side`]),
  ];
  const src = pictureFile(render, sample, side);
  const image = element("img", {
    src,
    alt: names.join(", "),
    width: shown,
    height: Math.round((shown * height) / width),
    class: width < 64 ? "pixels" : "smooth",
  });
  image.addEventListener("error", () =>
    image.replaceWith(
      element("p", { class: "notice" }, `This picture is missing or cannot be read: ${src}`),
    ),
  );
  return image;
}

/** A large sample: a picture, or the pair of a query-key logit. */
function largePicture(unit, render, detail, sample) {
  if (render.sides === 1) return samplePicture(unit, render, detail.size, sample, null, LARGE);
  return element(
    "div",
    { class: "two" },
    SIDES.map((name, side) =>
      element(
        "div",
        {},
        samplePicture(unit, render, detail.size, sample, side, HALF),
        element("span", { class: "side" }, name),
      ),
    ),
  );
}

/** Samples by decreasing activation; those without one come last. */
function byActivation(activation) {
  return activation
    .map((_, sample) => sample)
    .sort(
      (one, other) =>
        (activation[other] ?? -Infinity) - (activation[one] ?? -Infinity) || one - other,
    );
}

const sampleNumber = (sample) =>
  element("span", { class: `number ${sampleColor(sample)}` }, String(sample + 1));

/** A download link. For local files, some browsers open the picture in a new tab instead. */
function downloadLink(side) {
  const hint =
    location.protocol === "file:"
      ? { title: "If the picture opens in a tab, save it from there" }
      : {};
  return element(
    "a",
    { class: "button download", target: "_blank", ...hint },
    icon("download"),
    side ? `Download picture, ${side}` : "Download picture",
  );
}

/** File name of a downloaded picture: only letters, digits, dots and hyphens. */
function fileName(unit, render, sample, side) {
  const plain = unit.address
    .replace(/[^A-Za-z0-9.]+/g, "-")
    .replace(/^[.-]+|[.-]+$/g, "")
    .slice(0, 80);
  const parts = [
    plain || "unit",
    ...(render.samples > 1 ? [sample + 1] : []),
    ...(render.sides > 1 ? [SIDES[side]] : []),
  ];
  return `${parts.join("-")}.${model.pictures}`;
}

/** The pictures of one configuration, one of them large. */
export function samplesFigure(unit, render, detail) {
  const several = render.samples > 1;
  const shown = element("div", { class: "large" });
  const caption = element("figcaption", { "aria-live": "polite" });
  const downloads = Array.from({ length: render.sides }, (_, side) =>
    downloadLink(render.sides > 1 ? SIDES[side] : ""),
  );
  const choices = several
    ? byActivation(detail.activation).map((sample) =>
        sampleButton(unit, render, detail, sample, () => show(sample)),
      )
    : [];
  const show = (sample) => {
    shown.replaceChildren(largePicture(unit, render, detail, sample));
    caption.replaceChildren(
      ...(several ? [sampleNumber(sample)] : []),
      "activation ",
      element("b", {}, measured(detail.activation[sample])),
    );
    downloads.forEach((link, side) => {
      link.href = pictureFile(render, sample, render.sides > 1 ? side : null);
      link.download = fileName(unit, render, sample, side);
    });
    for (const button of choices)
      button.setAttribute("aria-pressed", String(button.dataset.sample === String(sample)));
  };
  show(several ? byActivation(detail.activation)[0] : 0);
  return element(
    "div",
    { class: "samples" },
    element("figure", {}, shown, caption),
    several
      ? element(
          "div",
          { class: "choices", role: "group", "aria-label": "Samples, by decreasing activation" },
          choices,
        )
      : null,
    element("p", { class: "picture-actions" }, downloads),
  );
}

/** A button that shows a sample as the large picture. */
function sampleButton(unit, render, detail, sample, show) {
  const side = render.sides > 1 ? 0 : null;
  const picture = samplePicture(unit, render, detail.size, sample, side, 72);
  picture.alt = "";
  return buttonOf(
    [picture, element("span", {}, sampleNumber(sample), measured(detail.activation[sample]))],
    "choice",
    show,
    {
      "data-sample": sample,
      "aria-label": `Sample ${sample + 1}, activation ${measured(detail.activation[sample])}`,
    },
  );
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
