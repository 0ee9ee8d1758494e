// Elements that charts share: container, axis and legend.

import { element, svgElement } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { lineMark, sampleColor, ticks } from "./scales.js";

/** Margins and height of a chart, in pixels. */
export const CHART = { left: 44, right: 14, top: 10, bottom: 34, height: 170 };

/** A container whose content is drawn again when its width changes. */
export function responsive(draw, className) {
  const container = element("div", { class: className });
  let drawn = 0; // width
  new ResizeObserver(() => {
    if (!container.clientWidth || container.clientWidth === drawn) return;
    drawn = container.clientWidth;
    container.replaceChildren(draw(drawn));
  }).observe(container);
  return container;
}

/** A figure with a plot that is redrawn when its width changes. */
export const chartFigure = (draw, caption, ...rest) =>
  element(
    "figure",
    { class: "chart" },
    responsive(draw, "chart-container"),
    element("figcaption", {}, caption),
    rest,
  );

/** An empty chart with a text alternative. */
export const chartSvg = (width, height, description) =>
  svgElement("svg", {
    class: "plot chart-plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": description,
  });

/** Add the vertical axis: grid lines and tick labels. */
export function addVerticalAxis(svg, low, high, y, right) {
  for (const tick of ticks(low, high, 3)) {
    svg.append(
      svgElement("line", {
        class: tick === 0 ? "zero" : "grid",
        x1: CHART.left,
        x2: right,
        y1: y(tick),
        y2: y(tick),
      }),
      svgElement(
        "text",
        { class: "tick", x: CHART.left - 6, y: y(tick) + 4, "text-anchor": "end" },
        rounded(tick),
      ),
    );
  }
}

/** Legend of line colors; entries are [name, class]. */
export const chartLegend = (entries) =>
  element(
    "ul",
    { class: "shares" },
    entries.map(([name, color]) =>
      element("li", {}, element("span", { class: `swatch ${color}`, "aria-hidden": "true" }), name),
    ),
  );

/** Legend of lines with marks, by their names; `level` names a dashed line, or is null. */
export const linesLegend = (names, level) =>
  element(
    "ul",
    { class: "shares" },
    names.map((name, i) => element("li", {}, lineSample(i), name)),
    level === null
      ? null
      : element("li", {}, element("span", { class: "dash", "aria-hidden": "true" }), level),
  );

const lineSample = (index) =>
  svgElement(
    "svg",
    {
      class: `line-sample chart-plot ${sampleColor(index)}`,
      viewBox: "0 0 22 12",
      width: 22,
      height: 12,
      "aria-hidden": "true",
    },
    svgElement("path", { class: "whisker", d: "M0 6h22" }),
    svgElement("path", { class: "dot", d: lineMark(index, 11, 6) }),
  );
