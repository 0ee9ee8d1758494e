// Buttons over the cell under the mouse. One pair serves all cells.

import { unescapeHash } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { labels } from "../state/saved/labels.js";
import { pins } from "../state/saved/pins.js";

const cellButtons = element("div", { class: "cell-tools", hidden: "" });

let hoveredCell = null;

/** Address of the unit of a cell; null if the node is not in a cell. */
export function cellAddress(node) {
  const [, part] = /^#unit=([^&]*)/s.exec(node?.closest?.("a.cell")?.hash ?? "") ?? [];
  return part === undefined ? null : unescapeHash(part);
}

function fillButtons() {
  const address = cellAddress(hoveredCell);
  cellButtons.hidden = address === null;
  if (address === null) return;
  const { favorite } = labels.get(address);
  const pinned = pins.has(address);
  cellButtons.replaceChildren(
    buttonOf(icon("star"), "cell-tool", () => labels.set(address, { favorite: !favorite }), {
      tabindex: "-1",
      "aria-pressed": favorite,
      "aria-label": `Favorite ${address}`,
      title: "Favorite (f)",
    }),
    buttonOf(icon("pin"), "cell-tool", () => pins.toggle(address), {
      tabindex: "-1",
      "aria-pressed": pinned,
      "aria-label": `Pin ${address}`,
      title: "Pin to compare (p)",
    }),
  );
  const box = hoveredCell.getBoundingClientRect();
  cellButtons.style.setProperty("left", `${box.right}px`);
  cellButtons.style.setProperty("top", `${box.top}px`);
}

function moveButtons(event) {
  if (event.pointerType !== "mouse" || cellButtons.contains(event.target)) return;
  const cell = event.target.closest?.("a.cell") ?? null;
  if (cell === hoveredCell) return;
  hoveredCell = cell;
  fillButtons();
}

function hideButtons() {
  hoveredCell = null;
  cellButtons.hidden = true;
}

document.body.append(cellButtons);
document.addEventListener("pointerover", moveButtons);
addEventListener("scroll", hideButtons, { passive: true });
document.addEventListener("view", hideButtons);
for (const change of ["pins", "labels"]) document.addEventListener(change, fillButtons);
