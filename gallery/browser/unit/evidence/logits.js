// Direct effects of a unit on the class logits.

import { barList } from "../../charts/bars.js";
import { element } from "../../shared/dom.js";
import { scaleFormat } from "../../shared/text.js";

/** The classes whose logits a unit raises and lowers most; null if the effects are not known. */
export function logitsBlock({ evidence }) {
  const found = evidence?.logits;
  if (!found?.up.length) return null;
  const { up, down } = found;
  const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value ?? 0)));
  const format = scaleFormat(0, most, 3);
  return element(
    "section",
    { class: "evidence", "aria-label": "Writes to logits" },
    element("h2", {}, "Writes to logits"),
    element(
      "p",
      { class: "quiet" },
      "What the unit adds to each class logit through the residual stream and the head, per unit of activation, and not through later layers. The scale of the final norm is left out.",
    ),
    element(
      "div",
      { class: "sided" },
      barList("Highest", up, most, format),
      down.length ? barList("Lowest", down, most, format) : null,
    ),
  );
}
