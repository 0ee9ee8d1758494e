import { element } from "../shared/dom.js";
import { brief } from "../shared/text.js";
import { sampleColor } from "./scales.js";

/** A bar for a share from 0 to 1; negative values extend to the left. */
export function shareTrack(share, className = "") {
  const track = element(
    "span",
    { class: `track ${className}`, "aria-hidden": "true" },
    element("span", {}),
  );
  track.firstChild.style.width = `${100 * Math.min(1, Math.abs(share))}%`;
  return track;
}

/** A bar chart of rows [name, value]; a bar of full length is `most`. */
export function barList(caption, rows, most, format = brief) {
  return element(
    "table",
    { class: "bars" },
    element("caption", {}, caption),
    element(
      "tbody",
      {},
      rows.map(([name, value]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, element("bdi", {}, name)),
          element("td", {}, shareTrack((value ?? 0) / (most || 1), value < 0 ? "minus" : "plus")),
          element("td", {}, format(value)),
        ),
      ),
    ),
  );
}

/** A stacked bar of parts [name, size, text], with a legend. */
export function shareBar(parts) {
  const bar = element("div", { class: "bar", "aria-hidden": "true" });
  for (const [i, [, size]] of parts.entries()) {
    const part = element("span", { class: sampleColor(i) });
    part.style.flexGrow = Math.max(0, size ?? 0);
    bar.append(part);
  }
  const items = parts.map(([name, , text], i) =>
    element(
      "li",
      {},
      element("span", { class: `swatch ${sampleColor(i)}`, "aria-hidden": "true" }),
      name,
      " ",
      element("b", {}, text),
    ),
  );
  return [bar, element("ul", { class: "shares" }, items)];
}
