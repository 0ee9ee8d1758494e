// Links from the page of a unit to the list and to the previous and next units.

import { element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/**
 * Links to the parent pages: all models, the list of units, and `links`. Escape leads to the one of
 * class "back", by default the list.
 */
export function breadcrumbs(...links) {
  const isBack = links.some((link) => link.classList.contains("back"));
  return element(
    "nav",
    { class: "breadcrumbs", "aria-label": "Breadcrumbs" },
    element("a", { href: "index.html" }, "All models"),
    element("a", { href: view.link({ unit: null }), class: isBack ? "" : "back" }, model.name),
    links,
  );
}

function step(index, name, rel, key, arrow) {
  if (index === undefined)
    return element("span", { class: "step", "aria-hidden": "true" }, icon(arrow));
  const address = unitTable.address(index);
  return element(
    "a",
    {
      class: "step",
      rel,
      "aria-keyshortcuts": key,
      href: view.link({ unit: address }),
      "aria-label": `${name} unit, ${address}`,
      title: address,
    },
    icon(arrow),
  );
}

/** Previous and next unit in the list that a unit was opened from, and its position there. */
function neighbors(index) {
  const order = unitTable.order(view.state());
  const at = order.indexOf(index);
  return { at, order, before: at < 0 ? undefined : order[at - 1], after: order[at + 1] };
}

/** Links to the previous and next units. */
export function steps(unit) {
  const { at, order, before, after } = neighbors(unit.index);
  const position =
    at < 0
      ? "not in the list"
      : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
  return element(
    "nav",
    { class: "steps", "aria-label": "Units" },
    step(before, "Previous", "prev", "ArrowLeft", "left"),
    element("span", { class: "quiet" }, position),
    step(after, "Next", "next", "ArrowRight", "right"),
  );
}
