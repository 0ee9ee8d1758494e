"use strict";

// How far to trust a picture, and what interventions measured: numbers, statements, effects.

/** What the numbers are called here, and what they say. Their keys are those of the list. */
const NUMBERS_TOLD = [
  ["ratio", "Ratio to the best natural image", "How far its value lies from that of the median natural image (0) to that of the best one (1). Above 1 it excites the unit more than every image of the data."],
  ["percentile", "Percentile", "Percentage of the natural images with lower values."],
  ["held_out", "Held-out value", "Mean value over shifts, scales and sizes that the optimisation did not use."],
  ["kept", "Kept on held-out views", "What these views keep of the way from the median natural image to the picture: 1 is all of it."],
  ["fine", "Fine energy", "Share of its energy in high frequencies: much of it is noise to people."],
  ["grid", "Grid energy", "Share of its energy on the grid of the patches: a trace of the model\u2019s cutting up of images."],
  ["spectrum", "Distance to natural spectra", "How far its power spectrum is from that of natural images; 0 is the same."],
  ["rise", "Rise at the end", "By how much its value still rose late in the optimisation, in parts of the whole rise; below 0.1 it had converged."],
  ["agreement", "Agreement of seeds", "Likeness of the pictures that two random starts lead to, from 0 to 1."],
  ["diversity", "Diversity reached", "How unlike the samples of the unit are: 0 is all alike."],
  ["path", "Path agreement", "Whether it travels through the layers as the natural images do that excite the unit (1), or as images of other classes (0)."],
];

const CHECKS_TOLD = {
  beats_natural: ["excites the unit at least as much as the best natural image", "excites the unit less than the best natural image"],
  converged: ["its optimisation had converged", "its optimisation had not converged"],
  follows_natural: ["travels through the network as natural images do", "does not travel through the network as natural images do"],
};

const CLAIMS_TOLD = {
  necessary: "necessary",
  sufficient: "sufficient",
  pictured: "own picture does more than another\u2019s",
};

const DOSES_TOLD = { picture: ["own picture", "own"], other: ["another\u2019s picture", "other"] };

/** The name of a class, as a text of its own: it may run from right to left. */
const className = (name) => element("bdi", { class: "class-name" }, name);

/** A result that is told by a word and a sign, not by colour alone. */
function chip(holds, text) {
  return element("li", { class: holds ? "passed" : "flagged" }, element("span", { "aria-hidden": "true" }, holds ? "\u2713 " : "\u2717 "), text);
}

/** How many of the other units of the page do worse, from 0 to 1; null where that says nothing. */
function standing(key, number) {
  const column = catalogue.numbers.find((one) => one.key === key);
  const own = catalogue.number(key, number);
  if (!column || column.higher === null || own === null) return null;
  let [worse, others] = [0, 0];
  for (const value of catalogue.columnar.get(key)) {
    if (value === null) continue;
    others += 1;
    if (value === own) worse += 0.5;
    else if (value < own === column.higher) worse += 1;
  }
  return others > 1 ? { share: (worse - 0.5) / (others - 1), others: others - 1 } : null;
}

function numberRow(unit, [key, name, told]) {
  const value = catalogue.number(key, unit.number);
  if (value === null) return null;
  const stands = standing(key, unit.number);
  const place = stands ? [shareOf(stands.share), element("span", { class: "quiet" }, `better than ${Math.round(100 * stands.share)}\u00a0% of ${stands.others.toLocaleString("en")}`)] : element("span", { class: "quiet" }, "\u2013");
  const describe = element("details", { class: "why" }, element("summary", {}, name), element("p", {}, told));
  return element("tr", {}, element("th", { scope: "row" }, describe), element("td", { class: "value" }, brief(value)), element("td", { class: "place-among" }, place));
}

/** The numbers of a unit's best picture, and how they stand among those of the page. */
function numbersBlock(unit, { evidence }) {
  if (!evidence) return null;
  const rows = NUMBERS_TOLD.map((entry) => numberRow(unit, entry)).filter(Boolean);
  const checks = Object.entries(evidence.checks).filter(([name, holds]) => holds !== null && Object.hasOwn(CHECKS_TOLD, name));
  if (!rows.length && !checks.length) return null;
  return element(
    "section",
    { class: "evidence", "aria-label": "How far to trust the picture" },
    element("h2", {}, "How far to trust the picture"),
    checks.length ? element("ul", { class: "verdicts", "aria-label": "Checks" }, checks.map(([name, holds]) => chip(holds, CHECKS_TOLD[name][holds ? 0 : 1]))) : null,
    rows.length
      ? element(
          "div",
          { class: "numbers", tabindex: "0", role: "region", "aria-label": "Numbers of the picture" },
          element("table", {}, element("thead", {}, element("tr", {}, ["Number", "Picture", "Among the units of this page"].map((head) => element("th", { scope: "col" }, head)))), element("tbody", {}, rows)),
        )
      : null,
    routeFigure(evidence.route),
  );
}

/** Short name of a layer: of "blocks.3" the number. */
const shortLayer = (name) => name.replace(/^(blocks|layers|stages)\./, "").replace(/^patch_embed$/, "in");

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
  const told = `Similarity over ${route.layers.length} layers to the natural images that excite the unit. At the last: ${lines.map(([name, values]) => `${name} ${last(values)}`).join("; ")}.`;
  const rows = () => route.layers.map((layer, i) => [layer, ...lines.map(([, values]) => brief(values[i]))]);
  return element(
    "section",
    { "aria-label": "Path through the layers" },
    element("h3", {}, "Path through the layers"),
    chartFigure(
      (width) => linesPlot(lines, route.layers.map(shortLayer), width, told),
      "Similarity, layer by layer, to the natural images that excite the unit.",
      keyOf(lines.map(([name, , colour]) => [name, colour])),
      tableOf("Values", ["Layer", ...lines.map(([name]) => name)], rows),
    ),
  );
}

/** What the doses do: activations put into neutral images. */
function doseFigure({ doses, label, neutral }) {
  const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
  if (!rows.length) return null;
  const name = (dose, short = 0) => DOSES_TOLD[dose]?.[short] ?? `${dose}th`;
  const told = `Change of the margin of ${label} by the activation that is put in: ${rows.map(([dose, { effect }]) => `${name(dose)} ${brief(effect.estimate)}`).join("; ")}.`;
  const interval = ({ low, high }) => (low === null ? "\u2013" : `${hundredths(low)} to ${hundredths(high)}`);
  return element(
    "section",
    { "aria-label": "Dose and response" },
    element("h3", {}, "Dose and response"),
    chartFigure(
      (width) => effectsPlot(rows.map(([dose, { activation, effect }]) => [name(dose, 1), activation === null ? "" : rounded(Number(activation.toPrecision(2))), effect]), width, told),
      ["Change of the margin of ", className(label), ` in ${counted(neutral, "neutral image")}, with 95\u00a0% intervals, when the activation below is put in: that on the natural images at these percentiles, on the neuron\u2019s own picture, and on another\u2019s.`],
      tableOf("Values", ["Dose", "activation", "effect", "95 % interval", "images of the class then"], () => rows.map(([dose, { activation, effect, converted }]) => [name(dose), brief(activation), hundredths(effect.estimate), interval(effect), percent(converted)])),
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
    element("p", { class: "quiet" }, "What is lost of each class\u2019s logit when the neuron is kept at its mean: the strongest at either end. These effects were not tested."),
    element("div", { class: "sided" }, bars("Supports", up), bars("Opposes", down)),
    tableOf("Total and direct effects", ["Class", "total", "straight to the head"], () => total.map(([name, value]) => [className(name), brief(value), brief(direct.get(name) ?? null)])),
    ranks.length
      ? element("dl", { class: "told-values" }, element("dt", {}, "Rankings"), element("dd", {}, "Rank correlation over all classes of ", ranks.map(([pair, value], i) => [i ? "; " : "", pair, " ", element("b", {}, hundredths(value))]), "."))
      : null,
  );
}

/** How much of the picture's effect goes through the neuron. */
function mediationTold({ mediation, mediation_control: control, label }) {
  if (mediation === null) return null;
  const row = (name, share) => [name, share];
  const rows = [row("this neuron", mediation), ...(control === null ? [] : [row("others of its layer and level, median", control)])];
  return element(
    "section",
    { "aria-label": "Mediation" },
    element("h3", {}, "Mediation"),
    element("p", { class: "quiet" }, "Share of the margin that its picture gives ", className(label), " which is gone with a neuron kept at its mean."),
    barList("Share that is gone", rows, Math.max(1, ...rows.map(([, share]) => Math.abs(share))), (share) => percent(Math.round(1000 * share) / 1000 || 0)),
  );
}

/** The causal tests of a neuron, in the sentences that tell what was measured. */
function causesBlock(unit, { evidence }) {
  const verdict = evidence?.verdict;
  if (!verdict) return null;
  const claims = verdict.silent ? [] : Object.entries(verdict.claims).filter(([name]) => Object.hasOwn(CLAIMS_TOLD, name));
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
          made.map(([name]) => chip(true, [CLAIMS_TOLD[name], ...(verdict.label === null ? [] : [" for ", className(verdict.label)])])),
          tested.map(([name, { p }]) => element("li", { class: "untold" }, p === null ? "not tested: " : "not shown: ", CLAIMS_TOLD[name])),
        )
      : null,
    element("ul", { class: "sentences" }, evidence.sentences.map((sentence) => element("li", {}, sentence))),
    verdict.silent ? null : element("div", { class: "sided" }, doseFigure(verdict), mediationTold(verdict)),
    verdict.silent ? null : profileBars(verdict),
  );
}

unitSlots.push(numbersBlock, causesBlock);
compareSlots.push(
  ["checks", (unit, { evidence }) => listOf(Object.entries(evidence?.checks ?? {}).filter(([name, holds]) => holds !== null && Object.hasOwn(CHECKS_TOLD, name)).map(([name, holds]) => chip(holds, CHECKS_TOLD[name][holds ? 0 : 1])))],
  ["statements", (unit, { evidence }) => listOf(Object.entries(evidence?.verdict?.claims ?? {}).filter(([, { holds }]) => holds).map(([name]) => chip(true, [CLAIMS_TOLD[name], " for ", className(evidence.verdict.label)])))],
);

/** A list of chips; null if there are none. */
function listOf(chips) {
  return chips.length ? element("ul", { class: "verdicts stacked" }, chips) : null;
}
