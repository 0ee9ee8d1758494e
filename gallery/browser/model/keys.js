// Keyboard shortcuts of a model's page.

import { cellAddress } from "../list/cell-buttons.js";
import { chooseList } from "../marks/list-dialog.js";
import { buttonOf } from "../shared/dom.js";
import { keys } from "../shared/keyboard.js";
import { showMessage } from "../shared/message.js";
import { pins } from "../state/saved/pins.js";
import { NO_FILTERS, pageContainer, view } from "../state/view.js";
import { toggleFavorite } from "../unit/actions.js";

const isPageShown = () => !pageContainer.hidden;
const isUnitShown = () =>
  isPageShown() && pageContainer.querySelector(".unit-tools .label-input") !== null;

/** Click an element of the page, if it exists. */
const click = (selector) => pageContainer.querySelector(selector)?.click();

/** Address of the cell with the focus; null if none has it. */
const focusedCell = () => cellAddress(document.activeElement);

/** Choose a sample of the first configuration by its rank. */
function chooseSample(rank) {
  pageContainer.querySelector(".choices")?.children[rank]?.click();
}

/** Add all keys; `isShown` has functions for whether the `lists`, the list of `units`, and the `tools` of list and map are shown. */
export function addKeys(grid, layers, toolbar, isShown) {
  addUnitKeys();
  addMarkKeys();
  addListKeys(grid, layers, toolbar, isShown);
  leaveToolbar(toolbar);
}

function addUnitKeys() {
  keys.add("Unit", "ArrowLeft", "Previous unit", () => click("a[rel=prev]"), isUnitShown);
  keys.add("Unit", "ArrowRight", "Next unit", () => click("a[rel=next]"), isUnitShown);
  keys.add("Unit", "Escape", "Back to the list", () => click("a.back"), isPageShown);
  keys.add("Unit", "f", "Add to or remove from favorites", () => click(".favorite"), isUnitShown);
  keys.add(
    "Unit",
    "l",
    "Edit label",
    () => pageContainer.querySelector(".label-input").select(),
    isUnitShown,
  );
  keys.add("Unit", "p", "Pin or unpin", () => click(".unit-tools .pin"), isUnitShown);
  keys.add("Unit", "a", "Add to a named list", () => click(".unit-tools .to-list"), isUnitShown);
  keys.add("Unit", "y", "Copy link", () => click(".copy-link"), isPageShown);
  keys.add("Unit", "c", "Copy command", () => click(".copy-command"), isUnitShown);
  keys.add("Unit", "m", "Show or hide activation maps", () => click(".map-switch"), isUnitShown);
  keys.add("Unit", "e", "Embed code", () => click(".embed"), isUnitShown);
  keys.add("Unit", "d", "Download picture", () => click("a.download"), isUnitShown);
  for (let rank = 0; rank < 9; rank += 1)
    keys.add(
      "Unit",
      String(rank + 1),
      "Show sample by rank; 1 has the highest activation",
      () => chooseSample(rank),
      isUnitShown,
    );
}

function addMarkKeys() {
  const inCell = () => focusedCell() !== null;
  keys.add(
    "List",
    "f",
    "Add to or remove from favorites",
    () => toggleFavorite(focusedCell()),
    inCell,
  );
  keys.add("List", "p", "Pin or unpin", () => pins.toggle(focusedCell()), inCell);
  keys.add(
    "Anywhere",
    "b",
    "Compare pinned units",
    () => view.go({ pins: pins.list() }),
    () => pins.list().length > 0,
  );
}

function addListKeys(grid, layers, toolbar, isShown) {
  const inGrid = () => grid.focused() !== null;
  for (const key of ["/", "g"])
    keys.add(
      "List",
      key,
      "Search, or go to an address",
      () => toolbar.search.select(),
      isShown.tools,
    );
  keys.add("List", "s", "Sort", () => toolbar.sort.focus(), isShown.units);
  keys.add("List", "n", "Filter", () => toolbar.open(true), isShown.tools);
  keys.add("List", "y", "Copy link", () => toolbar.actions.copyLink(), isShown.units);
  keys.add(
    "List",
    "a",
    "Add to a named list: the unit with the focus, or all",
    () => {
      const address = focusedCell();
      if (address) chooseList([address], address);
      else toolbar.actions.add();
    },
    isShown.units,
  );
  keys.add("List", "r", "Random unit", () => toolbar.random(), isShown.tools);
  keys.add("List", "[", "Previous layer", () => layers.step(-1), isShown.units);
  keys.add("List", "]", "Next layer", () => layers.step(1), isShown.units);
  for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
    keys.add("List", key, "Move to the next unit in a direction", null, inGrid);
  for (const key of ["Home", "End"])
    keys.add("List", key, "First or last unit of the row; with Ctrl, of the list", null, inGrid);
  for (const key of ["PageUp", "PageDown"]) keys.add("List", key, "Page up or down", null, inGrid);
  keys.add("List", "Enter", "Open unit", null, inGrid);
  keys.add(
    "List",
    "l",
    "Edit label",
    () => {
      document.activeElement.click();
      pageContainer.querySelector(".label-input").select();
    },
    inGrid,
  );
  keys.add("List", "Escape", "Clear filters", clearFilters, isShown.lists);
}

/** Clear the filters; a key that was hit by accident can be undone. */
function clearFilters() {
  const { q, where, layer, only, list, facets } = view.state();
  const isFiltered =
    q || where.length || layer !== null || only || list !== null || Object.keys(facets).length;
  view.go(NO_FILTERS);
  if (isFiltered)
    showMessage(
      "Filters cleared",
      buttonOf("Undo", "plain", () => history.back()),
    );
}

/** Let Escape move the focus from the toolbar to the units. */
function leaveToolbar(toolbar) {
  toolbar.container.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (!toolbar.ranges.node.hidden && toolbar.ranges.node.contains(event.target)) {
      toolbar.open(false);
      toolbar.toggle.focus();
    } else
      document
        .querySelector('#units:not([hidden]) a.cell[tabindex="0"], #unit-map:not([hidden]) canvas')
        ?.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}
