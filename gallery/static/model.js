"use strict";

// What the hash asks for is shown: the units, a section, or a page that fills the whole window.

const atlas = document.getElementById("atlas");
const unitView = document.getElementById("unit");
const unitList = document.getElementById("units");
const beside = document.getElementById("sites");
const bar = document.getElementById("tools");
const failedList = document.getElementById("failures");
const sectionView = document.getElementById("section");
const emptyNote = document.getElementById("empty");

const { model } = featviz;
const byAddress = { has: (address) => catalogue.find(address) >= 0 };
const heads = headRows().reduce((sum, row) => sum + row.heads.size, 0);
const reportCount = model.sections.filter(([name]) => name === "report");
const sectionCounts = [...reportCount, ...(heads ? [["heads", heads]] : []), ...model.sections.filter(([name]) => name !== "report")];
const builders = { report: reportView, heads: overviewView, filters: filtersView, attention: attentionView, grids: gridsView, gradients: gradientsView, tokens: tokensView, compare: compareView, traces: tracesView };
const sections = new Map(sectionCounts.map(([name]) => [name, { name, units: byAddress, items: new Map(), node: null, keep: keepItem, looks: model.sections.some(([other]) => other === "attention") }]));
const scrolled = new Map(); // where each list was left
const grid = new Grid(unitList);
const layers = new Layers(beside);
const tools = new Tools(bar);
let list = null; // the list last shown: the hash of the units' list, or the name of a section
let seen = null; // address of the unit last shown
let routed = null; // the hash that is shown
let isOutdated = false; // what the reader marked since may have changed the list

grid.onlayer = (name) => {
  if (name !== null) layers.mark(name);
};

/** Remember the node of an address, for links that lead to it. */
function keepItem(address, node) {
  this.items.set(address, node);
  return node;
}

/** Remember where a list stands that is about to go. */
function leave() {
  if (!atlas.hidden && list !== null) scrolled.set(list, scrollY);
}

const titled = (...parts) => {
  document.title = [...parts, model.name, "featviz gallery"].join(" \u00b7 ");
};

/** Show a page that takes the place of the lists. */
function showPage({ kind, text, name }) {
  if (kind === "unit" && byAddress.has(name)) seen = name;
  atlas.hidden = true;
  unitView.hidden = false;
  scrollTo(0, 0);
  unitPages[kind](unitView, text);
}

/** Show one of the lists; tell whether the reader comes back to it from a unit. */
function showList(name, isUnits) {
  const returning = atlas.hidden && seen !== null && (list === name || list === null);
  list = name;
  view.section = isUnits ? null : name;
  unitView.hidden = true;
  unitView.replaceChildren();
  atlas.hidden = false;
  atlas.classList.toggle("whole", !isUnits || !catalogue.count);
  for (const node of [beside, bar]) node.hidden = !isUnits || !catalogue.count;
  unitList.hidden = failedList.hidden = !isUnits;
  emptyNote.hidden = true;
  sectionView.hidden = isUnits;
  markView(isUnits ? "" : name);
  return returning;
}

/** Bring the top of the list to the window, if it has gone beyond. */
function scrollToList() {
  const { top } = unitList.getBoundingClientRect();
  if (top < covered()) scrollBy(0, top - covered() - 8);
}

function showUnits(state) {
  let left = -1; // place in the list, as it was, of the unit last seen
  if (isOutdated) {
    if (grid.units) left = grid.placeOf(catalogue.find(seen));
    catalogue.forget();
    isOutdated = false;
  }
  const units = catalogue.order(state);
  const wasShown = !atlas.hidden && !unitList.hidden;
  const returning = showList(view.link({}), true);
  titled();
  const changed = grid.units !== units || grid.sort !== state.sort;
  if (changed) grid.fill(units, { headed: state.sort === null, sort: state.sort });
  else grid.draw();
  layers.update();
  tools.update(state, units.length);
  emptyNote.hidden = units.length > 0 || !catalogue.count;
  if (state.kind === "failed") document.getElementById("failed")?.scrollIntoView();
  else if (state.kind === "site" && grid.showLayer(state.name)) return;
  else if (returning) comeBack(left);
  else if (!wasShown) returnTo(list);
  else if (changed) scrollToList();
  grid.draw();
}

/** Show the list as it was left, and the unit last seen in it; or what is now at its place. */
function comeBack(left) {
  returnTo(list);
  const place = grid.placeOf(catalogue.find(seen));
  const nearest = place < 0 ? Math.min(left, grid.units.length - 1) : place;
  if (nearest >= 0) grid.focus(nearest);
}

function returnTo(name) {
  scrollTo(0, scrolled.get(name) ?? 0);
}

async function showSection(section, address) {
  const returning = showList(section.name, false);
  titled(sectionNames[section.name]);
  sectionView.replaceChildren(...(section.node ? [section.node] : []));
  if (!section.node) {
    let data = null;
    try {
      if (section.name !== "heads") data = await loaded(`sections/${section.name}`);
    } catch (error) {
      if (list === section.name) sectionView.replaceChildren(missingFile(error));
      return;
    }
    section.node ??= element("div", {}, builders[section.name](section, data));
    if (list !== section.name || atlas.hidden) return; // the reader has gone on
    sectionView.replaceChildren(section.node);
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
    const links = [...sectionView.querySelectorAll("a")];
    links.find((link) => link.getAttribute("href") === unitHash(seen))?.focus({ preventScroll: true });
  }
}

function route() {
  routed = location.hash;
  zoomDialog.close();
  const state = view.state();
  const isEmpty = !catalogue.count && !model.failures.length;
  if (Object.hasOwn(unitPages, state.kind) && (state.kind !== "unit" || state.text !== undefined)) showPage(state);
  else if (sections.has(state.kind)) showSection(sections.get(state.kind), state.name);
  else if (isEmpty && sections.size) showSection(sections.values().next().value);
  else showUnits(state);
  document.dispatchEvent(new Event("view"));
}

/** What the reader marks changes what is told of units, and which are in a list that asks for it. */
function marked() {
  isOutdated = !onUnits(); // a unit's neighbours stay those of the list it was opened from
  if (isOutdated) return;
  const state = view.state();
  if (state.only || state.q) catalogue.forget();
  const focused = grid.focused();
  const units = catalogue.order(state);
  if (units === grid.units) return grid.refresh();
  grid.fill(units, { headed: state.sort === null, sort: state.sort });
  tools.update(state, units.length);
  emptyNote.hidden = units.length > 0;
  if (focused !== null && units.length) grid.focus(Math.min(focused, units.length - 1));
}

const onUnits = () => !atlas.hidden && !unitList.hidden;
const onList = () => !atlas.hidden;
const inGrid = () => grid.focused() !== null;

keys.add("List", "/", "Search addresses and labels", () => tools.search.select(), onUnits);
keys.add("List", "g", "Go to an address", () => tools.find.input.select(), onUnits);
keys.add("List", "s", "Sort", () => tools.sort.focus(), onUnits);
keys.add("List", "n", "Filter by numbers", () => tools.open(true), onUnits);
keys.add("List", "r", "A unit by chance", () => tools.random(), onUnits);
keys.add("List", "[", "Layer before", () => layers.step(-1), onUnits);
keys.add("List", "]", "Layer after", () => layers.step(1), onUnits);
for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) keys.add("List", key, "Unit beside, above or below", null, inGrid);
for (const key of ["Home", "End"]) keys.add("List", key, "First or last unit of the row; with Ctrl, of the list", null, inGrid);
for (const key of ["PageUp", "PageDown"]) keys.add("List", key, "A screenful up or down", null, inGrid);
keys.add("List", "Enter", "Open the unit", null, inGrid);
keys.add("List", "l", "Write a label", () => {
  document.activeElement.click();
  unitView.querySelector(".label-input").select();
}, inGrid);
keys.add("List", "Escape", "All units, without filter", () => view.go({ q: "", where: [], layer: null, only: null }), onList);

// Escape leads out of a box, to the list it belongs to.
bar.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (!tools.ranges.node.hidden && tools.ranges.node.contains(event.target)) {
    tools.open(false);
    tools.toggle.focus();
  } else unitList.querySelector('a.cell[tabindex="0"]')?.focus();
  event.preventDefault();
  event.stopPropagation();
});

fillHeader(model);
fillViews(model, sectionCounts);
if (model.failures.length) failedList.append(failureSection(model.failures));
for (const change of ["labels", "pins"]) document.addEventListener(change, marked);
history.scrollRestoration = "manual";
view.onleave = leave;
view.onchange = route;
addEventListener("hashchange", () => {
  if (location.hash === routed) return;
  leave();
  route();
});

// A link within the page is followed at once, as a key is; also to what is shown, for the list may have been scrolled.
addEventListener("click", (event) => {
  const hash = event.target.closest("a")?.getAttribute("href");
  if (!hash?.startsWith("#") || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  view.open(hash);
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash says what is shown
  document.getElementById("pictures").focus();
});
route();
