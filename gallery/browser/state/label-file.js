// Reading and writing label files. In a file, the key of a favorite is spelled "favourite".

import { model } from "./model.js";

/** Format of label files, and the model they belong to. */
export const LABELS = {
  format: "featviz-labels",
  version: 1,
  longest: 500, // characters of a label
  model: model.name,
  weights: model.weights.split(" ").at(-1), // first digits of the fingerprint
};

/** Parse the text of a label file; throws an Error with the reason if it is not one. */
export function readLabels(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("it is not valid JSON");
  }
  if (file?.format !== LABELS.format) throw new Error(`its "format" is not "${LABELS.format}"`);
  if (file.version !== LABELS.version)
    throw new Error(
      `its version is ${JSON.stringify(file.version) ?? "missing"}; this gallery reads version ${LABELS.version}`,
    );
  const { model = LABELS.model, weights = LABELS.weights, labels: entries } = file;
  if (typeof model !== "string" || typeof weights !== "string")
    throw new Error('its "model" and "weights" are not strings');
  if (typeof entries !== "object" || entries === null || Array.isArray(entries))
    throw new Error('its "labels" is not an object');
  return {
    model,
    weights,
    entries: new Map(
      Object.entries(entries).map(([address, entry]) => [address, checkedLabel(address, entry)]),
    ),
  };
}

function checkedLabel(address, entry) {
  const { label = "", favourite: favorite = false } = entry ?? {};
  const named = `the entry of ${address.length > 60 ? `${address.slice(0, 60)}\u2026` : address}`;
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw new Error(`${named} is not an object`);
  if (typeof label !== "string") throw new Error(`${named} has a label that is not a string`);
  if (label.length > LABELS.longest)
    throw new Error(
      `${named} has a label of ${label.length.toLocaleString("en")} characters, more than ${LABELS.longest}`,
    );
  if (typeof favorite !== "boolean")
    throw new Error(`${named} has a "favourite" that is neither true nor false`);
  return { label: label.trim(), favorite };
}

/** Serialize labels as the text of a label file, sorted by address. */
export function writeLabels(entries) {
  const sorted = [...entries]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([address, { label, favorite }]) => [address, { label, favourite: favorite }]);
  const { format, version, model, weights } = LABELS;
  return `${JSON.stringify({ format, version, model, weights, labels: Object.fromEntries(sorted) }, null, 1)}\n`;
}
