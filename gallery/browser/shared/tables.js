// Collapsible tables.

import { element } from "./dom.js";
import { missingFile } from "./message.js";

/** A collapsible list of settings. */
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

/** A collapsible table, built when it is opened; `rows` returns lists of cells or a promise of them. */
export function tableOf(summary, headings, rows) {
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
                headings.map((heading) => element("th", { scope: "col" }, heading)),
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
