// How far to trust a picture: its numbers, and its path through the layers.

import { shareTrack } from "../charts/bars.js";
import { chartFigure, chartLegend } from "../charts/frame.js";
import { linesPlot } from "../charts/lines.js";
import { element } from "../shared/dom.js";
import { tableOf } from "../shared/tables.js";
import { brief } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";
import { checkChip, knownChecks, NUMBER_TEXTS } from "./evidence-names.js";

/** How many of the other units of the page do worse, from 0 to 1; null where that says nothing. */
function standing(key, number) {
  const column = unitTable.numbers.find((one) => one.key === key);
  const own = unitTable.number(key, number);
  if (!column || column.higher === null || own === null) return null;
  let [worse, others] = [0, 0];
  for (const value of unitTable.columnar.get(key)) {
    if (value === null) continue;
    others += 1;
    if (value === own) worse += 0.5;
    else if (value < own === column.higher) worse += 1;
  }
  return others > 1 ? { share: (worse - 0.5) / (others - 1), others: others - 1 } : null;
}

function numberRow(unit, [key, name, meaning]) {
  const value = unitTable.number(key, unit.number);
  if (value === null) return null;
  const stands = standing(key, unit.number);
  const place = stands
    ? [
        shareTrack(stands.share),
        element(
          "span",
          { class: "quiet" },
          `better than ${Math.round(100 * stands.share)}\u00a0% of ${stands.others.toLocaleString("en")}`,
        ),
      ]
    : element("span", { class: "quiet" }, "\u2013");
  const describe = element(
    "details",
    { class: "why" },
    element("summary", {}, name),
    element("p", {}, meaning),
  );
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, describe),
    element("td", { class: "value" }, brief(value)),
    element("td", { class: "place-among" }, place),
  );
}

/** The numbers of a unit's best picture, and how they stand among those of the page. */
export function numbersBlock(unit, { evidence }) {
  if (!evidence) return null;
  const rows = NUMBER_TEXTS.map((entry) => numberRow(unit, entry)).filter(Boolean);
  const checks = knownChecks(evidence);
  if (!rows.length && !checks.length) return null;
  return element(
    "section",
    { class: "evidence", "aria-label": "How far to trust the picture" },
    element("h2", {}, "How far to trust the picture"),
    checks.length
      ? element("ul", { class: "verdicts", "aria-label": "Checks" }, checks.map(checkChip))
      : null,
    rows.length
      ? element(
          "div",
          {
            class: "numbers",
            tabindex: "0",
            role: "region",
            "aria-label": "Numbers of the picture",
          },
          element(
            "table",
            {},
            element(
              "thead",
              {},
              element(
                "tr",
                {},
                ["Number", "Picture", "Among the units of this page"].map((head) =>
                  element("th", { scope: "col" }, head),
                ),
              ),
            ),
            element("tbody", {}, rows),
          ),
        )
      : null,
    routeFigure(evidence.route),
  );
}

/** Short name of a layer: of "blocks.3" the number. */
const shortLayer = (name) =>
  name.replace(/^(blocks|layers|stages)\./, "").replace(/^patch_embed$/, "in");

/** How a picture travels through the layers, beside natural images. */
function routeFigure(route) {
  if (!route) return null;
  const lines = [
    ["this picture", route.picture, "sample-1"],
    ["natural images that excite the unit, to each other", route.natural, "sample-0"],
    ["other images of their classes", route.same, "sample-2"],
    ["images of other classes", route.different, "sample-7"],
  ];
  const last = (values) => brief(values.findLast((value) => value !== null) ?? null);
  const description = `Similarity over ${route.layers.length} layers to the natural images that excite the unit. At the last: ${lines.map(([name, values]) => `${name} ${last(values)}`).join("; ")}.`;
  const rows = () =>
    route.layers.map((layer, i) => [layer, ...lines.map(([, values]) => brief(values[i]))]);
  return element(
    "section",
    { "aria-label": "Path through the layers" },
    element("h3", {}, "Path through the layers"),
    chartFigure(
      (width) => linesPlot(lines, route.layers.map(shortLayer), width, description),
      "Similarity, layer by layer, to the natural images that excite the unit.",
      chartLegend(lines.map(([name, , colour]) => [name, colour])),
      tableOf("Values", ["Layer", ...lines.map(([name]) => name)], rows),
    ),
  );
}
