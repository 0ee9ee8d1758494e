import { svgElement } from "../shared/dom.js";
import { brief, counted, rounded } from "../shared/text.js";
import { CHART, chartSvg } from "./frame.js";
import { ticks } from "./scales.js";

/** Histogram with equal bins from `low` to `high`; marks are [value, name, class]. */
export function histogramPlot(counts, low, high, marks, width, description) {
  const values = marks.map(([value]) => value);
  const from = Math.min(low, ...values);
  const span = Math.max(high, ...values) - from || 1;
  const right = width - CHART.right;
  const bottom = CHART.height - CHART.bottom;
  const top = CHART.top + 16;
  const x = (value) => CHART.right + ((right - CHART.right) * (value - from)) / span;
  const most = Math.max(1, ...counts);
  const svg = chartSvg(width, CHART.height, description);
  counts.forEach((count, i) => {
    if (!count) return;
    const edge = (bin) => x(low + ((high - low) * bin) / counts.length);
    // Bins that are not empty are at least one pixel high.
    const height = Math.max(1, ((bottom - top) * count) / most);
    svg.append(
      svgElement("rect", {
        class: "counts",
        x: edge(i),
        y: bottom - height,
        width: Math.max(1, edge(i + 1) - edge(i) - 0.5),
        height,
      }),
    );
  });
  svg.append(
    svgElement("line", { class: "axis", x1: CHART.right, x2: right, y1: bottom, y2: bottom }),
  );
  for (const tick of ticks(from, from + span, Math.max(2, Math.floor(width / 90)))) {
    svg.append(
      svgElement("line", { class: "axis", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 }),
      svgElement(
        "text",
        { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" },
        rounded(tick),
      ),
    );
  }
  for (const [value, name, color] of marks) {
    const anchor = x(value) > width / 2 ? "end" : "start";
    svg.append(
      svgElement("line", {
        class: `mark ${color}`,
        x1: x(value),
        x2: x(value),
        y1: CHART.top + 4,
        y2: bottom,
      }),
      svgElement(
        "text",
        {
          class: `end ${color}`,
          x: x(value) + (anchor === "end" ? -5 : 5),
          y: CHART.top + 12,
          "text-anchor": anchor,
        },
        name,
      ),
    );
  }
  return svg;
}

/** A small histogram without axis labels; `noun` names what is counted. */
export function smallHistogram({ histogram, edges, count }, name, noun = "picture") {
  const most = Math.max(1, ...histogram);
  const [width, height] = [120, 32];
  const bar = width / histogram.length;
  const description = `${name}: ${counted(count, noun)} from ${brief(edges[0])} to ${brief(edges.at(-1))}`;
  const svg = svgElement("svg", {
    class: "small-histogram",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": description,
  });
  histogram.forEach((some, i) => {
    if (some)
      svg.append(
        svgElement("rect", {
          class: "counts",
          x: i * bar,
          y: height - Math.max(1, (height * some) / most),
          width: bar - 1,
          height: Math.max(1, (height * some) / most),
        }),
      );
  });
  return svg;
}
