// Named lists of units. Changes are kept in local storage, by model name and weights. They override
// the lists that the gallery was exported with.

import { model } from "../model.js";
import { checkedLists, LABELS } from "./label-file.js";
import { StoredMarks } from "./stored-marks.js";

const SHORTER = LABELS.longestName - 10; // characters of a name that gets a number

class UnitLists extends StoredMarks {
  /** `exported` are the lists of the export; `key` is the key in local storage. */
  constructor(exported, key) {
    super(key, "lists");
    this.exported = exported;
  }

  /** Lists by name; null for one of the export that was deleted. */
  parse(text) {
    const { lists, deleted } = JSON.parse(text);
    if (!Array.isArray(deleted)) throw new Error('its "deleted" is not a list');
    return new Map([...deleted.map((name) => [name, null]), ...checkedLists(lists)]);
  }

  serialize() {
    const all = [...this.own];
    return JSON.stringify({
      lists: Object.fromEntries(all.filter(([, addresses]) => addresses)),
      deleted: all.flatMap(([name, addresses]) => (addresses ? [] : [name])),
    });
  }

  /** Addresses of a list, in its order; null if there is no such list. */
  get(name) {
    return (this.own.has(name) ? this.own.get(name) : this.exported.get(name)) ?? null;
  }

  has(name) {
    return this.get(name) !== null;
  }

  /** Whether everyone who opens the gallery has this list. */
  isExported(name) {
    return this.exported.has(name) && isEqual(this.exported.get(name), this.get(name));
  }

  /** All lists, as [name, addresses], sorted by name. */
  entries() {
    return [...new Map([...this.exported, ...this.own])]
      .filter(([, addresses]) => addresses)
      .sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
  }

  /** Names of the lists that have a unit. */
  of(address) {
    return this.entries().flatMap(([name, addresses]) =>
      addresses.includes(address) ? [name] : [],
    );
  }

  /** Change lists, [name, addresses] each; null deletes one. Return a function that undoes it. */
  change(...changes) {
    this.read();
    const before = changes.map(([name]) => [name, this.get(name)]);
    for (const [name, addresses] of changes) this.put(name, addresses);
    this.save();
    return () => this.change(...before);
  }

  put(name, addresses) {
    const base = this.exported.get(name) ?? null;
    if (isEqual(base, addresses)) this.own.delete(name);
    else this.own.set(name, addresses);
  }

  /** Rename a list; return a function that undoes it. */
  rename(name, changed) {
    return this.change([changed, this.get(name)], [name, null]);
  }

  /**
   * Add imported lists. One whose name is that of another list gets a number, so that both are kept.
   * Return the names of the `added` and the number of those that exist already, and `undo`.
   */
  add(imported) {
    this.read();
    const added = new Map();
    const find = (name) => added.get(name) ?? this.get(name);
    for (const [name, addresses] of imported) {
      let free = name;
      for (let number = 2; find(free) && !isEqual(find(free), addresses); number += 1)
        free = `${name.slice(0, SHORTER)} (${number})`;
      if (!find(free)) added.set(free, addresses);
    }
    return {
      added: [...added.keys()],
      same: imported.size - added.size,
      undo: this.change(...added),
    };
  }
}

const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The lists of the model that the page shows. */
export const unitLists = new UnitLists(
  new Map(model.lists),
  `featviz-lists:${model.name}:${model.weights}`,
);
