import { element } from "../shared/dom.js";
import { brief } from "../shared/text.js";
import { sampleColour } from "./scales.js";

/** A bar of a share from 0 to 1, to the left if it is negative. */
export function shareTrack(share, className = "") {
  const track = element(
    "span",
    { class: `track ${className}`, "aria-hidden": "true" },
    element("span", {}),
  );
  track.firstChild.style.width = `${100 * Math.min(1, Math.abs(share))}%`;
  return track;
}

/** Names with bars and values, one a row; rows are [name, value], of which the bar is a part of `most`. */
export function barList(caption, rows, most, tell = brief) {
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
          element("td", {}, tell(value)),
        ),
      ),
    ),
  );
}

/** A bar of parts of a whole, and below it what they are; parts are [name, size, text]. */
export function shareBar(parts) {
  const bar = element("div", { class: "bar", "aria-hidden": "true" });
  for (const [i, [, size]] of parts.entries()) {
    const part = element("span", { class: sampleColour(i) });
    part.style.flexGrow = Math.max(0, size ?? 0);
    bar.append(part);
  }
  const items = parts.map(([name, , text], i) =>
    element(
      "li",
      {},
      element("span", { class: `swatch ${sampleColour(i)}`, "aria-hidden": "true" }),
      name,
      " ",
      element("b", {}, text),
    ),
  );
  return [bar, element("ul", { class: "shares" }, items)];
}
