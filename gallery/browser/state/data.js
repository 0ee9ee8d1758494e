// The global `featviz`, to which data files assign `featviz[NAME]`. They are classic scripts, because
// a page opened from a file cannot load modules. `featviz.page` exposes the state of a model's page
// to tests and to the console.

globalThis.featviz ??= {};

/** Data assigned by the scripts loaded so far. */
export const data = globalThis.featviz;
