// Helpers of all charts: ticks, ranges, paths, colors.

const COLORS = 8; // defined in the style sheets

/** Tick values in [low, high]: about `count`, at steps of 1, 2 or 5 times a power of ten. */
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = (factor) => Math.abs(Math.log((factor * power) / rough));
  const step = [1, 2, 5, 10].reduce((a, b) => (distance(b) < distance(a) ? b : a)) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** Range of the finite values of all lines, with padding; null if there are none. */
export function valueRange(lines) {
  let [low, high] = [Infinity, -Infinity];
  for (const line of lines) {
    for (const value of line) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return null;
  const pad = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
  return [low - pad, high + pad];
}

/** SVG path through the finite points, with gaps at the others. */
export function linePath(line, x, y) {
  let pen = "M";
  let d = "";
  line.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    d += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

/** CSS class of the color of a sample or part. */
export const sampleColor = (index) => `sample-${index % COLORS}`;

/** SVG paths of marks at the origin, about 7 pixels wide. */
const MARKS = [
  "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z", // circle
  "m-3 -3h6v6h-6z", // square
  "m0 -4l4 7h-8z", // triangle
  "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z", // diamond
];

/** SVG path of the mark of a line at a point; marks differ where colors are not seen. */
export const lineMark = (index, x, y) =>
  `M${x.toFixed(1)} ${y.toFixed(1)}${MARKS[index % MARKS.length]}`;
