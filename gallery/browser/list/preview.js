// A larger picture of the unit under the mouse, with its top natural images and what is known about it.

import { element } from "../shared/dom.js";
import { labels } from "../state/labels.js";
import { setStyle, thumbnailStyle } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { firstDetail, unitAt } from "../unit/details.js";
import { previewExamples } from "../unit/evidence/examples.js";
import { cellAddress } from "./cell-buttons.js";

const SIZE = 224; // pixels
const DELAY = 400; // milliseconds that the mouse rests on a picture
const GAP = 12; // pixels to the cell

const card = element("aside", { class: "preview", "aria-hidden": "true", hidden: "" });

let timer = 0;
let hovered = null; // cell under the mouse

function show() {
  const address = cellAddress(hovered);
  if (address === null || !hovered.isConnected) return;
  const i = unitTable.find(address);
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
  place();
  firstDetail(unitAt(i)).then((detail) => {
    const found = detail && previewExamples(detail);
    if (!found || !images.isConnected || card.hidden) return;
    images.append(...found);
    place();
  });
}

/** Move the card next to the cell. */
function place() {
  const box = hovered.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const { clientWidth } = document.documentElement;
  const right = box.right + GAP + 28; // beside the buttons of the cell
  const left = right + width <= clientWidth ? right : Math.max(0, box.left - GAP - width);
  card.style.setProperty("left", `${left}px`);
  card.style.setProperty(
    "top",
    `${Math.max(GAP, Math.min(box.top, innerHeight - height - GAP))}px`,
  );
}

function hide() {
  clearTimeout(timer);
  card.hidden = true;
  hovered = null;
}

function move(event) {
  const cell = event.pointerType === "mouse" ? (event.target.closest?.("a.cell") ?? null) : null;
  if (cell === hovered || event.target.closest?.(".cell-tools")) return;
  hide();
  hovered = cell;
  if (cell) timer = setTimeout(show, DELAY);
}

document.body.append(card);
document.addEventListener("pointerover", move);
document.addEventListener("pointerdown", hide);
document.addEventListener("view", hide);
addEventListener("scroll", hide, { passive: true });
addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || card.hidden) return;
    hide();
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);
