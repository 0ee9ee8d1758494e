// Collapsible tables.

import { buttonOf, element } from "./dom.js";
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

/**
 * A collapsible table, built when it is opened; `rows` returns lists of cells or a promise of them. A heading
 * is a text, or {text, value} of a column that can be sorted, where `value` is the number of a row by its
 * index, or null. Rows are in descending order of the column `sorted`, if it is given.
 */
export function tableOf(summary, headings, rows, sorted = null) {
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
          tableNode(headings, cells, sorted),
        ),
      );
    },
    { once: true },
  );
  return details;
}

function tableNode(headings, cells, sorted) {
  const nodes = cells.map(([first, ...rest]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, first),
      rest.map((cell) => element("td", {}, cell)),
    ),
  );
  const body = element("tbody", {}, nodes);
  const heads = headings.map((heading, column) => {
    if (heading.value === undefined) return element("th", { scope: "col" }, heading);
    const sort = () => order(column, heads[column].getAttribute("aria-sort") === "descending");
    return element(
      "th",
      { scope: "col", "aria-sort": "none" },
      buttonOf(heading.text, "sort", sort),
    );
  });
  const order = (column, isAscending) => {
    for (const head of heads)
      if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    heads[column].setAttribute("aria-sort", isAscending ? "ascending" : "descending");
    body.replaceChildren(...inOrder(nodes, headings[column].value, isAscending));
  };
  if (sorted !== null) order(sorted, false);
  return element("table", {}, element("thead", {}, element("tr", {}, heads)), body);
}

/** Items in the order of their values; those without one come last. */
function inOrder(items, value, isAscending) {
  const values = items.map((_, i) => value(i));
  const known = [...items.keys()].filter((i) => values[i] !== null);
  const unknown = [...items.keys()].filter((i) => values[i] === null);
  known.sort((a, b) => (isAscending ? values[a] - values[b] : values[b] - values[a]));
  return [...known, ...unknown].map((i) => items[i]);
}
