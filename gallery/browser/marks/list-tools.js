// What can be done with a named list: rename, download as a file, delete.

import { buttonOf, element } from "../shared/dom.js";
import { writeLabels } from "../state/saved/label-file.js";
import { modelFile, saveFile } from "../state/saved/save-file.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { focusShown, NO_FILTERS, view } from "../state/view.js";
import { listMessage, renameList } from "./list-dialog.js";

/** Buttons for a list. */
export function listTools(name) {
  const button = (text, action) =>
    buttonOf(text, "plain", () => action(name), {
      "aria-label": `${text} list \u201c${name}\u201d`,
    });
  return element(
    "span",
    { class: "list-tools" },
    button("Rename", renameList),
    button("Save file", saveList),
    button("Delete", deleteList),
  );
}

/** Hash of a list, without other filters. */
export const listHash = (name) => view.link({ ...NO_FILTERS, sort: null, list: name });

/** Download a list as a label file of its own. */
function saveList(name) {
  const file = modelFile(name, "json");
  saveFile(file, "application/json", [writeLabels([], [[name, unitLists.get(name)]])]);
  listMessage(`\u201c${name}\u201d saved to ${file}. Others import it under Labels`, null);
}

function deleteList(name) {
  const { kind, list } = view.state();
  const undo = unitLists.change([name, null]);
  if (list === name) view.replace({ ...(kind === "labels" ? { page: kind } : {}), list: null });
  focusShown();
  listMessage(`List \u201c${name}\u201d deleted`, undo);
}
