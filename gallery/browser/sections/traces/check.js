// Check of estimated effects: exact patching of some sites, and diagnostics.

import { chartFigure } from "../../charts/frame.js";
import { scatterPlot } from "../../charts/scatter.js";
import { element } from "../../shared/dom.js";
import { tableOf } from "../../shared/tables.js";
import { brief, counted, hundredths, percent } from "../../shared/text.js";

const TRUSTED = 0.7;

function agreementText({ place, images, rank, signs }) {
  return [
    `${counted(place.length, "site")}, evenly spread over the ranks of the absolute estimates, ${place.length === 1 ? "was" : "were"} patched exactly, too, on ${counted(images, "image")}. `,
    element("b", {}, `Rank correlation ${rank === null ? "unknown" : hundredths(rank)}`),
    signs === null ? "." : `; ${percent(signs)} of signs agree.`,
  ];
}

/** What is known about the quality of the estimates of a sweep; null if they were not checked. */
export function checkNode(sweep, includesAll) {
  const { checks = [], diagnostics = [] } = sweep;
  const check = checks.find((each) => each.all === includesAll);
  if (!check && !diagnostics.length) return null;
  const nodes = [];
  if (check) {
    const { place, estimated, exact } = check;
    const [value, low, high] = exact;
    const names = place.map((site) => sweep.siteName(site));
    const range = (i) => (low[i] === null ? "\u2013" : `${brief(low[i])} to ${brief(high[i])}`);
    const points = place.map((_, i) => [
      estimated[i],
      value[i],
      `${names[i]}: ${brief(estimated[i])} estimated, ${brief(value[i])} exact`,
    ]);
    nodes.push(
      element("p", {}, agreementText(check)),
      check.rank !== null && check.rank < TRUSTED
        ? element(
            "p",
            { class: "notice" },
            `A rank correlation under ${TRUSTED}: the largest estimates need not be the largest effects.`,
          )
        : null,
      chartFigure(
        (width) =>
          scatterPlot(
            points,
            ["estimated effect", "exact effect"],
            width,
            "Exact over estimated effects of the sites that were patched; the table below has the values",
          ),
        "Each point is a site; on the line, both effects are equal.",
      ),
      tableOf("Estimated and exact effects", ["Site", "Estimated", "Exact", "95\u00a0% CI"], () =>
        names.map((name, i) => [name, brief(estimated[i]), brief(value[i]), range(i)]),
      ),
    );
  }
  if (diagnostics.length)
    nodes.push(
      element("p", {}, "Reasons to distrust the estimates:"),
      diagnostics.map((line) => element("p", { class: "quiet" }, line)),
    );
  return element(
    "section",
    { "aria-label": "Check of the estimates" },
    element("h4", {}, "Check of the estimates"),
    nodes,
  );
}
