// Table of the units of the model, in display order, with filtering and sorting.

import { foldedText } from "../shared/text.js";
import { dataFolder, model, unitData } from "./model.js";
import { unitLists } from "./saved/unit-lists.js";
import { ANY, COMPARISONS, FACET_NAMES, MARK_FILTERS, textFilter } from "./unit-filter.js";

class UnitTable {
  /** `model` and `units` are the contents of the data files. */
  constructor(model, units, folder) {
    this.count = units.suffixes.length;
    this.suffixes = units.suffixes;
    this.cell = model.cell;
    this.sheetColumns = model.columns;
    this.sheetRows = model.rows;
    this.columns = new Map(model.metrics.map(({ key }) => [key, units.metrics[key]]));
    this.metrics = model.metrics;
    this.groups = model.groups;
    this.rendered = units.renders;
    this.headlines = units.headlines;
    this.colors = units.colors;
    this.facets = new Map(
      Object.keys(FACET_NAMES).flatMap((key) =>
        Object.hasOwn(units.facets, key) ? [[key, units.facets[key]]] : [],
      ),
    );
    let offset = 0;
    this.sites = model.sites.map(({ name, count, wide }) => {
      offset += count;
      return { name, count, wide, offset: offset - count };
    });
    this.siteIndices = new Map(this.sites.map(({ name }, index) => [name, index]));
    // A relative URL in a CSS variable would be resolved against the style sheet.
    this.sheets = new URL(`${folder}/sheets/`, document.baseURI).href;
    this.pictures = new URL(`${folder}/pictures/`, document.baseURI).href;
    this.naturalImages = new URL(`${folder}/examples/`, document.baseURI).href;
    this.pictureFormat = model.thumbnailsOnly ? null : model.pictures;
    this.indices = null; // by address, computed on first use
    this.ordered = null; // the last list
  }

  /** Index of the site of a unit. */
  siteIndex(i) {
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
    return this.sites[this.siteIndex(i)];
  }

  address(i) {
    return this.siteOf(i).name + this.suffixes[i];
  }

  /** What the top images of a unit show and what was measured, in one line; empty if unknown. */
  headline(i) {
    return this.headlines[i] ?? "";
  }

  /** Alternative text of a unit's picture: its address, and its headline if there is one. */
  description(i) {
    return [this.address(i), this.headline(i)].filter(Boolean).join(": ");
  }

  /** Number of the unit with an address; -1 if there is none. */
  find(address) {
    this.indices ??= new Map(
      this.sites.flatMap(({ name, offset, count }) =>
        this.suffixes.slice(offset, offset + count).map((suffix, i) => [name + suffix, offset + i]),
      ),
    );
    return this.indices.get(address) ?? -1;
  }

  /** Mean color of a unit's picture; null if the picture does not fill its cell. */
  color(i) {
    const digits = this.colors.slice(3 * i, 3 * i + 3);
    return digits.trim() ? `#${digits}` : null;
  }

  /** Each value of each facet, with its number of units, the first of them, and its text for search. */
  facetCounts() {
    this.facetValues ??= [...this.facets].flatMap(([key, { values, units }]) => {
      const counts = new Array(values.length).fill(0);
      const firsts = [];
      for (const [i, value] of units.entries()) {
        if (value === null) continue;
        counts[value] += 1;
        firsts[value] ??= i;
      }
      return values.map((value, index) => ({
        key,
        value,
        count: counts[index],
        first: firsts[index],
        text: foldedText(`${FACET_NAMES[key]} ${value}`),
      }));
    });
    return this.facetValues;
  }

  /** A metric of a unit; null if it is not known. */
  metric(key, i) {
    return this.columns.get(key)?.[i] ?? null;
  }

  /** Value of a facet of a unit; null if it has none. */
  facet(key, i) {
    const { values, units } = this.facets.get(key);
    return units[i] === null ? null : values[units[i]];
  }

  /** Smallest and largest known value of a metric; null if there is none. */
  extent(key) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.columns.get(key)) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : null;
  }

  /** The pictures of a unit, one entry per configuration. */
  renders(i) {
    return this.rendered[i].map(([group, row, samples, best]) => {
      const { sides, natural } = this.groups[group];
      // The picture of a unit without one is a natural image, whose index is in place of the sample.
      return natural
        ? { group, row, samples, best: 0, image: best, sides }
        : { group, row, samples, best, image: null, sides };
    });
  }

  /** Largest number of samples of a unit in one configuration. */
  samples(i) {
    return this.rendered[i].reduce((most, [, , samples]) => Math.max(most, samples), 0);
  }

  /** URLs of a unit's best sample, two of a pair; null if there are no such files. */
  pictureFiles(i) {
    const [{ row, best, image, sides }] = this.renders(i);
    if (image !== null) return [`${this.naturalImages}${image}.webp`];
    if (this.pictureFormat === null) return null;
    const names = sides > 1 ? [`${best}-0`, `${best}-1`] : [best];
    return names.map((name) => `${this.pictures}${row}-${name}.${this.pictureFormat}`);
  }

  /** Width and height of a unit's pictures, in pixels. */
  pictureSize(i) {
    return this.groups[this.rendered[i][0][0]].size;
  }

  /** Position of a unit's thumbnail: file and size of its sheet, and offset and size in it, in pixels. */
  sprite(i) {
    const site = this.siteIndex(i);
    const { offset, count, wide } = this.sites[site];
    const columns = wide ? this.sheetColumns / 2 : this.sheetColumns;
    const most = columns * this.sheetRows;
    const sheet = Math.floor((i - offset) / most);
    const cell = (i - offset) % most;
    const held = Math.min(most, count - sheet * most);
    const width = wide ? 2 * this.cell : this.cell;
    return {
      file: `${this.sheets}${site}-${sheet}.webp`,
      x: (cell % columns) * width,
      y: Math.floor(cell / columns) * this.cell,
      width,
      height: this.cell,
      cell: this.cell,
      sheetWidth: Math.min(held, columns) * width,
      sheetHeight: Math.ceil(held / columns) * this.cell,
    };
  }

  /** Indices of the units of a view: filtered, searched and sorted. */
  order(state) {
    const { sort, down, where, q, layer, only, list, facets } = state;
    const key = JSON.stringify([sort, down, where, q, layer, only, list, facets]);
    if (this.ordered?.key !== key)
      this.ordered = { key, units: this.sorted(this.filtered(state), sort, down, list) };
    return this.ordered.units;
  }

  /** Discard the last list after labels, pins or named lists changed. */
  invalidate() {
    this.ordered = null;
  }

  /** Number of units of each site that match a view, apart from its layer. */
  countsBySite(state) {
    const counts = new Array(this.sites.length).fill(0);
    const units =
      state.layer === null ? this.order(state) : this.filtered({ ...state, layer: null });
    for (const i of units) counts[this.siteIndex(i)] += 1;
    return counts;
  }

  filtered({ where, q, layer, only, list, facets }) {
    const tests = where.map(({ key, op, value }) => [
      this.columns.get(key),
      COMPARISONS[op],
      value,
    ]);
    const chosenFacets = Object.entries(facets).map(([key, value]) => {
      const { values, units } = this.facets.get(key);
      return [units, value === ANY ? null : values.indexOf(value)];
    });
    const matches = [only ? MARK_FILTERS[only]() : null, q ? textFilter(q) : null].filter(Boolean);
    const listed = list === null ? null : new Set(this.listed(list));
    const site = layer === null ? null : this.sites[this.siteIndices.get(layer)];
    const from = site ? site.offset : 0;
    const to = site ? site.offset + site.count : layer === null ? this.count : 0;
    const chosen = new Int32Array(to - from);
    let size = 0;
    for (let i = from; i < to; i += 1) {
      if (listed !== null && !listed.has(i)) continue;
      if (!tests.every(([column, holds, value]) => column[i] !== null && holds(column[i], value)))
        continue;
      if (!chosenFacets.every(([units, at]) => (at === null ? units[i] !== null : units[i] === at)))
        continue;
      if (matches.length) {
        const address = this.address(i);
        const headline = this.headline(i);
        if (!matches.every((match) => match(address, headline))) continue;
      }
      chosen[size] = i;
      size += 1;
    }
    return chosen.subarray(0, size);
  }

  /** Indices of the units of a named list, in its order. */
  listed(name) {
    return (unitLists.get(name) ?? [])
      .map((address) => this.find(address))
      .filter((index) => index >= 0);
  }

  /** Sort by a metric, or else in the order of a named list. Units without the metric come last; ties keep their order. */
  sorted(chosen, sort, down, list) {
    const column = this.columns.get(sort);
    if (!column && list !== null) {
      const has = new Set(chosen);
      return Int32Array.from(this.listed(list).filter((i) => has.has(i)));
    }
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

/** The units of the model of this page. */
export const unitTable = new UnitTable(model, unitData, dataFolder);
