// Where the components of a circuit are drawn: blocks upward, a column for each head and one for the MLPs.

import { EMBEDDING } from "./circuit.js";

const LEFT = 62; // room for the names of the blocks
const RIGHT = 12;
const TOP = 64; // room for the names of the columns and the logits
const BOW = 90; // the most that an edge is bent to the side
const COLUMN = { least: 34, most: 190 }; // pixels
const HEAD_NAME = 52; // room for "head 0"
const ROW = { least: 60, most: 84, all: 1000 };
const CELL = { width: 80, height: 40 }; // of pairs of pictures; others are square

/**
 * Places {x, y, width, height} of components by name, around their middles, for a graph about `width` pixels
 * wide. The MLP of a block is half a row above its heads, so that every edge leads upward.
 */
export function layoutOf(components, width) {
  const blocks = 1 + Math.max(-1, ...components.map(({ block }) => block ?? -1));
  const heads = 1 + Math.max(0, ...components.map(({ head }) => head ?? 0));
  const column = clamped((width - LEFT - RIGHT) / (heads + 1), COLUMN);
  const row = clamped(ROW.all / blocks, ROW);
  const height = Math.min(CELL.height, column - 8, row / 2 - 4);
  const room = Math.max(column * 0.6, Math.min(column - 10, 56));
  const pair = Math.max(height, Math.min(2 * height, CELL.width, room));
  const bottom = TOP + row * (blocks + 1);
  const isNarrow = column < HEAD_NAME;
  const x = (at) => LEFT + column * (at + 0.5);
  const all = column * heads + height;
  const bar = (y) => ({ x: LEFT + (column - height + all) / 2, y, width: all, height: 26 });
  const places = components.map(({ name, block, head }) => {
    if (block === null) return [name, bar(name === EMBEDDING ? bottom : TOP - 26)];
    const y = TOP + row * (blocks - block) + (head === null ? -row / 2 : 0);
    return [name, { x: x(head ?? heads), y, width: head === null ? height : pair, height }];
  });
  return {
    places: new Map(places),
    column,
    width: LEFT + column * (heads + 1) + RIGHT,
    height: bottom + 22,
    rows: [
      ...Array.from({ length: blocks }, (_, block) => [
        `block ${block}`,
        TOP + row * (blocks - block),
      ]),
      ...(isNarrow ? [["head", 8]] : []),
    ],
    columns: [
      ...Array.from({ length: heads }, (_, head) => [isNarrow ? head : `head ${head}`, x(head)]),
      ["MLP", x(heads)],
    ],
  };
}

const clamped = (value, { least, most }) => Math.max(least, Math.min(most, value));

/**
 * SVG path of an edge, from the top of its sender to the bottom of its receiver. It is bent to the left at the
 * first group of tokens and to the right at others, so that long edges pass between the columns.
 */
export function edgePath({ from, to, input, isFirst }, { places, column }) {
  const [start, end] = [places.get(from), places.get(to)];
  const side = isFirst ? -1 : 1;
  const within = (place, x) =>
    Math.max(place.x - place.width / 2 + 8, Math.min(place.x + place.width / 2 - 8, x));
  const inset = Math.min(end.width / 3, 16);
  const x1 = input === null ? within(end, start.x) : end.x + ("qkv".indexOf(input) - 1) * inset;
  const x0 = within(start, x1) + side * 3;
  const [y0, y1] = [start.y - start.height / 2, end.y + end.height / 2];
  const rise = y0 - y1;
  const bow = side * Math.min(column * 0.66, BOW, Math.max(0, rise - 40) * 0.35);
  const pull = Math.max(rise * 0.38, 8);
  return `M${[x0, y0].map(fixed)}C${[x0 + bow, y0 - pull, x1 + bow, y1 + pull, x1, y1].map(fixed)}`;
}

const fixed = (value) => value.toFixed(1);
