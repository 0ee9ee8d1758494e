// One pair of buttons that goes to the cell under the pointer: none are in the grid's own nodes.

import { unescapeHash } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { labels } from "../state/labels.js";
import { pins } from "../state/pins.js";

const cellButtons = element("div", { class: "cell-tools", hidden: "" });

let hoveredCell = null; // the cell that they lie on

/** Address of the unit that a cell leads to; null if it is no cell. */
export function cellAddress(node) {
  const [, part] = /^#unit=([^&]*)/s.exec(node?.closest?.("a.cell")?.hash ?? "") ?? [];
  return part === undefined ? null : unescapeHash(part);
}

function fillButtons() {
  const address = cellAddress(hoveredCell);
  cellButtons.hidden = address === null;
  if (address === null) return;
  const { favourite } = labels.get(address);
  const pinned = pins.has(address);
  cellButtons.replaceChildren(
    buttonOf(icon("star"), "cell-tool", () => labels.set(address, { favourite: !favourite }), {
      tabindex: "-1",
      "aria-pressed": favourite,
      "aria-label": `Favourite ${address}`,
      title: "Favourite (f)",
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
