// Heat map with a diverging color scale around 0.

import { element, svgElement } from "../shared/dom.js";
import { brief } from "../shared/text.js";
import { makeReadable, svgPoint } from "./reading.js";

const LEVELS = 24; // colors on each side of 0
const LETTER = 7; // width of a letter of a label, in pixels
const ROW = { least: 14, most: 30 }; // height of cells that are not square
const COLUMN = { least: 4, most: 160 }; // width of a cell

/**
 * Heat map at most `width` pixels wide, unless it has very many columns. `values` are rows of numbers; null
 * is unknown, and undefined is no cell. The colors span -`most` to `most`. Labels of `rows` and `columns`
 * are {name, href}, where href may be null; without labels, cells are square. `linkOf` returns the link of a
 * cell or null, and `read` is called with the row and column that are pointed at, or with null.
 */
export function heatMap(
  { values, most, rows = null, columns = null, description, linkOf = () => null, read },
  width,
) {
  const across = Math.max(...values.map((row) => row.length));
  const left = rows ? Math.max(...rows.map(({ name }) => name.length)) * LETTER + 8 : 1;
  const top = columns ? 20 : 1;
  const cell = Math.max(COLUMN.least, Math.min(COLUMN.most, (width - left - 1) / across));
  const height = rows ? Math.min(ROW.most, Math.max(ROW.least, cell)) : cell;
  const size = [left + cell * across + 1, top + height * values.length + 1];
  const x = (j) => left + cell * j;
  const y = (i) => top + height * i;
  const svg = svgElement("svg", {
    class: "plot heat-map",
    viewBox: `0 0 ${size.join(" ")}`,
    width: size[0],
    height: size[1],
  });
  const plot = svgElement("g", { tabindex: "0", role: "application", "aria-label": description });
  const frame = svgElement("rect", { width: cell, height });
  const cursor = svgElement("a", { class: "cursor", tabindex: "-1" }, frame);
  plot.append(...cellPaths(values, most, x, y, cell, height), cursor);
  svg.append(plot, ...labels(rows, columns, x, y, cell, height));
  const has = ([i, j]) => values[i]?.[j] !== undefined;
  const show = (item) => {
    cursor.classList.toggle("shown", item !== null);
    const link = item && linkOf(...item);
    if (link) cursor.setAttribute("href", link);
    else cursor.removeAttribute("href");
    if (item) {
      frame.setAttribute("x", x(item[1]));
      frame.setAttribute("y", y(item[0]));
    }
    read(item);
  };
  makeReadable(plot, {
    at: (event) => {
      const [px, py] = svgPoint(svg, event);
      const item = [Math.floor((py - top) / height), Math.floor((px - left) / cell)];
      return has(item) ? item : null;
    },
    next: (item, key) => nextCell(values, item, key),
    show,
    open: () => {
      if (cursor.hasAttribute("href"))
        cursor.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    },
  });
  return svg;
}

/** A path for the cells of each color: few nodes, whatever the number of cells. */
function cellPaths(values, most, x, y, width, height) {
  const paths = new Map();
  const add = (key, d) => paths.set(key, (paths.get(key) ?? "") + d);
  values.forEach((row, i) => {
    row.forEach((value, j) => {
      if (value === undefined) return;
      const corner = `M${x(j).toFixed(2)} ${y(i).toFixed(2)}`;
      const box = `${corner}h${width.toFixed(2)}v${height.toFixed(2)}h-${width.toFixed(2)}z`;
      if (value === null) {
        add("unknown", box);
        add("cross", `${corner}l${width.toFixed(2)} ${height.toFixed(2)}`);
      } else add(Math.round(LEVELS * Math.max(-1, Math.min(1, value / (most || 1)))), box);
    });
  });
  return [...paths].map(([level, d]) => {
    const isColor = typeof level === "number";
    const path = svgElement("path", { d, class: isColor ? "cells" : level });
    if (isColor) path.style.setProperty("fill", levelColor(level / LEVELS));
    return path;
  });
}

/** The color of a share of the scale, from -1 to 1; it follows the theme. */
const levelColor = (share) =>
  `color-mix(in oklab, var(${share < 0 ? "--fall" : "--rise"}) ${Math.round(100 * Math.abs(share))}%, var(--zero))`;

function labels(rows, columns, x, y, cell, height) {
  const text = ({ name, href }, attributes) => {
    const node = svgElement("text", { class: "tick", ...attributes }, name);
    return href ? svgElement("a", { href }, node) : node;
  };
  const longest = Math.max(0, ...(columns ?? []).map(({ name }) => name.length));
  const every = Math.ceil((longest * LETTER + 8) / cell);
  return [
    ...(rows ?? []).map((row, i) =>
      text(row, { x: x(0) - 6, y: y(i) + height / 2, dy: "0.35em", "text-anchor": "end" }),
    ),
    ...(columns ?? []).flatMap((column, j) =>
      j % every ? [] : [text(column, { x: x(j) + cell / 2, y: y(0) - 6, "text-anchor": "middle" })],
    ),
  ];
}

/** The nearest cell in the direction of an arrow key; the first cell from null. */
function nextCell(values, item, key) {
  if (item === null) {
    const row = values.findIndex((cells) => cells.some((value) => value !== undefined));
    return row < 0 ? null : [row, values[row].findIndex((value) => value !== undefined)];
  }
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1] }[key] ?? [0, 1];
  let [i, j] = [item[0] + down, item[1] + right];
  while (i >= 0 && i < values.length && j >= 0 && j < values[i].length) {
    if (values[i][j] !== undefined) return [i, j];
    [i, j] = [i + down, j + right];
  }
  return null;
}

/** Legend of the color scale from -`most` to `most`. */
export const divergingLegend = (most) =>
  element(
    "span",
    {
      class: "legend",
      role: "img",
      "aria-label": `Color scale from ${brief(-most)} to ${brief(most)}`,
    },
    element("span", {}, brief(-most)),
    element("span", { class: "diverging" }),
    element("span", {}, brief(most)),
  );
