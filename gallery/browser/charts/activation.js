// Plot of the activation over the steps of an optimization.

import { element, svgElement } from "../shared/dom.js";
import { measured, rounded } from "../shared/text.js";
import { linePath, sampleColor, ticks, valueRange } from "./scales.js";

const PLOT = { height: 300, left: 56, right: 30, top: 14, bottom: 46, label: 13 };

/** Heights of the labels at the ends of lines, moved apart where they would overlap. */
function labelHeights(heights) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  for (let k = 1; k < order.length; k += 1) {
    placed[order[k]] = Math.max(placed[order[k]], placed[order[k - 1]] + PLOT.label);
  }
  const over = Math.max(0, placed[order.at(-1)] - (PLOT.height - PLOT.bottom));
  return placed.map((height) => height - over);
}

/** Text alternative of the plot. */
function plotSummary(lines) {
  const parts = lines.map((line, i) => {
    const finite = line.filter((value) => value !== null);
    if (!finite.length) return `sample ${i + 1} has no finite activation`;
    return `sample ${i + 1} goes from ${measured(finite[0])} to ${measured(finite.at(-1))}`;
  });
  return `Activation over ${lines[0].length} steps: ${parts.join("; ")}.`;
}

/** Plot of the activation at each step, with a numbered line per sample, `width` pixels wide. */
function activationPlot(lines, width) {
  const range = valueRange(lines);
  const steps = Math.max(...lines.map((line) => line.length));
  if (range === null || steps === 0)
    return element("p", { class: "notice" }, "No finite activation was recorded.");
  const [low, high] = range;
  const right = width - PLOT.right;
  const bottom = PLOT.height - PLOT.bottom;
  const x = (i) => PLOT.left + ((right - PLOT.left) * i) / Math.max(1, steps - 1);
  const y = (value) => bottom - ((bottom - PLOT.top) * (value - low)) / (high - low);
  const svg = svgElement("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${PLOT.height}`,
    role: "img",
    "aria-label": plotSummary(lines),
  });
  for (const tick of ticks(low, high, 5)) {
    svg.append(
      svgElement("line", {
        class: tick === 0 ? "zero" : "grid",
        x1: PLOT.left,
        x2: right,
        y1: y(tick),
        y2: y(tick),
      }),
      svgElement(
        "text",
        { class: "tick", x: PLOT.left - 8, y: y(tick) + 4, "text-anchor": "end" },
        rounded(tick),
      ),
    );
  }
  for (const tick of ticks(1, steps, Math.max(2, Math.floor(width / 65)))) {
    if (tick !== Math.round(tick)) continue;
    const at = x(tick - 1);
    svg.append(
      svgElement("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 5 }),
      svgElement(
        "text",
        { class: "tick", x: at, y: bottom + 19, "text-anchor": "middle" },
        String(tick),
      ),
    );
  }
  svg.append(
    svgElement("line", { class: "axis", x1: PLOT.left, x2: right, y1: bottom, y2: bottom }),
    svgElement(
      "text",
      { class: "name", x: (PLOT.left + right) / 2, y: PLOT.height - 6, "text-anchor": "middle" },
      "step",
    ),
    svgElement(
      "text",
      {
        class: "name",
        transform: `translate(13 ${(PLOT.top + bottom) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      "activation",
    ),
  );
  const ends = lines.map((line) => y(line.findLast((value) => value !== null) ?? low));
  const heights = labelHeights(ends);
  lines.forEach((line, i) => {
    const color = sampleColor(i);
    svg.append(svgElement("path", { class: `line ${color}`, d: linePath(line, x, y) }));
    if (lines.length > 1) {
      svg.append(
        svgElement(
          "text",
          { class: `end ${color}`, x: right + 7, y: heights[i] + 4 },
          String(i + 1),
        ),
      );
    }
  });
  return svg;
}

/** A plot that is redrawn when its width changes. */
export function activationFigure(lines) {
  const container = element("div", { class: "plot-container" });
  new ResizeObserver(() => {
    if (container.clientWidth)
      container.replaceChildren(activationPlot(lines, container.clientWidth));
  }).observe(container);
  return element(
    "figure",
    { class: "trajectory" },
    container,
    element(
      "figcaption",
      {},
      "Activation at each optimization step, on the augmented image of that step. The activation of a picture is measured without augmentation.",
    ),
  );
}
