// Download of the current list as a file.

import { showMessage } from "../../shared/message.js";
import { counted } from "../../shared/text.js";
import { LABELS } from "../../state/saved/label-file.js";
import { labels } from "../../state/saved/labels.js";
import { modelFile, saveFile } from "../../state/saved/save-file.js";
import { unitTable } from "../../state/unit-table.js";
import { view } from "../../state/view.js";
import { csvLines, jsonLines } from "./units-file.js";

const SLICE = 12; // milliseconds of work between two events

/** Everything that the list knows of a unit, in the order of `columnsOf`. */
const rowOf = (i, metrics, facets) => {
  const address = unitTable.address(i);
  const { label, favorite } = labels.get(address);
  return [
    address,
    unitTable.siteOf(i).name,
    ...metrics.map((key) => unitTable.metric(key, i)),
    unitTable.headline(i) || null,
    ...facets.map((key) => unitTable.facet(key, i)),
    label || null,
    favorite,
  ];
};

function* rowsOf(units, metrics, facets) {
  for (const i of units) yield rowOf(i, metrics, facets);
}

/** Save the current list as a file of type "csv" or "json". The page stays responsive. */
export async function downloadList(type) {
  const units = unitTable.order(view.state());
  const { list } = view.state();
  const metrics = unitTable.metrics.map(({ key }) => key);
  const facets = [...unitTable.facets.keys()];
  const columns = ["address", "layer", ...metrics, "headline", ...facets, "label", "favorite"];
  const rows = rowsOf(units, metrics, facets);
  const { model, weights } = LABELS;
  const lines =
    type === "csv"
      ? csvLines(columns, rows)
      : jsonLines({ model, weights, view: location.hash }, columns, rows);
  const name = modelFile(list ?? "units", type);
  saveFile(name, type === "csv" ? "text/csv" : "application/json", await collected(lines));
  showMessage(`${counted(units.length, "unit")} saved to ${name}`);
}

/** All texts of an iterator as blobs, with pauses in which the page handles events. */
async function collected(lines) {
  const parts = [];
  let some = [];
  let end = performance.now() + SLICE;
  for (const line of lines) {
    some.push(line);
    if (performance.now() < end) continue;
    parts.push(new Blob([some.join("")]));
    some = [];
    await new Promise((resume) => setTimeout(resume));
    end = performance.now() + SLICE;
  }
  return [...parts, new Blob([some.join("")])];
}
