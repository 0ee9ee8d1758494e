// What the numbers, checks and statements of a unit are called.

import { element } from "../shared/dom.js";

/** What the numbers are called here, and what they say. Their keys are those of the list. */
export const NUMBER_TEXTS = [
  [
    "ratio",
    "Ratio to the best natural image",
    "How far its value lies from that of the median natural image (0) to that of the best one (1). Above 1 it excites the unit more than every image of the data.",
  ],
  ["percentile", "Percentile", "Percentage of the natural images with lower values."],
  [
    "held_out",
    "Held-out value",
    "Mean value over shifts, scales and sizes that the optimisation did not use.",
  ],
  [
    "kept",
    "Kept on held-out views",
    "What these views keep of the way from the median natural image to the picture: 1 is all of it.",
  ],
  [
    "fine",
    "Fine energy",
    "Share of its energy in high frequencies: much of it is noise to people.",
  ],
  [
    "grid",
    "Grid energy",
    "Share of its energy on the grid of the patches: a trace of the model\u2019s cutting up of images.",
  ],
  [
    "spectrum",
    "Distance to natural spectra",
    "How far its power spectrum is from that of natural images; 0 is the same.",
  ],
  [
    "rise",
    "Rise at the end",
    "By how much its value still rose late in the optimisation, in parts of the whole rise; below 0.1 it had converged.",
  ],
  [
    "agreement",
    "Agreement of seeds",
    "Likeness of the pictures that two random starts lead to, from 0 to 1.",
  ],
  ["diversity", "Diversity reached", "How unlike the samples of the unit are: 0 is all alike."],
  [
    "path",
    "Path agreement",
    "Whether it travels through the layers as the natural images do that excite the unit (1), or as images of other classes (0).",
  ],
];

const CHECK_TEXTS = {
  beats_natural: [
    "excites the unit at least as much as the best natural image",
    "excites the unit less than the best natural image",
  ],
  converged: ["its optimisation had converged", "its optimisation had not converged"],
  follows_natural: [
    "travels through the network as natural images do",
    "does not travel through the network as natural images do",
  ],
};

/** What the statements are called. */
export const CLAIM_TEXTS = {
  necessary: "necessary",
  sufficient: "sufficient",
  pictured: "own picture does more than another\u2019s",
};

/** The name of a class, as a text of its own: it may run from right to left. */
export const className = (name) => element("bdi", { class: "class-name" }, name);

/** A result that is told by a word and a sign, not by colour alone. */
export function chip(holds, text) {
  return element(
    "li",
    { class: holds ? "passed" : "flagged" },
    element("span", { "aria-hidden": "true" }, holds ? "\u2713 " : "\u2717 "),
    text,
  );
}

/** The checks of a unit as a list, those that are known; null without any. */
export function checksList({ evidence }) {
  return chipList(knownChecks(evidence).map(checkChip));
}

/** Checks of which the outcome is known: [name, outcome]. */
export function knownChecks(evidence) {
  return Object.entries(evidence?.checks ?? {}).filter(
    ([name, holds]) => holds !== null && Object.hasOwn(CHECK_TEXTS, name),
  );
}

/** A check as an item of a list. */
export const checkChip = ([name, holds]) => chip(holds, CHECK_TEXTS[name][holds ? 0 : 1]);

/** The statements that are made of a unit as a list; null without any. */
export function statementsList({ evidence }) {
  const { claims = {}, label } = evidence?.verdict ?? {};
  const made = Object.entries(claims).filter(([, { holds }]) => holds);
  return chipList(made.map(([name]) => chip(true, [CLAIM_TEXTS[name], " for ", className(label)])));
}

/** A list of chips; null if there are none. */
function chipList(chips) {
  return chips.length ? element("ul", { class: "verdicts stacked" }, chips) : null;
}
