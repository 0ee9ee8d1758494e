// Data of a unit.

import { loadEntry } from "../state/load.js";
import { unitTable } from "../state/unit-table.js";

/** The unit at an index of the unit table. */
export function unitAt(index) {
  return {
    index,
    address: unitTable.address(index),
    site: unitTable.siteOf(index).name,
    renders: unitTable.renders(index),
  };
}

/** Name the parts of an entry of the details. */
export const detailOf = ([command, size, activation, trajectory, links, similar, evidence]) => ({
  command,
  size,
  activation,
  trajectory,
  links,
  similar,
  evidence,
});

/** Details of a unit's first configuration; null if the file is missing. */
export const firstDetail = (unit) =>
  loadEntry("details", unit.renders[0].row).then(detailOf, () => null);
