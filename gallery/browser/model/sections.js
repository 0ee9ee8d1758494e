// The sections of a model's page: results other than the pictures of its units.

import { attentionView } from "../sections/attention.js";
import { filtersView } from "../sections/filters.js";
import { gradientsView } from "../sections/gradients.js";
import { gridsView } from "../sections/grids.js";
import { headRows, headsView } from "../sections/heads.js";
import { otherModelView } from "../sections/other-model.js";
import { reportView } from "../sections/report.js";
import { tokensView } from "../sections/tokens.js";
import { tracesView } from "../sections/traces.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";

/** Names of the sections, in the links to them. */
export const SECTION_NAMES = {
  report: "Report",
  heads: "Heads",
  filters: "Filters",
  attention: "Attention",
  grids: "Grids",
  gradients: "Gradients",
  tokens: "Token by token",
  compare: "Compared",
  traces: "Effects of patching",
};

const VIEWS = {
  report: reportView,
  heads: headsView,
  filters: filtersView,
  attention: attentionView,
  grids: gridsView,
  gradients: gradientsView,
  tokens: tokensView,
  compare: otherModelView,
  traces: tracesView,
};

/** A section: builds its view once, and keeps the nodes that links to addresses lead to. */
class Section {
  constructor(name) {
    this.name = name;
    this.items = new Map(); // nodes by address
    this.node = null; // of the whole section, when it is built
    this.units = { has: (address) => unitTable.find(address) >= 0 };
    this.looks = model.sections.some(([other]) => other === "attention");
  }

  /** Whether the section is built from a data script of its own. */
  get hasData() {
    return this.name !== "heads";
  }

  /** Nodes of the view. */
  build(data) {
    return VIEWS[this.name](this, data);
  }

  /** Remember the node of an address, for links that lead to it. */
  keep(address, node) {
    this.items.set(address, node);
    return node;
  }
}

/** Names of the sections that the page has, with what is counted in them: the report comes first. */
export function sectionCounts() {
  const heads = headRows().reduce((sum, row) => sum + row.heads.size, 0);
  const isReport = ([name]) => name === "report";
  return [
    ...model.sections.filter(isReport),
    ...(heads ? [["heads", heads]] : []),
    ...model.sections.filter((section) => !isReport(section)),
  ];
}

/** The sections of the page by their names. */
export const sections = new Map(sectionCounts().map(([name]) => [name, new Section(name)]));
