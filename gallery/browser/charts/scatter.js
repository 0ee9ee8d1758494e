import { svgElement } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { addVerticalAxis, CHART, chartSvg } from "./frame.js";
import { ticks, valueRange } from "./scales.js";

const HEIGHT = 260;
const RADIUS = 3.5;

/** Points [x, y, name] with the line on which both are equal; `titles` are those of the axes. */
export function scatterPlot(points, titles, width, description) {
  const [low, high] = valueRange([points.map(([a]) => a), points.map(([, b]) => b)]);
  const right = width - CHART.right;
  const [top, bottom] = [CHART.top + 16, HEIGHT - CHART.bottom - 14];
  const x = (value) => CHART.left + ((right - CHART.left) * (value - low)) / (high - low);
  const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
  const svg = chartSvg(width, HEIGHT, description);
  addVerticalAxis(svg, low, high, y, right);
  for (const tick of ticks(low, high, Math.max(2, Math.floor(width / 120)))) {
    svg.append(
      svgElement("line", {
        class: tick === 0 ? "zero" : "grid",
        x1: x(tick),
        x2: x(tick),
        y1: top,
        y2: bottom,
      }),
      svgElement(
        "text",
        { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" },
        rounded(tick),
      ),
    );
  }
  const corners = { x1: x(low), y1: y(low), x2: x(high), y2: y(high) };
  svg.append(
    svgElement("line", { class: "level", ...corners }),
    svgElement("text", { class: "tick", x: CHART.left, y: CHART.top + 4 }, titles[1]),
    svgElement(
      "text",
      { class: "tick", x: right, y: bottom + 36, "text-anchor": "end" },
      titles[0],
    ),
    ...points.map(([a, b, name]) =>
      svgElement(
        "circle",
        { class: "dot sample-0", cx: x(a), cy: y(b), r: RADIUS },
        svgElement("title", {}, name),
      ),
    ),
  );
  return svg;
}
