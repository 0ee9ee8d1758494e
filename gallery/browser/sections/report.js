// The report of a model: checks, claims and metrics over all units and by layer.

import { shareTrack } from "../charts/bars.js";
import { smallHistogram } from "../charts/histogram.js";
import { siteHash, unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { brief, counted } from "../shared/text.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { CLAIM_TEXTS, className, METRIC_TEXTS } from "../unit/evidence/names.js";
import { blockHead, sectionHead } from "./blocks.js";

const METRIC_KEYS = { route: "path" }; // keys of the report that differ from those of the list

const CHECK_TITLES = {
  beats_natural: "Activation at least that of the best natural image",
  converged: "Optimization converged",
  follows_natural: "Hidden activations match those of top natural images",
  necessary: "Necessary for a class",
  sufficient: "Sufficient for a class",
  pictured: "Own picture has a larger effect than another unit\u2019s",
};

const EFFECTS = { necessary: "necessity", sufficient: "sufficiency" }; // metrics with the effect of each claim

const CLASS_MOST = 24; // pictures per class and claim

const metricKey = (name) => METRIC_KEYS[name] ?? name;

/** A thumbnail of a unit with a caption, as a link. */
function reportPicture(address, text, size = 56) {
  const i = unitTable.find(address);
  if (i < 0) return null;
  return element(
    "a",
    { href: unitHash(address), title: address, class: "report-picture" },
    thumbnail(i, size),
    element("span", {}, text),
  );
}

/**
 * The units at one end of a metric. Of units with one value that are not all among the `entries`,
 * none is shown: which ones are is arbitrary. A link leads to all of them.
 */
function extremeUnits(entries, key) {
  const column = unitTable.columns.get(key) ?? [];
  const rounded = (value) => Number(value.toPrecision(5)); // see gallery/units/unit_columns.py
  const last = rounded(entries.at(-1)[1]);
  const tied = column.filter((value) => value === last).length;
  const shown = entries.filter(([, value]) => rounded(value) !== last);
  const isWhole = tied <= entries.length - shown.length;
  const where = [">=", "<="].map((op) => ({ key, op, value: last }));
  return element(
    "div",
    { class: "report-pictures" },
    (isWhole ? entries : shown).map(([address, value]) => reportPicture(address, brief(value), 52)),
    isWhole
      ? null
      : element(
          "a",
          { class: "tied", href: view.link({ where, sort: key, down: true }) },
          `${counted(tied, "unit")} with ${brief(last)}`,
        ),
  );
}

function reportRow(name, found) {
  const [, title, meaning] = METRIC_TEXTS.find(([key]) => key === metricKey(name)) ?? [
    name,
    name,
    "",
  ];
  const pictures = (entries) => extremeUnits(entries, metricKey(name));
  const known = unitTable.metrics.some(({ key }) => key === metricKey(name));
  const heading = known
    ? element(
        "a",
        {
          href: view.link({ sort: metricKey(name), down: found.higher_is_better }),
          title: "Sort units by this metric",
        },
        title,
      )
    : title;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, heading, element("p", { class: "quiet" }, meaning)),
    element(
      "td",
      { class: "value" },
      smallHistogram(found, title),
      element(
        "p",
        {},
        brief(found.quantiles["5"]),
        " \u2026 ",
        element("b", {}, brief(found.quantiles["50"])),
        " \u2026 ",
        brief(found.quantiles["95"]),
      ),
      element("p", { class: "quiet" }, counted(found.count, "unit")),
    ),
    element("td", {}, pictures(found.best)),
    element("td", {}, pictures(found.worst)),
  );
}

function reportMetrics({ numbers }) {
  const rows = Object.entries(numbers).map(([name, found]) => reportRow(name, found));
  if (!rows.length) return null;
  return element(
    "section",
    { "aria-label": "Metrics" },
    blockHead("Metrics", "of the best picture of each unit"),
    element(
      "div",
      {
        class: "report-table",
        tabindex: "0",
        role: "region",
        "aria-label": "Metrics over all pictures",
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
            ["Metric", "5\u00a0% \u2026 median \u2026 95\u00a0%", "Best", "Worst"].map((head) =>
              element("th", { scope: "col" }, head),
            ),
          ),
        ),
        element("tbody", {}, rows),
      ),
    ),
  );
}

/** Number of neurons expected to rank above their controls by chance. */
function expectedRow({ by_rank: ranks }, passes) {
  if (!passes.some((name) => ranks[name])) return [];
  const cells = passes.map((name) =>
    element("td", { class: "quiet" }, ranks[name] ? brief(ranks[name]) : ""),
  );
  return [element("tr", {}, element("th", { scope: "row" }, "expected by chance"), cells)];
}

/** Shares of units that pass each check and claim, in total and by layer. */
function reportPasses({ overall, layers, passes }) {
  if (!passes.length) return null;
  const cell = ({ passed, known }) =>
    known
      ? element(
          "td",
          {},
          shareTrack(passed / known),
          element("span", {}, `${Math.round((100 * passed) / known)}\u00a0%`),
          element(
            "span",
            { class: "quiet" },
            ` ${passed.toLocaleString("en")} of ${known.toLocaleString("en")}`,
          ),
        )
      : element("td", { class: "quiet" }, "\u2013");
  const row = (heading, group, kind = "") =>
    element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, heading),
      passes.map((name) => cell(group.passes[name])),
    );
  return element(
    "section",
    { "aria-label": "Checks and claims" },
    blockHead(
      "Checks and claims",
      "share of the measured units; neurons with constant activation count as failing every claim",
    ),
    element(
      "div",
      {
        class: "report-table",
        tabindex: "0",
        role: "region",
        "aria-label": "Checks and claims, by layer",
      },
      element(
        "table",
        { class: "passes" },
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th", { scope: "col" }, "Layer"),
            passes.map((name) => element("th", { scope: "col" }, CHECK_TITLES[name] ?? name)),
          ),
        ),
        element(
          "tbody",
          {},
          row("All layers", overall, "overall"),
          ...expectedRow(overall, passes),
          Object.entries(layers).map(([site, group]) =>
            row(element("a", { href: siteHash(site) }, site), group),
          ),
        ),
      ),
    ),
  );
}

/** An address, with the effect of a claim if it is known. */
function effectOf(name, address) {
  const value = unitTable.metric(EFFECTS[name], unitTable.find(address));
  return [address, ...(value === null ? [] : [" ", element("b", {}, brief(value))])];
}

/** Neurons with claims, by class. */
function reportClasses({ classes }) {
  const blocks = Object.entries(classes).map(([label, claims]) =>
    element(
      "section",
      { class: "report-class", "aria-label": label },
      element("h4", {}, className(label)),
      Object.entries(claims)
        .filter(([name]) => Object.hasOwn(CLAIM_TEXTS, name))
        .map(([name, addresses]) =>
          element(
            "div",
            { class: "report-claim" },
            element(
              "p",
              { class: "quiet" },
              CLAIM_TEXTS[name],
              `: ${counted(addresses.length, "neuron")}`,
              addresses.length > CLASS_MOST ? `, the first ${CLASS_MOST} shown` : "",
            ),
            element(
              "div",
              { class: "report-pictures" },
              addresses
                .slice(0, CLASS_MOST)
                .map((address) => reportPicture(address, effectOf(name, address), 72)),
            ),
          ),
        ),
    ),
  );
  if (!blocks.length) return null;
  return element(
    "section",
    { "aria-label": "Claims by class" },
    blockHead(
      "Claims by class",
      "neurons by decreasing effect; each was tested for one class only",
    ),
    element("div", { class: "report-classes" }, blocks),
  );
}

/** The report section. */
export function reportView(_section, data) {
  return [
    sectionHead(
      "Report",
      `Quality of the pictures of ${counted(data.units, "unit")}, compared with natural images, and results of the causal tests of neurons and latents. Claims control the false discovery rate at 5\u00a0% over the neurons and latents of a store, with respect to the choice of images. About 5\u00a0% of neurons outrank their controls by chance; compare with the row \u201cexpected by chance\u201d. \u201cNot shown\u201d does not mean disproved.`,
    ),
    reportPasses(data),
    reportMetrics(data.overall),
    reportClasses(data),
  ];
}
