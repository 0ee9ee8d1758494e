// The attention heads of a vision transformer at a glance: a row a layer, a column a head.

import { escapeForHash, siteHash, unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { sectionHead } from "./blocks.js";

const HEAD_SITE = /^blocks\.(\d+)\.attn\.qk$/;

/** Units of the heads: for each layer its number, its site, and the numbers of each head's units. */
export function headRows() {
  return unitTable.sites.flatMap((site) => {
    const [, layer] = HEAD_SITE.exec(site.name) ?? [];
    if (layer === undefined) return [];
    const heads = new Map();
    for (let i = site.offset; i < site.offset + site.count; i += 1) {
      const [, head] = /^:(\d+)(?=@|$)/.exec(unitTable.tails[i]) ?? [];
      if (head !== undefined) heads.set(Number(head), [...(heads.get(Number(head)) ?? []), i]);
    }
    return heads.size ? [{ layer, site, heads }] : [];
  });
}

/** Table of the heads: the first unit of each, and links to what else is known of it. */
export function headsView(section) {
  const rows = headRows();
  const columns = [...new Set(rows.flatMap(({ heads }) => [...heads.keys()]))].sort(
    (a, b) => a - b,
  );
  return [
    ...sectionHead(
      "Heads by layer",
      "A row a layer, a column a head: the first unit of each that was rendered. The numbers beside a picture lead to all units of the head, and to where it looks.",
    ),
    element(
      "div",
      { class: "overview", tabindex: "0", role: "region", "aria-label": "Heads by layer" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("td", {}),
            columns.map((head) => element("th", { scope: "col" }, `head ${head}`)),
          ),
        ),
        element(
          "tbody",
          {},
          rows.map(({ layer, site, heads }) =>
            element(
              "tr",
              {},
              element(
                "th",
                { scope: "row" },
                element("a", { href: siteHash(site.name) }, `block ${layer}`),
              ),
              columns.map((head) => headCell(section, site, head, heads.get(head))),
            ),
          ),
        ),
      ),
    ),
  ];
}

function headCell(section, site, head, units) {
  if (!units) return element("td", {});
  const address = unitTable.address(units[0]);
  const many = element(
    "a",
    {
      href: view.link({ layer: site.name, q: `:${head}@`, sort: null, where: [], only: null }),
      "aria-label": `${units.length} units of ${site.name}:${head}`,
    },
    `\u00d7${units.length}`,
  );
  const looks = element(
    "a",
    {
      href: `#attention=${escapeForHash(`${site.name}:${head}`)}`,
      "aria-label": `Where ${site.name}:${head} looks`,
    },
    "looks",
  );
  const picture = element(
    "a",
    { href: unitHash(address), title: address },
    smallPicture(units[0], 48),
  );
  return element(
    "td",
    {},
    section.keep(address, picture),
    element(
      "span",
      { class: "more" },
      units.length > 1 ? many : null,
      section.looks ? looks : null,
    ),
  );
}
