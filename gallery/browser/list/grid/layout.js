// Layout of the grid. Nothing here touches the document.

export const GAP = 10; // pixels between columns

export const HEADING = 44; // height of a layer's heading, in pixels

const SPACE = 20; // pixels below a layer

export const FEW = 6; // below this many columns, cells fill the width

/**
 * Rows of the grid, in bands: one per layer, or a single band without a heading.
 *
 * `units` are unit indices in display order; `sites` are the layers if each gets a heading, else null;
 * `size` is the height of a picture, `pitch` the minimum width of a cell, `height` the height of a row.
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
      const head = site ? HEADING : 0;
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

  /** The band at a height, or the nearest one. */
  bandAt(y) {
    let found = 0;
    for (let i = 1; i < this.bands.length && this.bands[i].top <= y; i += 1) found = i;
    return this.bands[found];
  }

  /** Rows between two heights, as {band, index, top}; index -1 is the heading. */
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

  /** Row and column of a position in the list. */
  at(position) {
    const band = this.bands.findLast(({ start }) => start <= position);
    const index = Math.floor((position - band.start) / band.columns);
    return { ...this.row(band, index), column: (position - band.start) % band.columns };
  }

  /** Position one row up (`step` -1) or down (1), across layers; the same position at either end. */
  vertical(position, step) {
    const { band, index, column } = this.at(position);
    const within = position + step * band.columns;
    if (index + step >= 0 && index + step < band.rows)
      return Math.min(within, band.start + band.count - 1);
    const other = this.bands[this.bands.indexOf(band) + step];
    if (!other) return position;
    const row = step > 0 ? 0 : other.rows - 1;
    return Math.min(
      other.start + row * other.columns + Math.min(column, other.columns - 1),
      other.start + other.count - 1,
    );
  }
}

/** Split a list into runs of units of one layer; without `sites`, one run. */
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

/** Cell sizes for a width. If only few columns fit, they are enlarged to fill it. */
export function fitCells({ size, pitch, caption }, width) {
  const columns = Math.max(1, Math.floor((width + GAP) / (pitch + GAP)));
  if (columns >= FEW) return { size, pitch, height: size + caption };
  const wide = Math.floor((width + GAP) / columns - GAP);
  const grown = Math.max(size, Math.min(wide, Math.round(1.5 * size)));
  return { size: grown, pitch: wide, height: grown + caption };
}
