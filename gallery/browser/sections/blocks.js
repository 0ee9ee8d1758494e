// Elements that sections share: headings, blocks, layers, links.

import { unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { settingsTable } from "../shared/tables.js";
import { counted } from "../shared/text.js";

/** Title and introduction of a section. */
export const sectionHead = (title, ...lead) => [
  element("h2", { class: "title", tabindex: "-1" }, title),
  element("p", { class: "lead" }, lead),
];

/** Heading of a part of a section, with a note; of class "address" if it is one. */
export function blockHead(title, note, className = "") {
  const heading = element("h3", { class: className }, title);
  return element("div", { class: "heading" }, heading, element("p", {}, note));
}

/** Blocks of one kind, one per configuration; they are labeled if there are several. */
export function blocksOf(blocks, build) {
  return blocks.map((block) => [
    blocks.length > 1 && block.label ? element("h3", { class: "label" }, block.label) : null,
    build(block),
    settingsTable(block.settings),
  ]);
}

/** Layers of a block; `build` makes the node of each entry. */
export function layersOf(section, block, noun, className, build) {
  return block.sites.map(([site, entries]) =>
    element(
      "section",
      { "aria-label": site },
      blockHead(site, counted(entries.length, noun), "address"),
      element(
        "div",
        { class: className },
        entries.map((entry) => section.register(entry[0], build(entry, site))),
      ),
    ),
  );
}

/** An address, with a link if the unit is in the gallery. */
export function addressLink(section, address, text = address) {
  return section.units.has(address)
    ? element("a", { href: unitHash(address) }, text)
    : element("span", {}, text);
}
