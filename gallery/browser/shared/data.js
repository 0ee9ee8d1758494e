// The one global of a page, `featviz`. Data files are classic scripts, the only ones that a page
// opened from a file may load, and assign `featviz[NAME]`. Under `page` the page of a model shows
// its state to tests and to the console.

globalThis.featviz ??= {};

/** What data scripts have assigned so far. */
export const data = globalThis.featviz;
