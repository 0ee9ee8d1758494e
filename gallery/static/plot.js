"use strict";

const PLOT = { height: 300, left: 56, right: 30, top: 14, bottom: 46, label: 13, colours: 8 };

/** Round values in [low, high], about `count` steps of 1, 2 or 5 times a power of ten apart. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = (factor) => Math.abs(Math.log((factor * power) / rough));
  const step = [1, 2, 5, 10].reduce((a, b) => (distance(b) < distance(a) ? b : a)) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Smallest and largest finite value of all lines, apart by at least a hair. */
function extent(lines) {
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

/** Path through the finite points; the pen is lifted over the others. */
function path(line, x, y) {
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

/** Heights for the numbers at the lines' ends, pushed apart where they would overlap. */
function labelHeights(heights) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  for (let k = 1; k < order.length; k += 1) {
    placed[order[k]] = Math.max(placed[order[k]], placed[order[k - 1]] + PLOT.label);
  }
  const over = Math.max(0, placed[order.at(-1)] - (PLOT.height - PLOT.bottom));
  return placed.map((height) => height - over);
}

/** What the plot shows, in words, for those who cannot see it. */
function plotSummary(lines) {
  const parts = lines.map((line, i) => {
    const finite = line.filter((value) => value !== null);
    if (!finite.length) return `sample ${i + 1} has no finite value`;
    return `sample ${i + 1} goes from ${measured(finite[0])} to ${measured(finite.at(-1))}`;
  });
  return `Activation over ${lines[0].length} steps: ${parts.join("; ")}.`;
}

/** Plot of the activation at each step, one numbered line a sample, `width` pixels wide. */
function trajectoryPlot(lines, width) {
  const range = extent(lines);
  const steps = Math.max(...lines.map((line) => line.length));
  if (range === null || steps === 0) return element("p", { class: "notice" }, "No finite value was recorded.");
  const [low, high] = range;
  const right = width - PLOT.right;
  const bottom = PLOT.height - PLOT.bottom;
  const x = (i) => PLOT.left + ((right - PLOT.left) * i) / Math.max(1, steps - 1);
  const y = (value) => bottom - ((bottom - PLOT.top) * (value - low)) / (high - low);
  const svg = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${PLOT.height}`, role: "img", "aria-label": plotSummary(lines) });
  for (const tick of ticks(low, high, 5)) {
    svg.append(
      drawn("line", { class: tick === 0 ? "zero" : "grid", x1: PLOT.left, x2: right, y1: y(tick), y2: y(tick) }),
      drawn("text", { class: "tick", x: PLOT.left - 8, y: y(tick) + 4, "text-anchor": "end" }, rounded(tick)),
    );
  }
  for (const tick of ticks(1, steps, Math.max(2, Math.floor(width / 65)))) {
    if (tick !== Math.round(tick)) continue;
    const at = x(tick - 1);
    svg.append(
      drawn("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 5 }),
      drawn("text", { class: "tick", x: at, y: bottom + 19, "text-anchor": "middle" }, String(tick)),
    );
  }
  svg.append(
    drawn("line", { class: "axis", x1: PLOT.left, x2: right, y1: bottom, y2: bottom }),
    drawn("text", { class: "name", x: (PLOT.left + right) / 2, y: PLOT.height - 6, "text-anchor": "middle" }, "step"),
    drawn("text", { class: "name", transform: `translate(13 ${(PLOT.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "activation"),
  );
  const ends = lines.map((line) => y(line.findLast((value) => value !== null) ?? low));
  const heights = labelHeights(ends);
  lines.forEach((line, i) => {
    const colour = `sample-${i % PLOT.colours}`;
    svg.append(drawn("path", { class: `line ${colour}`, d: path(line, x, y) }));
    if (lines.length > 1) {
      svg.append(drawn("text", { class: `end ${colour}`, x: right + 7, y: heights[i] + 4 }, String(i + 1)));
    }
  });
  return svg;
}
