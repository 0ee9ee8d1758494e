// Related units: other tokens, and similar units.

import { mapHash } from "../shared/address-links.js";
import { element, shortAddress } from "../shared/dom.js";
import { counted, hundredths } from "../shared/text.js";
import { model } from "../state/model.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

const STRIP_MOST = 48; // pictures in a strip

/** A strip of pictures of other units, each a link with a caption. */
function unitStrip(heading, lead, items) {
  if (!items.length) return null;
  return element(
    "section",
    { class: "unit-strip", "aria-label": heading },
    element("h2", {}, heading),
    lead ? element("p", { class: "quiet" }, lead) : null,
    element(
      "ul",
      {},
      items.map(([index, text]) =>
        element(
          "li",
          {},
          element(
            "a",
            {
              href: view.link({ unit: unitTable.address(index) }),
              title: unitTable.address(index),
            },
            thumbnail(index, 96),
            element("span", { class: "caption" }, text),
          ),
        ),
      ),
    ),
  );
}

/** The same unit at other tokens, in list order; at most 48, around this one. */
export function otherTokens(unit) {
  const whole = unit.address.split("@")[0];
  const { offset, count } = unitTable.siteOf(unit.index);
  const found = [];
  for (let i = offset; i < offset + count; i += 1) {
    const address = unitTable.address(i);
    if (address === whole || address.startsWith(`${whole}@`)) found.push(i);
  }
  if (found.length < 2) return null;
  const first = Math.max(
    0,
    Math.min(found.indexOf(unit.index) - STRIP_MOST / 2, found.length - STRIP_MOST),
  );
  const shown = found.slice(first, first + STRIP_MOST);
  const lead =
    shown.length < found.length
      ? `${shown.length} of ${counted(found.length, "picture")}, around this one.`
      : "";
  const strip = unitStrip(
    whole.includes(".qk:") ? "The same head at other tokens" : "The same unit at other tokens",
    lead,
    shown.map((i) => [i, unitTable.address(i).slice(whole.length) || "all patches"]),
  );
  strip.querySelectorAll("a")[shown.indexOf(unit.index)].setAttribute("aria-current", "page");
  return strip;
}

/** The most similar units, by picture, by their top natural images, and by correlation. */
export function similarUnits(unit, similar) {
  const strip = (heading, lead, found) =>
    unitStrip(
      heading,
      lead,
      (found ?? []).map(([index, similarity]) => [
        index,
        [shortAddress(unitTable.address(index)), element("b", {}, hundredths(similarity))],
      ]),
    );
  return [
    strip(
      "Units with similar pictures",
      [
        "Similarity of the pictures, from 0 to 1.",
        ...(model.map
          ? [" ", element("a", { href: mapHash(unit.address) }, "Show this unit on the map")]
          : []),
      ],
      unit.renders[0].image === null ? similar?.picture : null,
    ),
    strip(
      "Units active on the same images",
      "Share of this unit\u2019s top natural images that are also top images of the other unit.",
      similar?.activation,
    ),
    strip(
      "Correlated units",
      "Pearson correlation of the activations over images of the dataset, at most 512.",
      similar?.correlation,
    ),
  ];
}
