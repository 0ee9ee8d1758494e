// What is known of a unit.

import { loadEntry } from "../state/load.js";
import { unitTable } from "../state/unit-table.js";

/** What the catalogue knows of a unit, by its number. */
export function unitAt(number) {
  return {
    number,
    address: unitTable.address(number),
    site: unitTable.siteOf(number).name,
    renders: unitTable.renders(number),
  };
}

/** Give the parts of a picture row's entry their names. */
export const detailOf = ([command, size, activation, trajectory, links, similar, evidence]) => ({
  command,
  size,
  activation,
  trajectory,
  links,
  similar,
  evidence,
});

/** Details of a unit's first pictures; null if their file is missing. */
export const firstDetail = (unit) =>
  loadEntry("details", unit.renders[0].row).then(detailOf, () => null);
