// Entry point of a model's page. Shows what the URL hash names: the units, a section, or a page
// that replaces the lists.

import { Grid, stickyHeight } from "../list/grid/grid.js";
import { Layers } from "../list/layers.js";
import { COLORINGS } from "../list/map/coloring.js";
import { UnitMap } from "../list/map/unit-map.js";
import { isPlace } from "../list/map/viewport.js";
import { Toolbar } from "../list/toolbar.js";
import { showPins } from "../marks/compare-page.js";
import { showLabels } from "../marks/labels-page.js";
import { unescapeHash, unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { enlargedDialog } from "../shared/enlarge.js";
import { missingFile } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { initTheme } from "../shared/theme.js";
import { data } from "../state/data.js";
import { loadData } from "../state/load.js";
import { model } from "../state/model.js";
import { labels } from "../state/saved/labels.js";
import { pins } from "../state/saved/pins.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { unitTable } from "../state/unit-table.js";
import { isByLayer, MAP, NO_FILTERS, pageContainer, view } from "../state/view.js";
import { showUnit } from "../unit/page.js";
import { failureSection, fillHeader, fillViews, markView } from "./header.js";
import { addKeys } from "./keys.js";
import { SECTION_TITLES, sectionCounts, sections } from "./sections.js";
import "../styles/model-page.css";

const listsContainer = document.getElementById("lists");
const unitsContainer = document.getElementById("units");
const layersContainer = document.getElementById("sites");
const mapContainer = document.getElementById("unit-map");
const toolbarContainer = document.getElementById("tools");
const failuresContainer = document.getElementById("failures");
const sectionContainer = document.getElementById("section");
const emptyNote = document.getElementById("empty");
const problemNote = document.getElementById("problem");

/** Pages by the name in their hash: functions (container, escaped text after "="). */
const PAGES = {
  unit: (container, text = "") => showUnit(container, unescapeHash(text)),
  pins: (container, text) => showPins(container, text, compareOrigin),
  labels: showLabels,
};

/** Kinds of links to the list of units. */
const LIST_KINDS = new Set([
  "",
  "units",
  "site",
  "failed",
  ...(model.map ? [MAP] : []),
  ...Object.keys(PAGES),
]);

const MOST_VALUES = 3; // in a caption
const MISSING_SHOWN = 10; // units of a named list

const scrollPositions = new Map(); // of each list when it was left

const grid = new Grid(unitsContainer);
const layers = new Layers(layersContainer);
const toolbar = new Toolbar(toolbarContainer);

let unitMap = null; // once it has been opened
let listShown = null; // last list shown: hash of the list of units, or name of a section
let pageKind = null; // name of the last of the `PAGES` shown
let unitShown = null; // address of the last unit shown
let hashShown = null; // current hash
let compareOrigin = null; // address of the unit that the comparison was opened from
let isOutdated = false; // whether labels or pins have changed since the list was computed

/** Remember the scroll position of the list before it is hidden. */
function keepScroll() {
  if (!listsContainer.hidden && listShown !== null) scrollPositions.set(listShown, scrollY);
}

const setTitle = (...parts) => {
  document.title = [...parts, model.name, "featviz gallery"].join(" \u00b7 ");
};

/** Show a page that replaces the lists. */
function showPage({ kind, text, name }) {
  if (pageContainer.hidden || kind === "unit") compareOrigin = null;
  else if (kind === "pins" && pageKind === "unit") compareOrigin = unitShown;
  pageKind = kind;
  if (kind === "unit" && unitTable.find(name) >= 0) unitShown = name;
  listsContainer.hidden = true;
  pageContainer.hidden = false;
  scrollTo(0, 0);
  PAGES[kind](pageContainer, text);
}

/**
 * Show one of the lists: the units, or the `section` of a name. Return whether it is shown again after
 * a unit that was opened from it.
 */
function showList(section) {
  view.section = section;
  const isUnits = section === null;
  const isMap = section === MAP;
  const name = isUnits ? view.link({}) : section;
  const returning =
    listsContainer.hidden && unitShown !== null && (listShown === name || listShown === null);
  listShown = name;
  pageContainer.hidden = true;
  pageContainer.replaceChildren();
  listsContainer.hidden = false;
  listsContainer.classList.toggle("whole", !isUnits || !unitTable.count);
  layersContainer.hidden = !isUnits || !unitTable.count;
  toolbarContainer.hidden = !(isUnits || isMap) || !unitTable.count;
  mapContainer.hidden = !isMap;
  unitsContainer.hidden = failuresContainer.hidden = !isUnits;
  emptyNote.hidden = true;
  showProblems([]);
  sectionContainer.hidden = isUnits || isMap;
  markView(section ?? "");
  return returning;
}

/** Scroll to the top of the list, if it is above the viewport. */
function scrollToList() {
  const { top } = unitsContainer.getBoundingClientRect();
  if (top < stickyHeight()) scrollBy(0, top - stickyHeight() - 8);
}

/** Say what a link asked for in vain, with more text or links. */
function showProblems(problems, more = []) {
  problemNote.hidden = !problems.length && !more.length;
  problemNote.replaceChildren(
    ...(problems.length ? [`This link cannot be followed in full: ${problems.join("; ")}. `] : []),
    ...more,
  );
}

/** What is wrong with a link to the list. */
function unitProblems({ kind, problems, layer }) {
  const isKnown = layer === null || unitTable.sites.some(({ name }) => name === layer);
  return [
    ...(LIST_KINDS.has(kind) ? [] : [`this gallery has no section \u201c${kind}\u201d`]),
    ...(isKnown ? [] : [`there is no layer \u201c${layer}\u201d`]),
    ...problems,
  ];
}

/** A sentence on the units of a named list that are not in this gallery. */
function missingUnits({ list }) {
  if (list === null) return [];
  const missing = unitLists.get(list).filter((address) => unitTable.find(address) < 0);
  if (!missing.length) return [];
  const others = missing.length - MISSING_SHOWN;
  return [
    `Not in this gallery, but kept in the list: ${missing.slice(0, MISSING_SHOWN).join(", ")}`,
    others > 0 ? `, and ${counted(others, "other unit")}.` : ".",
  ];
}

/** Text for a list without units, with ways out. */
function noMatches(state) {
  const elsewhere = state.layer === null ? 0 : unitTable.filtered({ ...state, layer: null }).length;
  return [
    "No units match. ",
    ...(elsewhere
      ? [
          element(
            "a",
            { href: view.link({ layer: null }) },
            `Show ${counted(elsewhere, "unit")} of other layers that do`,
          ),
          " ",
        ]
      : []),
    element("a", { href: view.link(NO_FILTERS) }, `Show all ${counted(unitTable.count, "unit")}`),
  ];
}

/** Whether the list has headings, and the metrics in its captions: those that it is sorted and filtered by. */
function captioned(state) {
  const { sort, where } = state;
  const keys = [...(sort ? [sort] : []), ...where.map(({ key }) => key)];
  return { headed: isByLayer(state), metrics: [...new Set(keys)].slice(0, MOST_VALUES) };
}

function showUnits(state) {
  let oldPosition = -1; // of the last unit shown, in the list before it changed
  if (isOutdated) {
    if (grid.units) oldPosition = grid.positionOf(unitTable.find(unitShown));
    unitTable.invalidate();
    isOutdated = false;
  }
  const units = unitTable.order(state);
  const wasShown = !listsContainer.hidden && !unitsContainer.hidden;
  const returning = showList(null);
  setTitle();
  const changed = grid.units !== units || String(grid.metrics) !== String(captioned(state).metrics);
  if (changed) grid.fill(units, captioned(state));
  else grid.draw();
  layers.update();
  toolbar.update(state, units.length);
  emptyNote.hidden = units.length > 0 || !unitTable.count;
  if (!units.length) emptyNote.replaceChildren(...noMatches(state));
  showProblems(unitProblems(state), missingUnits(state));
  if (state.kind === "failed") document.getElementById("failed")?.scrollIntoView();
  else if (returning) restoreList(oldPosition);
  else if (!wasShown) {
    restoreScroll(listShown);
    if (state.kind === "site") unitsContainer.querySelector("h2")?.focus({ preventScroll: true });
  } else if (changed) scrollToList();
  grid.draw();
}

/** Restore the scroll position of the list, and focus the last unit shown or its successor. */
function restoreList(oldPosition) {
  restoreScroll(listShown);
  const position = grid.positionOf(unitTable.find(unitShown));
  const nearest = position < 0 ? Math.min(oldPosition, grid.units.length - 1) : position;
  if (nearest >= 0) grid.focus(nearest);
}

function restoreScroll(name) {
  scrollTo(0, scrollPositions.get(name) ?? 0);
}

/** Show the units that pass the filters on the map, and dim the others. */
async function showMap(state) {
  if (isOutdated) unitTable.invalidate();
  isOutdated = false;
  const returning = showList(MAP);
  setTitle(SECTION_TITLES.map);
  const units = unitTable.order(state);
  toolbar.update(state, units.length);
  emptyNote.hidden = units.length > 0;
  if (!units.length) emptyNote.replaceChildren(...noMatches(state));
  const isMissing = state.name !== undefined && unitTable.find(state.name) < 0;
  showProblems([
    ...unitProblems(state),
    ...(isMissing ? [`there is no unit \u201c${state.name}\u201d`] : []),
    ...(state.color === null || Object.hasOwn(COLORINGS, state.color)
      ? []
      : [`units have no color by \u201c${state.color}\u201d`]),
    ...(state.at === null || isPlace(state.at)
      ? []
      : [`\u201cat=${state.at}\u201d is no part of the map`]),
  ]);
  if (!unitMap) {
    let content;
    try {
      content = await loadData("map/0");
    } catch (error) {
      if (listShown === MAP) mapContainer.replaceChildren(missingFile(error));
      return;
    }
    if (mapContainer.hidden || listsContainer.hidden) return; // another view was opened
    unitMap ??= new UnitMap(mapContainer, content);
    data.page.map = unitMap;
  }
  unitMap.show(state, units);
  if (returning) {
    restoreScroll(MAP);
    unitMap.focus(unitTable.find(unitShown));
  } else if (state.name !== undefined) unitMap.focus();
}

async function showSection(section, { name: address, options }) {
  const returning = showList(section.name);
  view.options = options;
  setTitle(SECTION_TITLES[section.name]);
  // A node that is shown stays, with the focus.
  if (section.node === null || sectionContainer.firstChild !== section.node)
    sectionContainer.replaceChildren(...(section.node ? [section.node] : []));
  if (!section.node) {
    let sectionData = null;
    try {
      if (section.hasData) sectionData = await loadData(`sections/${section.name}`);
    } catch (error) {
      if (listShown === section.name) sectionContainer.replaceChildren(missingFile(error));
      return;
    }
    section.node ??= element("div", {}, section.build(sectionData));
    if (listShown !== section.name || listsContainer.hidden) return; // another view was opened
    sectionContainer.replaceChildren(section.node);
  }
  section.update(view.options);
  const item = section.items.get(address);
  if (address !== undefined && !item)
    showProblems(
      [`${SECTION_TITLES[section.name]} has no \u201c${address}\u201d`],
      [element("a", { href: `#${section.name}` }, "Show the whole section")],
    );
  if (item) {
    const scrollToItem = () => item.scrollIntoView({ block: "center" });
    scrollToItem();
    requestAnimationFrame(scrollToItem); // again after deferred layout
    (item.querySelector("button.zoom") ?? item).focus({ preventScroll: true });
    return;
  }
  restoreScroll(section.name);
  if (returning) {
    const links = [...sectionContainer.querySelectorAll("a")];
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
  else if (state.kind === MAP && model.map) showMap(state);
  else if (sections.has(state.kind)) showSection(sections.get(state.kind), state);
  else if (isEmpty && sections.size) showSection(sections.values().next().value, { options: {} });
  else showUnits(state);
  document.dispatchEvent(new Event("view"));
}

/** Update captions, and lists filtered by label, favorite, pin or named list. */
function updateMarks({ type }) {
  if (type === "lists") view.forget();
  isOutdated = listsContainer.hidden || unitsContainer.hidden; // previous and next unit stay those of the list that the unit was opened from
  if (isOutdated) return;
  const state = view.state();
  if (state.only || state.q || type === "lists") unitTable.invalidate();
  const focused = grid.focused();
  const units = unitTable.order(state);
  if (units === grid.units) {
    grid.refresh();
    return;
  }
  grid.fill(units, captioned(state));
  layers.update();
  toolbar.update(state, units.length);
  showProblems(unitProblems(state), missingUnits(state));
  emptyNote.hidden = units.length > 0;
  if (!units.length) emptyNote.replaceChildren(...noMatches(state));
  if (focused !== null && units.length) grid.focus(Math.min(focused, units.length - 1));
}

toolbar.onsize = () => grid.resizePictures();
grid.onlayer = (name) => {
  if (view.state().layer === null) layers.mark(name);
};

fillHeader(model);
fillViews(model, sectionCounts());
if (model.failures.length) failuresContainer.append(failureSection(model.failures));
addKeys(grid, layers, toolbar, {
  lists: () => !listsContainer.hidden,
  units: () => !listsContainer.hidden && !unitsContainer.hidden,
  tools: () => !listsContainer.hidden && !toolbarContainer.hidden,
});
for (const change of ["labels", "pins", "lists"]) document.addEventListener(change, updateMarks);
history.scrollRestoration = "manual";
view.onleave = keepScroll;
view.onchange = route;
addEventListener("hashchange", () => {
  if (location.hash === hashShown) return;
  keepScroll();
  route();
});

// Follow links within the page at once, and also links to the current view: the list may have been
// scrolled.
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

/** What the skip link leads to: the page behind its header, the current cell, or the section. */
function skipTarget() {
  if (!pageContainer.hidden) {
    const content = pageContainer.querySelector("header ~ *") ?? pageContainer;
    content.tabIndex = -1;
    return content;
  }
  const cell = unitsContainer.hidden ? null : unitsContainer.querySelector('a.cell[tabindex="0"]');
  return cell ?? document.getElementById("pictures");
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // keep the hash, which is the view
  skipTarget().focus();
});

initTheme();

data.page = { labels, unitLists, pins, unitTable, view, grid };
route();
