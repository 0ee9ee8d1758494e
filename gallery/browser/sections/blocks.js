// What sections are built of: headings, blocks, layers, addresses.

import { unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { settingsTable } from "../shared/tables.js";
import { counted } from "../shared/text.js";

/** Heading and lead of a section. */
export const sectionHead = (title, ...lead) => [
  element("h2", { class: "title", tabindex: "-1" }, title),
  element("p", { class: "lead" }, lead),
];

/** Heading of a part of a section. */
export function blockHead(title, fact) {
  return element("div", { class: "heading" }, element("h3", {}, title), element("p", {}, fact));
}

/** Blocks of one kind, one a configuration, which is named where there are several. */
export function blocksOf(blocks, build) {
  return blocks.map((block) => [
    blocks.length > 1 && block.label ? element("h3", { class: "label" }, block.label) : null,
    build(block),
    settingsTable(block.settings),
  ]);
}

/** Layers of a block; `build` makes each entry's node, which a link to its address leads to. */
export function layersOf(section, block, noun, className, build) {
  return block.sites.map(([site, entries]) =>
    element(
      "section",
      { "aria-label": site },
      blockHead(site, counted(entries.length, noun)),
      element(
        "div",
        { class: className },
        entries.map((entry) => section.keep(entry[0], build(entry, site))),
      ),
    ),
  );
}

/** An address, linked to the view of its unit if there is one. */
export function addressLink(section, address, text = address) {
  return section.units.has(address)
    ? element("a", { href: unitHash(address) }, text)
    : element("span", {}, text);
}
