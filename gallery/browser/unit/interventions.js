// What interventions measured: statements and effects.

import { barList } from "../charts/bars.js";
import { effectsPlot } from "../charts/effects.js";
import { chartFigure } from "../charts/frame.js";
import { element } from "../shared/dom.js";
import { tableOf } from "../shared/tables.js";
import { brief, counted, hundredths, percent, rounded } from "../shared/text.js";
import { CLAIM_TEXTS, chip, className } from "./evidence-names.js";

const DOSE_NAMES = { picture: ["own picture", "own"], other: ["another\u2019s picture", "other"] };

/** What the doses do: activations put into neutral images. */
function doseFigure({ doses, label, neutral }) {
  const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
  if (!rows.length) return null;
  const name = (dose, short = 0) => DOSE_NAMES[dose]?.[short] ?? `${dose}th`;
  const description = `Change of the margin of ${label} by the activation that is put in: ${rows.map(([dose, { effect }]) => `${name(dose)} ${brief(effect.estimate)}`).join("; ")}.`;
  const interval = ({ low, high }) =>
    low === null ? "\u2013" : `${hundredths(low)} to ${hundredths(high)}`;
  return element(
    "section",
    { "aria-label": "Dose and response" },
    element("h3", {}, "Dose and response"),
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
        ` in ${counted(neutral, "neutral image")}, with 95\u00a0% intervals, when the activation below is put in: that on the natural images at these percentiles, on the neuron\u2019s own picture, and on another\u2019s.`,
      ],
      tableOf(
        "Values",
        ["Dose", "activation", "effect", "95 % interval", "images of the class then"],
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

/** Effects on each class: what the neuron adds to it. */
function profileBars({ profile, agreement }) {
  const total = profile.total ?? [];
  if (!total.length) return null;
  const direct = new Map(profile.direct);
  const up = total.filter(([, value]) => value > 0);
  const down = total.filter(([, value]) => value <= 0).sort(([, one], [, other]) => one - other);
  const most = Math.max(...total.map(([, value]) => Math.abs(value ?? 0)));
  const ranks = Object.entries(agreement).filter(([, value]) => value !== null);
  const bars = (caption, rows) => (rows.length ? barList(caption, rows, most) : null);
  return element(
    "section",
    { "aria-label": "Effect by class" },
    element("h3", {}, "Effect by class"),
    element(
      "p",
      { class: "quiet" },
      "What is lost of each class\u2019s logit when the neuron is kept at its mean: the strongest at either end. These effects were not tested.",
    ),
    element("div", { class: "sided" }, bars("Supports", up), bars("Opposes", down)),
    tableOf("Total and direct effects", ["Class", "total", "straight to the head"], () =>
      total.map(([name, value]) => [
        className(name),
        brief(value),
        brief(direct.get(name) ?? null),
      ]),
    ),
    ranks.length
      ? element(
          "dl",
          { class: "value-list" },
          element("dt", {}, "Rankings"),
          element(
            "dd",
            {},
            "Rank correlation over all classes of ",
            ranks.map(([pair, value], i) => [
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

/** How much of the picture's effect goes through the neuron. */
function mediationBlock({ mediation, mediation_control: control, label }) {
  if (mediation === null) return null;
  const row = (name, share) => [name, share];
  const rows = [
    row("this neuron", mediation),
    ...(control === null ? [] : [row("others of its layer and level, median", control)]),
  ];
  return element(
    "section",
    { "aria-label": "Mediation" },
    element("h3", {}, "Mediation"),
    element(
      "p",
      { class: "quiet" },
      "Share of the margin that its picture gives ",
      className(label),
      " which is gone with a neuron kept at its mean.",
    ),
    barList(
      "Share that is gone",
      rows,
      Math.max(1, ...rows.map(([, share]) => Math.abs(share))),
      (share) => percent(Math.round(1000 * share) / 1000 || 0),
    ),
  );
}

/** The causal tests of a neuron, in the sentences that tell what was measured. */
export function interventionsBlock({ evidence }) {
  const verdict = evidence?.verdict;
  if (!verdict) return null;
  const claims = verdict.silent
    ? []
    : Object.entries(verdict.claims).filter(([name]) => Object.hasOwn(CLAIM_TEXTS, name));
  const made = claims.filter(([, claim]) => claim.holds);
  const tested = claims.filter(([, claim]) => !claim.holds);
  return element(
    "section",
    { class: "evidence", "aria-label": "What interventions measured" },
    element("h2", {}, "What interventions measured"),
    claims.length
      ? element(
          "ul",
          { class: "verdicts", "aria-label": "Statements" },
          made.map(([name]) =>
            chip(true, [
              CLAIM_TEXTS[name],
              ...(verdict.label === null ? [] : [" for ", className(verdict.label)]),
            ]),
          ),
          tested.map(([name, { p }]) =>
            element(
              "li",
              { class: "not-shown" },
              p === null ? "not tested: " : "not shown: ",
              CLAIM_TEXTS[name],
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
