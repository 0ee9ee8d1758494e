// The pictures of a unit in one configuration: one large, the others in a strip to choose from.

import { sampleColour } from "../charts/scales.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { wholeWidth } from "../shared/picture-size.js";
import { measured } from "../shared/text.js";
import { dataFolder, model } from "../state/model.js";
import { smallPicture } from "../state/small-pictures.js";

export const SIDES = ["query", "key"]; // of a logit that is rendered as two images

const LARGE = 448; // pixels, about: the side of a large picture

const HALF = 320; // and of one of two

const pictureFile = (render, sample, side) =>
  `${dataFolder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.${model.pictures}`;

/** A picture as stored; where its file is missing or spoilt, a line that says so. */
export function samplePicture(unit, render, size, sample, side, wish) {
  const [width, height] = size;
  const shown = wish >= width ? wholeWidth(width, wish) : wish;
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

/** One sample, large: a picture, or the two sides of a logit. */
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

/** Samples in falling order of their activation; those without one come last. */
function bestFirst(activation) {
  return activation
    .map((_, sample) => sample)
    .sort(
      (one, other) =>
        (activation[other] ?? -Infinity) - (activation[one] ?? -Infinity) || one - other,
    );
}

const sampleNumber = (sample) =>
  element("span", { class: `number ${sampleColour(sample)}` }, String(sample + 1));

/** A link that saves a picture. Between files some browsers open it instead, in another tab. */
function downloadLink(side) {
  const hint =
    location.protocol === "file:"
      ? { title: "If the picture opens instead, save it from there" }
      : {};
  return element(
    "a",
    { class: "button download", target: "_blank", ...hint },
    icon("download"),
    side ? `Download picture, ${side}` : "Download picture",
  );
}

/** Name for a downloaded picture: of an address only letters, digits, points and hyphens. */
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

/** The pictures of one configuration, of which one is large. */
export function samplesFigure(unit, render, detail) {
  const several = render.samples > 1;
  const shown = element("div", { class: "large" });
  const caption = element("figcaption", { "aria-live": "polite" });
  const downloads = Array.from({ length: render.sides }, (_, side) =>
    downloadLink(render.sides > 1 ? SIDES[side] : ""),
  );
  const choices = several
    ? bestFirst(detail.activation).map((sample) =>
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
  show(several ? bestFirst(detail.activation)[0] : 0);
  return element(
    "div",
    { class: "samples" },
    element("figure", {}, shown, caption),
    several
      ? element(
          "div",
          { class: "choices", role: "group", "aria-label": "Samples, the most active first" },
          choices,
        )
      : null,
    element("p", { class: "picture-actions" }, downloads),
  );
}

/** A button that makes a sample the large picture. */
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

/** The picture of the list, enlarged, where a gallery holds no larger ones. */
export function smallPictureFigure(unit) {
  return element(
    "div",
    { class: "samples" },
    element(
      "figure",
      {},
      smallPicture(unit.number, 288),
      element(
        "figcaption",
        {},
        "This gallery was exported with small pictures only; this is one of them, enlarged.",
      ),
    ),
  );
}
