// Tables that are opened by a click.

import { element } from "./dom.js";
import { missingFile } from "./message.js";

/** Settings with their values, which a click shows. */
export function settingsTable(settings) {
  return element(
    "details",
    {},
    element("summary", {}, "Settings"),
    element(
      "dl",
      { class: "settings" },
      settings.map(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]),
    ),
  );
}

/** A table that is made when it is opened; `rows` gives, maybe later, lists of cells. */
export function tableOf(summary, heads, rows) {
  const details = element("details", {}, element("summary", {}, summary));
  details.addEventListener(
    "toggle",
    async () => {
      let cells;
      try {
        cells = await rows();
      } catch (error) {
        details.append(missingFile(error));
        return;
      }
      details.append(
        element(
          "div",
          { class: "table", tabindex: "0", role: "region", "aria-label": summary },
          element(
            "table",
            {},
            element(
              "thead",
              {},
              element(
                "tr",
                {},
                heads.map((head) => element("th", { scope: "col" }, head)),
              ),
            ),
            element(
              "tbody",
              {},
              cells.map(([first, ...rest]) =>
                element(
                  "tr",
                  {},
                  element("th", { scope: "row" }, first),
                  rest.map((cell) => element("td", {}, cell)),
                ),
              ),
            ),
          ),
        ),
      );
    },
    { once: true },
  );
  return details;
}
