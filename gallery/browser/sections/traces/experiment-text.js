// What was patched in a sweep, in words.

import { listed } from "../../shared/text.js";

const SITES = {
  attn_out: "attention outputs",
  mlp_out: "MLP outputs",
  resid_pre: "states of the residual stream before each block",
  resid_mid: "states of the residual stream between attention and MLP",
  resid_post: "states of the residual stream after each block",
  z: "outputs of attention heads",
  q: "queries",
  k: "keys",
  v: "values",
  pattern: "attention patterns",
  neurons: "MLP neurons after the nonlinearity",
  patch_embed: "patch embeddings",
  pos_embed: "position embeddings",
};

const CORRUPTED = {
  grayscale: "grayscale images",
  blur: "blurred images",
  noise: "images with noise",
  embedding: "images with noise on the patch embeddings",
  silhouette: "silhouettes",
  mask: "images with a filled object",
  background: "images with a filled background",
  word: "images with a label",
  shuffle: "images with shuffled patches",
  occlude: "partly occluded images",
  swap: "images of other classes",
};

const ABLATIONS = {
  zero: "replaced by zeros",
  mean: "replaced by their mean over the images",
  resample: "replaced by those of an image of another class",
};

const METRICS = {
  probability: "probability of the label",
  logit: "logit of the label",
  logit_difference: "logit difference",
  kl: "KL divergence from the clean run (nats)",
  cosine: "cosine similarity with the embedding of the clean run",
  projection: "projection of the embedding",
};

const isLatents = (site) => String(site).startsWith("sae.");

const siteText = (site) => (isLatents(site) ? `latents of ${site}` : known(SITES, site));

const known = (names, key) => (Object.hasOwn(names, key) ? names[key] : String(key));

/** Whether a metric is of an embedding, which is never wrong, instead of logits. */
export const isOfEmbedding = (metric) => metric === "cosine" || metric === "projection";

/** Name of a metric. */
export const metricName = (metric) => known(METRICS, metric);

/** Name of a number of adjacent layers. */
export const windowName = (window) => (window === 1 ? "1 layer" : `${window} layers`);

/** Corrupted images, in words. */
export function corruptedImages(corrupt) {
  const [name, ...rest] = String(corrupt).split(":");
  if (name === "cue") return `images with another ${rest.join(":")}`;
  return known(CORRUPTED, name) + (rest.length ? ` (${rest.join(":")})` : "");
}

/** Title of a sweep. */
export function sweepTitle({ site, by, corrupt, ablate, donor, estimate }) {
  const source = ablate ? `${ablate} ablation` : corrupt === "none" ? donor?.model : corrupt;
  const kind = estimate?.direct ? ["estimated direct effects"] : estimate ? ["estimated"] : [];
  return listed(
    [source ?? "patching", site === "neurons" ? "mlp_act" : site, `by ${by}`, ...kind].map(String),
  );
}

/** Which heads and tokens are patched, unless all are. */
function restrictions({ site, heads = "all", tokens = ["all"] }) {
  const groups = isLatents(site) ? "" : "heads ";
  const parts = [
    ...(heads === null || heads === "all" ? [] : [`${groups}${heads}`]),
    ...(tokens === null || String(tokens) === "all" ? [] : [`tokens ${tokens.join(" or ")}`]),
  ];
  return parts.length ? ` (${parts.join(", ")})` : "";
}

/** Sentence on how effects were estimated from gradients. */
function estimateText({ steps, direct }) {
  const where = steps
    ? `the mean gradient at ${steps} ${steps === 1 ? "point" : "points"} between both runs`
    : "the gradient of the unpatched run";
  const later = direct ? " Effects through later blocks are left out." : "";
  return ` Effects are estimates by attribution patching, from ${where}.${later}`;
}

/** Sentences on what was patched, with which windows and in which direction. */
export function sweepText(experiment, windows) {
  const { site, by, mode, corrupt, ablate, donor, frozen, estimate } = experiment;
  const what = siteText(site) + restrictions(experiment);
  const each = by === "layer" ? "one layer at a time" : `one ${by} at a time`;
  const unit =
    windows.length === 1 && windows[0] === 1
      ? each
      : `${by === "layer" ? "" : `one ${by} of `}${windows.join(" or ")} adjacent layers at a time`;
  const of = donor ? ` of ${donor.model}` : "";
  const corrupted = `the run on ${corruptedImages(corrupt)}`;
  const direction = ablate
    ? `Ablation: ${what} of the clean run are ${known(ABLATIONS, ablate)}`
    : corrupt === "none"
      ? `Patching from another model: ${what}${of} are patched into the run of this model`
      : mode === "denoising"
        ? `Denoising: ${what} of the clean run${of} are patched into ${corrupted}`
        : `Noising: ${what} of ${corrupted}${of} are patched into the clean run`;
  return `${direction}, ${unit}${frozen ? ", with frozen norms" : ""}.${estimate ? estimateText(estimate) : ""}`;
}
