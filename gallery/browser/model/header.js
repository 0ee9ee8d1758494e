// The fixed parts of a model's page: name, counts, links to sections, failed units.

import { element } from "../shared/dom.js";
import { counted, listed } from "../shared/text.js";
import { unitData } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { MAP, view } from "../state/view.js";
import { SECTION_TITLES } from "./sections.js";

/** Links to the units, to the other sections, and to the labels. */
export function fillViews(model, counts) {
  const views = document.getElementById("views");
  const units = unitTable.count || model.failures.length ? [["", unitTable.count]] : [];
  const map = model.map ? [[MAP, null]] : [];
  views.append(
    ...[...units, ...map, ...counts].map(([name, count]) =>
      element(
        "a",
        { href: `#${name}` },
        name ? SECTION_TITLES[name] : "Units",
        count === null
          ? null
          : [" ", element("span", { class: "quiet" }, count.toLocaleString("en"))],
      ),
    ),
    element("a", { href: "#labels", class: "to-labels" }, "Labels and lists"),
  );
}

/** Mark the link of the current section. */
export function markView(name) {
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // In a narrow window, scroll the row of links to it.
  const views = document.getElementById("views");
  const current = views.querySelector("[aria-current]");
  if (current)
    views.scrollLeft +=
      current.getBoundingClientRect().left -
      views.getBoundingClientRect().left -
      (views.clientWidth - current.clientWidth) / 2;
  document.querySelector("#views .to-labels").setAttribute("href", view.link({ page: "labels" }));
}

/** Fill in the name of the model and the counts. */
export function fillHeader(model) {
  const samples = unitData.renders
    .flat()
    .filter(([group]) => !model.groups[group].natural)
    .reduce((sum, [group, , count]) => sum + count * model.groups[group].sides, 0);
  const facts = [
    model.weights,
    ...(unitTable.count ? [counted(unitTable.count, "unit")] : []),
    ...(samples ? [counted(samples, "picture")] : []),
  ];
  document.getElementById("name").append(model.name);
  const line = document.getElementById("facts");
  line.append(listed([...facts, ...(model.failures.length ? [""] : [])]));
  if (model.failures.length)
    line.append(
      element(
        "a",
        { href: "#failed" },
        `${model.failures.length.toLocaleString("en")}\u00a0failed`,
      ),
    );
}

const FAILURES_SHOWN = 200;

/** The failed units, with reasons. */
export function failureSection(failures) {
  const hidden = failures.length - FAILURES_SHOWN;
  return element(
    "section",
    { id: "failed", class: "failures", "aria-label": "Failed" },
    element(
      "div",
      { class: "heading" },
      element("h2", { tabindex: "-1" }, "Failed"),
      element("p", {}, counted(failures.length, "unit")),
    ),
    element(
      "dl",
      {},
      failures
        .slice(0, FAILURES_SHOWN)
        .map(([address, reason, group]) => [
          element("dt", {}, address),
          element(
            "dd",
            {},
            reason,
            group ? element("span", { class: "quiet" }, ` (${group})`) : null,
          ),
        ]),
    ),
    hidden > 0
      ? element(
          "p",
          { class: "quiet" },
          `and ${hidden.toLocaleString("en")} more; run \u201cfeatviz info\u201d for all of them`,
        )
      : null,
  );
}
