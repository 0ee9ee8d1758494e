// Causal tests of a neuron or a latent: claims and effects.

import { barList } from "../../charts/bars.js";
import { effectsPlot } from "../../charts/effects.js";
import { chartFigure } from "../../charts/frame.js";
import { element } from "../../shared/dom.js";
import { tableOf } from "../../shared/tables.js";
import { brief, counted, hundredths, percent, rounded, scaleFormat } from "../../shared/text.js";
import { CLAIM_TEXTS, chip, className } from "./names.js";

/** Long and short names of doses that are no percentiles. */
const doseNames = (unit) => ({
  picture: ["own picture", "own"],
  other: [`picture of another ${unit}`, "other"],
});

/** Effect of each dose: activations patched into neutral images. */
function doseFigure({ unit, doses, label, neutral }) {
  const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
  if (!rows.length) return null;
  const names = doseNames(unit);
  const name = (dose, short = 0) => names[dose]?.[short] ?? `${dose}th`;
  const description = `Change of the margin of ${label} by patched activation: ${rows.map(([dose, { effect }]) => `${name(dose)} ${brief(effect.estimate)}`).join("; ")}.`;
  const interval = ({ low, high }) =>
    low === null ? "\u2013" : `${hundredths(low)} to ${hundredths(high)}`;
  return element(
    "section",
    { "aria-label": "Dose response" },
    element("h3", {}, "Dose response"),
    chartFigure(
      (width) =>
        effectsPlot(
          rows.map(([dose, { activation, effect }]) => [
            name(dose, 1),
            activation === null ? "" : rounded(Number(activation.toPrecision(2))),
            effect,
          ]),
          width,
          description,
        ),
      [
        "Change of the margin of ",
        className(label),
        ` on ${counted(neutral, "neutral image")} when an activation is patched in, with 95\u00a0% confidence intervals. Doses: the activation of natural images at these percentiles, of the ${unit}\u2019s own picture, and of the picture of another ${unit}.`,
      ],
      tableOf(
        "Values",
        ["Dose", "Activation", "Effect", "95\u00a0% CI", "Predicted as the class"],
        () =>
          rows.map(([dose, { activation, effect, converted }]) => [
            name(dose),
            brief(activation),
            hundredths(effect.estimate),
            interval(effect),
            percent(converted),
          ]),
      ),
    ),
  );
}

/** Effect of ablation on each class. */
function profileBars({ unit, profile, agreement }) {
  const total = profile.total ?? [];
  if (!total.length) return null;
  const direct = new Map(profile.direct);
  const up = total.filter(([, value]) => value > 0);
  const down = total.filter(([, value]) => value <= 0).sort(([, one], [, other]) => one - other);
  const most = Math.max(...total.map(([, value]) => Math.abs(value ?? 0)));
  const format = scaleFormat(0, most, 3);
  const correlations = Object.entries(agreement).filter(([, value]) => value !== null);
  const bars = (caption, rows) => (rows.length ? barList(caption, rows, most, format) : null);
  return element(
    "section",
    { "aria-label": "Effect by class" },
    element("h3", {}, "Effect by class"),
    element(
      "p",
      { class: "quiet" },
      `Decrease of each class logit when the ${unit} is ablated to its mean; the strongest effects of either sign. These effects were not tested.`,
    ),
    bars("Supports", up),
    bars("Opposes", down),
    tableOf("Total and direct effects", ["Class", "Total", "Direct"], () =>
      total.map(([name, value]) => [
        className(name),
        brief(value),
        brief(direct.get(name) ?? null),
      ]),
    ),
    correlations.length
      ? element(
          "dl",
          { class: "value-list" },
          element("dt", {}, "Rank correlation"),
          element(
            "dd",
            {},
            "of the effects on all classes: ",
            correlations.map(([pair, value], i) => [
              i ? "; " : "",
              pair,
              " ",
              element("b", {}, hundredths(value)),
            ]),
            ".",
          ),
        )
      : null,
  );
}

const ABLATIONS = { mean: "Mean ablation", resample: "Resample ablation" };

const CONTROLS = { directions: "random directions" };

const LEVEL = 0.05; // above it, p- and q-values are lower bounds; see featviz/analysis/evidence/claims.py

/** A p- or q-value. */
const bound = (name, value) =>
  value === null
    ? `${name} unknown`
    : `${name} ${value > LEVEL ? "\u2265" : "="} ${rounded(Number(value.toPrecision(2)))}`;

/** How an effect compares with those of the controls of one kind. */
function comparison(unit, kind, { count, level, within, p }, format) {
  const name = kind === "neurons" ? `${unit}s` : (CONTROLS[kind] ?? kind);
  const text =
    p <= LEVEL
      ? `above ${within} of ${count} ${name}, at most ${format(level)}`
      : level > 0
        ? `${count - within + 1} or more of ${count} ${name} reach ${format(level)}`
        : `not shown to be above 0 and ${within} of ${count} ${name}`;
  return element("div", {}, text, " ", element("span", { class: "quiet" }, `(${bound("p", p)})`));
}

/** The verdict on a claim, in a cell that spans the rows of its tests. */
function claimCells(name, { holds, significant, p, q }, rows) {
  const span = { rowspan: rows };
  const verdict = holds
    ? chip(true, CLAIM_TEXTS[name], "span")
    : p === null
      ? "Not tested"
      : `Not shown: ${CLAIM_TEXTS[name].toLowerCase()}${significant ? ", an interval includes 0" : ""}`;
  return [
    element("td", { class: "value", ...span }, p === null ? "\u2013" : bound("q", q).slice(2)),
    element("td", span, element("span", { class: "verdicts one" }, verdict)),
  ];
}

/** The rows of the table of tests: [test, effect, comparison], and [claim, number of its rows]. */
function testRows({ unit, removals, doses, controls, claims, neutral, picture_p: pictureP }) {
  const effects = [
    ...Object.values(removals).map(({ effect }) => effect),
    ...[doses[99], doses.picture, doses.other].map((dose) => dose?.effect),
  ].filter((effect) => effect && effect.estimate !== null);
  const ends = effects.flatMap(({ estimate, low, high }) => [estimate, low ?? 0, high ?? 0]);
  const format = scaleFormat(0, Math.max(0, ...ends.map(Math.abs)), 3);
  const effectCell = ({ estimate, low, high }) =>
    estimate === null
      ? "\u2013"
      : [
          element("b", {}, format(estimate)),
          low === null ? "" : ` [${format(low)}, ${format(high)}]`,
        ];
  const compared = (found) =>
    Object.entries(found).map(([kind, group]) => comparison(unit, kind, group, format));
  const ablations = Object.entries(removals).map(([name, { effect, controls: found }]) => [
    ABLATIONS[name] ?? name,
    effectCell(effect),
    compared(found),
  ]);
  const dosed = [];
  if (doses[99]?.effect.estimate != null)
    dosed.push(["Dose of the 99th percentile", effectCell(doses[99].effect), compared(controls)]);
  else dosed.push(["Dose of the 99th percentile", "\u2013", `only ${neutral} neutral images`]);
  const own = [];
  if (doses.picture?.effect.estimate != null)
    own.push([
      "Dose of its own picture",
      effectCell(doses.picture.effect),
      doses.other?.effect.estimate == null
        ? `no picture of another ${unit}`
        : [
            `picture of another ${unit}: ${format(doses.other.effect.estimate)} `,
            element("span", { class: "quiet" }, `(${bound("p", pictureP)})`),
          ],
    ]);
  return [
    ["necessary", ablations],
    ["sufficient", dosed],
    ["pictured", own],
  ].flatMap(([name, rows]) =>
    rows.map((row, i) => [
      ...row,
      i || !claims[name] ? [] : claimCells(name, claims[name], rows.length),
    ]),
  );
}

/** Share of the picture's effect that the unit mediates, as a row of the table. */
function mediationRow({ unit, mediation, mediation_control: control }) {
  if (mediation === null) return [];
  const share = (value) => percent(Math.round(1000 * value) / 1000 || 0);
  return [
    [
      "Mediation of its picture\u2019s effect",
      element("b", {}, share(mediation)),
      control === null ? "\u2013" : `control ${unit}s: median ${share(control)}`,
      [element("td", {}, "\u2013"), element("td", {}, "\u2013")],
    ],
  ];
}

/** The table of tests: effect, controls, q-value and verdict of each. */
function testsTable(verdict) {
  const heads = ["Test", "Effect [95\u00a0% CI]", "Controls", "q", "Verdict"];
  return element(
    "div",
    { class: "metrics tests", tabindex: "0", role: "region", "aria-label": "Tests" },
    element(
      "table",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          heads.map((head) => element("th", { scope: "col" }, head)),
        ),
      ),
      element(
        "tbody",
        {},
        [...testRows(verdict), ...mediationRow(verdict)].map(([test, effect, controls, rest]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, test),
            element("td", { class: "effect" }, effect),
            element("td", {}, controls),
            rest,
          ),
        ),
      ),
    ),
  );
}

/** The table of tests, and what its numbers are, folded. */
function testsBlock(verdict) {
  const { unit, label, images, neutral, data, claims } = verdict;
  const among = Math.max(0, ...Object.values(claims).map((claim) => claim.among));
  return [
    element(
      "p",
      { class: "quiet" },
      "Effects in logits on the margin of ",
      className(label),
      `, the class that the ${unit} supports most, on held-out images of `,
      element("bdi", {}, data),
      ".",
    ),
    testsTable(verdict),
    element(
      "details",
      { class: "why" },
      element("summary", {}, "How to read the table"),
      element(
        "dl",
        { class: "value-list" },
        [
          [
            "Ablation",
            `decrease of the margin on ${counted(images, "image")} of the class, when the activation is replaced by its mean, or by that of an image of another class`,
          ],
          [
            "Dose",
            `increase of the margin on ${counted(neutral, "neutral image")}, when an activation is patched in: that of the natural image at the 99th percentile, or of the ${unit}\u2019s own picture`,
          ],
          [
            "Controls",
            `${unit}s of the same layer and activation level, and random directions of equal norm, each with the class that it supports most; p-values under resampling of the images`,
          ],
          [
            "q",
            `false discovery rate over ${counted(among, `tested ${unit}`)}; above 0.05 a lower bound. About 5\u00a0% of ${unit}s outrank their controls by chance`,
          ],
          [
            "Mediation",
            `share of the margin on the ${unit}\u2019s own picture that is lost with the ${unit} frozen at its mean`,
          ],
        ].map(([term, meaning]) => [
          element("dt", {}, term),
          element("dd", { class: "quiet" }, meaning),
        ]),
      ),
    ),
  ];
}

/** The results in sentences: the only ones of a unit that does not vary, else folded. */
function sentencesBlock(sentences, folded) {
  const list = element(
    "ul",
    { class: "sentences" },
    sentences.map((sentence) => element("li", {}, sentence)),
  );
  return folded ? element("details", {}, element("summary", {}, "In words"), list) : list;
}

/** The section of causal tests. */
export function interventionsBlock({ evidence }) {
  const verdict = evidence?.verdict;
  if (!verdict) return null;
  return element(
    "section",
    { class: "evidence", "aria-label": "Causal tests" },
    element("h2", {}, "Causal tests"),
    verdict.silent ? null : testsBlock(verdict),
    sentencesBlock(evidence.sentences, !verdict.silent),
    verdict.silent
      ? null
      : element("div", { class: "sided" }, doseFigure(verdict), profileBars(verdict)),
  );
}
