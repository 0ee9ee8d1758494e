// Files of labels.

import { model } from "./model.js";

/** What a file of labels of this model says of itself. */
export const LABELS = {
  format: "featviz-labels",
  version: 1,
  longest: 500, // characters of a label
  model: model.name,
  weights: model.weights.split(" ").at(-1), // first digits of their fingerprint
};

/** Read the text of a file of labels; what is not one is an error that says what is wrong. */
export function readLabels(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  if (file?.format !== LABELS.format) throw new Error(`its "format" is not "${LABELS.format}"`);
  if (file.version !== LABELS.version)
    throw new Error(
      `its version is ${JSON.stringify(file.version) ?? "missing"}, and this gallery reads version ${LABELS.version}`,
    );
  const { model = LABELS.model, weights = LABELS.weights, labels: entries } = file;
  if (typeof model !== "string" || typeof weights !== "string")
    throw new Error('its "model" and "weights" are not texts');
  if (typeof entries !== "object" || entries === null || Array.isArray(entries))
    throw new Error('its "labels" are not an object');
  return {
    model,
    weights,
    entries: new Map(
      Object.entries(entries).map(([address, entry]) => [address, checkedLabel(address, entry)]),
    ),
  };
}

function checkedLabel(address, entry) {
  const { label = "", favourite = false } = entry ?? {};
  const named = `the entry of ${address.length > 60 ? `${address.slice(0, 60)}\u2026` : address}`;
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw new Error(`${named} is not an object`);
  if (typeof label !== "string") throw new Error(`${named} has a label that is no text`);
  if (label.length > LABELS.longest)
    throw new Error(
      `${named} has a label of ${label.length.toLocaleString("en")} characters, more than ${LABELS.longest}`,
    );
  if (typeof favourite !== "boolean")
    throw new Error(`${named} has a "favourite" that is neither true nor false`);
  return { label: label.trim(), favourite };
}

/** Write labels as the text of a file, in the order of their addresses. */
export function writeLabels(entries) {
  const sorted = [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
  const { format, version, model, weights } = LABELS;
  return `${JSON.stringify({ format, version, model, weights, labels: Object.fromEntries(sorted) }, null, 1)}\n`;
}
