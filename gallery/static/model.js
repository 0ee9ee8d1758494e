"use strict";

const atlas = document.getElementById("atlas");
const unitView = document.getElementById("unit");
const unitList = document.getElementById("units");
const sectionView = document.getElementById("section");
const model = expanded(featviz.model);
const byAddress = new Map(model.units.map((unit) => [unit.address, unit]));
const bySite = new Map(model.sites.map((site) => [site.name, site]));
const builders = { filters: filtersView, attention: attentionView, grids: gridsView, gradients: gradientsView, tokens: tokensView, compare: compareView, traces: tracesView };
const sections = new Map(model.sections.map(([name]) => [name, { name, units: byAddress, items: new Map(), node: null, keep: keepItem }]));
const scrolled = new Map(); // where each list was left
let list = ""; // the list last shown: all units, or the name of a section
let seen = null; // the unit last shown

/** Give the columns of the data files their names. */
function expanded(data) {
  const { tails, renders } = featviz.units;
  let start = 0;
  const sites = data.sites.map(({ name, count }) => {
    const units = tails.slice(start, start + count).map((tail, i) => ({
      address: name + tail,
      site: name,
      renders: renders[start + i].map(([group, row, samples, best]) => ({ group, row, samples, best, sides: data.groups[group].sides })),
    }));
    start += count;
    return { name, units };
  });
  return { ...data, sites, units: sites.flatMap((site) => site.units) };
}

/** Remember the node of an address, for links that lead to it. */
function keepItem(address, node) {
  this.items.set(address, node);
  return node;
}

/** Remember where a list stands that is about to go. */
function leave() {
  if (!atlas.hidden) scrolled.set(list, scrollY);
}

async function showUnit(address) {
  const unit = byAddress.get(address);
  leave();
  seen = unit ?? seen;
  atlas.hidden = true;
  unitView.hidden = false;
  unitView.replaceChildren(...(unit ? [unitHeader(model, unit)] : missingUnit(address)));
  document.title = `${address} \u00b7 ${model.name} \u00b7 featviz gallery`;
  scrollTo(0, 0);
  unitView.querySelector("h1").focus({ preventScroll: true });
  if (!unit) return;
  try {
    const entries = await Promise.all(unit.renders.map((render) => entryOf("details", render.row)));
    if (seen !== unit || unitView.hidden) return; // the reader has gone on
    const details = entries.map(([command, size, activation, trajectory, links]) => ({ command, size, activation, trajectory, links }));
    unitView.append(...alsoAbout(details[0].links), ...unit.renders.map((render, i) => renderBlock(model, unit, render, details[i])));
  } catch (error) {
    unitView.append(missingFile(error));
  }
}

/** Show one of the lists; tell whether the reader comes back to it from a unit. */
function showList(name) {
  leave();
  const returning = atlas.hidden && seen !== null && list === name;
  list = name;
  unitView.hidden = true;
  unitView.replaceChildren();
  atlas.hidden = false;
  atlas.classList.toggle("whole", name !== "");
  document.getElementById("sites").hidden = unitList.hidden = name !== "";
  sectionView.hidden = name === "";
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = [model.name, ...(name ? [sectionNames[name]] : []), "featviz gallery"].join(" \u00b7 ");
  return returning;
}

function showAtlas(site) {
  const other = list !== "";
  const returning = showList("");
  if (site) {
    site.section.scrollIntoView();
    site.section.querySelector("h2").focus({ preventScroll: true });
  } else if (location.hash === "#failed") {
    document.getElementById("failed")?.scrollIntoView();
  } else if (returning) {
    scrollTo(0, scrolled.get("") ?? 0);
    seen.link.focus({ preventScroll: true });
    seen.link.scrollIntoView({ block: "nearest" });
  } else if (other) {
    scrollTo(0, scrolled.get("") ?? 0);
  }
}

async function showSection(section, address) {
  const returning = showList(section.name);
  sectionView.replaceChildren(...(section.node ? [section.node] : []));
  if (!section.node) {
    try {
      const data = await loaded(`sections/${section.name}`);
      section.node ??= element("div", {}, builders[section.name](section, data));
    } catch (error) {
      if (list === section.name) sectionView.replaceChildren(missingFile(error));
      return;
    }
    if (list !== section.name || atlas.hidden) return; // the reader has gone on
    sectionView.replaceChildren(section.node);
  }
  const item = section.items.get(address);
  if (item) {
    item.scrollIntoView({ block: "center" });
    (item.querySelector("button.zoom") ?? item).focus({ preventScroll: true });
    return;
  }
  scrollTo(0, scrolled.get(section.name) ?? 0);
  if (returning) {
    const links = [...sectionView.querySelectorAll("a")];
    links.find((link) => link.getAttribute("href") === unitHash(seen.address))?.focus({ preventScroll: true });
  }
}

function route() {
  zoomDialog.close();
  const [, kind, , text] = /^#([a-z]+)(=(.*))?$/s.exec(location.hash) ?? [];
  let name = text;
  try {
    name = text && decodeURIComponent(text);
  } catch {
    // a hash typed by hand need not be well-formed: it is taken as it stands
  }
  const isEmpty = !model.units.length && !model.failures.length;
  if (kind === "unit" && name !== undefined) showUnit(name);
  else if (kind === "pictures" && !atlas.hidden) return; // the skip link: within the list that is shown
  else if (sections.has(kind)) showSection(sections.get(kind), name);
  else if (isEmpty) showSection(sections.values().next().value);
  else showAtlas(kind === "site" ? bySite.get(name) : undefined);
}

function walk(event) {
  if (unitView.hidden || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const targets = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" };
  if (event.key === "Escape") location.hash = list;
  else if (event.key in targets) unitView.querySelector(targets[event.key])?.click();
}

history.scrollRestoration = "manual";
fillAtlas(model, document.body.dataset.folder);
addEventListener("hashchange", route);
addEventListener("keydown", walk);
route();
