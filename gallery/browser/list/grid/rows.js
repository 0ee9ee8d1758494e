// The rows and cells of the grid of units.

import { element } from "../../shared/dom.js";
import { counted, measured } from "../../shared/text.js";
import { labels } from "../../state/saved/labels.js";
import { pins } from "../../state/saved/pins.js";
import { setStyle, thumbnailStyle } from "../../state/thumbnails.js";
import { unitTable } from "../../state/unit-table.js";
import { view } from "../../state/view.js";
import { FEW, GAP } from "./layout.js";

/** A row of units of the grid. */
export function unitRow(grid, { band, index }) {
  const from = band.start + index * band.columns;
  const to = Math.min(from + band.columns, band.start + band.count);
  // Style properties that all pictures of a row share are set on the row.
  const {
    "--offset": _,
    "--color": __,
    ...shared
  } = thumbnailStyle(grid.units[from], pictureHeight(grid, grid.units[from]));
  const cells = [];
  for (let position = from; position < to; position += 1)
    cells.push(element("div", { role: "gridcell" }, unitCell(grid, position, shared)));
  const row = element(
    "div",
    {
      class: isNarrow(band) ? "row few" : "row",
      role: "row",
      "aria-rowindex": band.row + (band.head ? 1 : 0) + index + 1,
    },
    cells,
  );
  row.style.setProperty("grid-template-columns", `repeat(${band.columns}, ${band.cell}px)`);
  row.style.setProperty("height", `${grid.layout.rowHeight}px`);
  setStyle(row, shared);
  return row;
}

/** A row of units that is one element: the mean colors of their pictures. */
export function colorRow(grid, { band, index }) {
  const from = band.start + index * band.columns;
  const to = Math.min(from + band.columns, band.start + band.count);
  const spread = (grid.width - band.cell) / (band.columns - 1);
  const step = isNarrow(band) ? band.cell + GAP : spread;
  const stops = [];
  for (let position = from; position < to; position += 1) {
    const i = grid.units[position];
    const left = Math.round((position - from) * step);
    const right = left + pictureHeight(grid, i) * (unitTable.siteOf(i).wide ? 2 : 1);
    const color = unitTable.color(i) ?? "var(--surface)";
    stops.push(`transparent ${left}px, ${color} ${left}px ${right}px, transparent ${right}px`);
  }
  const row = element("div", { class: "row colors", "aria-hidden": "true" });
  row.style.setProperty("height", `${grid.layout.rowHeight}px`);
  row.style.setProperty("background-image", `linear-gradient(to right, ${stops.join()})`);
  row.style.setProperty("background-size", `100% ${grid.shape.size}px`);
  return row;
}

/** Whether the cells of a row are next to each other, instead of spread over the width. */
const isNarrow = ({ columns, site }) => columns < FEW || site?.wide;

/** Height of a unit's picture. Without headings, cells have one width, so pairs are half as high. */
function pictureHeight(grid, i) {
  return unitTable.siteOf(i).wide && !grid.headed ? grid.shape.size / 2 : grid.shape.size;
}

/** Cell of the unit at a position: a link to its page. */
function unitCell(grid, position, shared) {
  const i = grid.units[position];
  const address = unitTable.address(i);
  const { label, favorite } = labels.get(address);
  const isPinned = pins.has(address);
  const headline = unitTable.headline(i);
  const values = grid.metrics.map((key) => metricText(key, unitTable.metric(key, i)));
  const facts = [
    ...(label ? [label] : []),
    ...(headline ? [headline] : []),
    ...(favorite ? ["favorite"] : []),
    ...(isPinned ? ["pinned"] : []),
  ];
  const [name, value, line] = captionOf(grid, i, label || headline);
  const link = element(
    "a",
    {
      class: `cell${favorite ? " favorite" : ""}${isPinned ? " pinned" : ""}`,
      href: view.link({ unit: address }),
      "aria-label": [address, ...values].join(", "),
      ...(facts.length ? { "aria-description": facts.join(", ") } : {}),
      "data-name": name,
      "data-position": position,
      tabindex: "-1",
    },
    value ? element("b", { class: "caption" }, value) : null,
    line ? element("span", { class: "caption" }, line) : null,
  );
  setStyle(link, thumbnailStyle(i, pictureHeight(grid, i)), shared);
  return link;
}

/** Number of lines below a picture: the unit, its values, and its label or headline. */
export function captionLines({ metrics }) {
  return 1 + metrics.length + (unitTable.headlines.length || labels.size ? 1 : 0);
}

/** Lines below a picture: the unit, without its layer where that is the heading; its values; a line about it. */
function captionOf({ headed, metrics }, i, line) {
  const samples = unitTable.samples(i);
  const suffix = `${unitTable.suffixes[i]}${samples > 1 ? ` \u00d7${samples}` : ""}`;
  const name = headed ? suffix : `${shortSite(unitTable.siteOf(i).name)}${suffix}`;
  const values = metrics.map((key) => measured(unitTable.metric(key, i)));
  return [name, values.join("\n"), line];
}

/** Name of a layer in a list of several: its block, if each block has only one layer. */
function shortSite(name) {
  const short = name.replace(/^blocks\./, "");
  return hasOneKind ? /\d+/.exec(name)[0] : short;
}

/** Whether the layers differ in the number of their block only. */
const hasOneKind =
  unitTable.sites.every(({ name }) => /\d/.test(name)) &&
  new Set(unitTable.sites.map(({ name }) => name.replace(/\d+/, "#"))).size === 1;

/** A row with the heading of a layer. */
export function headingRow({ band }) {
  const heading = element(
    "h2",
    { tabindex: "-1" },
    element("a", { href: view.link({ layer: band.site.name }), tabindex: "-1" }, band.site.name),
  );
  const shown =
    band.count < band.site.count
      ? `${band.count.toLocaleString("en")} of ${counted(band.site.count, "unit")}`
      : counted(band.count, "unit");
  return element(
    "div",
    { class: "row head", role: "row", "aria-rowindex": band.row + 1 },
    element("div", { role: "gridcell", class: "heading" }, heading, element("p", {}, shown)),
  );
}

/** A metric with its name. */
function metricText(key, value) {
  const { name } = unitTable.metrics.find((metric) => metric.key === key);
  return `${name} ${value === null ? "unknown" : measured(value)}`;
}
