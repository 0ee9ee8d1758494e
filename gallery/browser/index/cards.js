// The cards of the models on the index page.

import { unitHash } from "../shared/address-links.js";
import { element, shortAddress } from "../shared/dom.js";
import { counted, listed } from "../shared/text.js";

const NOUNS = {
  images: "own image",
  filters: "filter",
  attention: "attention head",
  grids: "token grid",
  gradients: "gradient map",
  tokens: "position map",
  compare: "comparison",
  traces: "patching result",
  circuits: "circuit",
};

/** Count of the items of a section; an unknown section is shown by its name. */
const sectionCount = (name, count) =>
  Object.hasOwn(NOUNS, name) ? counted(count, NOUNS[name]) : name;

// What can be measured of units: kind, name, and the command that adds it.
const MEASUREMENTS = [
  ["examples", "Natural images", "featviz examples MODEL --data DATA -o STORE"],
  ["scores", "Picture quality", "featviz score STORE"],
  ["validations", "Causal tests", "featviz validate STORE --data DATA"],
];

/** What was measured of the units of a model, and which commands add the rest. */
function measuredList({ measured, units }) {
  return element(
    "ul",
    { class: "measured", "aria-label": "Measurements" },
    MEASUREMENTS.map(([kind, name, command]) => {
      const count = measured[kind];
      return element(
        "li",
        { class: count ? "" : "quiet" },
        element("span", { "aria-hidden": "true" }, count ? "\u2713 " : "\u2013 "),
        count === units ? [name, ": all"] : `${name}: ${count.toLocaleString("en")}`,
        count === units ? "" : ` of ${units.toLocaleString("en")}`,
        count ? null : [", add them with ", element("code", {}, command)],
      );
    }),
  );
}

/** A picture of the strip: of a unit with its address and headline, as a link to its page. */
function stripPicture(model, [path, address, headline]) {
  const image = element("img", {
    src: `${model.folder}/${path}.webp`,
    alt: "",
    width: 96,
    height: 96,
    loading: "lazy",
    class: path.startsWith("figures") ? "pixels" : "smooth",
  });
  if (address === null) return image;
  const [first] = headline.split(" \u00b7 ");
  return element(
    "a",
    {
      href: `${model.page}${unitHash(address)}`,
      title: headline ? `${address}\n${headline}` : address,
    },
    image,
    shortAddress(address),
    first ? element("b", {}, first) : null,
  );
}

/** Card of a model, with links to its units, its page and its sections. */
export function modelCard(model) {
  const facts = [
    model.weights,
    ...(model.units
      ? [
          counted(model.units, "unit"),
          counted(model.pictures, "picture"),
          counted(model.sites, "layer"),
        ]
      : []),
    ...(model.failures ? [`${model.failures.toLocaleString("en")}\u00a0failed`] : []),
  ];
  const sections = model.sections.map(([name, count]) =>
    element("a", { href: `${model.page}#${name}` }, sectionCount(name, count)),
  );
  return element(
    "li",
    { class: "card" },
    element(
      "div",
      { class: "card-head" },
      element("h2", {}, element("a", { href: model.page, class: "card-link" }, model.name)),
      model.units
        ? element(
            "a",
            { href: model.page, class: "button primary" },
            `Open ${counted(model.units, "unit")}`,
          )
        : null,
    ),
    element("p", {}, listed(facts)),
    element(
      "div",
      { class: "strip" },
      model.strip.map((entry) => stripPicture(model, entry)),
    ),
    model.units ? measuredList(model) : null,
    sections.length
      ? element(
          "nav",
          { class: "card-sections", "aria-label": `Sections of ${model.name}` },
          sections,
        )
      : null,
  );
}

/** What all models of a gallery hold together. */
export function totals(models) {
  const sum = (key) => models.reduce((total, model) => total + model[key], 0);
  return listed([counted(models.length, "model"), counted(sum("units"), "unit")]);
}
