// What the keys of a model's page do.

import { cellAddress } from "../list/cell-buttons.js";
import { keys } from "../shared/keyboard.js";
import { pins } from "../state/pins.js";
import { pagePlace, view } from "../state/view.js";
import { setFavourite } from "../unit/actions.js";

const isPageShown = () => !pagePlace.hidden;
const isUnitShown = () =>
  isPageShown() && pagePlace.querySelector(".unit-tools .label-input") !== null;

/** Click what stands on the page, if it is there. */
const click = (selector) => pagePlace.querySelector(selector)?.click();

/** Address of the cell that has the keyboard; null elsewhere. */
const focusedCell = () => cellAddress(document.activeElement);

/** Choose among the samples of the first configuration, the most active first. */
function chooseSample(place) {
  pagePlace.querySelector(".choices")?.children[place]?.click();
}

/** Add all keys; `shown` tells whether `lists` are shown, and whether the `units` are. */
export function addKeys(grid, layers, toolbar, shown) {
  addUnitKeys();
  addMarkKeys();
  addListKeys(grid, layers, toolbar, shown);
  leaveBoxes(grid, toolbar);
}

function addUnitKeys() {
  keys.add("Unit", "ArrowLeft", "Previous unit", () => click("a[rel=prev]"), isUnitShown);
  keys.add("Unit", "ArrowRight", "Next unit", () => click("a[rel=next]"), isUnitShown);
  keys.add("Unit", "Escape", "Back to the list", () => click("a.back"), isPageShown);
  keys.add("Unit", "f", "Favourite, or no longer", () => click(".favourite"), isUnitShown);
  keys.add(
    "Unit",
    "l",
    "Write a label",
    () => pagePlace.querySelector(".label-input").select(),
    isUnitShown,
  );
  keys.add("Unit", "p", "Pin, or unpin", () => click(".unit-tools .pin"), isUnitShown);
  keys.add("Unit", "y", "Copy the link", () => click(".copy-link"), isPageShown);
  keys.add("Unit", "c", "Copy the command", () => click(".copy-command"), isUnitShown);
  keys.add("Unit", "d", "Download the picture", () => click("a.download"), isUnitShown);
  for (let place = 0; place < 9; place += 1)
    keys.add(
      "Unit",
      String(place + 1),
      "Choose a sample: 1 is the most active",
      () => chooseSample(place),
      isUnitShown,
    );
}

function addMarkKeys() {
  const inCell = () => focusedCell() !== null;
  keys.add("List", "f", "Favourite, or no longer", () => setFavourite(focusedCell()), inCell);
  keys.add("List", "p", "Pin, or unpin", () => pins.toggle(focusedCell()), inCell);
  keys.add(
    "Anywhere",
    "b",
    "Compare what is pinned, side by side",
    () => view.go({ pins: pins.list() }),
    () => pins.list().length > 0,
  );
}

function addListKeys(grid, layers, toolbar, shown) {
  const inGrid = () => grid.focused() !== null;
  keys.add("List", "/", "Search addresses and labels", () => toolbar.search.select(), shown.units);
  keys.add("List", "g", "Go to an address", () => toolbar.find.input.select(), shown.units);
  keys.add("List", "s", "Sort", () => toolbar.sort.focus(), shown.units);
  keys.add("List", "n", "Filter by numbers", () => toolbar.open(true), shown.units);
  keys.add("List", "r", "A unit by chance", () => toolbar.random(), shown.units);
  keys.add("List", "[", "Layer before", () => layers.step(-1), shown.units);
  keys.add("List", "]", "Layer after", () => layers.step(1), shown.units);
  for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
    keys.add("List", key, "Unit beside, above or below", null, inGrid);
  for (const key of ["Home", "End"])
    keys.add("List", key, "First or last unit of the row; with Ctrl, of the list", null, inGrid);
  for (const key of ["PageUp", "PageDown"])
    keys.add("List", key, "A screenful up or down", null, inGrid);
  keys.add("List", "Enter", "Open the unit", null, inGrid);
  keys.add(
    "List",
    "l",
    "Write a label",
    () => {
      document.activeElement.click();
      pagePlace.querySelector(".label-input").select();
    },
    inGrid,
  );
  keys.add(
    "List",
    "Escape",
    "All units, without filter",
    () => view.go({ q: "", where: [], layer: null, only: null }),
    shown.lists,
  );
}

/** Let Escape lead out of a box of the toolbar, to the list it belongs to. */
function leaveBoxes(grid, toolbar) {
  toolbar.place.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (!toolbar.ranges.node.hidden && toolbar.ranges.node.contains(event.target)) {
      toolbar.open(false);
      toolbar.toggle.focus();
    } else grid.place.querySelector('a.cell[tabindex="0"]')?.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}
