// Line plot of estimates with confidence intervals over numbered categories, such as layers.

import { svgElement } from "../shared/dom.js";
import { addVerticalAxis, CHART } from "./frame.js";
import { makeReadable, svgPoint } from "./reading.js";
import { lineMark, linePath, sampleColor, valueRange } from "./scales.js";

/**
 * Plot of lines {estimate, low, high} over categories, each with a value per category or null; low and high
 * form a band. `level` is a dashed line. A category is a `name`, with an `href` or null. `read` is called with
 * the index of the category that is pointed at, or null. Sizes are in pixels.
 */
export function intervalsPlot(
  { lines, categories, level, title, description, height, read },
  width,
) {
  const values = lines.flatMap(({ estimate, low, high }) => [estimate, low, high]);
  const [least, most] = valueRange([...values, [0, level]]);
  const right = width - CHART.right;
  const bottom = height - CHART.bottom - 14;
  const step = (right - CHART.left) / categories.length;
  const x = (i) => CHART.left + step * (i + 0.5);
  const y = (value) => bottom - ((bottom - CHART.top) * (value - least)) / (most - least);
  const svg = svgElement("svg", {
    class: "plot chart-plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
  });
  const guide = svgElement("line", { class: "guide", y1: CHART.top, y2: bottom });
  const plot = svgElement("g", { tabindex: "0", role: "application", "aria-label": description });
  addVerticalAxis(plot, least, most, y, right);
  plot.append(
    guide,
    svgElement("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom }),
  );
  if (level !== null)
    plot.append(
      svgElement("line", {
        class: "level",
        x1: CHART.left,
        x2: right,
        y1: y(level),
        y2: y(level),
      }),
    );
  lines.forEach((line, i) => {
    plot.append(lineNode(line, x, y, i));
  });
  plot.append(
    svgElement("rect", {
      class: "hit",
      x: CHART.left,
      y: CHART.top,
      width: right - CHART.left,
      height: bottom - CHART.top,
    }),
  );
  svg.append(plot, ...categoryLabels(categories, x, bottom, step));
  svg.append(
    svgElement(
      "text",
      { class: "name", x: (CHART.left + right) / 2, y: height - 4, "text-anchor": "middle" },
      title,
    ),
  );
  const last = categories.length - 1;
  const clipped = (i) => Math.min(last, Math.max(0, i));
  makeReadable(plot, {
    at: (event) => clipped(Math.floor((svgPoint(svg, event)[0] - CHART.left) / step)),
    next: (i, key) => (i === null ? 0 : clipped(i + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0))),
    show: (i) => {
      guide.classList.toggle("shown", i !== null);
      if (i !== null) for (const end of ["x1", "x2"]) guide.setAttribute(end, x(i));
      read(i);
    },
  });
  return svg;
}

/** A line with its band and marks; intervals without neighbors are whiskers. */
function lineNode({ estimate, low, high }, x, y, index) {
  const isKnown = (i) => low[i] !== null && low[i] !== undefined;
  const node = svgElement("g", { class: sampleColor(index) });
  for (const run of runs(low.length, isKnown)) {
    const forth = run.map((i) => `${x(i).toFixed(1)} ${y(high[i]).toFixed(1)}`);
    const back = run.map((i) => `${x(i).toFixed(1)} ${y(low[i]).toFixed(1)}`).reverse();
    node.append(
      run.length > 1
        ? svgElement("path", { class: "band", d: `M${[...forth, ...back].join("L")}Z` })
        : svgElement("path", { class: "whisker", d: `M${forth[0]}L${back[0]}` }),
    );
  }
  node.append(svgElement("path", { class: "line", d: linePath(estimate, x, y) }));
  estimate.forEach((value, i) => {
    if (value !== null)
      node.append(svgElement("path", { class: "dot", d: lineMark(index, x(i), y(value)) }));
  });
  return node;
}

/** Runs of consecutive indices below `count` for which `holds`. */
function runs(count, holds) {
  const found = [];
  for (let i = 0; i < count; i += 1) {
    if (!holds(i)) continue;
    if (i && holds(i - 1)) found.at(-1).push(i);
    else found.push([i]);
  }
  return found;
}

function categoryLabels(categories, x, bottom, step) {
  const room = Math.max(...categories.map(({ name }) => name.length)) * 7 + 10;
  const every = Math.ceil(room / step);
  return categories
    .map(({ name, href }, i) => {
      if (i % every) return null;
      const text = svgElement(
        "text",
        { class: "tick", x: x(i), y: bottom + 18, "text-anchor": "middle" },
        name,
      );
      return href === null ? text : svgElement("a", { href, "aria-label": `layer ${name}` }, text);
    })
    .filter((node) => node !== null);
}
