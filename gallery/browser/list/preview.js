// A larger picture of the unit under the mouse, with its top natural images and what is known about it.

import { element } from "../shared/dom.js";
import { labels } from "../state/saved/labels.js";
import { setStyle, thumbnailStyle } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { firstDetail, unitAt } from "../unit/details.js";
import { previewExamples } from "../unit/evidence/examples.js";
import { cellAddress } from "./cell-buttons.js";

const SIZE = 224; // pixels
const DELAY = 400; // milliseconds that the mouse rests on a picture
const GAP = 12; // pixels to the cell
const CELL_BUTTONS = 28; // pixels, the width of those of a cell

const card = element("aside", { class: "preview", "aria-hidden": "true", hidden: "" });

let timer = 0;
let hovered = null; // cell under the mouse

/** Show the preview of a unit at the side of a box in the window; `gap` is between them, in pixels. */
export function showPreview(i, box, gap = GAP) {
  const address = unitTable.address(i);
  const picture = element("span", { class: "sprite" });
  setStyle(picture, thumbnailStyle(i, unitTable.siteOf(i).wide ? SIZE / 2 : SIZE));
  const images = element("div", { class: "preview-images" });
  const lines = [labels.get(address).label, unitTable.headline(i)].filter(Boolean);
  card.replaceChildren(
    element("div", { class: "preview-pictures" }, picture, images),
    element("b", {}, address),
    ...lines.map((line) => element("span", {}, line)),
  );
  card.hidden = false;
  place(box, gap);
  firstDetail(unitAt(i)).then((detail) => {
    const found = detail && previewExamples(detail);
    if (!found || !images.isConnected || card.hidden) return;
    images.append(...found);
    place(box, gap);
  });
}

/** Move the card to the side of a box. */
function place(box, gap) {
  const { width, height } = card.getBoundingClientRect();
  const { clientWidth } = document.documentElement;
  const right = box.right + gap;
  const left = right + width <= clientWidth ? right : Math.max(0, box.left - GAP - width);
  card.style.setProperty("left", `${left}px`);
  card.style.setProperty(
    "top",
    `${Math.max(GAP, Math.min(box.top, innerHeight - height - GAP))}px`,
  );
}

/** Hide the preview. */
export function hidePreview() {
  clearTimeout(timer);
  card.hidden = true;
  hovered = null;
}

function show() {
  const address = cellAddress(hovered);
  if (address === null || !hovered.isConnected) return;
  showPreview(unitTable.find(address), hovered.getBoundingClientRect(), GAP + CELL_BUTTONS);
}

function move(event) {
  const cell = event.pointerType === "mouse" ? (event.target.closest?.("a.cell") ?? null) : null;
  if (cell === hovered || event.target.closest?.(".cell-tools")) return;
  hidePreview();
  hovered = cell;
  if (cell) timer = setTimeout(show, DELAY);
}

document.body.append(card);
document.addEventListener("pointerover", move);
document.addEventListener("pointerdown", hidePreview);
document.addEventListener("view", hidePreview);
addEventListener("scroll", hidePreview, { passive: true });
addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || card.hidden) return;
    hidePreview();
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);
