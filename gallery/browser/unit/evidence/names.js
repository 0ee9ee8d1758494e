// Names of the metrics, checks and claims of a unit.

import { element } from "../../shared/dom.js";

/** Key, name and description of each metric. */
export const METRIC_TEXTS = [
  [
    "ratio",
    "Activation vs. best natural image",
    "Activation on a scale from the median natural image (0) to the best one (1). Above 1, the picture activates the unit more than every image of the dataset.",
  ],
  ["percentile", "Percentile", "Percentage of natural images with a lower activation."],
  [
    "held_out",
    "Activation on held-out transforms",
    "Mean activation over shifts, scales and sizes that were not used for optimization.",
  ],
  [
    "kept",
    "Robustness to held-out transforms",
    "Fraction of the increase over the median natural image that remains under these transforms; 1 is all of it.",
  ],
  [
    "fine",
    "High-frequency energy",
    "Fraction of the spectral energy at high frequencies. High values indicate noise.",
  ],
  [
    "grid",
    "Patch-grid energy",
    "Fraction of the spectral energy at the period of the patch grid. High values indicate patch artifacts.",
  ],
  [
    "spectrum",
    "Distance to natural spectra",
    "Distance between its power spectrum and that of natural images; 0 if they are equal.",
  ],
  [
    "rise",
    "Late increase",
    "Increase of the activation late in the optimization, as a fraction of the total increase; below 0.1 counts as converged.",
  ],
  [
    "latent",
    "Latent after the threshold",
    "Value of the latent after threshold or top-k, at the token of the unit or, for a mean or maximum over patches, at its strongest patch; 0 if it does not fire.",
  ],
  [
    "rank",
    "Rank among latents",
    "Rank of its pre-activation among all latents of the autoencoder at this token; 1 is the largest.",
  ],
  [
    "agreement",
    "Agreement between seeds",
    "Similarity of pictures from different random seeds, from 0 to 1.",
  ],
  [
    "diversity",
    "Diversity of samples",
    "Dissimilarity of the samples of the unit; 0 if they are identical.",
  ],
  [
    "path",
    "Layer-path similarity",
    "Similarity of the hidden activations of the picture to those of the unit\u2019s top natural images: 1 is as similar as these are to each other, 0 as similar as images of other classes. Can exceed 1.",
  ],
];

const CHECK_TEXTS = {
  beats_natural: [
    "Activation at least that of the best natural image",
    "Activation below that of the best natural image",
  ],
  converged: ["Optimization converged", "Optimization not converged"],
  follows_natural: [
    "Hidden activations match those of its top natural images",
    "Hidden activations do not match those of its top natural images",
  ],
};

/** Names of the claims. */
export const CLAIM_TEXTS = {
  necessary: "Necessary",
  sufficient: "Sufficient",
  pictured: "Own picture has a larger effect than another unit\u2019s",
};

/** The name of a class, isolated because it may be written from right to left. */
export const className = (name) => element("bdi", { class: "class-name" }, name);

/** A result with a check mark or cross, so that color is not the only cue. */
export function chip(holds, text, tag = "li") {
  return element(
    tag,
    { class: holds ? "passed" : "flagged" },
    element("span", { "aria-hidden": "true" }, holds ? "\u2713 " : "\u2717 "),
    text,
  );
}

/** The known checks of a unit as a list; null if there are none. */
export function checksList({ evidence }) {
  return chipList(knownChecks(evidence).map(checkChip));
}

/** Checks with a known result, as [name, result]. */
export function knownChecks(evidence) {
  return Object.entries(evidence?.checks ?? {}).filter(
    ([name, holds]) => holds !== null && Object.hasOwn(CHECK_TEXTS, name),
  );
}

/** A check as an item of a list. */
export const checkChip = ([name, holds]) => chip(holds, CHECK_TEXTS[name][holds ? 0 : 1]);

/** The claims that hold for a unit as a list; null if there are none. */
export function claimsList({ evidence }) {
  const { claims = {}, label } = evidence?.verdict ?? {};
  const held = Object.entries(claims).filter(([, { holds }]) => holds);
  return chipList(held.map(([name]) => chip(true, [CLAIM_TEXTS[name], " for ", className(label)])));
}

/** A list of chips; null if it is empty. */
function chipList(chips) {
  return chips.length ? element("ul", { class: "verdicts stacked" }, chips) : null;
}
