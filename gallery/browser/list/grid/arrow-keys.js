// Keyboard navigation in the grid of units.

/** New position in the list, from the current one, step key. */
export const PLAIN_KEYS = {
  ArrowLeft: (position) => position - 1,
  ArrowRight: (position) => position + 1,
  ArrowUp: (position, { layout }) => layout.vertical(position, -1),
  ArrowDown: (position, { layout }) => layout.vertical(position, 1),
  Home: (position, { layout }) => position - layout.at(position).column,
  End: (position, { layout }) => {
    const { band, column } = layout.at(position);
    return Math.min(position - column + band.columns, band.start + band.count) - 1;
  },
  PageUp: (position, grid) => screenful(position, grid, -1),
  PageDown: (position, grid) => screenful(position, grid, 1),
};

/** New position step key, with Ctrl pressed. */
export const CTRL_KEYS = { Home: () => 0, End: (_, { units }) => units.length - 1 };

function screenful(position, { layout }, step) {
  let at = position;
  for (
    let rows = Math.max(1, Math.floor((0.8 * innerHeight) / layout.rowHeight));
    rows > 0;
    rows -= 1
  )
    at = layout.vertical(at, step);
  return at;
}
