// Where the cells of a list lie, by arithmetic alone: nothing here touches the page.

const GAP = 10; // pixels between cells, across

export const LEAD = 44; // height of a layer's heading

const SPACE = 20; // below a layer

export const FEW = 6; // columns of which none is left with room beside it

/**
 * Rows of a list: `bands` are layers (or one band without a heading), each with its rows.
 *
 * `units` are numbers in order; `sites` are those of the catalogue if each gets a heading, else null;
 * `size` is the height of a picture, `pitch` the least width of a cell, `height` that of a row.
 */
export class Layout {
  constructor(units, sites, width, { size, pitch, height }) {
    this.units = units;
    this.rowHeight = height;
    this.bands = [];
    let top = 0;
    let row = 0;
    for (const { site, start, count } of runs(units, sites)) {
      const least = site?.wide ? 2 * size : pitch;
      const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
      const head = site ? LEAD : 0;
      const rows = Math.ceil(count / columns);
      this.bands.push({
        site,
        start,
        count,
        columns,
        rows,
        row,
        top,
        head,
        cell: Math.min(least, width),
      });
      top += head + rows * height + (site ? SPACE : 0);
      row += rows + (site ? 1 : 0);
    }
    this.height = top;
    this.rows = row;
  }

  /** The band at a height, or the nearest. */
  bandAt(y) {
    let found = 0;
    for (let i = 1; i < this.bands.length && this.bands[i].top <= y; i += 1) found = i;
    return this.bands[found];
  }

  /** Rows that reach into a stretch of heights: {band, index, top}; index -1 is the heading. */
  *between(from, to) {
    for (const band of this.bands) {
      const end = band.top + band.head + band.rows * this.rowHeight;
      if (end < from) continue;
      if (band.top > to) return;
      if (band.head && band.top + band.head >= from) yield { band, index: -1, top: band.top };
      const first = Math.max(0, Math.floor((from - band.top - band.head) / this.rowHeight));
      const last = Math.min(
        band.rows - 1,
        Math.floor((to - band.top - band.head) / this.rowHeight),
      );
      for (let index = first; index <= last; index += 1) yield this.row(band, index);
    }
  }

  row(band, index) {
    return { band, index, top: band.top + (index < 0 ? 0 : band.head + index * this.rowHeight) };
  }

  /** The row and the column of a place in the list. */
  at(place) {
    const band = this.bands.findLast(({ start }) => start <= place);
    const index = Math.floor((place - band.start) / band.columns);
    return { ...this.row(band, index), column: (place - band.start) % band.columns };
  }

  /** Place one row further up or down (`by` is -1 or 1), across layers too; the same place at the ends. */
  vertical(place, by) {
    const { band, index, column } = this.at(place);
    const within = place + by * band.columns;
    if (index + by >= 0 && index + by < band.rows)
      return Math.min(within, band.start + band.count - 1);
    const other = this.bands[this.bands.indexOf(band) + by];
    if (!other) return place;
    const row = by > 0 ? 0 : other.rows - 1;
    return Math.min(
      other.start + row * other.columns + Math.min(column, other.columns - 1),
      other.start + other.count - 1,
    );
  }
}

/** Stretches of a list that belong to one layer each; a list without layers is one stretch. */
function runs(units, sites) {
  if (!units.length) return [];
  if (!sites) return [{ site: null, start: 0, count: units.length }];
  const found = [];
  let start = 0;
  for (const site of sites) {
    let end = start;
    while (end < units.length && units[end] < site.offset + site.count) end += 1;
    if (end > start) found.push({ site, start, count: end - start });
    start = end;
  }
  return found;
}

/** Sizes for a width: where few columns fit, they and their pictures fill it. */
export function fitted({ size, pitch, caption }, width) {
  const columns = Math.max(1, Math.floor((width + GAP) / (pitch + GAP)));
  if (columns >= FEW) return { size, pitch, height: size + caption };
  const wide = Math.floor((width + GAP) / columns - GAP);
  const grown = Math.max(size, Math.min(wide, Math.round(1.5 * size)));
  return { size: grown, pitch: wide, height: grown + caption };
}
