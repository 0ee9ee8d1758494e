"use strict";

const DETAILS_A_SHARD = 32;
const atlas = document.getElementById("atlas");
const unitView = document.getElementById("unit");
const folder = document.body.dataset.folder;
const model = expanded(featviz.model);
const byAddress = new Map(model.units.map((unit) => [unit.address, unit]));
const bySite = new Map(model.sites.map((site) => [site.name, site]));
const shards = new Map();
let seen = null; // the unit last shown
let scrolled = 0; // where the atlas was left

/** Give the compact rows of the data file their names. */
function expanded(data) {
  const sites = data.sites.map(([name, rows]) => {
    const units = rows.map(([address, renders]) => ({
      address,
      site: name,
      renders: renders.map(([group, row, samples, best]) => ({ group, row, samples, best })),
    }));
    return { name, units };
  });
  return { ...data, sites, units: sites.flatMap((site) => site.units) };
}

/** Fetch the details of a picture row; the shard that holds them is loaded once, as a script. */
function detailOf(row) {
  const shard = Math.floor(row / DETAILS_A_SHARD);
  if (!shards.has(shard)) {
    shards.set(
      shard,
      new Promise((resolve, reject) => {
        const script = element("script", { src: `${folder}/details/${shard}.js` });
        script.addEventListener("load", () => resolve(featviz[`details/${shard}`]));
        script.addEventListener("error", () => reject(new Error(script.src)));
        document.head.append(script);
      }),
    );
  }
  return shards.get(shard).then((rows) => {
    const [command, size, activation, trajectory] = rows[row % DETAILS_A_SHARD];
    return { command, size, activation, trajectory };
  });
}

async function showUnit(address) {
  const unit = byAddress.get(address);
  if (!atlas.hidden) scrolled = scrollY;
  seen = unit ?? seen;
  atlas.hidden = true;
  unitView.hidden = false;
  unitView.replaceChildren(...(unit ? [unitHeader(model, unit)] : missingUnit(address)));
  document.title = `${address} \u00b7 ${model.name} \u00b7 featviz gallery`;
  scrollTo(0, 0);
  unitView.querySelector("h1").focus({ preventScroll: true });
  if (!unit) return;
  try {
    const details = await Promise.all(unit.renders.map((render) => detailOf(render.row)));
    if (seen !== unit || unitView.hidden) return; // the reader has gone on
    unitView.append(...unit.renders.map((render, i) => renderBlock(model, unit, render, details[i])));
  } catch (error) {
    unitView.append(element("p", { class: "notice" }, `A file of this gallery is missing: ${error.message}`));
  }
}

function showAtlas(site) {
  const returning = atlas.hidden && seen;
  unitView.hidden = true;
  unitView.replaceChildren();
  atlas.hidden = false;
  document.title = `${model.name} \u00b7 featviz gallery`;
  if (site) {
    site.section.scrollIntoView();
    site.section.querySelector("h2").focus({ preventScroll: true });
  } else if (returning) {
    scrollTo(0, scrolled);
    seen.link.focus({ preventScroll: true });
    seen.link.scrollIntoView({ block: "nearest" });
  }
}

function route() {
  const [, kind, text] = /^#(unit|site)=(.*)$/s.exec(location.hash) ?? [];
  let name = text;
  try {
    name = decodeURIComponent(text);
  } catch {
    // a hash typed by hand need not be well-formed: it is taken as it stands
  }
  if (kind === "unit") showUnit(name);
  else showAtlas(kind === "site" ? bySite.get(name) : undefined);
}

function walk(event) {
  if (unitView.hidden || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const targets = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" };
  if (event.key === "Escape") location.hash = "";
  else if (event.key in targets) unitView.querySelector(targets[event.key])?.click();
}

history.scrollRestoration = "manual";
fillAtlas(model, folder);
addEventListener("hashchange", route);
addEventListener("keydown", walk);
route();
