// Predicates that filter the list of units.

import { addressHas, foldedText } from "../shared/text.js";
import { labels } from "./saved/labels.js";
import { pins } from "./saved/pins.js";

/** Comparison operators of bounds. */
export const COMPARISONS = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
};

/** Predicates on addresses, by label, favorite or pin. */
export const MARK_FILTERS = {
  labeled: () => (address) => labels.get(address).label !== "",
  favorites: () => (address) => labels.get(address).favorite,
  pinned: () => (address) => pins.has(address),
};

/** What facets say about a unit, before their value. */
export const FACET_NAMES = {
  class: "Top images of",
  necessary: "Necessary for",
  sufficient: "Sufficient for",
  writes: "Writes to",
};

/** Value of a facet that stands for all its values. */
export const ANY = "*";

/**
 * Predicate on an address and a headline: whether the address, its label or the headline contains each
 * word of a text.
 */
export function textFilter(text) {
  const words = foldedText(text).split(/\s+/).filter(Boolean);
  const labeled = new Map(
    labels.entries().map(([address, { label }]) => [address, foldedText(label)]),
  );
  return (address, headline) => {
    const name = address.toLowerCase();
    const label = labeled.get(address) ?? "";
    const line = headline ? foldedText(headline) : "";
    return words.every(
      (word) => addressHas(name, word) || label.includes(word) || line.includes(word),
    );
  };
}
