"use strict";

// Addresses in hashes, on the pages of models and on the page of all models.

/** Escape a text for a hash, but keep what is legible in addresses. */
function readable(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
}

/** A part of a hash as text; what is not well-formed is taken as it stands. */
function plainText(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Hash of a unit's view. */
const unitHash = (address) => `#unit=${readable(address)}`;

/** Hash of a layer in the list. */
const siteHash = (site) => `#site=${readable(site)}`;

/** Hash of the view that compares units; commas part the addresses, and are escaped in them. */
const pinsHash = (addresses) => `#pins=${addresses.map((address) => readable(address).replaceAll(",", "%2C")).join(",")}`;

/** Addresses of the text of such a hash, each once. */
const pinsOf = (text) => [...new Set(text.split(",").map(plainText).filter((address) => address !== ""))];
