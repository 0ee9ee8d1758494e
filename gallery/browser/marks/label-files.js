// Export and import of label files: labels, favorites and named lists.

import { buttonOf } from "../shared/dom.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { LABELS, readLabels, writeLabels } from "../state/saved/label-file.js";
import { labels } from "../state/saved/labels.js";
import { saveFile } from "../state/saved/save-file.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown } from "../state/view.js";

const FILE = "featviz-labels.json";
const NAMED = 5; // addresses in a message

/** Download all labels, favorites and lists. */
export function exportLabels() {
  const lists = unitLists.entries();
  saveFile(FILE, "application/json", [writeLabels(labels.entries(), lists)]);
  const what = [
    counted(labels.size, "unit"),
    ...(lists.length ? [counted(lists.length, "list")] : []),
  ];
  showMessage(`${what.join(" and ")} exported to ${FILE}`);
}

/** Import a label file; ask first if it is of another model. */
export async function importLabels(file) {
  let found;
  try {
    found = readLabels(await file.text());
  } catch (error) {
    showMessage(`${file.name} was not imported: ${error.message}`);
    return;
  }
  const { model, weights } = found;
  if (model === LABELS.model && weights.startsWith(LABELS.weights)) {
    addAll(found);
    return;
  }
  const units = unitsOf(found);
  const known = units.length - unknownOf(units).length;
  const anyway = buttonOf("Import anyway", "plain", () => {
    addAll(found);
    focusShown();
  });
  const what = found.lists.size ? "labels or lists" : "labels";
  showMessage(
    `${file.name} has ${what} of another model: ${model.slice(0, 60)} with weights ${weights.slice(0, 8)}. This gallery has ${known} of its ${counted(units.length, "unit")}.`,
    anyway,
  );
}

/** All addresses of a label file. */
const unitsOf = ({ entries, lists }) => [
  ...new Set([...entries.keys(), ...[...lists.values()].flat()]),
];

/** Addresses that are not in this gallery. */
const unknownOf = (addresses) => addresses.filter((address) => unitTable.find(address) < 0);

function addAll({ entries, lists }) {
  const added = labels.add(entries);
  const listed = unitLists.add(lists);
  const warning = labels.warning ?? unitLists.warning;
  const sentences = [
    ...(entries.size || !lists.size ? [labelSentence(added, entries)] : []),
    ...(lists.size ? listSentences(listed, lists) : []),
    ...(warning ? [warning] : []),
  ];
  const hasChanged = added.added + added.changed + listed.added.length > 0;
  showMessage(
    sentences.join(" "),
    hasChanged
      ? buttonOf("Undo", "plain undo", () => {
          added.undo();
          listed.undo();
          showMessage("Restored");
          focusShown();
        })
      : null,
  );
}

function labelSentence({ added, changed, same }, entries) {
  const unknown = unknownOf([...entries.keys()]).length;
  const facts = [
    `${added} new`,
    `${changed} changed`,
    `${same} unchanged`,
    ...(unknown ? [`${unknown} of units not in this gallery`] : []),
  ];
  return `Imported: ${facts.join(", ")}.`;
}

function listSentences({ added, same }, lists) {
  const unknown = unknownOf([...new Set([...lists.values()].flat())]);
  const names = added.map((name) => `\u201c${name}\u201d`).join(", ");
  const more = unknown.length - NAMED;
  return [
    ...(added.length ? [`Imported ${counted(added.length, "list")}: ${names}.`] : []),
    ...(same ? [`${counted(same, "list")} unchanged.`] : []),
    ...(unknown.length
      ? [
          `Not in this gallery, but kept: ${unknown.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}.`,
        ]
      : []),
  ];
}
