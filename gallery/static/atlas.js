"use strict";

/** Hash of a unit's view. */
const unitHash = (address) => `#unit=${readable(address)}`;

/** Hash of a layer's section. */
const siteHash = (site) => `#site=${readable(site)}`;

/** Escape a text for a hash, but keep what is legible in addresses. */
function readable(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
}

/** Thumbnail with caption; the layer's heading and the caption together are the address. */
function cell(unit, folder) {
  const [shown] = unit.renders;
  const samples = Math.max(...unit.renders.map((render) => render.samples));
  const paired = shown.sides > 1;
  const link = element(
    "a",
    { href: unitHash(unit.address), class: paired ? "cell pair" : "cell" },
    element("img", {
      src: `${folder}/thumbs/${shown.row}.webp`,
      ...(paired ? {} : { srcset: `${folder}/pictures/${shown.row}-${shown.best}.webp 2x` }),
      alt: unit.address,
      width: paired ? 196 : 96,
      height: 96,
      loading: "lazy",
      decoding: "async",
    }),
    element(
      "span",
      { class: "caption", "aria-hidden": "true" },
      unit.address.slice(unit.site.length),
      samples > 1 ? element("span", { class: "many" }, `\u00d7${samples}`) : null,
    ),
  );
  unit.link = link;
  return link;
}

function siteSection(site, folder) {
  const heading = element("h2", { tabindex: "-1" }, element("a", { href: siteHash(site.name) }, site.name));
  site.section = element(
    "section",
    { "aria-label": site.name },
    element("div", { class: "heading" }, heading, element("p", {}, counted(site.units.length, "unit"))),
    element("div", { class: "grid" }, site.units.map((unit) => cell(unit, folder))),
  );
  return site.section;
}

function failureSection(failures) {
  return element(
    "section",
    { id: "failed", class: "failures" },
    element("div", { class: "heading" }, element("h2", {}, "Failed"), element("p", {}, counted(failures.length, "unit"))),
    element(
      "dl",
      {},
      failures.map(([address, reason, group]) => [
        element("dt", {}, address),
        element("dd", {}, reason, group ? element("span", { class: "quiet" }, ` (${group})`) : null),
      ]),
    ),
  );
}

/** Names of the sections, and the nouns that count them. */
const sectionNames = { filters: "Filters", attention: "Attention", grids: "Grids", gradients: "Gradients", tokens: "Token by token", compare: "Compared", traces: "Effects of patching" };

/** Links to the lists of results, where there are more than the units. */
function fillViews(model) {
  const views = document.getElementById("views");
  if (!model.sections.length) return;
  const all = [...(model.units.length || model.failures.length ? [["", model.units.length]] : []), ...model.sections];
  views.hidden = false;
  views.append(
    ...all.map(([name, count]) =>
      element("a", { href: `#${name}` }, name ? sectionNames[name] : "Units", " ", element("span", { class: "quiet" }, count.toLocaleString("en"))),
    ),
  );
}

/** Fill the page of all units: one section a layer, in the model's forward order. */
function fillAtlas(model, folder) {
  const pictures = model.sites.flatMap((site) => site.units.flatMap((unit) => unit.renders.map((render) => render.samples * render.sides)));
  const facts = [
    model.weights,
    ...(model.units.length ? [counted(model.units.length, "unit"), counted(pictures.reduce((sum, count) => sum + count, 0), "picture")] : []),
  ];
  fillViews(model);
  document.title = `${model.name} \u00b7 featviz gallery`;
  document.getElementById("name").append(model.name);
  const line = document.getElementById("facts");
  line.append(listed([...facts, ...(model.failures.length ? [""] : [])]));
  if (model.failures.length) {
    line.append(element("a", { href: "#failed" }, `${model.failures.length.toLocaleString("en")}\u00a0failed`));
  }
  document
    .getElementById("sites")
    .append(element("ol", {}, model.sites.map((site) => element("li", {}, element("a", { href: siteHash(site.name) }, site.name)))));
  document.getElementById("units").append(
    ...model.sites.map((site) => siteSection(site, folder)),
    ...(model.failures.length ? [failureSection(model.failures)] : []),
  );
}
