// Where the keys lead in the grid of units.

/** Where keys lead from a place of the list. */
export const PLAIN_KEYS = {
  ArrowLeft: (place) => place - 1,
  ArrowRight: (place) => place + 1,
  ArrowUp: (place, { layout }) => layout.vertical(place, -1),
  ArrowDown: (place, { layout }) => layout.vertical(place, 1),
  Home: (place, { layout }) => place - layout.at(place).column,
  End: (place, { layout }) => {
    const { band, column } = layout.at(place);
    return Math.min(place - column + band.columns, band.start + band.count) - 1;
  },
  PageUp: (place, grid) => screenful(place, grid, -1),
  PageDown: (place, grid) => screenful(place, grid, 1),
};

/** Where keys with Ctrl lead. */
export const CTRL_KEYS = { Home: () => 0, End: (_, { units }) => units.length - 1 };

function screenful(place, { layout }, by) {
  let at = place;
  for (
    let rows = Math.max(1, Math.floor((0.8 * innerHeight) / layout.rowHeight));
    rows > 0;
    rows -= 1
  )
    at = layout.vertical(at, by);
  return at;
}
