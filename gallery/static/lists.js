"use strict";

// The parts of a model's page that stand still: its name, the facts, the sections, what failed.

/** Names of the sections, and the nouns that count them. */
const sectionNames = { report: "Report", heads: "Heads", filters: "Filters", attention: "Attention", grids: "Grids", gradients: "Gradients", tokens: "Token by token", compare: "Compared", traces: "Effects of patching" };

/** Links to the units, to the lists of other results, and to the reader's labels. */
function fillViews(model, sections) {
  const views = document.getElementById("views");
  const units = catalogue.count || model.failures.length ? [["", catalogue.count]] : [];
  views.append(
    ...[...units, ...sections].map(([name, count]) =>
      element("a", { href: `#${name}` }, name ? sectionNames[name] : "Units", " ", element("span", { class: "quiet" }, count.toLocaleString("en"))),
    ),
    element("a", { href: "#labels", class: "to-labels" }, "Labels"),
  );
}

/** Mark the list that is shown among the links to them. */
function markView(name) {
  for (const link of document.querySelectorAll("#views a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  // On a narrow window the row of links is wider than it.
  const views = document.getElementById("views");
  const current = views.querySelector("[aria-current]");
  if (current) views.scrollLeft += current.getBoundingClientRect().left - views.getBoundingClientRect().left - (views.clientWidth - current.clientWidth) / 2;
  document.querySelector("#views .to-labels").setAttribute("href", view.link({ page: "labels" }));
}

function fillHeader(model) {
  const samples = featviz.units.renders.flat().reduce((sum, [group, , count]) => sum + count * model.groups[group].sides, 0);
  const facts = [model.weights, ...(catalogue.count ? [counted(catalogue.count, "unit"), counted(samples, "picture")] : [])];
  document.getElementById("name").append(model.name);
  const line = document.getElementById("facts");
  line.append(listed([...facts, ...(model.failures.length ? [""] : [])]));
  if (model.failures.length) line.append(element("a", { href: "#failed" }, `${model.failures.length.toLocaleString("en")}\u00a0failed`));
}

const FAILURES_SHOWN = 200;

function failureSection(failures) {
  const left = failures.length - FAILURES_SHOWN;
  return element(
    "section",
    { id: "failed", class: "failures", "aria-label": "Failed" },
    element("div", { class: "heading" }, element("h2", { tabindex: "-1" }, "Failed"), element("p", {}, counted(failures.length, "unit"))),
    element(
      "dl",
      {},
      failures.slice(0, FAILURES_SHOWN).map(([address, reason, group]) => [
        element("dt", {}, address),
        element("dd", {}, reason, group ? element("span", { class: "quiet" }, ` (${group})`) : null),
      ]),
    ),
    left > 0 ? element("p", { class: "quiet" }, `and ${left.toLocaleString("en")} more, which \u201cfeatviz info\u201d lists`) : null,
  );
}
