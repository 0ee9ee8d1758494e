// Tests by which a list of units is filtered.

import { foldedText } from "../shared/text.js";
import { labels } from "./labels.js";
import { pins } from "./pins.js";

/** Comparisons of a number with a bound. */
export const COMPARISONS = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
};

/** Tests of addresses, for what the reader has marked. */
export const MARK_TESTS = {
  labeled: () => (address) => labels.get(address).label !== "",
  favourites: () => (address) => labels.get(address).favourite,
  pinned: () => (address) => pins.has(address),
};

/** Test of addresses: whether each word of a text is in the address or in its label. */
export function wordsTest(text) {
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
