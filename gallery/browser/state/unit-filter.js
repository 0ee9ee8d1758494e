// Predicates that filter the list of units.

import { foldedText } from "../shared/text.js";
import { labels } from "./labels.js";
import { pins } from "./pins.js";

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

/** Predicate on addresses: whether the address or its label contains each word of a text. */
export function textFilter(text) {
  const words = foldedText(text).split(/\s+/).filter(Boolean);
  const labeled = new Map(
    labels.entries().map(([address, { label }]) => [address, foldedText(label)]),
  );
  return (address) => {
    const name = address.toLowerCase();
    const label = labeled.get(address) ?? "";
    return words.every((word) => name.includes(word) || label.includes(word));
  };
}
