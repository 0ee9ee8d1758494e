// URL hashes of addresses.

/** Escape a text for a hash, except characters that are common in addresses. */
export function escapeForHash(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
}

/** Unescape a part of a hash; malformed text is returned unchanged. */
export function unescapeHash(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Hash of a unit's page. */
export const unitHash = (address) => `#unit=${escapeForHash(address)}`;

/** Hash of a layer in the list. */
export const siteHash = (site) => `#site=${escapeForHash(site)}`;

/** Hash of the map, at a unit. */
export const mapHash = (address) => `#map=${escapeForHash(address)}`;

/** Hash of a comparison of units; commas in addresses are escaped. */
export const pinsHash = (addresses) =>
  `#pins=${addresses.map((address) => escapeForHash(address).replaceAll(",", "%2C")).join(",")}`;

/** Unique addresses of the text of a comparison's hash. */
export const pinsOf = (text) => [
  ...new Set(
    text
      .split(",")
      .map(unescapeHash)
      .filter((address) => address !== ""),
  ),
];
