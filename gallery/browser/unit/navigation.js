// From the page of a unit to the list, and to the units beside it there.

import { element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";

/** Links to the pages above: all models, the list, and further ones. */
export function breadcrumbs(...links) {
  return element(
    "nav",
    { class: "breadcrumbs", "aria-label": "Where this is" },
    element("a", { href: "index.html" }, "All models"),
    element("a", { href: view.link({ unit: null }), class: "back" }, model.name),
    links,
  );
}

function step(number, name, rel, key, arrow) {
  if (number === undefined)
    return element("span", { class: "step", "aria-hidden": "true" }, icon(arrow));
  const address = unitTable.address(number);
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

/** Numbers of the units before and after one in the list that it was opened from, and its place there. */
function neighbours(number) {
  const order = unitTable.order(view.state());
  const at = order.indexOf(number);
  return { at, order, before: at < 0 ? undefined : order[at - 1], after: order[at + 1] };
}

/** Links to the neighbours. */
export function steps(unit) {
  const { at, order, before, after } = neighbours(unit.number);
  const place =
    at < 0
      ? "not in the list"
      : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
  return element(
    "nav",
    { class: "steps", "aria-label": "Units" },
    step(before, "Previous", "prev", "ArrowLeft", "left"),
    element("span", { class: "quiet" }, place),
    step(after, "Next", "next", "ArrowRight", "right"),
  );
}
