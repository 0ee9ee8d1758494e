"use strict";

const NOUNS = { filters: "filter", attention: "attention head", grids: "grid", gradients: "gradient map", tokens: "token map", compare: "comparison" };

function modelCard(model) {
  const strip = model.strip.map((path) =>
    element("img", { src: `${model.folder}/${path}.webp`, alt: "", width: 96, height: 96, loading: "lazy", class: path.startsWith("figures") ? "pixels" : "smooth" }),
  );
  const facts = [
    ...(model.units ? [counted(model.units, "unit"), counted(model.pictures, "picture"), counted(model.sites, "layer")] : []),
    ...model.sections.map(([name, count]) => counted(count, NOUNS[name])),
    ...(model.failures ? [`${model.failures.toLocaleString("en")}\u00a0failed`] : []),
  ];
  return element(
    "li",
    {},
    element(
      "a",
      { href: model.page, class: "card" },
      element("h2", {}, model.name),
      element("p", {}, listed([model.weights, ...facts])),
      element("div", { class: "strip" }, strip),
    ),
  );
}

/** The filters of one model in a strip, with the sizes of their classes. */
function filterStrip(model) {
  const { count, classes, shown } = model.filters;
  const facts = [
    shown.length < count ? `${shown.length} of ${counted(count, "filter")}` : counted(count, "filter"),
    ...classes.map(([name, size]) => `${name} ${size.toLocaleString("en")}`),
  ];
  const pictures = shown.map(([address, [number], name]) =>
    element("img", { src: `${model.folder}/figures/${number}.webp`, alt: `${address}, ${name}`, title: `${address}, ${name}`, width: 32, height: 32, loading: "lazy", class: "pixels" }),
  );
  return element(
    "li",
    {},
    element("h3", {}, element("a", { href: `${model.page}#filters` }, model.name)),
    element("p", {}, listed(facts)),
    element("div", { class: "filter-strip" }, pictures),
  );
}

document.getElementById("models").append(...featviz.models.map(modelCard));
const filtered = featviz.models.filter((model) => model.filters !== null);
if (filtered.length > 1) {
  document.getElementById("filters").hidden = false;
  document.getElementById("strips").append(...filtered.map(filterStrip));
  // The hash was looked for before there was anything to scroll to.
  if (location.hash === "#filters") document.getElementById("filters").scrollIntoView();
}
