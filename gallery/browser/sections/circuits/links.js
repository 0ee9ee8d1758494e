// What a component of a circuit leads to in the gallery.

import { siteHash } from "../../shared/address-links.js";
import { counted } from "../../shared/text.js";
import {
  attentionLink,
  blockUnits,
  headUnits,
  headUnitsLink,
  layerLink,
} from "../../state/layer-links.js";
import { unitTable } from "../../state/unit-table.js";
import { EMBEDDING, LOGITS, partsOf } from "./circuit.js";

const SITES = { [EMBEDDING]: "patch_embed", [LOGITS]: "head" };

/** Units that show a component: query-key logits of a head, neurons of an MLP. */
export function unitsOf(name) {
  const { block, head } = partsOf(name);
  if (head !== null) return headUnits(block, head);
  return block === null ? [] : blockUnits(block, "mlp");
}

/** Links of a component as [text, hash], the most specific first. */
export function linksOf(name, maps) {
  const { block, head } = partsOf(name);
  const count = unitsOf(name).length;
  const all = [];
  if (head !== null) {
    all.push([counted(count, "query-key logit"), headUnitsLink(block, head)]);
    all.push(["attention map", attentionLink(block, head, maps)]);
  } else if (block !== null) {
    all.push([counted(count, "neuron"), count ? layerLink(block, ["mlp"]) : null]);
  } else if (unitTable.sites.some((site) => site.name === SITES[name])) {
    all.push(["units", siteHash(SITES[name])]);
  }
  return all.filter(([, href]) => href !== null);
}
