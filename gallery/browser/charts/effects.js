import { svgElement } from "../shared/dom.js";
import { addVerticalAxis, CHART, chartSvg } from "./frame.js";
import { valueRange } from "./scales.js";

/** Effects with confidence intervals; rows are [name, note, {estimate, low, high}]. */
export function effectsPlot(rows, width, description) {
  const range = valueRange([
    [0],
    ...rows.map(([, , { estimate, low, high }]) => [estimate, low, high]),
  ]);
  const [low, high] = range;
  const height = CHART.height + 18;
  const right = width - CHART.right;
  const bottom = height - CHART.bottom - 18;
  const y = (value) => bottom - ((bottom - CHART.top) * (value - low)) / (high - low);
  const svg = chartSvg(width, height, description);
  addVerticalAxis(svg, low, high, y, right);
  const step = (right - CHART.left) / rows.length;
  rows.forEach(([name, note, effect], i) => {
    const at = CHART.left + step * (i + 0.5);
    svg.append(
      svgElement(
        "text",
        { class: "tick strong", x: at, y: bottom + 20, "text-anchor": "middle" },
        name,
      ),
      svgElement("text", { class: "tick", x: at, y: bottom + 37, "text-anchor": "middle" }, note),
    );
    if (effect.estimate === null) return;
    const color = i < rows.length - 2 ? "sample-0" : `sample-${i - rows.length + 3}`;
    if (effect.low !== null)
      svg.append(
        svgElement("line", {
          class: `whisker ${color}`,
          x1: at,
          x2: at,
          y1: y(effect.low),
          y2: y(effect.high),
        }),
      );
    svg.append(
      svgElement("circle", { class: `dot ${color}`, cx: at, cy: y(effect.estimate), r: 4.5 }),
    );
  });
  return svg;
}
