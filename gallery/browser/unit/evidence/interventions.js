// Causal tests of a neuron: claims and effects.

import { barList } from "../../charts/bars.js";
import { effectsPlot } from "../../charts/effects.js";
import { chartFigure } from "../../charts/frame.js";
import { element } from "../../shared/dom.js";
import { tableOf } from "../../shared/tables.js";
import { brief, counted, hundredths, percent, rounded } from "../../shared/text.js";
import { CLAIM_TEXTS, chip, className } from "./names.js";

const DOSE_NAMES = {
  picture: ["own picture", "own"],
  other: ["picture of another neuron", "other"],
};

/** Effect of each dose: activations patched into neutral images. */
function doseFigure({ doses, label, neutral }) {
  const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
  if (!rows.length) return null;
  const name = (dose, short = 0) => DOSE_NAMES[dose]?.[short] ?? `${dose}th`;
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
        ` on ${counted(neutral, "neutral image")} when an activation is patched in, with 95\u00a0% confidence intervals. Doses: the activation of natural images at these percentiles, of the neuron\u2019s own picture, and of the picture of another neuron.`,
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
function profileBars({ profile, agreement }) {
  const total = profile.total ?? [];
  if (!total.length) return null;
  const direct = new Map(profile.direct);
  const up = total.filter(([, value]) => value > 0);
  const down = total.filter(([, value]) => value <= 0).sort(([, one], [, other]) => one - other);
  const most = Math.max(...total.map(([, value]) => Math.abs(value ?? 0)));
  const correlations = Object.entries(agreement).filter(([, value]) => value !== null);
  const bars = (caption, rows) => (rows.length ? barList(caption, rows, most) : null);
  return element(
    "section",
    { "aria-label": "Effect by class" },
    element("h3", {}, "Effect by class"),
    element(
      "p",
      { class: "quiet" },
      "Decrease of each class logit when the neuron is ablated to its mean; the strongest effects of either sign. These effects were not tested.",
    ),
    element("div", { class: "sided" }, bars("Supports", up), bars("Opposes", down)),
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

/** Share of the picture's effect that the neuron mediates. */
function mediationBlock({ mediation, mediation_control: control, label }) {
  if (mediation === null) return null;
  const row = (name, share) => [name, share];
  const rows = [
    row("this neuron", mediation),
    ...(control === null
      ? []
      : [row("control neurons of the same layer and activation level, median", control)]),
  ];
  return element(
    "section",
    { "aria-label": "Mediation" },
    element("h3", {}, "Mediation"),
    element(
      "p",
      { class: "quiet" },
      "Share of the margin of ",
      className(label),
      " on the neuron\u2019s own picture that is lost with a neuron frozen at its mean.",
    ),
    barList(
      "Share of the margin lost",
      rows,
      Math.max(1, ...rows.map(([, share]) => Math.abs(share))),
      (share) => percent(Math.round(1000 * share) / 1000 || 0),
    ),
  );
}

/** The section of causal tests. */
export function interventionsBlock({ evidence }) {
  const verdict = evidence?.verdict;
  if (!verdict) return null;
  const claims = verdict.silent
    ? []
    : Object.entries(verdict.claims).filter(([name]) => Object.hasOwn(CLAIM_TEXTS, name));
  const held = claims.filter(([, claim]) => claim.holds);
  const others = claims.filter(([, claim]) => !claim.holds);
  return element(
    "section",
    { class: "evidence", "aria-label": "Causal tests" },
    element("h2", {}, "Causal tests"),
    claims.length
      ? element(
          "ul",
          { class: "verdicts", "aria-label": "Claims" },
          held.map(([name]) =>
            chip(true, [
              CLAIM_TEXTS[name],
              ...(verdict.label === null ? [] : [" for ", className(verdict.label)]),
            ]),
          ),
          others.map(([name, { p }]) =>
            element(
              "li",
              { class: "not-shown" },
              p === null ? "Not tested: " : "Not shown: ",
              CLAIM_TEXTS[name].toLowerCase(),
            ),
          ),
        )
      : null,
    element(
      "ul",
      { class: "sentences" },
      evidence.sentences.map((sentence) => element("li", {}, sentence)),
    ),
    verdict.silent
      ? null
      : element("div", { class: "sided" }, doseFigure(verdict), mediationBlock(verdict)),
    verdict.silent ? null : profileBars(verdict),
  );
}
