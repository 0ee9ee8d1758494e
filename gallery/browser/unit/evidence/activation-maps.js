// Activation maps over natural images: a layer over each image, the switch that shows them, and
// their legend.

import { buttonOf, element } from "../../shared/dom.js";
import { bytesOf, patchMap } from "../../shared/patch-map.js";
import { settings } from "../../shared/settings.js";
import { scaleFormat } from "../../shared/text.js";

const SCALE = 255 / 15; // levels are 4 bits, see gallery/units/evidence_json.py

const isShown = () => Boolean(settings.get("maps"));

/** The layer of an image with a `map`, which `examples` has the shape of; null without a map. */
export function mapLayer({ map: shape }, map) {
  if (!map) return null;
  const [rows, columns] = shape;
  const levels = [...bytesOf(map)].flatMap((byte) => [byte >> 4, byte & 15]);
  return patchMap(
    levels.map((level) => level * SCALE),
    rows,
    columns,
  );
}

/** The switch of the maps, with their legend; null for units without maps. */
export function mapSwitch({ map: shape }) {
  if (!shape) return null;
  const [, , low, high] = shape;
  const format = scaleFormat(low, high, 3);
  const button = buttonOf("Activation maps", "button map-switch", toggleMaps, {
    "aria-pressed": String(isShown()),
  });
  return element(
    "div",
    { class: "maps" },
    button,
    element(
      "span",
      {
        class: "map-legend",
        role: "img",
        "aria-label": `Dark: activation ${format(low)} or lower. Clear: ${format(high)} or higher.`,
      },
      `\u2264 ${format(low)}`,
      element("span", { class: "map-scale" }),
      `\u2265 ${format(high)}`,
    ),
  );
}

/** Show the maps, or hide them. */
function toggleMaps() {
  settings.set("maps", !isShown());
  applyMaps();
}

function applyMaps() {
  document.documentElement.toggleAttribute("data-maps", isShown());
  for (const button of document.querySelectorAll(".map-switch"))
    button.setAttribute("aria-pressed", String(isShown()));
}

applyMaps();
