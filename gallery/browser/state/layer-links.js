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

/**
 * Link to the query-key units of a head, or else to its attention map, if its address is in `maps`; null
 * if the gallery has neither.
 */
export function headLink(layer, head, maps) {
  const site = unitTable.sites.find(
    ({ name }) => blockOf(name) === layer && name.endsWith("attn.qk"),
  );
  const address = `${site?.name}:${head}`;
  const units = site ? unitsOf(site, `:${head}`) : [];
  if (units.length === 1) return unitHash(unitTable.address(units[0]));
  if (units.length)
    return view.link({ ...NO_FILTERS, layer: site.name, q: `:${head}@`, sort: null });
  const map = maps.find((each) => each === address || isHead(each, layer, head));
  return map === undefined ? null : `#attention=${escapeForHash(map)}`;
}

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
