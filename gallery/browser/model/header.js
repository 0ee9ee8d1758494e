// The parts of a model's page that stand still: its name, the facts, the sections, what failed.

import { element } from "../shared/dom.js";
import { counted, listed } from "../shared/text.js";
import { unitData } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { SECTION_NAMES } from "./sections.js";

/** Links to the units, to the lists of other results, and to the reader's labels. */
export function fillViews(model, counts) {
  const views = document.getElementById("views");
  const units = unitTable.count || model.failures.length ? [["", unitTable.count]] : [];
  views.append(
    ...[...units, ...counts].map(([name, count]) =>
      element(
        "a",
        { href: `#${name}` },
        name ? SECTION_NAMES[name] : "Units",
        " ",
        element("span", { class: "quiet" }, count.toLocaleString("en")),
      ),
    ),
    element("a", { href: "#labels", class: "to-labels" }, "Labels"),
  );
}

/** Mark the list that is shown among the links to them. */
export function markView(name) {
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // On a narrow window the row of links is wider than it.
  const views = document.getElementById("views");
  const current = views.querySelector("[aria-current]");
  if (current)
    views.scrollLeft +=
      current.getBoundingClientRect().left -
      views.getBoundingClientRect().left -
      (views.clientWidth - current.clientWidth) / 2;
  document.querySelector("#views .to-labels").setAttribute("href", view.link({ page: "labels" }));
}

/** Fill in the name of the model, and the facts. */
export function fillHeader(model) {
  const samples = unitData.renders
    .flat()
    .reduce((sum, [group, , count]) => sum + count * model.groups[group].sides, 0);
  const facts = [
    model.weights,
    ...(unitTable.count ? [counted(unitTable.count, "unit"), counted(samples, "picture")] : []),
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

/** The units that failed, with the reasons. */
export function failureSection(failures) {
  const left = failures.length - FAILURES_SHOWN;
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
    left > 0
      ? element(
          "p",
          { class: "quiet" },
          `and ${left.toLocaleString("en")} more, which \u201cfeatviz info\u201d lists`,
        )
      : null,
  );
}
