import { element } from "../shared/dom.js";
import { counted, listed } from "../shared/text.js";

const NOUNS = {
  filters: "filter",
  attention: "attention head",
  grids: "token grid",
  gradients: "gradient map",
  tokens: "position map",
  compare: "comparison",
  traces: "patching figure",
};

/** Count of the items of a section; an unknown section is shown by its name. */
const sectionCount = (name, count) =>
  Object.hasOwn(NOUNS, name) ? counted(count, NOUNS[name]) : name;

/** Card of a model, with links to its page and its sections. */
export function modelCard(model) {
  const strip = model.strip.map((path) =>
    element("img", {
      src: `${model.folder}/${path}.webp`,
      alt: "",
      width: 96,
      height: 96,
      loading: "lazy",
      class: path.startsWith("figures") ? "pixels" : "smooth",
    }),
  );
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
    element("h2", {}, element("a", { href: model.page, class: "card-link" }, model.name)),
    element("p", {}, listed(facts)),
    element("div", { class: "strip" }, strip),
    sections.length
      ? element(
          "nav",
          { class: "card-sections", "aria-label": `Sections of ${model.name}` },
          sections,
        )
      : null,
  );
}
