// What the hash asks for is shown: the units, a section, or a page that fills the whole window.

import { covered, Grid } from "../list/grid.js";
import { Layers } from "../list/layers.js";
import { Toolbar } from "../list/toolbar.js";
import { showPins } from "../marks/compare-page.js";
import { showLabels } from "../marks/labels-page.js";
import { enlargedDialog } from "../sections/enlarge.js";
import { unescapeHash, unitHash } from "../shared/address-links.js";
import { data } from "../shared/data.js";
import { element } from "../shared/dom.js";
import { missingFile } from "../shared/message.js";
import { labels } from "../state/labels.js";
import { loadData } from "../state/load.js";
import { model } from "../state/model.js";
import { pins } from "../state/pins.js";
import { unitTable } from "../state/unit-table.js";
import { pagePlace, view } from "../state/view.js";
import { showUnit } from "../unit/page.js";
import { failureSection, fillHeader, fillViews, markView } from "./header.js";
import { addKeys } from "./keys.js";
import { SECTION_NAMES, sectionCounts, sections } from "./sections.js";
import "../styles/model-page.css";

const listsPlace = document.getElementById("lists");
const unitsPlace = document.getElementById("units");
const layersPlace = document.getElementById("sites");
const toolbarPlace = document.getElementById("tools");
const failuresPlace = document.getElementById("failures");
const sectionPlace = document.getElementById("section");
const emptyNote = document.getElementById("empty");

const scrollPlaces = new Map(); // where each list was left

const grid = new Grid(unitsPlace);
const layers = new Layers(layersPlace);
const toolbar = new Toolbar(toolbarPlace);

let listShown = null; // the list last shown: the hash of the units' list, or the name of a section
let unitShown = null; // address of the unit last shown
let hashShown = null; // the hash that is shown
let isOutdated = false; // what the reader marked since may have changed the list

/** Pages by the word of their hash: functions (place, text behind "=", as it stands in the hash). */
const PAGES = {
  unit: (place, text = "") => showUnit(place, unescapeHash(text)),
  pins: showPins,
  labels: showLabels,
};

/** Remember where a list stands that is about to go. */
function keepScroll() {
  if (!listsPlace.hidden && listShown !== null) scrollPlaces.set(listShown, scrollY);
}

const setTitle = (...parts) => {
  document.title = [...parts, model.name, "featviz gallery"].join(" \u00b7 ");
};

/** Show a page that takes the place of the lists. */
function showPage({ kind, text, name }) {
  if (kind === "unit" && unitTable.find(name) >= 0) unitShown = name;
  listsPlace.hidden = true;
  pagePlace.hidden = false;
  scrollTo(0, 0);
  PAGES[kind](pagePlace, text);
}

/** Show one of the lists; tell whether the reader comes back to it from a unit. */
function showList(name, isUnits) {
  const returning =
    listsPlace.hidden && unitShown !== null && (listShown === name || listShown === null);
  listShown = name;
  view.section = isUnits ? null : name;
  pagePlace.hidden = true;
  pagePlace.replaceChildren();
  listsPlace.hidden = false;
  listsPlace.classList.toggle("whole", !isUnits || !unitTable.count);
  for (const node of [layersPlace, toolbarPlace]) node.hidden = !isUnits || !unitTable.count;
  unitsPlace.hidden = failuresPlace.hidden = !isUnits;
  emptyNote.hidden = true;
  sectionPlace.hidden = isUnits;
  markView(isUnits ? "" : name);
  return returning;
}

/** Bring the top of the list to the window, if it has gone beyond. */
function scrollToList() {
  const { top } = unitsPlace.getBoundingClientRect();
  if (top < covered()) scrollBy(0, top - covered() - 8);
}

function showUnits(state) {
  let left = -1; // place in the list, as it was, of the unit last seen
  if (isOutdated) {
    if (grid.units) left = grid.placeOf(unitTable.find(unitShown));
    unitTable.forget();
    isOutdated = false;
  }
  const units = unitTable.order(state);
  const wasShown = !listsPlace.hidden && !unitsPlace.hidden;
  const returning = showList(view.link({}), true);
  setTitle();
  const changed = grid.units !== units || grid.sort !== state.sort;
  if (changed) grid.fill(units, { headed: state.sort === null, sort: state.sort });
  else grid.draw();
  layers.update();
  toolbar.update(state, units.length);
  emptyNote.hidden = units.length > 0 || !unitTable.count;
  if (state.kind === "failed") document.getElementById("failed")?.scrollIntoView();
  else if (state.kind === "site" && grid.showLayer(state.name)) return;
  else if (returning) showAgain(left);
  else if (!wasShown) returnTo(listShown);
  else if (changed) scrollToList();
  grid.draw();
}

/** Show the list as it was left, and the unit last seen in it; or what is now at its place. */
function showAgain(left) {
  returnTo(listShown);
  const place = grid.placeOf(unitTable.find(unitShown));
  const nearest = place < 0 ? Math.min(left, grid.units.length - 1) : place;
  if (nearest >= 0) grid.focus(nearest);
}

function returnTo(name) {
  scrollTo(0, scrollPlaces.get(name) ?? 0);
}

async function showSection(section, address) {
  const returning = showList(section.name, false);
  setTitle(SECTION_NAMES[section.name]);
  sectionPlace.replaceChildren(...(section.node ? [section.node] : []));
  if (!section.node) {
    let sectionData = null;
    try {
      if (section.hasData) sectionData = await loadData(`sections/${section.name}`);
    } catch (error) {
      if (listShown === section.name) sectionPlace.replaceChildren(missingFile(error));
      return;
    }
    section.node ??= element("div", {}, section.build(sectionData));
    if (listShown !== section.name || listsPlace.hidden) return; // the reader has gone on
    sectionPlace.replaceChildren(section.node);
  }
  const item = section.items.get(address);
  if (item) {
    const centre = () => item.scrollIntoView({ block: "center" });
    centre();
    requestAnimationFrame(centre); // what was not laid out before may have moved it
    (item.querySelector("button.zoom") ?? item).focus({ preventScroll: true });
    return;
  }
  returnTo(section.name);
  if (returning) {
    const links = [...sectionPlace.querySelectorAll("a")];
    links
      .find((link) => link.getAttribute("href") === unitHash(unitShown))
      ?.focus({ preventScroll: true });
  }
}

function route() {
  hashShown = location.hash;
  enlargedDialog.close();
  const state = view.state();
  const isEmpty = !unitTable.count && !model.failures.length;
  if (Object.hasOwn(PAGES, state.kind) && (state.kind !== "unit" || state.text !== undefined))
    showPage(state);
  else if (sections.has(state.kind)) showSection(sections.get(state.kind), state.name);
  else if (isEmpty && sections.size) showSection(sections.values().next().value);
  else showUnits(state);
  document.dispatchEvent(new Event("view"));
}

/** Follow what the reader marks: it changes what cells say of units, and which are in a list that asks for it. */
function updateMarks() {
  isOutdated = listsPlace.hidden || unitsPlace.hidden; // a unit's neighbours stay those of the list it was opened from
  if (isOutdated) return;
  const state = view.state();
  if (state.only || state.q) unitTable.forget();
  const focused = grid.focused();
  const units = unitTable.order(state);
  if (units === grid.units) {
    grid.refresh();
    return;
  }
  grid.fill(units, { headed: state.sort === null, sort: state.sort });
  toolbar.update(state, units.length);
  emptyNote.hidden = units.length > 0;
  if (focused !== null && units.length) grid.focus(Math.min(focused, units.length - 1));
}

grid.onlayer = (name) => {
  if (name !== null) layers.mark(name);
};

fillHeader(model);
fillViews(model, sectionCounts());
if (model.failures.length) failuresPlace.append(failureSection(model.failures));
addKeys(grid, layers, toolbar, {
  lists: () => !listsPlace.hidden,
  units: () => !listsPlace.hidden && !unitsPlace.hidden,
});
for (const change of ["labels", "pins"]) document.addEventListener(change, updateMarks);
history.scrollRestoration = "manual";
view.onleave = keepScroll;
view.onchange = route;
addEventListener("hashchange", () => {
  if (location.hash === hashShown) return;
  keepScroll();
  route();
});

// A link within the page is followed at once, as a key is; also to what is shown, for the list may have been scrolled.
addEventListener("click", (event) => {
  const hash = event.target.closest("a")?.getAttribute("href");
  if (
    !hash?.startsWith("#") ||
    event.defaultPrevented ||
    event.altKey ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey
  )
    return;
  event.preventDefault();
  view.open(hash);
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash says what is shown
  document.getElementById("pictures").focus();
});

data.page = { labels, pins, unitTable, view, grid };
route();
