// The frame of a chart: its place, scale and legend.

import { element, svgElement } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { ticks } from "./scales.js";

/** Margins and height of a chart, in pixels. */
export const CHART = { left: 44, right: 14, top: 10, bottom: 34, height: 170 };

/** A plot that is drawn anew whenever its place changes its width. */
export function chartFigure(draw, caption, ...rest) {
  const place = element("div", { class: "chart-place" });
  new ResizeObserver(() => {
    if (place.clientWidth) place.replaceChildren(draw(place.clientWidth));
  }).observe(place);
  return element("figure", { class: "chart" }, place, element("figcaption", {}, caption), rest);
}

/** An empty chart, with what it shows in words. */
export const chartSvg = (width, height, description) =>
  svgElement("svg", {
    class: "plot chart-plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": description,
  });

/** Lines and numbers of a scale on the left. */
export function chartScale(svg, low, high, y, right) {
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

/** What the colours of lines mean; entries are [name, class]. */
export const chartLegend = (entries) =>
  element(
    "ul",
    { class: "shares" },
    entries.map(([name, colour]) =>
      element(
        "li",
        {},
        element("span", { class: `swatch ${colour}`, "aria-hidden": "true" }),
        name,
      ),
    ),
  );
