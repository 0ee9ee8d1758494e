// The rows and cells of the grid of units.

import { element } from "../shared/dom.js";
import { counted, measured } from "../shared/text.js";
import { labels } from "../state/labels.js";
import { pins } from "../state/pins.js";
import { setStyle, smallPictureStyle } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { FEW } from "./layout.js";

/** A row of units, of a grid that knows the list and its layout. */
export function unitRow(grid, { band, index }) {
  const from = band.start + index * band.columns;
  const to = Math.min(from + band.columns, band.start + band.count);
  // What the pictures of a row share, such as their sheet, is said once.
  const { "--place": _, ...shared } = smallPictureStyle(
    grid.units[from],
    shownHeight(grid, grid.units[from]),
  );
  const cells = [];
  for (let place = from; place < to; place += 1)
    cells.push(element("div", { role: "gridcell" }, unitCell(grid, place, shared)));
  const row = element(
    "div",
    {
      class: band.columns < FEW || band.site?.wide ? "row few" : "row",
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

/** Height of a unit's picture: without headings all cells are of one width, and two sides are half as high. */
function shownHeight(grid, i) {
  return unitTable.siteOf(i).wide && !grid.headed ? grid.shape.size / 2 : grid.shape.size;
}

/** The unit at a place of the list: a link to its page, which tells what is known and marked of it. */
function unitCell(grid, place, shared) {
  const i = grid.units[place];
  const { sort } = grid;
  const address = unitTable.address(i);
  const { label, favourite } = labels.get(address);
  const isPinned = pins.has(address);
  const value = sort ? unitTable.number(sort, i) : null;
  const facts = [
    ...(label ? [label] : []),
    ...(favourite ? ["favourite"] : []),
    ...(isPinned ? ["pinned"] : []),
    ...(sort ? [numberText(sort, value)] : []),
  ];
  const link = element("a", {
    class: `cell${favourite ? " favourite" : ""}${isPinned ? " pinned" : ""}`,
    href: view.link({ unit: address }),
    "aria-label": address,
    ...(facts.length ? { "aria-description": facts.join(", ") } : {}),
    "data-caption": captionOf(grid, i, label, value),
    "data-place": place,
    tabindex: "-1",
    title: [address, ...facts].join("\n"),
  });
  setStyle(link, smallPictureStyle(i, shownHeight(grid, i)), shared);
  return link;
}

/** Lines below a picture: label or address, as far as the heading does not say it, and the number sorted by. */
function captionOf({ headed, sort }, i, label, value) {
  const samples = unitTable.samples(i);
  const tail = `${unitTable.tails[i]}${samples > 1 ? ` \u00d7${samples}` : ""}`;
  if (headed) return label || tail;
  const site = label || unitTable.siteOf(i).name.replace(/^blocks\./, "");
  return [site, tail, ...(sort ? [measured(value)] : [])].join("\n");
}

/** A layer's heading, in a row of its own. */
export function headRow({ band }) {
  const heading = element(
    "h2",
    { tabindex: "-1" },
    element("a", { href: view.link({ site: band.site.name }), tabindex: "-1" }, band.site.name),
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

/** A number with its name, in words. */
function numberText(key, value) {
  const { name } = unitTable.numbers.find((number) => number.key === key);
  return `${name} ${value === null ? "unknown" : measured(value)}`;
}
