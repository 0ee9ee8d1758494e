// Files that the page makes, which the browser saves.

import { element } from "../../shared/dom.js";
import { plainName } from "../../shared/text.js";
import { LABELS } from "./label-file.js";

const KEPT = 60_000; // milliseconds; the browser may still ask where to save it

/** Save a file of a type; `parts` are texts or blobs. */
export function saveFile(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}

/** Name of a file about this model: "deit-s-3fa9c2d1-units.csv". */
export const modelFile = (what, suffix) =>
  [plainName(LABELS.model) || "model", LABELS.weights, plainName(what) || "list"].join("-") +
  `.${suffix}`;
