"use strict";

// Small plots beside the pictures: histograms, lines over layers, effects with intervals, bars.

const CHART = { left: 44, right: 14, top: 10, bottom: 34, height: 170 };

/** A value with three digits, without zeros at its end; a dash where nothing finite was measured. */
const brief = (value) => (value === null ? "\u2013" : rounded(Number(value.toPrecision(3))));

/** A plot that is drawn anew whenever its place changes its width. */
function chartFigure(draw, caption, ...rest) {
  const place = element("div", { class: "chart-place" });
  new ResizeObserver(() => {
    if (place.clientWidth) place.replaceChildren(draw(place.clientWidth));
  }).observe(place);
  return element("figure", { class: "chart" }, place, element("figcaption", {}, caption), rest);
}

const chartSvg = (width, height, told) => drawn("svg", { class: "plot chart-plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": told });

/** Lines and numbers of a scale on the left. */
function chartScale(svg, low, high, y, right) {
  for (const tick of ticks(low, high, 3)) {
    svg.append(
      drawn("line", { class: tick === 0 ? "zero" : "grid", x1: CHART.left, x2: right, y1: y(tick), y2: y(tick) }),
      drawn("text", { class: "tick", x: CHART.left - 6, y: y(tick) + 4, "text-anchor": "end" }, rounded(tick)),
    );
  }
}

/** Counts in equal bins from `low` to `high`, with values marked: marks are [value, name, class]. */
function histogramPlot(counts, low, high, marks, width, told) {
  const values = marks.map(([value]) => value);
  const from = Math.min(low, ...values);
  const span = Math.max(high, ...values) - from || 1;
  const right = width - CHART.right;
  const bottom = CHART.height - CHART.bottom;
  const top = CHART.top + 16;
  const x = (value) => CHART.right + ((right - CHART.right) * (value - from)) / span;
  const most = Math.max(1, ...counts);
  const svg = chartSvg(width, CHART.height, told);
  counts.forEach((count, i) => {
    if (!count) return;
    const edge = (place) => x(low + ((high - low) * place) / counts.length);
    // What is there at all is seen.
    const height = Math.max(1, ((bottom - top) * count) / most);
    svg.append(drawn("rect", { class: "counts", x: edge(i), y: bottom - height, width: Math.max(1, edge(i + 1) - edge(i) - 0.5), height }));
  });
  svg.append(drawn("line", { class: "axis", x1: CHART.right, x2: right, y1: bottom, y2: bottom }));
  for (const tick of ticks(from, from + span, Math.max(2, Math.floor(width / 90)))) {
    svg.append(drawn("line", { class: "axis", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 }), drawn("text", { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" }, rounded(tick)));
  }
  for (const [value, name, colour] of marks) {
    const anchor = x(value) > width / 2 ? "end" : "start";
    svg.append(
      drawn("line", { class: `mark ${colour}`, x1: x(value), x2: x(value), y1: CHART.top + 4, y2: bottom }),
      drawn("text", { class: `end ${colour}`, x: x(value) + (anchor === "end" ? -5 : 5), y: CHART.top + 12, "text-anchor": anchor }, name),
    );
  }
  return svg;
}

/** Lines over the same places; lines are [name, values, class]. */
function linesPlot(lines, names, width, told) {
  const range = extent(lines.map(([, values]) => values));
  if (range === null) return element("p", { class: "notice" }, "No finite value was recorded.");
  const [low, high] = range;
  const right = width - CHART.right;
  const bottom = CHART.height - CHART.bottom;
  const x = (i) => CHART.left + ((right - CHART.left) * i) / Math.max(1, names.length - 1);
  const y = (value) => bottom - ((bottom - CHART.top) * (value - low)) / (high - low);
  const svg = chartSvg(width, CHART.height, told);
  chartScale(svg, low, high, y, right);
  svg.append(drawn("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom }));
  const room = Math.max(...names.map((name) => name.length)) * 7 + 10;
  const every = Math.max(1, Math.ceil((names.length * room) / (right - CHART.left)));
  names.forEach((name, i) => {
    if (i % every) return;
    const anchor = i === names.length - 1 ? "end" : "middle";
    svg.append(drawn("line", { class: "axis", x1: x(i), x2: x(i), y1: bottom, y2: bottom + 4 }), drawn("text", { class: "tick", x: x(i), y: bottom + 18, "text-anchor": anchor }, name));
  });
  for (const [, values, colour] of lines) {
    svg.append(drawn("path", { class: `line ${colour}`, d: path(values, x, y) }));
    if (values.length === 1 && values[0] !== null) svg.append(drawn("circle", { class: `dot ${colour}`, cx: x(0), cy: y(values[0]), r: 3 }));
  }
  return svg;
}

/** Effects with their intervals, side by side; rows are [name, below, {estimate, low, high}]. */
function effectsPlot(rows, width, told) {
  const range = extent([[0], ...rows.map(([, , { estimate, low, high }]) => [estimate, low, high])]);
  const [low, high] = range;
  const height = CHART.height + 18;
  const right = width - CHART.right;
  const bottom = height - CHART.bottom - 18;
  const y = (value) => bottom - ((bottom - CHART.top) * (value - low)) / (high - low);
  const svg = chartSvg(width, height, told);
  chartScale(svg, low, high, y, right);
  const step = (right - CHART.left) / rows.length;
  rows.forEach(([name, below, effect], i) => {
    const at = CHART.left + step * (i + 0.5);
    svg.append(
      drawn("text", { class: "tick strong", x: at, y: bottom + 20, "text-anchor": "middle" }, name),
      drawn("text", { class: "tick", x: at, y: bottom + 37, "text-anchor": "middle" }, below),
    );
    if (effect.estimate === null) return;
    const colour = i < rows.length - 2 ? "sample-0" : `sample-${i - rows.length + 3}`;
    if (effect.low !== null) svg.append(drawn("line", { class: `whisker ${colour}`, x1: at, x2: at, y1: y(effect.low), y2: y(effect.high) }));
    svg.append(drawn("circle", { class: `dot ${colour}`, cx: at, cy: y(effect.estimate), r: 4.5 }));
  });
  return svg;
}

/** What the colours of lines mean; entries are [name, class]. */
const keyOf = (entries) => element("ul", { class: "shares" }, entries.map(([name, colour]) => element("li", {}, element("span", { class: `swatch ${colour}`, "aria-hidden": "true" }), name)));

/** A bar of a share from 0 to 1, to the left if it is negative. */
function shareOf(share, className = "") {
  const track = element("span", { class: `track ${className}`, "aria-hidden": "true" }, element("span", {}));
  track.firstChild.style.width = `${100 * Math.min(1, Math.abs(share))}%`;
  return track;
}

/** Names with bars and values, one a row; rows are [name, value], of which the bar is a part of `most`. */
function barList(caption, rows, most, tell = brief) {
  return element(
    "table",
    { class: "bars" },
    element("caption", {}, caption),
    element(
      "tbody",
      {},
      rows.map(([name, value]) =>
        element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, name)), element("td", {}, shareOf((value ?? 0) / (most || 1), value < 0 ? "minus" : "plus")), element("td", {}, tell(value))),
      ),
    ),
  );
}
