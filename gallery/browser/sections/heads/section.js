// Overview of the attention heads of a vision transformer.

import { escapeForHash, siteHash, unitHash } from "../../shared/address-links.js";
import { element } from "../../shared/dom.js";
import { counted } from "../../shared/text.js";
import { thumbnail } from "../../state/thumbnails.js";
import { unitTable } from "../../state/unit-table.js";
import { NO_FILTERS, view } from "../../state/view.js";
import { sectionHead } from "../blocks.js";

const HEAD_SITE = /^blocks\.(\d+)\.attn\.qk$/;

/** Units by head: the number, the site and the unit indices of each head, for each layer. */
export function headRows() {
  return unitTable.sites.flatMap((site) => {
    const [, layer] = HEAD_SITE.exec(site.name) ?? [];
    if (layer === undefined) return [];
    const heads = new Map();
    for (let i = site.offset; i < site.offset + site.count; i += 1) {
      const [, head] = /^:(\d+)(?=@|$)/.exec(unitTable.suffixes[i]) ?? [];
      if (head !== undefined) heads.set(Number(head), [...(heads.get(Number(head)) ?? []), i]);
    }
    return heads.size ? [{ layer, site, heads }] : [];
  });
}

/** Table of the heads: the first unit of each, and links to all its units and its attention map. */
export function headsView(section) {
  const rows = headRows();
  const columns = [...new Set(rows.flatMap(({ heads }) => [...heads.keys()]))].sort(
    (a, b) => a - b,
  );
  return [
    ...sectionHead(
      "Attention heads",
      "Rows are layers, columns are heads; each picture is the first rendered unit of a head. Below it, links to all pictures of the head and to its attention map.",
    ),
    element(
      "div",
      { class: "overview", tabindex: "0", role: "region", "aria-label": "Attention heads" },
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
  const allUnits = element(
    "a",
    {
      href: view.link({ ...NO_FILTERS, layer: site.name, q: `:${head}@`, sort: null }),
      "aria-label": `${counted(units.length, "picture")} of ${site.name}:${head}`,
    },
    counted(units.length, "picture"),
  );
  const attentionMap = element(
    "a",
    {
      href: `#attention=${escapeForHash(`${site.name}:${head}`)}`,
      "aria-label": `Attention map of ${site.name}:${head}`,
    },
    "attention map",
  );
  const picture = element(
    "a",
    { href: unitHash(address), title: address },
    thumbnail(units[0], 48),
  );
  return element(
    "td",
    {},
    section.register(address, picture),
    element(
      "span",
      { class: "more" },
      units.length > 1 ? allUnits : null,
      section.hasAttention ? attentionMap : null,
    ),
  );
}
