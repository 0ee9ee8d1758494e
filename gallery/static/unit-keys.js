"use strict";

// The pages that this folder's unit files fill, and their keys.

/** Pages by the word of their hash: functions (place, text behind "=", as it stands in the hash). */
const unitPages = {
  unit: (place, text = "") => showUnit(place, plainText(text)),
  pins: showPins,
  labels: showLabels,
};

const onUnit = () => !unitPlace.hidden && unitPlace.querySelector(".unit-tools .label-input") !== null;
const press = (selector) => unitPlace.querySelector(selector)?.click();

/** Address of the cell that has the keyboard; null elsewhere. */
const focusedCell = () => cellAddress(document.activeElement);

/** Choose among the samples of the first configuration, the most active first. */
function chooseSample(place) {
  unitPlace.querySelector(".choices")?.children[place]?.click();
}

keys.add("Unit", "ArrowLeft", "Previous unit", () => press("a[rel=prev]"), onUnit);
keys.add("Unit", "ArrowRight", "Next unit", () => press("a[rel=next]"), onUnit);
keys.add("Unit", "Escape", "Back to the list", () => press("a.back"), () => !unitPlace.hidden);
keys.add("Unit", "f", "Favourite, or no longer", () => press(".favourite"), onUnit);
keys.add("Unit", "l", "Write a label", () => unitPlace.querySelector(".label-input").select(), onUnit);
keys.add("Unit", "p", "Pin, or unpin", () => press(".unit-tools .pin"), onUnit);
keys.add("Unit", "y", "Copy the link", () => press(".copy-link"), () => !unitPlace.hidden);
keys.add("Unit", "c", "Copy the command", () => press(".copy-command"), onUnit);
keys.add("Unit", "d", "Download the picture", () => press("a.download"), onUnit);
for (let place = 0; place < 9; place += 1) keys.add("Unit", String(place + 1), "Choose a sample: 1 is the most active", () => chooseSample(place), onUnit);
keys.add("List", "f", "Favourite, or no longer", () => setFavourite(focusedCell()), () => focusedCell() !== null);
keys.add("List", "p", "Pin, or unpin", () => pins.toggle(focusedCell()), () => focusedCell() !== null);
keys.add("Anywhere", "b", "Compare what is pinned, side by side", () => {
  view.go({ pins: pins.list() });
}, () => pins.list().length > 0);
