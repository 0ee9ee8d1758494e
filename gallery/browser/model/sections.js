// The sections of a model's page, for results other than the pictures of units.

import { autoencodersView } from "../sections/autoencoders.js";
import { circuitsView } from "../sections/circuits/section.js";
import { compareView } from "../sections/compare.js";
import { filtersView } from "../sections/filters.js";
import { gridsView } from "../sections/grids.js";
import { attentionView } from "../sections/heads/attention.js";
import { gradientsView } from "../sections/heads/gradients.js";
import { headRows, headsView } from "../sections/heads/section.js";
import { imagesView } from "../sections/images/section.js";
import { reportView } from "../sections/report.js";
import { tokensView } from "../sections/tokens.js";
import { tracesView } from "../sections/traces/section.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";

/** Short titles of the sections, for the links to them. */
export const SECTION_TITLES = {
  map: "Map",
  report: "Report",
  images: "Your images",
  heads: "Heads",
  filters: "Filters",
  attention: "Attention",
  grids: "Grids",
  gradients: "Gradients",
  tokens: "Positions",
  compare: "Comparison",
  traces: "Patching",
  circuits: "Circuits",
  autoencoders: "Autoencoders",
};

const VIEWS = {
  report: reportView,
  images: imagesView,
  heads: headsView,
  filters: filtersView,
  attention: attentionView,
  grids: gridsView,
  gradients: gradientsView,
  tokens: tokensView,
  compare: compareView,
  traces: tracesView,
  circuits: circuitsView,
  autoencoders: autoencodersView,
};

/** A section. Its view is built once; `items` are the targets of links to addresses. */
class Section {
  constructor(name) {
    this.name = name;
    this.items = new Map(); // nodes by address
    this.node = null; // the view, once it is built
    this.update = () => {}; // called with the options of the link whenever the view is shown
    this.units = { has: (address) => unitTable.find(address) >= 0 };
    this.hasAttention = model.sections.some(([other]) => other === "attention");
  }

  /** Whether the section has a data script. */
  get hasData() {
    return this.name !== "heads";
  }

  /** Build the nodes of the view. */
  build(data) {
    return VIEWS[this.name](this, data);
  }

  /** Register the node of an address as a link target. */
  register(address, node) {
    this.items.set(address, node);
    return node;
  }
}

/** Name and item count of each section of the page; the report comes first. */
export function sectionCounts() {
  const heads = headRows().reduce((sum, row) => sum + row.heads.size, 0);
  const isReport = ([name]) => name === "report";
  return [
    ...model.sections.filter(isReport),
    ...(heads ? [["heads", heads]] : []),
    ...model.sections.filter((section) => !isReport(section)),
  ];
}

/** The sections of the page, by name. */
export const sections = new Map(sectionCounts().map(([name]) => [name, new Section(name)]));
