// What a reader wants to know first of a unit: its picture, its top natural images, and the verdict.

import { escapeForHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { listed } from "../shared/text.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { nineExamples } from "./evidence/examples.js";
import { checksList, claimsList } from "./evidence/names.js";
import { howMade } from "./how-made.js";
import { samplesFigure, thumbnailFigure } from "./pictures.js";

const RELATED = {
  filters: "filter",
  attention: "attention map",
  grids: "token grid",
  gradients: "gradients on images",
  tokens: "position dependence",
  compare: "match in another model",
};

/** Links to other results of the unit; null if there are none. */
function relatedLinks(links) {
  if (!links.length) return null;
  const items = links.map(([section, address]) =>
    element("a", { href: `#${section}=${escapeForHash(address)}` }, RELATED[section]),
  );
  return element("nav", { class: "related", "aria-label": "Related results" }, "Related: ", items);
}

/** The headline of a unit, its checks and its claims; null if nothing was measured. */
function verdictBlock(unit, detail) {
  const headline = unitTable.headline(unit.index);
  const lists = [checksList(detail), claimsList(detail)].filter(Boolean);
  if (!headline && !lists.length) return null;
  const [first, ...rest] = headline.split(" \u00b7 ");
  return element(
    "section",
    { class: "verdict", "aria-label": "Verdict" },
    headline
      ? element("p", { class: "headline" }, element("b", {}, first), " ", listed(rest))
      : null,
    lists,
    relatedLinks(detail.links),
  );
}

/** A row with the pictures of a configuration, and what is beside them. */
function pictureRow(unit, render, detail, ...beside) {
  const group = model.groups[render.group];
  const [width, height] = detail.size;
  const row = element(
    "div",
    { class: "answer" },
    model.thumbnailsOnly && render.image === null
      ? thumbnailFigure(unit)
      : samplesFigure(unit, render, detail),
    beside,
  );
  row.style.setProperty("--own", `${width}px`);
  row.style.setProperty("--ratio", String(height / width));
  const several = unit.renders.length > 1;
  return element(
    "section",
    {
      class: `render ${render.sides > 1 ? "sides" : "whole"}`,
      "aria-label": several ? group.label : "Pictures",
    },
    several ? element("h2", {}, group.label) : null,
    row,
  );
}

/** The first row of a unit's page. Without evidence, how the picture was made is beside it. */
export function answerRow(unit, render, detail) {
  const beside = [nineExamples(detail), verdictBlock(unit, detail)].filter(Boolean);
  return beside.length
    ? [pictureRow(unit, render, detail, beside), howMade(render, detail, false)]
    : [relatedLinks(detail.links), plainRow(unit, render, detail)];
}

/** A row of a configuration without evidence. */
export const plainRow = (unit, render, detail) =>
  pictureRow(unit, render, detail, howMade(render, detail, true));
