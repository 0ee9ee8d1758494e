// Units like the one that is shown.

import { element } from "../shared/dom.js";
import { counted, hundredths } from "../shared/text.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

const STRIP_MOST = 48; // pictures of a strip of other units

/** Pictures of other units, each a link, with what is told of each below it. */
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
      items.map(([number, text]) =>
        element(
          "li",
          {},
          element(
            "a",
            {
              href: view.link({ unit: unitTable.address(number) }),
              title: unitTable.address(number),
            },
            smallPicture(number, 96),
            element("span", { class: "caption" }, text),
          ),
        ),
      ),
    ),
  );
}

/** The same unit at other tokens, in the order of the list; those around it if they are many. */
export function otherTokens(unit) {
  const whole = unit.address.split("@")[0];
  const { offset, count } = unitTable.siteOf(unit.number);
  const found = [];
  for (let i = offset; i < offset + count; i += 1) {
    const address = unitTable.address(i);
    if (address === whole || address.startsWith(`${whole}@`)) found.push(i);
  }
  if (found.length < 2) return null;
  const first = Math.max(
    0,
    Math.min(found.indexOf(unit.number) - STRIP_MOST / 2, found.length - STRIP_MOST),
  );
  const shown = found.slice(first, first + STRIP_MOST);
  const lead =
    shown.length < found.length
      ? `${shown.length} of ${counted(found.length, "picture")}, those around this one.`
      : "";
  const strip = unitStrip(
    whole.includes(".qk:") ? "The same head at other tokens" : "The same unit at other tokens",
    lead,
    shown.map((i) => [i, unitTable.address(i).slice(whole.length) || "all patches"]),
  );
  strip.querySelectorAll("a")[shown.indexOf(unit.number)].setAttribute("aria-current", "page");
  return strip;
}

/** The most similar units, by picture and, where it is known, by what excites them. */
export function similarUnits(similar) {
  const strip = (heading, lead, found) =>
    unitStrip(
      heading,
      lead,
      (found ?? []).map(([number, likeness]) => [
        number,
        [unitTable.address(number), element("b", {}, hundredths(likeness))],
      ]),
    );
  return [
    strip(
      "Pictures most like this one",
      "Likeness of the pictures, from 0 to 1.",
      similar?.picture,
    ),
    strip(
      "Units active on the same images",
      "Share of the images that excite this unit most which excite the other most, too.",
      similar?.activation,
    ),
  ];
}
