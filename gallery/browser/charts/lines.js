import { element, svgElement } from "../shared/dom.js";
import { addVerticalAxis, CHART, chartSvg } from "./frame.js";
import { linePath, valueRange } from "./scales.js";

/** Line plot over categories; lines are [name, values, class]. */
export function linesPlot(lines, names, width, description) {
  const range = valueRange(lines.map(([, values]) => values));
  if (range === null) return element("p", { class: "notice" }, "No finite value was recorded.");
  const [low, high] = range;
  const right = width - CHART.right;
  const bottom = CHART.height - CHART.bottom;
  const x = (i) => CHART.left + ((right - CHART.left) * i) / Math.max(1, names.length - 1);
  const y = (value) => bottom - ((bottom - CHART.top) * (value - low)) / (high - low);
  const svg = chartSvg(width, CHART.height, description);
  addVerticalAxis(svg, low, high, y, right);
  svg.append(
    svgElement("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom }),
  );
  const room = Math.max(...names.map((name) => name.length)) * 7 + 10;
  const every = Math.max(1, Math.ceil((names.length * room) / (right - CHART.left)));
  names.forEach((name, i) => {
    if (i % every) return;
    const anchor = i === names.length - 1 ? "end" : "middle";
    svg.append(
      svgElement("line", { class: "axis", x1: x(i), x2: x(i), y1: bottom, y2: bottom + 4 }),
      svgElement("text", { class: "tick", x: x(i), y: bottom + 18, "text-anchor": anchor }, name),
    );
  });
  for (const [, values, color] of lines) {
    svg.append(svgElement("path", { class: `line ${color}`, d: linePath(values, x, y) }));
    if (values.length === 1 && values[0] !== null)
      svg.append(svgElement("circle", { class: `dot ${color}`, cx: x(0), cy: y(values[0]), r: 3 }));
  }
  return svg;
}
