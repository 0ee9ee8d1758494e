import { element } from "../shared/dom.js";
import { counted, listed } from "../shared/text.js";

/** The filters of a model, with the sizes of their classes. */
export function filterStrip(model) {
  const { count, classes, shown } = model.filters;
  const facts = [
    shown.length < count
      ? `${shown.length} of ${counted(count, "filter")}`
      : counted(count, "filter"),
    ...classes.map(([name, size]) => `${name} ${size.toLocaleString("en")}`),
  ];
  const pictures = shown.map(([address, [number], name]) =>
    element("img", {
      src: `${model.folder}/figures/${number}.webp`,
      alt: `${address}, ${name}`,
      title: `${address}, ${name}`,
      width: 32,
      height: 32,
      loading: "lazy",
      class: "pixels",
    }),
  );
  return element(
    "li",
    {},
    element("h3", {}, element("a", { href: `${model.page}#filters` }, model.name)),
    element("p", {}, listed(facts)),
    element("div", { class: "filter-strip" }, pictures),
  );
}
