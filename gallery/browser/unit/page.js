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
import { metricsBlock } from "./metrics.js";
import { breadcrumbs, steps } from "./navigation.js";
import { otherTokens, similarUnits } from "./other-units.js";
import { samplesFigure, thumbnailFigure } from "./pictures.js";

const RELATED = {
  filters: "filter",
  attention: "attention map",
  grids: "token grid",
  gradients: "gradients on images",
  tokens: "position dependence",
  compare: "match in another model",
};

/** Links to other results of the unit. */
function relatedLinks(links) {
  if (!links.length) return null;
  const items = links.map(([section, address]) =>
    element("a", { href: `#${section}=${escapeForHash(address)}` }, RELATED[section]),
  );
  return element("nav", { class: "related", "aria-label": "Related results" }, "Related: ", items);
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
    model.thumbnailsOnly ? thumbnailFigure(unit) : samplesFigure(unit, render, detail),
    element(
      "div",
      { class: "render-details" },
      activationFigure(detail.trajectory),
      commandBlock(detail.command),
      settingsTable(group.settings),
    ),
  );
}

/** Page of an address that is not in the gallery. */
function missingUnit(address) {
  return [
    element("header", {}, breadcrumbs(), element("h1", { tabindex: "-1" }, address)),
    element(
      "p",
      { class: "notice" },
      "No such unit in this gallery. ",
      element("a", { href: "#" }, "All units"),
    ),
  ];
}

/** Show the page of the unit at an address. */
export async function showUnit(container, address) {
  const index = unitTable.find(address);
  document.title = `${address} \u00b7 ${model.name} \u00b7 featviz gallery`;
  if (index < 0) {
    container.replaceChildren(...missingUnit(address));
    container.querySelector("h1").focus({ preventScroll: true });
    return;
  }
  const unit = unitAt(index);
  const header = element(
    "header",
    {},
    breadcrumbs(element("a", { href: siteHash(unit.site) }, unit.site)),
    element("h1", { tabindex: "-1" }, unit.address),
    steps(unit),
    unitActions(unit),
  );
  container.replaceChildren(header);
  header.querySelector("h1").focus({ preventScroll: true });
  let details;
  try {
    details = (
      await Promise.all(unit.renders.map((render) => loadEntry("details", render.row)))
    ).map(detailOf);
  } catch (error) {
    if (header.parentNode === container) container.append(missingFile(error));
    return;
  }
  if (header.parentNode !== container) return; // another view was opened
  const withEvidence = details.find(({ evidence }) => evidence) ?? details[0];
  const blocks = [
    relatedLinks(details[0].links),
    ...unit.renders.map((render, i) => renderBlock(unit, render, details[i])),
    examplesBlock(withEvidence),
    metricsBlock(unit, withEvidence),
    interventionsBlock(withEvidence),
    otherTokens(unit),
    ...similarUnits(details[0].similar),
  ];
  container.append(...blocks.filter((block) => block !== null));
}
