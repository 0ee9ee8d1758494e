// Addresses in the hash of a link.

/** Escape a text for a hash, but keep what is legible in addresses. */
export function escapeForHash(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
}

/** A part of a hash as text; what is not well-formed is taken as it stands. */
export function unescapeHash(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Hash of a unit's view. */
export const unitHash = (address) => `#unit=${escapeForHash(address)}`;

/** Hash of a layer in the list. */
export const siteHash = (site) => `#site=${escapeForHash(site)}`;

/** Hash of the view that compares units; commas part the addresses, and are escaped in them. */
export const pinsHash = (addresses) =>
  `#pins=${addresses.map((address) => escapeForHash(address).replaceAll(",", "%2C")).join(",")}`;

/** Addresses of the text of such a hash, each once. */
export const pinsOf = (text) => [
  ...new Set(
    text
      .split(",")
      .map(unescapeHash)
      .filter((address) => address !== ""),
  ),
];
