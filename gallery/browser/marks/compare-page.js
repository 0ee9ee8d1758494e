// Units side by side: pictures, values and numbers. The hash names them, so the view is a link.

import { pinsHash, pinsOf } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { copyText, showMessage } from "../shared/message.js";
import { counted, measured } from "../shared/text.js";
import { labels } from "../state/labels.js";
import { model } from "../state/model.js";
import { MOST_PINS, pins } from "../state/pins.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, pagePlace, view } from "../state/view.js";
import { firstDetail, unitAt } from "../unit/details.js";
import { checksList, statementsList } from "../unit/evidence-names.js";
import { fewExamples } from "../unit/examples.js";
import { breadcrumbs } from "../unit/navigation.js";
import { SIDES, samplePicture } from "../unit/pictures.js";

/** Rows that are filled from the details of each unit's pictures. */
const DETAIL_ROWS = [
  ["natural images", fewExamples],
  ["checks", checksList],
  ["statements", statementsList],
];

let refocus = null; // [address, action] of the button that changed the view

/** Show other units, and let the pins follow if it was they that were shown. */
function changeCompared(shown, changed, focus) {
  refocus = focus;
  if (pins.are(shown)) pins.replace(changed);
  view.replace({ pins: changed });
}

/** Buttons that move a unit to a side, or take it out. */
function columnTools(addresses, place) {
  const address = addresses[place];
  const moved = (by) => {
    const changed = [...addresses];
    [changed[place], changed[place + by]] = [changed[place + by], changed[place]];
    changeCompared(addresses, changed, [address, by < 0 ? "left" : "right"]);
  };
  const button = (name, label, action, allowed) =>
    buttonOf(icon(name), "plain", action, {
      "aria-label": `${label} ${address}`,
      "data-action": name,
      ...(allowed ? {} : { disabled: "" }),
    });
  return element(
    "div",
    { class: "column-tools", "data-address": address },
    button("left", "Move left", () => moved(-1), place > 0),
    button("right", "Move right", () => moved(1), place < addresses.length - 1),
    button(
      "cross",
      "Remove",
      () => {
        const changed = addresses.filter((other) => other !== address);
        changeCompared(addresses, changed, [changed[Math.min(place, changed.length - 1)], "cross"]);
      },
      true,
    ),
  );
}

function comparedPicture(unit, detail) {
  const [render] = unit.renders;
  if (model.thumbnailsOnly || !detail) return smallPicture(unit.number, 192);
  if (render.sides === 1) return samplePicture(unit, render, detail.size, render.best, null, 224);
  return element(
    "div",
    { class: "two" },
    SIDES.map((_, side) => samplePicture(unit, render, detail.size, render.best, side, 160)),
  );
}

/** Rows of the table: a heading, and a cell for each unit. */
function comparedRows(units, details) {
  const label = (unit) => element("bdi", {}, labels.get(unit.address).label);
  const rows = [["Picture", units.map((unit, i) => comparedPicture(unit, details[i]))]];
  if (units.some((unit) => labels.get(unit.address).label)) rows.push(["Label", units.map(label)]);
  for (const { key, name, higher } of unitTable.numbers) {
    const values = units.map((unit) => unitTable.number(key, unit.number));
    const known = values.filter((value) => value !== null);
    if (!known.length) continue;
    const best =
      higher === null || known.length < 2 ? null : Math[higher ? "max" : "min"](...known);
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
  const head = units.map((unit, place) =>
    element(
      "th",
      { scope: "col" },
      element("a", { href: view.link({ unit: unit.address }) }, unit.address),
      columnTools(addresses, place),
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
    { class: "compared", tabindex: "0", role: "region", "aria-label": "Units side by side" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, element("td"), head)),
      element("tbody", {}, body),
    ),
  );
}

/** What is to be told of a view that is not quite the one asked for. */
function comparedNotes(asked, found) {
  const missing = asked.filter((address) => unitTable.find(address) < 0);
  const over = asked.length - missing.length - found.length;
  return [
    ...missing.map((address) =>
      element(
        "p",
        { class: "notice" },
        "This gallery holds no unit ",
        element("b", {}, address),
        ".",
      ),
    ),
    ...(over > 0
      ? [
          element(
            "p",
            { class: "notice" },
            `The link names more units than the ${MOST_PINS} that are shown.`,
          ),
        ]
      : []),
  ];
}

/** Fill a place with the units that the hash names, or else the pinned ones, side by side. */
export async function showPins(place, text) {
  document.title = `Side by side \u00b7 ${model.name} \u00b7 featviz gallery`;
  const asked = text === undefined ? pins.list() : pinsOf(text);
  const addresses = asked.filter((address) => unitTable.find(address) >= 0).slice(0, MOST_PINS);
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
    breadcrumbs(),
    element("h1", { tabindex: "-1", class: "plain-title" }, "Side by side"),
    units.length ? tools : null,
  );
  place.replaceChildren(header, ...comparedNotes(asked, addresses));
  if (!units.length)
    place.append(
      element(
        "p",
        { class: "lead" },
        "Nothing is pinned. Pin units in the list or on their pages (key p), and compare them here.",
      ),
    );
  const focus = refocus;
  refocus = null;
  if (!focus || !units.length) focusShown();
  if (!units.length) return;
  const details = await Promise.all(units.map(firstDetail));
  if (header.parentNode !== place) return; // the reader has gone on
  place.append(comparison(addresses, units, details));
  if (focus) focusTool(place, ...focus);
}

/** Put the keyboard on the button that was pressed, or on its neighbour if it is out of use. */
function focusTool(place, address, action) {
  const tools = [...place.querySelectorAll(".column-tools")].find(
    (node) => node.dataset.address === address,
  );
  const button =
    tools?.querySelector(`[data-action=${action}]:enabled`) ??
    tools?.querySelector("button:enabled");
  (button ?? place.querySelector("h1")).focus();
}

/** A button that pins what a link shows, where it is not what is pinned. */
function keepButton(addresses) {
  const button = buttonOf([icon("pin"), "Pin these"], "button keep", () => {
    pins.replace(addresses);
    showMessage(`${counted(addresses.length, "unit")} pinned`);
    focusShown();
  });
  button.refill = () => {
    button.hidden = pins.are(addresses);
  };
  button.refill();
  return button;
}

document.addEventListener("pins", () => pagePlace.querySelector(".keep")?.refill());
