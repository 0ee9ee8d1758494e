// Suggestions of the search box: units and facets that match a text.

import { foldedText, isShortAddress } from "../shared/text.js";
import { textFilter } from "./unit-filter.js";
import { unitTable } from "./unit-table.js";

/**
 * At most `most` units that match a text best: those that it names, then those whose address starts
 * with it, and those that have all its words. If there are none, those whose address shares the longest
 * prefix with it (`isNear`). `isNamed` is whether the first is named: by its address, or as "9:2".
 */
export function findUnits(text, most) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return { units: [], isNamed: false, isNear: false };
  const isShort = isShortAddress(wanted);
  const match = textFilter(text);
  const ranked = [[], [], []];
  let near = [];
  let longest = 1;
  for (let i = 0; i < unitTable.count; i += 1) {
    const address = unitTable.address(i).toLowerCase();
    if (address === wanted) ranked[0].push(i);
    else if (match(address, unitTable.headline(i)))
      ranked[isShort ? 0 : address.startsWith(wanted) ? 1 : 2].push(i);
    else {
      const shared = commonPrefix(address, wanted);
      if (shared < longest) continue;
      if (shared > longest) near = [];
      longest = shared;
      if (near.length < most) near.push(i);
    }
  }
  const units = ranked.flatMap((some) => some.slice(0, most)).slice(0, most);
  return units.length
    ? { units, isNamed: ranked[0].length > 0, isNear: false }
    : { units: longest > 2 ? near : [], isNamed: false, isNear: true };
}

/** At most `most` facets whose name and value contain all words of a text, those of most units first. */
export function matchingFacets(text, most) {
  const words = foldedText(text).split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  return unitTable
    .facetCounts()
    .filter(({ text: own }) => words.every((word) => own.includes(word)))
    .sort((a, b) => b.count - a.count)
    .slice(0, most);
}

function commonPrefix(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}
