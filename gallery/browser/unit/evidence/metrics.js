// Quality of a picture: checks, metrics, and its path through the layers.

import { shareTrack } from "../../charts/bars.js";
import { chartFigure, chartLegend } from "../../charts/frame.js";
import { linesPlot } from "../../charts/lines.js";
import { element } from "../../shared/dom.js";
import { tableOf } from "../../shared/tables.js";
import { hundredths, measured } from "../../shared/text.js";
import { unitTable } from "../../state/unit-table.js";
import { checkChip, knownChecks, METRIC_TEXTS } from "./names.js";

/** Share of the other units with a worse value, ties counted half; null if it is not defined. */
function rankAmongUnits(key, index) {
  const metric = unitTable.metrics.find((one) => one.key === key);
  const own = unitTable.metric(key, index);
  if (!metric || metric.higher === null || own === null) return null;
  let [worse, others] = [0, 0];
  for (const value of unitTable.columns.get(key)) {
    if (value === null) continue;
    others += 1;
    if (value === own) worse += 0.5;
    else if (value < own === metric.higher) worse += 1;
  }
  return others > 1 ? { share: (worse - 0.5) / (others - 1), others: others - 1 } : null;
}

function metricRow(unit, [key, name, meaning]) {
  const value = unitTable.metric(key, unit.index);
  if (value === null) return null;
  const rank = rankAmongUnits(key, unit.index);
  const comparison = rank
    ? [
        shareTrack(rank.share),
        element(
          "span",
          { class: "quiet" },
          `better than ${Math.round(100 * rank.share)}\u00a0% of ${rank.others.toLocaleString("en")}`,
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
    element("td", { class: "value" }, key === "rank" ? `${value}` : measured(value)),
    element("td", { class: "rank" }, comparison),
  );
}

/** The section of checks and metrics of a unit's best picture. */
export function metricsBlock(unit, { evidence }) {
  if (!evidence) return null;
  const rows = METRIC_TEXTS.map((entry) => metricRow(unit, entry)).filter(Boolean);
  const checks = knownChecks(evidence);
  if (!rows.length && !checks.length) return null;
  return element(
    "section",
    { class: "evidence quality", "aria-label": "Picture quality" },
    element("h2", {}, "Picture quality"),
    checks.length
      ? element("ul", { class: "verdicts", "aria-label": "Checks" }, checks.map(checkChip))
      : null,
    rows.length
      ? element(
          "div",
          {
            class: "metrics",
            tabindex: "0",
            role: "region",
            "aria-label": "Metrics of the picture",
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
                ["Metric", "Value", "Rank among units"].map((head) =>
                  element("th", { scope: "col" }, head),
                ),
              ),
            ),
            element("tbody", {}, rows),
          ),
        )
      : null,
    pathFigure(evidence.route),
  );
}

/** Short name of a layer: of "blocks.3" the number. */
const shortLayer = (name) =>
  name.replace(/^(blocks|layers|stages)\./, "").replace(/^patch_embed$/, "in");

/** Similarity of a picture's hidden activations to those of natural images, by layer. */
function pathFigure(route) {
  if (!route) return null;
  const lines = [
    ["this picture", route.picture, "sample-1"],
    ["top natural images, to each other", route.natural, "sample-0"],
    ["other images of their classes", route.same, "sample-2"],
    ["images of other classes", route.different, "sample-7"],
  ];
  const last = (values) => hundredths(values.findLast((value) => value !== null) ?? null);
  const description = `Similarity to the unit\u2019s top natural images over ${route.layers.length} layers. At the last layer: ${lines.map(([name, values]) => `${name} ${last(values)}`).join("; ")}.`;
  const rows = () =>
    route.layers.map((layer, i) => [layer, ...lines.map(([, values]) => hundredths(values[i]))]);
  return element(
    "section",
    { "aria-label": "Similarity by layer" },
    element("h3", {}, "Similarity by layer"),
    chartFigure(
      (width) => linesPlot(lines, route.layers.map(shortLayer), width, description),
      "Similarity to the unit\u2019s top natural images, by layer.",
      chartLegend(lines.map(([name, , color]) => [name, color])),
      tableOf("Values", ["Layer", ...lines.map(([name]) => name)], rows),
    ),
  );
}
