// Comparison of units: pictures, metrics and evidence. The URL hash holds their addresses.

import { pinsHash, pinsOf } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { copyText, showMessage } from "../shared/message.js";
import { counted, measured } from "../shared/text.js";
import { model } from "../state/model.js";
import { labels } from "../state/saved/labels.js";
import { MOST_PINS, pins } from "../state/saved/pins.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, pageContainer, view } from "../state/view.js";
import { firstDetail, unitAt } from "../unit/details.js";
import { fewExamples } from "../unit/evidence/examples.js";
import { checksList, claimsList } from "../unit/evidence/names.js";
import { breadcrumbs } from "../unit/navigation.js";
import { SIDES, samplePicture } from "../unit/pictures.js";

/** Table rows that need the details of the units. */
const DETAIL_ROWS = [
  ["Top natural images", fewExamples],
  ["Checks", checksList],
  ["Claims", claimsList],
];

let refocus = null; // [address, action] of the button to focus after the view changes

/** Show other units. If the pinned units were shown, change the pins as well. */
function changeCompared(shown, changed, focus) {
  refocus = focus;
  if (pins.equal(shown)) pins.replace(changed);
  view.replace({ pins: changed });
}

/** Buttons that move or remove a column. */
function columnTools(addresses, column) {
  const address = addresses[column];
  const move = (step) => {
    const changed = [...addresses];
    [changed[column], changed[column + step]] = [changed[column + step], changed[column]];
    changeCompared(addresses, changed, [address, step < 0 ? "left" : "right"]);
  };
  const button = (name, label, action, enabled) =>
    buttonOf(icon(name), "plain", action, {
      "aria-label": `${label} ${address}`,
      "data-action": name,
      ...(enabled ? {} : { disabled: "" }),
    });
  return element(
    "div",
    { class: "column-tools", "data-address": address },
    button("left", "Move left", () => move(-1), column > 0),
    button("right", "Move right", () => move(1), column < addresses.length - 1),
    button(
      "cross",
      "Remove",
      () => {
        const changed = addresses.filter((other) => other !== address);
        changeCompared(addresses, changed, [
          changed[Math.min(column, changed.length - 1)],
          "cross",
        ]);
      },
      true,
    ),
  );
}

function comparedPicture(unit, detail, width) {
  const [render] = unit.renders;
  if ((model.thumbnailsOnly && render.image === null) || !detail)
    return thumbnail(unit.index, width);
  const picture = (side, target) =>
    samplePicture(unit, render, detail.size, { sample: render.best, rank: 0, side }, target);
  if (render.sides === 1) return picture(null, width);
  return element(
    "div",
    { class: "two" },
    SIDES.map((_, side) => picture(side, width / 2)),
  );
}

/** Rows of the table: a heading, and a cell per unit. */
function comparedRows(units, details) {
  // The more columns, the narrower, so that eight fit into a wide window.
  const width = units.length > 4 ? 128 : units.length > 2 ? 192 : 224;
  const label = (unit) => element("bdi", {}, labels.get(unit.address).label);
  const rows = [["Picture", units.map((unit, i) => comparedPicture(unit, details[i], width))]];
  if (units.some((unit) => labels.get(unit.address).label)) rows.push(["Label", units.map(label)]);
  for (const { key, name, higher } of unitTable.metrics) {
    const values = units.map((unit) => unitTable.metric(key, unit.index));
    const known = values.filter((value) => value !== null);
    if (!known.length) continue;
    const differ = new Set(known).size > 1;
    const best = higher !== null && differ ? Math[higher ? "max" : "min"](...known) : undefined;
    rows.push([
      name,
      values.map((value) => element(value === best ? "b" : "span", {}, measured(value))),
    ]);
  }
  for (const [heading, cellOf] of DETAIL_ROWS) {
    const cells = details.map((detail) => detail && cellOf(detail));
    if (cells.some(Boolean)) rows.push([heading, cells.map((cell) => cell ?? "\u2013")]);
  }
  return rows;
}

function comparison(addresses, units, details) {
  const head = units.map((unit, column) =>
    element(
      "th",
      { scope: "col" },
      element("a", { href: view.link({ unit: unit.address }) }, unit.address),
      columnTools(addresses, column),
    ),
  );
  const body = comparedRows(units, details).map(([heading, cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      cells.map((cell) => element("td", {}, cell)),
    ),
  );
  return element(
    "div",
    { class: "compared", tabindex: "0", role: "region", "aria-label": "Comparison" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, element("td"), head)),
      element("tbody", {}, body),
    ),
  );
}

/** Notes on units of the link that are not shown. */
function comparedNotes(requested, found) {
  const missing = requested.filter((address) => unitTable.find(address) < 0);
  const over = requested.length - missing.length - found.length;
  return [
    ...missing.map((address) =>
      element("p", { class: "notice" }, "No unit ", element("b", {}, address), " in this gallery."),
    ),
    ...(over > 0
      ? [
          element(
            "p",
            { class: "notice" },
            `The link has more than ${MOST_PINS} units; only the first ${MOST_PINS} are shown.`,
          ),
        ]
      : []),
  ];
}

/**
 * Show the comparison of the units of the hash, or else of the pinned units. `origin` is the address
 * of the unit whose page it was opened from, or null.
 */
export async function showPins(container, text, origin) {
  document.title = `Compare units \u00b7 ${model.name} \u00b7 featviz gallery`;
  const requested = text === undefined ? pins.list() : pinsOf(text);
  const addresses = requested.filter((address) => unitTable.find(address) >= 0).slice(0, MOST_PINS);
  const units = addresses.map((address) => unitAt(unitTable.find(address)));
  const shown = element(
    "code",
    { class: "link-text", hidden: "" },
    location.href.split("#")[0] + pinsHash(addresses),
  );
  const tools = element(
    "div",
    { class: "unit-tools" },
    buttonOf([icon("link"), "Copy link"], "button copy-link", () =>
      copyText(shown.textContent, "Link", shown),
    ),
    keepButton(addresses),
    shown,
  );
  const header = element(
    "header",
    {},
    origin === null
      ? breadcrumbs()
      : breadcrumbs(element("a", { href: view.link({ unit: origin }), class: "back" }, origin)),
    element("h1", { tabindex: "-1", class: "plain-title" }, "Compare units"),
    units.length ? tools : null,
  );
  container.replaceChildren(header, ...comparedNotes(requested, addresses));
  if (!units.length)
    container.append(
      element(
        "p",
        { class: "lead" },
        "No pinned units. Pin units in the list or on their pages (key p) to compare them here.",
      ),
    );
  const focus = refocus;
  refocus = null;
  if (!focus || !units.length) focusShown();
  if (!units.length) return;
  const details = await Promise.all(units.map(firstDetail));
  if (header.parentNode !== container) return; // another view was opened
  container.append(comparison(addresses, units, details));
  if (focus) focusTool(container, ...focus);
}

/** Focus the button that was pressed, or another one of its column if it is disabled. */
function focusTool(container, address, action) {
  const tools = [...container.querySelectorAll(".column-tools")].find(
    (node) => node.dataset.address === address,
  );
  const button =
    tools?.querySelector(`[data-action=${action}]:enabled`) ??
    tools?.querySelector("button:enabled");
  (button ?? container.querySelector("h1")).focus();
}

/** A button that pins the units shown, unless they are pinned. */
function keepButton(addresses) {
  const button = buttonOf([icon("pin"), "Pin these"], "button keep", () => {
    pins.replace(addresses);
    showMessage(`${counted(addresses.length, "unit")} pinned`);
    focusShown();
  });
  button.refill = () => {
    button.hidden = pins.equal(addresses);
  };
  button.refill();
  return button;
}

document.addEventListener("pins", () => pageContainer.querySelector(".keep")?.refill());
