// Grids of pictures for pairs of query and key tokens.

import { responsive } from "../charts/frame.js";
import { unitHash } from "../shared/address-links.js";
import { element, svgElement } from "../shared/dom.js";
import { measured } from "../shared/text.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { blocksOf, layersOf, sectionHead } from "./blocks.js";

const PICTURE = { least: 72, most: 320, gap: 16, heading: 88 }; // pixels

/** A small drawing of the patches, with one token marked; those before the patches are above them. */
function tokenPlace(token, [rows, columns, prefix]) {
  const side = 40 / Math.max(rows, columns);
  const patch = token - prefix;
  const isPatch = patch >= 0;
  const [x, y] = isPatch
    ? [(patch % columns) * side, 10 + Math.floor(patch / columns) * side]
    : [token * 8, 0];
  const [width, height] = [columns * side + 2, rows * side + 12];
  return svgElement(
    "svg",
    {
      class: "token-place",
      viewBox: `-1 -1 ${Math.max(width, 8 * prefix)} ${height}`,
      width: Math.max(width, 8 * prefix),
      height,
      role: "img",
      "aria-label": placeName(token, [rows, columns, prefix]),
    },
    svgElement("rect", { class: "patches", y: 10, width: columns * side, height: rows * side }),
    svgElement("rect", {
      class: "token",
      x,
      y,
      width: isPatch ? Math.max(side, 3) : 6,
      height: isPatch ? Math.max(side, 3) : 6,
    }),
  );
}

function placeName(token, [, columns, prefix]) {
  const patch = token - prefix;
  return patch < 0
    ? "before the patches"
    : `row ${Math.floor(patch / columns)}, column ${patch % columns}`;
}

/** Displacement from the query to the key in rows and columns; empty without both patches. */
function shiftText(query, key, layout) {
  if (!layout || query < layout[2] || key < layout[2]) return "";
  const [, columns, prefix] = layout;
  const place = (token) => [Math.floor((token - prefix) / columns), (token - prefix) % columns];
  const [from, to] = [place(query), place(key)];
  return `, shift (${to[0] - from[0]}, ${to[1] - from[1]})`.replaceAll("-", "\u2212");
}

function pairCell(head, query, key, value, layout, size) {
  const address = `${head}@q${query}.k${key}`;
  const unit = unitTable.find(address);
  const text = `${address}: ${measured(value)}${shiftText(query, key, layout)}`;
  return element(
    "td",
    { class: query === key ? "same" : "" },
    unit < 0 ? null : element("a", { href: unitHash(address), title: text }, thumbnail(unit, size)),
    element("span", unit < 0 ? { title: text } : {}, measured(value)),
  );
}

function gridTable([address, queries, keys, activation, layout], width) {
  const head = address.split("@")[0];
  const room = (width - PICTURE.heading) / keys.length - PICTURE.gap;
  const size = Math.floor(Math.max(PICTURE.least, Math.min(PICTURE.most, room)));
  const heading = (side, token, scope) =>
    element(
      "th",
      { scope },
      element("span", {}, `${side} ${token}`),
      layout ? tokenPlace(token, layout) : null,
    );
  return element(
    "table",
    {},
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td", {}),
        keys.map((key) => heading("key", key, "col")),
      ),
    ),
    element(
      "tbody",
      {},
      queries.map((query, i) =>
        element(
          "tr",
          {},
          heading("query", query, "row"),
          keys.map((key, j) => pairCell(head, query, key, activation[i][j], layout, size)),
        ),
      ),
    ),
  );
}

function gridFigure(entry) {
  const [address] = entry;
  const table = responsive((width) => gridTable(entry, width), "grid-table");
  for (const [name, value] of Object.entries({
    tabindex: "0",
    role: "region",
    "aria-label": `Grid of ${address}`,
  }))
    table.setAttribute(name, value);
  return element(
    "figure",
    { tabindex: "-1" },
    table,
    element("figcaption", {}, element("b", {}, address)),
  );
}

/** The section of token grids. */
export function gridsView(section, data) {
  return [
    sectionHead(
      "Token grids",
      "Pictures of a head for each pair of a query token (rows) and a key token (columns), with the logit of the pair on its picture. Pairs of equal tokens have a frame. Drawings show the place of each token among the patches, with class and register tokens above.",
    ),
    blocksOf(data.grids, (block) => layersOf(section, block, "grid", "figures", gridFigure)),
  ];
}
