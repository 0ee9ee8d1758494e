// Reading and writing label files: labels, favorites and named lists. In a file, the key of a favorite is spelled "favourite".

import { model } from "../model.js";

/** Format of label files, and the model they belong to. */
export const LABELS = {
  format: "featviz-labels",
  version: 1,
  longest: 500, // characters of a label
  longestName: 100, // characters of the name of a list
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
  const { model = LABELS.model, weights = LABELS.weights, labels: entries, lists = {} } = file;
  if (typeof model !== "string" || typeof weights !== "string")
    throw new Error('its "model" and "weights" are not strings');
  if (!isObject(entries)) throw new Error('its "labels" is not an object');
  return {
    model,
    weights,
    entries: new Map(
      Object.entries(entries).map(([address, entry]) => [address, checkedLabel(address, entry)]),
    ),
    lists: checkedLists(lists),
  };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Check an object of lists by name; return a map. Throws an Error with the reason if it is invalid. */
export function checkedLists(lists) {
  if (!isObject(lists)) throw new Error('its "lists" is not an object');
  return new Map(
    Object.entries(lists).map(([name, addresses]) => {
      const problem = nameProblem(name);
      if (problem) throw new Error(problem);
      if (!Array.isArray(addresses) || addresses.some((address) => typeof address !== "string"))
        throw new Error(`the list \u201c${name}\u201d is not a list of addresses`);
      return [name, [...new Set(addresses)]];
    }),
  );
}

/** What is wrong with the name of a list; null if it can be one. */
export function nameProblem(name) {
  if (name === "") return "a list needs a name";
  if (name !== name.trim()) return "the name of a list starts or ends with a space";
  if (name.length > LABELS.longestName)
    return `the name of a list has ${name.length.toLocaleString("en")} characters, more than ${LABELS.longestName}`;
  return null;
}

function checkedLabel(address, entry) {
  const { label = "", favourite: favorite = false } = entry ?? {};
  const named = `the entry of ${address.length > 60 ? `${address.slice(0, 60)}\u2026` : address}`;
  if (!isObject(entry)) throw new Error(`${named} is not an object`);
  if (typeof label !== "string") throw new Error(`${named} has a label that is not a string`);
  if (label.length > LABELS.longest)
    throw new Error(
      `${named} has a label of ${label.length.toLocaleString("en")} characters, more than ${LABELS.longest}`,
    );
  if (typeof favorite !== "boolean")
    throw new Error(`${named} has a "favourite" that is neither true nor false`);
  return { label: label.trim(), favorite };
}

/** Serialize labels and lists as the text of a label file, sorted by address and by name. */
export function writeLabels(entries, lists = []) {
  const byKey = ([one], [other]) => (one < other ? -1 : 1);
  const sorted = [...entries]
    .sort(byKey)
    .map(([address, { label, favorite }]) => [address, { label, favourite: favorite }]);
  const { format, version, model, weights } = LABELS;
  const named = [...lists].sort(byKey);
  const file = { format, version, model, weights, labels: Object.fromEntries(sorted) };
  if (named.length) file.lists = Object.fromEntries(named);
  return `${JSON.stringify(file, null, 1)}\n`;
}
