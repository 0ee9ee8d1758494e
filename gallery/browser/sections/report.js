// The report of a model: how its pictures do, number by number and layer by layer.

import { shareTrack } from "../charts/bars.js";
import { smallHistogram } from "../charts/histogram.js";
import { siteHash, unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { brief, counted } from "../shared/text.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { CLAIM_TEXTS, className, NUMBER_TEXTS } from "../unit/evidence-names.js";
import { blockHead, sectionHead } from "./blocks.js";

const REPORT_NUMBERS = { route: "path" }; // what a number is called in the report, and here

const PASS_TEXTS = {
  beats_natural: "excite the unit at least as much as the best natural image",
  converged: "had converged",
  follows_natural: "travel as natural images do",
  necessary: "necessary for a class",
  sufficient: "sufficient for a class",
  pictured: "own picture does more than another\u2019s",
};

const EFFECTS = { necessary: "necessity", sufficient: "sufficiency" }; // the numbers of statements

const CLASS_MOST = 24; // pictures of a class and statement

const reportKey = (name) => REPORT_NUMBERS[name] ?? name;

/** A unit's small picture that leads to it; its value below. */
function reportPicture(address, text, size = 56) {
  const i = unitTable.find(address);
  if (i < 0) return null;
  return element(
    "a",
    { href: unitHash(address), title: address, class: "report-picture" },
    smallPicture(i, size),
    element("span", {}, text),
  );
}

function reportRow(name, found) {
  const [, title, meaning] = NUMBER_TEXTS.find(([key]) => key === reportKey(name)) ?? [
    name,
    name,
    "",
  ];
  const pictures = (entries) =>
    element(
      "div",
      { class: "report-pictures" },
      entries.map(([address, value]) => reportPicture(address, brief(value), 52)),
    );
  const known = unitTable.numbers.some(({ key }) => key === reportKey(name));
  const heading = known
    ? element(
        "a",
        {
          href: view.link({ sort: reportKey(name), down: found.higher_is_better }),
          title: "Sort the units by it",
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

function reportNumbers({ numbers }) {
  const rows = Object.entries(numbers).map(([name, found]) => reportRow(name, found));
  if (!rows.length) return null;
  return element(
    "section",
    { "aria-label": "Numbers" },
    blockHead("Numbers", "of each unit\u2019s best picture"),
    element(
      "div",
      {
        class: "report-table",
        tabindex: "0",
        role: "region",
        "aria-label": "Numbers over all pictures",
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
            ["Number", "5\u00a0% \u2026 median \u2026 95\u00a0%", "Best", "Worst"].map((head) =>
              element("th", { scope: "col" }, head),
            ),
          ),
        ),
        element("tbody", {}, rows),
      ),
    ),
  );
}

/** How many neurons of a statement would stand above their controls whatever they do. */
function reportRanks({ by_rank: ranks }, passes) {
  if (!passes.some((name) => ranks[name])) return [];
  const cells = passes.map((name) =>
    element("td", { class: "quiet" }, ranks[name] ? brief(ranks[name]) : ""),
  );
  return [element("tr", {}, element("th", { scope: "row" }, "expected by rank"), cells)];
}

/** Shares that pass, over all units and layer by layer. */
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
    { "aria-label": "What passes" },
    blockHead(
      "What passes",
      "of the units of which it is known; neurons that do not vary count, and pass no statement",
    ),
    element(
      "div",
      {
        class: "report-table",
        tabindex: "0",
        role: "region",
        "aria-label": "Shares that pass, by layer",
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
            passes.map((name) => element("th", { scope: "col" }, PASS_TEXTS[name] ?? name)),
          ),
        ),
        element(
          "tbody",
          {},
          row("all", overall, "overall"),
          ...reportRanks(overall, passes),
          Object.entries(layers).map(([site, group]) =>
            row(element("a", { href: siteHash(site) }, site), group),
          ),
        ),
      ),
    ),
  );
}

/** An address, and the effect that a statement is about where the list has it. */
function effectOf(name, address) {
  const value = unitTable.number(EFFECTS[name], unitTable.find(address));
  return [address, ...(value === null ? [] : [" ", element("b", {}, brief(value))])];
}

/** The classes, and the neurons of which a statement about them is made. */
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
              addresses.length > CLASS_MOST ? `, ${CLASS_MOST} of them` : "",
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
    { "aria-label": "Statements by class" },
    blockHead(
      "Statements by class",
      "neurons by falling effect; each was tested for one class only",
    ),
    element("div", { class: "report-classes" }, blocks),
  );
}

/** The section of the report. */
export function reportView(_section, data) {
  return [
    sectionHead(
      "Report",
      `How the pictures of ${counted(data.units, "unit")} do beside natural images, and what interventions say of their neurons. Statements are made up to a false discovery rate of 5\u00a0% over the neurons of a store. That is about images: one neuron in twenty stands above its controls by rank alone, so that the number expected is beside the number found. \u201cNot shown\u201d is no proof of the contrary.`,
    ),
    reportPasses(data),
    reportNumbers(data.overall),
    reportClasses(data),
  ];
}
