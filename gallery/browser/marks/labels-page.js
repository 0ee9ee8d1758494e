// The page of all labels and favourites of a model, from which they are exported and imported.

import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { LABELS, readLabels } from "../state/label-file.js";
import { labels } from "../state/labels.js";
import { model } from "../state/model.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, pagePlace, view } from "../state/view.js";
import { breadcrumbs } from "../unit/navigation.js";

/** One labeled unit: its picture, address and label. */
function labeledUnit([address, { label, favourite }]) {
  const number = unitTable.find(address);
  const name = element("b", {}, address);
  return element(
    "li",
    { class: "labeled-unit" },
    number < 0 ? element("span", { class: "pin-none" }, "?") : smallPicture(number, 64),
    element(
      "p",
      {},
      number < 0
        ? [name, element("span", { class: "quiet" }, " not in this gallery")]
        : element("a", { href: view.link({ unit: address }) }, name),
      element("br"),
      element("bdi", {}, label),
    ),
    favourite
      ? element("span", { class: "favoured", role: "img", "aria-label": "Favourite" }, icon("star"))
      : null,
    buttonOf(icon("cross"), "plain forget", () => forget(address, { label, favourite }), {
      "aria-label": `Remove label and favourite of ${address}`,
    }),
  );
}

function forget(address, entry) {
  labels.set(address, { label: "", favourite: false });
  pagePlace.querySelector(".label-file button")?.focus();
  showMessage(
    `The label of ${address} is removed`,
    buttonOf("Undo", "plain undo", () => restore(() => labels.set(address, entry))),
  );
}

function restore(undo) {
  undo();
  showMessage("Taken back");
  focusShown();
}

/** Give the labels to the browser as a file to save. */
function exportLabels() {
  const url = URL.createObjectURL(new Blob([labels.toText()], { type: "application/json" }));
  element("a", { href: url, download: "featviz-labels.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be asking where to
  showMessage(`${counted(labels.size, "unit")} exported to featviz-labels.json`);
}

/** Take the labels of a chosen file, if it is of this model; a file that holds none changes nothing. */
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
    takeLabels(entries);
    return;
  }
  const known = entries.size - unknownOf(entries);
  const anyway = buttonOf("Import anyway", "plain", () => {
    takeLabels(entries);
    focusShown();
  });
  showMessage(
    `${file.name} holds labels of another model, ${model.slice(0, 60)} with weights ${weights.slice(0, 8)}; this gallery has ${known} of its ${counted(entries.size, "unit")}.`,
    anyway,
  );
}

/** How many addresses are of no unit of this gallery. */
const unknownOf = (entries) =>
  [...entries.keys()].filter((address) => unitTable.find(address) < 0).length;

function takeLabels(entries) {
  const result = labels.add(entries);
  const unknown = unknownOf(entries);
  const facts = [
    `${result.added} new`,
    `${result.changed} changed`,
    `${result.same} the same`,
    ...(unknown ? [`${unknown} of units that this gallery does not hold`] : []),
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
  const places = new Map(entries.map(([address]) => [address, unitTable.find(address)]));
  const last = (address) => (places.get(address) < 0 ? Infinity : places.get(address));
  entries.sort(([one], [other]) => last(one) - last(other) || (one < other ? -1 : 1));
  return [
    element(
      "p",
      { class: "lead" },
      entries.length
        ? `${counted(entries.length, "unit")} with a label or a star, kept in this browser.`
        : "No unit has a label or a star yet. Give them on a unit\u2019s page, or import a file.",
    ),
    labels.trouble ? element("p", { class: "notice label-trouble" }, labels.trouble) : null,
    element("ul", { class: "labeled" }, entries.map(labeledUnit)),
  ].filter((node) => node !== null);
}

/** Fill a place with the labels and favourites. */
export function showLabels(place) {
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
    input.value = ""; // the same file may be chosen again
  });
  const body = element("div", { class: "label-list" }, labelsBody());
  place.replaceChildren(
    element(
      "header",
      {},
      breadcrumbs(),
      element("h1", { tabindex: "-1", class: "plain-title" }, "Labels and favourites"),
    ),
    element(
      "div",
      { class: "label-file" },
      buttonOf("Export as a file", "button", exportLabels),
      buttonOf("Import a file", "button", () => input.click()),
      input,
      element(
        "p",
        { class: "quiet" },
        "What an imported file says of a unit replaces what is here; units that it does not name stay as they are.",
      ),
    ),
    body,
  );
  place.querySelector("h1").focus({ preventScroll: true });
}

document.addEventListener("labels", () =>
  pagePlace.querySelector(".label-list")?.replaceChildren(...labelsBody()),
);
