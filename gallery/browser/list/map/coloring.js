// Colors of the units on the map: of their pictures, by layer or by class.

import { element } from "../../shared/dom.js";
import { unitTable } from "../../state/unit-table.js";

const MOST_CLASSES = 7; // with a color of their own
const OTHER = "--s7";
const UNKNOWN = "--edge"; // no class, or no mean color

/** Name of each coloring; those that the units have no data for are left out. */
export const COLORINGS = {
  picture: "Color by picture",
  layer: "Color by layer",
  ...(unitTable.facets.has("class") ? { class: "Color by class" } : {}),
};

/** A color for each unit, and the entries of the legend: color, text, number of units and filter. */
export function coloring(name) {
  if (name === "layer") return byLayer();
  if (name === "class") return byClass();
  const unknown = themeColor(UNKNOWN);
  return {
    colors: Array.from({ length: unitTable.count }, (_, i) => unitTable.color(i) ?? unknown),
    legend: [],
  };
}

/** From blue for the first layer to yellow for the last, with increasing lightness. */
function byLayer() {
  const { sites } = unitTable;
  const last = Math.max(1, sites.length - 1);
  const scale = sites.map((_, index) => {
    const share = index / last;
    return `oklch(${0.45 + 0.42 * share} 0.13 ${280 - 190 * share})`;
  });
  return {
    colors: sites.flatMap(({ count }, index) => new Array(count).fill(scale[index])),
    legend: sites.map(({ name, count }, index) => ({
      color: scale[index],
      text: name,
      count,
      filter: { layer: name },
    })),
  };
}

/** The most common classes of top images have a color each. */
function byClass() {
  const { values, units } = unitTable.facets.get("class");
  const counts = unitTable
    .facetCounts()
    .filter(({ key }) => key === "class")
    .sort((a, b) => b.count - a.count);
  const common = counts.slice(0, MOST_CLASSES).map(({ value, count }, index) => ({
    color: themeColor(`--s${index}`),
    text: value,
    count,
    filter: { facets: { class: value } },
  }));
  const [other, unknown] = [themeColor(OTHER), themeColor(UNKNOWN)];
  const colorOf = new Map(common.map(({ text, color }) => [text, color]));
  const others = counts.slice(MOST_CLASSES).reduce((sum, { count }) => sum + count, 0);
  const without = units.filter((value) => value === null).length;
  return {
    colors: units.map((value) =>
      value === null ? unknown : (colorOf.get(values[value]) ?? other),
    ),
    legend: [
      ...common,
      ...(others ? [{ color: other, text: "other classes", count: others }] : []),
      ...(without ? [{ color: unknown, text: "no class", count: without }] : []),
    ],
  };
}

/** The color of a variable of the style sheet, in the current theme. */
export function themeColor(name) {
  const probe = element("span", { hidden: "" });
  probe.style.setProperty("color", `var(${name})`);
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
