// Decoded pictures of units on the map. Only the cells that are shown are kept, not whole sheets.

const AT_ONCE = 12; // files that are loaded at the same time

/** At most `most` decoded pictures; `source` returns the file, and the part of it, of a unit's picture. */
export class Pictures {
  constructor(most, source, onload) {
    this.most = most;
    this.source = source;
    this.onload = onload;
    this.bitmaps = new Map(); // by unit, in the order of their last use
    this.wanted = new Map(); // units by file that is not loaded yet
    this.loading = new Map();
    this.failed = new Set(); // files
  }

  /** The decoded picture of a unit; null if it is not loaded. */
  get(i) {
    const bitmap = this.bitmaps.get(i) ?? null;
    if (bitmap) {
      this.bitmaps.delete(i);
      this.bitmaps.set(i, bitmap);
    }
    return bitmap;
  }

  /** Load the pictures of these units, and no others, in this order. */
  request(units) {
    this.wanted = Map.groupBy(
      units.filter((i) => !this.bitmaps.has(i)),
      (i) => this.source(i)?.file,
    );
    this.wanted.delete(undefined);
    this.loadNext();
  }

  loadNext() {
    for (const [file, units] of this.wanted) {
      if (this.loading.size >= AT_ONCE) return;
      if (this.loading.has(file) || this.failed.has(file)) continue;
      this.wanted.delete(file);
      this.loading.set(file, units);
      this.load(file, units).finally(() => {
        this.loading.delete(file);
        this.loadNext();
      });
    }
  }

  async load(file, units) {
    const image = new Image();
    image.src = file;
    try {
      await image.decode();
      for (const i of units) {
        const { x, y, width, height } = this.source(i);
        const part = width ? [x, y, width, height] : [];
        this.keep(i, await createImageBitmap(image, ...part));
      }
    } catch {
      this.failed.add(file); // the color of the unit stays
    }
    this.onload();
  }

  keep(i, bitmap) {
    this.bitmaps.get(i)?.close();
    this.bitmaps.set(i, bitmap);
    for (const [old, unused] of this.bitmaps) {
      if (this.bitmaps.size <= this.most) return;
      unused.close();
      this.bitmaps.delete(old);
    }
  }
}
