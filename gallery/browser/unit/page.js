// The page of one unit.

import { activationFigure } from "../charts/activation.js";
import { escapeForHash, siteHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { missingFile } from "../shared/message.js";
import { settingsTable } from "../shared/tables.js";
import { loadEntry } from "../state/load.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { unitActions } from "./actions.js";
import { commandBlock } from "./command.js";
import { detailOf, unitAt } from "./details.js";
import { examplesBlock } from "./examples.js";
import { interventionsBlock } from "./interventions.js";
import { breadcrumbs, steps } from "./navigation.js";
import { numbersBlock } from "./numbers.js";
import { otherTokens, similarUnits } from "./other-units.js";
import { samplesFigure, smallPictureFigure } from "./pictures.js";

const ALSO = {
  filters: "the filter itself",
  attention: "where the head looks",
  grids: "grid of the head",
  gradients: "gradients on images",
  tokens: "token by token",
  compare: "its match in another model",
};

/** Links to other results about the unit. */
function alsoAbout(links) {
  if (!links.length) return null;
  const items = links.map(([section, address]) =>
    element("a", { href: `#${section}=${escapeForHash(address)}` }, ALSO[section]),
  );
  return element("nav", { class: "also", "aria-label": "Also about this unit" }, "Also: ", items);
}

function renderBlock(unit, render, detail) {
  const group = model.groups[render.group];
  return element(
    "section",
    {
      class: `render ${render.sides > 1 ? "sides" : "whole"}`,
      "aria-label": unit.renders.length > 1 ? group.label : "Pictures",
    },
    unit.renders.length > 1 ? element("h2", {}, group.label) : null,
    model.thumbnailsOnly ? smallPictureFigure(unit) : samplesFigure(unit, render, detail),
    element(
      "div",
      { class: "beside" },
      activationFigure(detail.trajectory),
      commandBlock(detail.command),
      settingsTable(group.settings),
    ),
  );
}

/** What stands in place of a unit that the page does not hold. */
function missingUnit(address) {
  return [
    element("header", {}, breadcrumbs(), element("h1", { tabindex: "-1" }, address)),
    element(
      "p",
      { class: "notice" },
      "This gallery holds no such unit. ",
      element("a", { href: "#" }, "All units"),
    ),
  ];
}

/** Fill a place with the page of the unit at an address. */
export async function showUnit(place, address) {
  const number = unitTable.find(address);
  document.title = `${address} \u00b7 ${model.name} \u00b7 featviz gallery`;
  if (number < 0) {
    place.replaceChildren(...missingUnit(address));
    place.querySelector("h1").focus({ preventScroll: true });
    return;
  }
  const unit = unitAt(number);
  const header = element(
    "header",
    {},
    breadcrumbs(element("a", { href: siteHash(unit.site) }, unit.site)),
    element("h1", { tabindex: "-1" }, unit.address),
    steps(unit),
    unitActions(unit),
  );
  place.replaceChildren(header);
  header.querySelector("h1").focus({ preventScroll: true });
  let details;
  try {
    details = (
      await Promise.all(unit.renders.map((render) => loadEntry("details", render.row)))
    ).map(detailOf);
  } catch (error) {
    if (header.parentNode === place) place.append(missingFile(error));
    return;
  }
  if (header.parentNode !== place) return; // the reader has gone on
  const evident = details.find(({ evidence }) => evidence) ?? details[0];
  const blocks = [
    alsoAbout(details[0].links),
    ...unit.renders.map((render, i) => renderBlock(unit, render, details[i])),
    examplesBlock(evident),
    numbersBlock(unit, evident),
    interventionsBlock(evident),
    otherTokens(unit),
    ...similarUnits(details[0].similar),
  ];
  place.append(...blocks.filter((block) => block !== null));
}
