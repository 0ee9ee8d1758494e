// The page of all labels, favorites and named lists of a model, with export and import.

import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { model } from "../state/model.js";
import { labels } from "../state/saved/labels.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, pageContainer, view } from "../state/view.js";
import { breadcrumbs } from "../unit/navigation.js";
import { exportLabels, importLabels } from "./label-files.js";
import { listHash, listTools } from "./list-tools.js";

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

function labelsBody() {
  const entries = labels.entries();
  const indices = new Map(entries.map(([address]) => [address, unitTable.find(address)]));
  const order = (address) => (indices.get(address) < 0 ? Infinity : indices.get(address));
  entries.sort(([one], [other]) => order(one) - order(other) || (one < other ? -1 : 1));
  const warning = labels.warning ?? unitLists.warning;
  return [
    warning ? element("p", { class: "notice storage-warning" }, warning) : null,
    listsBlock(unitLists.entries()),
    element("h2", {}, "Labels and favorites"),
    element(
      "p",
      { class: "quiet" },
      entries.length
        ? `${counted(entries.length, "unit")} labeled or marked as favorite, stored in this browser.`
        : "No labels or favorites yet. Add them on the page of a unit, or import a file.",
    ),
    element("ul", { class: "labeled" }, entries.map(labeledUnit)),
  ]
    .flat()
    .filter((node) => node !== null);
}

/** The named lists, each with what can be done with it. */
function listsBlock(lists) {
  return [
    element("h2", {}, "Lists"),
    lists.length
      ? element(
          "ul",
          { class: "named-lists" },
          lists.map(([name, { length }]) =>
            element(
              "li",
              {},
              element("a", { href: listHash(name) }, element("bdi", {}, name)),
              element("span", { class: "quiet" }, counted(length, "unit")),
              listTools(name),
            ),
          ),
        )
      : element(
          "p",
          { class: "quiet" },
          "No lists yet. Add units to one in the list of units, on the page of a unit, or from the pinned units.",
        ),
  ];
}

/** Import a file that is dropped on the page. */
function takeFiles(event) {
  if (!pageContainer.querySelector(".label-file") || !event.dataTransfer.types.includes("Files"))
    return;
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) importLabels(file);
}

for (const type of ["dragover", "drop"]) pageContainer.addEventListener(type, takeFiles);

/** Show the labels, favorites and lists. */
export function showLabels(container) {
  document.title = `Labels and lists \u00b7 ${model.name} \u00b7 featviz gallery`;
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
      element("h1", { tabindex: "-1", class: "plain-title" }, "Labels and lists"),
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
        "One file has labels, favorites and lists. Importing replaces the labels of the units in the file, adds its lists, and keeps all others. A file can also be dropped on this page.",
      ),
    ),
    body,
  );
  container.querySelector("h1").focus({ preventScroll: true });
}

for (const change of ["labels", "lists"])
  document.addEventListener(change, () =>
    pageContainer.querySelector(".label-list")?.replaceChildren(...labelsBody()),
  );
