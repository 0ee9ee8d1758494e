// The page of one unit.

import { siteHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { missingFile } from "../shared/message.js";
import { loadEntry } from "../state/load.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { unitActions } from "./actions.js";
import { answerRow, plainRow } from "./answer.js";
import { detailOf, unitAt } from "./details.js";
import { distributionBlock } from "./evidence/distribution.js";
import { examplesBlock } from "./evidence/examples.js";
import { interventionsBlock } from "./evidence/interventions.js";
import { logitsBlock } from "./evidence/logits.js";
import { metricsBlock } from "./evidence/metrics.js";
import { breadcrumbs, steps } from "./navigation.js";
import { otherTokens, similarUnits } from "./other-units.js";
import { ownImagesBlock } from "./own-images.js";

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
  let ownImages;
  try {
    const entries = unit.renders.map((render) => loadEntry("details", render.row));
    [ownImages, ...details] = await Promise.all([ownImagesBlock(unit), ...entries]);
    details = details.map(detailOf);
  } catch (error) {
    if (header.parentNode === container) container.append(missingFile(error));
    return;
  }
  if (header.parentNode !== container) return; // another view was opened
  const main = Math.max(
    0,
    details.findIndex(({ evidence }) => evidence),
  );
  const withEvidence = details[main];
  const [answer, made] = answerRow(unit, unit.renders[main], withEvidence);
  const others = unit.renders.map((render, i) =>
    i === main ? null : plainRow(unit, render, details[i]),
  );
  const blocks = [
    answer,
    distributionBlock(withEvidence),
    made,
    ...others,
    examplesBlock(withEvidence),
    ownImages,
    metricsBlock(unit, withEvidence),
    interventionsBlock(withEvidence),
    logitsBlock(withEvidence),
    otherTokens(unit),
    ...similarUnits(unit, details[0].similar),
  ];
  container.append(...blocks.filter((block) => block !== null));
}
