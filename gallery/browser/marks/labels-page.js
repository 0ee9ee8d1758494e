// The page of all labels and favorites of a model, with export and import.

import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { LABELS, readLabels } from "../state/label-file.js";
import { labels } from "../state/labels.js";
import { model } from "../state/model.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, pageContainer, view } from "../state/view.js";
import { breadcrumbs } from "../unit/navigation.js";

/** One labeled unit: its picture, address and label. */
function labeledUnit([address, { label, favorite }]) {
  const index = unitTable.find(address);
  const name = element("b", {}, address);
  return element(
    "li",
    { class: "labeled-unit" },
    index < 0 ? element("span", { class: "pin-none" }, "?") : thumbnail(index, 64),
    element(
      "p",
      {},
      index < 0
        ? [name, element("span", { class: "quiet" }, " not in this gallery")]
        : element("a", { href: view.link({ unit: address }) }, name),
      element("br"),
      element("bdi", {}, label),
    ),
    favorite
      ? element(
          "span",
          { class: "favorite-mark", role: "img", "aria-label": "Favorite" },
          icon("star"),
        )
      : null,
    buttonOf(icon("cross"), "plain forget", () => forget(address, { label, favorite }), {
      "aria-label": `Remove label and favorite of ${address}`,
    }),
  );
}

function forget(address, entry) {
  labels.set(address, { label: "", favorite: false });
  pageContainer.querySelector(".label-file button")?.focus();
  showMessage(
    `Label of ${address} removed`,
    buttonOf("Undo", "plain undo", () => restore(() => labels.set(address, entry))),
  );
}

function restore(undo) {
  undo();
  showMessage("Restored");
  focusShown();
}

/** Download the labels as a file. */
function exportLabels() {
  const url = URL.createObjectURL(new Blob([labels.toText()], { type: "application/json" }));
  element("a", { href: url, download: "featviz-labels.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still ask where to save it
  showMessage(`${counted(labels.size, "unit")} exported to featviz-labels.json`);
}

/** Import a file of labels; ask first if they are of another model. */
async function importLabels(file) {
  let found;
  try {
    found = readLabels(await file.text());
  } catch (error) {
    showMessage(`${file.name} was not imported: ${error.message}`);
    return;
  }
  const { model, weights, entries } = found;
  if (model === LABELS.model && weights.startsWith(LABELS.weights)) {
    addLabels(entries);
    return;
  }
  const known = entries.size - unknownCount(entries);
  const anyway = buttonOf("Import anyway", "plain", () => {
    addLabels(entries);
    focusShown();
  });
  showMessage(
    `${file.name} has labels of another model: ${model.slice(0, 60)} with weights ${weights.slice(0, 8)}. This gallery has ${known} of its ${counted(entries.size, "unit")}.`,
    anyway,
  );
}

/** Number of addresses that are not in this gallery. */
const unknownCount = (entries) =>
  [...entries.keys()].filter((address) => unitTable.find(address) < 0).length;

function addLabels(entries) {
  const result = labels.add(entries);
  const unknown = unknownCount(entries);
  const facts = [
    `${result.added} new`,
    `${result.changed} changed`,
    `${result.same} unchanged`,
    ...(unknown ? [`${unknown} of units not in this gallery`] : []),
  ];
  showMessage(
    `Imported: ${facts.join(", ")}.`,
    result.added + result.changed
      ? buttonOf("Undo", "plain undo", () => restore(result.undo))
      : null,
  );
}

function labelsBody() {
  const entries = labels.entries();
  const indices = new Map(entries.map(([address]) => [address, unitTable.find(address)]));
  const order = (address) => (indices.get(address) < 0 ? Infinity : indices.get(address));
  entries.sort(([one], [other]) => order(one) - order(other) || (one < other ? -1 : 1));
  return [
    element(
      "p",
      { class: "lead" },
      entries.length
        ? `${counted(entries.length, "unit")} labeled or marked as favorite, stored in this browser.`
        : "No labels or favorites yet. Add them on the page of a unit, or import a file.",
    ),
    labels.warning ? element("p", { class: "notice storage-warning" }, labels.warning) : null,
    element("ul", { class: "labeled" }, entries.map(labeledUnit)),
  ].filter((node) => node !== null);
}

/** Show the labels and favorites. */
export function showLabels(container) {
  document.title = `Labels \u00b7 ${model.name} \u00b7 featviz gallery`;
  const input = element("input", {
    type: "file",
    accept: ".json,application/json",
    class: "label-chooser",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (file) await importLabels(file);
    input.value = ""; // so that the same file can be chosen again
  });
  const body = element("div", { class: "label-list" }, labelsBody());
  container.replaceChildren(
    element(
      "header",
      {},
      breadcrumbs(),
      element("h1", { tabindex: "-1", class: "plain-title" }, "Labels and favorites"),
    ),
    element(
      "div",
      { class: "label-file" },
      buttonOf("Export to file", "button", exportLabels),
      buttonOf("Import from file", "button", () => input.click()),
      input,
      element(
        "p",
        { class: "quiet" },
        "Importing replaces the labels of the units in the file and keeps all others.",
      ),
    ),
    body,
  );
  container.querySelector("h1").focus({ preventScroll: true });
}

document.addEventListener("labels", () =>
  pageContainer.querySelector(".label-list")?.replaceChildren(...labelsBody()),
);
