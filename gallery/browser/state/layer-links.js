// Links from the layers and heads of a transformer to the list of units.

import { escapeForHash, siteHash, unitHash } from "../shared/address-links.js";
import { unitTable } from "./unit-table.js";
import { NO_FILTERS, view } from "./view.js";

/** The first number in the name of a site is that of its block. */
const blockOf = (site) => Number(/\d+/.exec(site)?.[0] ?? Number.NaN);

/** Link to the units of a block, first to those of the site whose name has one of the `words`; null without any. */
export function layerLink(layer, words = []) {
  const sites = unitTable.sites.filter(({ name }) => blockOf(name) === layer);
  const site = sites.find(({ name }) => words.some((word) => name.includes(word))) ?? sites[0];
  return site ? siteHash(site.name) : null;
}

/** Indices of the units of a block, of the first site whose name contains a word. */
export function blockUnits(layer, word) {
  const site = unitTable.sites.find(({ name }) => blockOf(name) === layer && name.includes(word));
  return site ? Array.from({ length: site.count }, (_, i) => site.offset + i) : [];
}

const headSite = (layer) =>
  unitTable.sites.find(({ name }) => blockOf(name) === layer && name.endsWith("attn.qk"));

/** Indices of the query-key units of a head. */
export function headUnits(layer, head) {
  const site = headSite(layer);
  return site ? unitsOf(site, `:${head}`) : [];
}

/** Link to the query-key units of a head; null if the gallery has none. */
export function headUnitsLink(layer, head) {
  const units = headUnits(layer, head);
  if (units.length < 2) return units.length ? unitHash(unitTable.address(units[0])) : null;
  return view.link({ ...NO_FILTERS, layer: headSite(layer).name, q: `:${head}@`, sort: null });
}

/** Link to the attention map of a head, if its address is in `maps`; otherwise null. */
export function attentionLink(layer, head, maps) {
  const map = maps.find((each) => isHead(each, layer, head));
  return map === undefined ? null : `#attention=${escapeForHash(map)}`;
}

/** Link to the query-key units of a head, or else to its attention map; null if the gallery has neither. */
export const headLink = (layer, head, maps) =>
  headUnitsLink(layer, head) ?? attentionLink(layer, head, maps);

/** Link to an MLP neuron; null if the gallery does not have it. */
export function neuronLink(layer, neuron) {
  const site = unitTable.sites.find(
    (each) =>
      blockOf(each.name) === layer &&
      /mlp/.test(each.name) &&
      unitTable.find(`${each.name}:${neuron}`) >= 0,
  );
  return site ? unitHash(`${site.name}:${neuron}`) : null;
}

/** Link to a latent of a sparse autoencoder; null if the gallery does not have it. */
export function latentLink(site, latent) {
  const address = [`${site}:${latent}`, `${site}:${latent}@max`, `${site}:${latent}@cls`].find(
    (each) => unitTable.find(each) >= 0,
  );
  return address ? unitHash(address) : null;
}

const isHead = (address, layer, head) =>
  address.endsWith(`attn.qk:${head}`) && blockOf(address) === layer;

function unitsOf({ offset, count }, suffix) {
  const found = [];
  for (let i = offset; i < offset + count; i += 1)
    if (unitTable.suffixes[i] === suffix || unitTable.suffixes[i].startsWith(`${suffix}@`))
      found.push(i);
  return found;
}
