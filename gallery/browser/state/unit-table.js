// The units of the model, by number, in the order of the page; and lists of them.

import { dataFolder, model, unitData } from "./model.js";
import { COMPARISONS, MARK_TESTS, wordsTest } from "./unit-filter.js";

const ROWS_A_SHEET = 48; // as in gallery/build/sheets.py

class UnitTable {
  /** `model` and `units` are what the data files hold. */
  constructor(model, units, folder) {
    this.count = units.tails.length;
    this.tails = units.tails;
    this.cell = model.cell;
    this.columns = model.columns;
    this.columnar = new Map(model.numbers.map(({ key }) => [key, units.numbers[key]]));
    this.numbers = model.numbers;
    this.groups = model.groups;
    this.rendered = units.renders;
    let offset = 0;
    this.sites = model.sites.map(({ name, count, wide }) => {
      offset += count;
      return { name, count, wide, offset: offset - count };
    });
    this.siteNumbers = new Map(this.sites.map(({ name }, number) => [name, number]));
    // In a variable of a style a relative address would be taken from the style sheet's folder.
    this.sheets = new URL(`${folder}/sheets/`, document.baseURI).href;
    this.places = null; // of each address, made when one is first asked for
    this.ordered = null; // the list last asked for
  }

  /** Number of the site of a unit. */
  siteNumber(i) {
    let low = 0;
    let high = this.sites.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.sites[middle].offset <= i) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  siteOf(i) {
    return this.sites[this.siteNumber(i)];
  }

  address(i) {
    return this.siteOf(i).name + this.tails[i];
  }

  /** Number of the unit with an address; -1 if there is none. */
  find(address) {
    this.places ??= new Map(
      this.sites.flatMap(({ name, offset, count }) =>
        this.tails.slice(offset, offset + count).map((tail, i) => [name + tail, offset + i]),
      ),
    );
    return this.places.get(address) ?? -1;
  }

  /** A stored number of a unit; null where it is not known. */
  number(key, i) {
    return this.columnar.get(key)?.[i] ?? null;
  }

  /** Smallest and largest known value of a number; null if none is known. */
  extent(key) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.columnar.get(key)) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : null;
  }

  /** The pictures of a unit, one entry a configuration. */
  renders(i) {
    return this.rendered[i].map(([group, row, samples, best]) => ({
      group,
      row,
      samples,
      best,
      sides: this.groups[group].sides,
    }));
  }

  /** Most samples that a unit has in one configuration. */
  samples(i) {
    return this.rendered[i].reduce((most, [, , samples]) => Math.max(most, samples), 0);
  }

  /** Where a unit's small picture lies: its sheet, the sheet's size, and place and size in it, in pixels. */
  sprite(i) {
    const number = this.siteNumber(i);
    const { offset, count, wide } = this.sites[number];
    const columns = wide ? this.columns / 2 : this.columns;
    const most = columns * ROWS_A_SHEET;
    const sheet = Math.floor((i - offset) / most);
    const place = (i - offset) % most;
    const held = Math.min(most, count - sheet * most);
    const width = wide ? 2 * this.cell : this.cell;
    return {
      file: `${this.sheets}${number}-${sheet}.webp`,
      x: (place % columns) * width,
      y: Math.floor(place / columns) * this.cell,
      width,
      height: this.cell,
      cell: this.cell,
      sheetWidth: Math.min(held, columns) * width,
      sheetHeight: Math.ceil(held / columns) * this.cell,
    };
  }

  /** Numbers of the units of a view, in its order: filtered, searched and sorted. */
  order(state) {
    const { sort, down, where, q, layer, only } = state;
    const key = JSON.stringify([sort, down, where, q, layer, only]);
    if (this.ordered?.key !== key)
      this.ordered = { key, units: this.sorted(this.chosen(state), sort, down) };
    return this.ordered.units;
  }

  /** Forget the list: what it was made from has changed. */
  forget() {
    this.ordered = null;
  }

  chosen({ where, q, layer, only }) {
    const tests = where.map(({ key, op, value }) => [
      this.columnar.get(key),
      COMPARISONS[op],
      value,
    ]);
    const matches = [only ? MARK_TESTS[only]() : null, q ? wordsTest(q) : null].filter(Boolean);
    const site = layer === null ? null : this.sites[this.siteNumbers.get(layer)];
    const from = site ? site.offset : 0;
    const to = site ? site.offset + site.count : layer === null ? this.count : 0;
    const chosen = new Int32Array(to - from);
    let size = 0;
    for (let i = from; i < to; i += 1) {
      if (!tests.every(([column, holds, value]) => column[i] !== null && holds(column[i], value)))
        continue;
      if (matches.length) {
        const address = this.address(i);
        if (!matches.every((match) => match(address))) continue;
      }
      chosen[size] = i;
      size += 1;
    }
    return chosen.subarray(0, size);
  }

  /** Sort by a number; what it is not known of comes last, and equals keep their order. */
  sorted(chosen, sort, down) {
    const column = this.columnar.get(sort);
    if (!column) return chosen;
    const sign = down ? -1 : 1;
    const known = chosen.filter((i) => column[i] !== null);
    const unknown = chosen.filter((i) => column[i] === null);
    known.sort((a, b) => sign * (column[a] - column[b]) || a - b);
    const all = new Int32Array(chosen.length);
    all.set(known);
    all.set(unknown, known.length);
    return all;
  }
}

/** The units of the model that the page shows. */
export const unitTable = new UnitTable(model, unitData, dataFolder);
