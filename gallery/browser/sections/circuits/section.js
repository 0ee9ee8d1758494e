// Circuits: graphs, faithfulness, and the edges that several of them share.

import { linesLegend, responsive } from "../../charts/frame.js";
import { intervalsPlot } from "../../charts/intervals.js";
import { element } from "../../shared/dom.js";
import { settingsTable, tableOf } from "../../shared/tables.js";
import { brief, counted, listed, percent, rounded } from "../../shared/text.js";
import { view } from "../../state/view.js";
import { sectionHead } from "../blocks.js";
import { corruptedImages, isOfEmbedding, metricName } from "../traces/experiment-text.js";
import { inputText, intervalText, Search } from "./circuit.js";
import { detailsOf } from "./details.js";
import { Graph } from "./graph.js";
import { linksOf } from "./links.js";

const CHART_HEIGHT = 280;

/** Titles of searches: the corruption, the metric, and if these are the same the settings that differ. */
function titlesOf(blocks) {
  const base = ({ experiment: { corrupt, metric } }) =>
    listed([corrupt, metricName(metric)].map(String));
  return blocks.map((block) => {
    const isAmbiguous = blocks.some((other) => other !== block && base(other) === base(block));
    return isAmbiguous ? listed([base(block), block.label]) : base(block);
  });
}

const shareOf = (part, all) => `${rounded(Number(((100 * part) / all).toPrecision(2)))}\u00a0%`;

const keptText = ({ estimate, low, high }) =>
  `${percent(estimate)}${low === null ? "" : ` (${percent(low)} to ${percent(high)})`}`;

/** What edges were scored and circuits tested on. */
function searchText({ experiment, scored, tested, total }) {
  const data = experiment.data?.name;
  const correct = isOfEmbedding(experiment.metric)
    ? ""
    : " that the clean run classifies correctly";
  return [
    `Edges that carry the change of the ${metricName(experiment.metric)} from images to ${corruptedImages(experiment.corrupt)}. `,
    `Scored on ${counted(scored, "image")}${data ? ` of ${data}` : ""}${correct}, tested on ${tested.toLocaleString("en")} others. `,
    `Total effect ${intervalText(total)}.`,
    total[1] <= 0 && total[2] >= 0
      ? " It is not distinct from 0, so shares of it mean nothing."
      : "",
  ];
}

/** How many edges a circuit has, what it keeps, and how many of its edges are drawn. */
function circuitText(search, { count, edges, kept }) {
  const { size } = search.curve;
  return [
    `${counted(count, "edge")} of ${search.count.toLocaleString("en")} (${shareOf(count, search.count)}) keep ${keptText(kept)} of the effect. `,
    edges.length < count
      ? `The ${counted(edges.length, "edge")} with the largest scores are drawn. `
      : "",
    size === null ? "No circuit keeps 80\u00a0% of the effect." : "",
  ];
}

const groupName = (group) => (group === "prefix" ? "prefix tokens" : group);

const edgesLegend = ({ groups }) =>
  element(
    "ul",
    { class: "shares" },
    [
      ["", "raises the metric (score above 0)"],
      ["falls", "lowers it"],
    ].map(([name, text]) =>
      element(
        "li",
        {},
        element("span", { class: `edge-sample ${name}`, "aria-hidden": "true" }),
        text,
      ),
    ),
    element("li", {}, "width: score"),
    groups.length > 1
      ? element(
          "li",
          {},
          `bent to the left: ${groupName(groups[0])}, to the right: ${groups.slice(1).map(groupName).join(" and ")}`,
        )
      : null,
  );

/** The graph of a circuit, with the panel of a component. */
function graphBlock(search, circuit, maps) {
  const readout = element("output", { class: "quiet readout" });
  const panel = element("aside", { class: "component-panel", "aria-label": "Component" });
  let graph = null;
  let shown = null; // name of the component in the panel
  const select = (name) => {
    if (name === shown) return;
    shown = name;
    const actions = {
      move: (other) => graph.focus(other),
      highlight: (what) => graph.highlight(what),
    };
    panel.replaceChildren(...detailsOf(name, circuit, maps, actions).filter(Boolean));
  };
  const show = (what) => {
    readout.textContent = what ? graph.describe(what) : "";
    if (what?.name) select(what.name);
  };
  const draw = (width) => {
    graph = new Graph(search, circuit, maps, width, show);
    if (shown === null) select(graph.stop);
    else graph.setStop(shown);
    return graph.svg;
  };
  return element(
    "div",
    { class: "circuit" },
    element(
      "figure",
      { class: "chart wide" },
      responsive(draw, "map-container"),
      readout,
      element("figcaption", {}, edgesLegend(search)),
    ),
    panel,
  );
}

/** Faithfulness of the circuits of each method by number of edges, with intervals. */
function faithfulnessBlock(search) {
  const { curves } = search;
  const { counts } = curves[0];
  const readout = element("output", { class: "quiet readout" });
  const lines = curves.map(({ method, faithfulness: [estimate, low, high] }) => ({
    name: method,
    estimate,
    low,
    high,
  }));
  const read = (i) => {
    readout.textContent =
      i === null
        ? ""
        : listed([
            `${counted(counts[i], "edge")} (${shareOf(counts[i], search.count)})`,
            ...lines.map(
              ({ name, estimate, low, high }) =>
                `${name} ${keptText({ estimate: estimate[i], low: low[i], high: high[i] })}`,
            ),
          ]);
  };
  const plot = (width) =>
    intervalsPlot(
      {
        lines,
        categories: counts.map((count) => ({ name: count.toLocaleString("en"), href: null })),
        level: 0.8,
        title: `edges, of ${search.count.toLocaleString("en")} (logarithmic)`,
        description: `Faithfulness by number of edges, ${search.title}; arrow keys read the values`,
        height: CHART_HEIGHT,
        read,
      },
      width,
    );
  return element(
    "section",
    { "aria-label": "Faithfulness" },
    element("h4", {}, "Faithfulness"),
    element(
      "p",
      { class: "quiet" },
      "Share of the effect that a circuit keeps alone, with 95\u00a0% confidence intervals: circuits grown from the scores of edges, all edges between the components with the largest scores, and random circuits.",
    ),
    element(
      "figure",
      { class: "chart wide" },
      responsive(plot, "chart-container"),
      element(
        "figcaption",
        {},
        linesLegend(
          lines.map(({ name }) => name),
          "80\u00a0% of the effect",
        ),
        readout,
      ),
    ),
    curvesTable(search),
  );
}

/** Areas and sizes of each method; all values, as a table that unfolds. */
function curvesTable({ curves }) {
  const row = (heading, cell) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      curves.map((curve) => element("td", {}, cell(curve))),
    );
  const summary = element(
    "table",
    { class: "quality-table" },
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td", {}),
        curves.map(({ method }) => element("th", { scope: "col" }, method)),
      ),
    ),
    element(
      "tbody",
      {},
      row("Fewest edges that keep 80\u00a0%", ({ size }) =>
        size === null ? "none" : size.toLocaleString("en"),
      ),
      row("Area under the curve (CPR)", ({ cpr }) => brief(cpr)),
      row("Area between the curve and 1 (CMD)", ({ cmd }) => brief(cmd)),
    ),
  );
  const values = tableOf(
    "Values",
    [
      "Edges",
      ...curves.flatMap(({ method }) => [`Faithfulness, ${method}`, `Completeness, ${method}`]),
    ],
    () =>
      curves[0].counts.map((count, i) => [
        count.toLocaleString("en"),
        ...curves.flatMap(({ faithfulness: [estimate, low, high], completeness }) => [
          keptText({ estimate: estimate[i], low: low[i], high: high[i] }),
          percent(completeness[i]),
        ]),
      ]),
  );
  return [summary, values];
}

/** The listed edges; those of the circuit are marked. */
function edgesTable(search, circuit, maps) {
  const { edges } = search;
  const isIn = new Set(circuit.edges);
  const linked = (name) => {
    const [, href] = linksOf(name, maps)[0] ?? [];
    return href ? element("a", { href }, name) : name;
  };
  return tableOf(
    "Strongest edges",
    [
      "From",
      "To",
      "Input",
      { text: "Score", value: (i) => edges[i].score },
      { text: "Exact effect", value: (i) => edges[i].effect?.[0] ?? null },
      "95\u00a0% CI",
      "In this circuit",
    ],
    () =>
      edges.map((edge) => [
        linked(edge.from),
        linked(edge.to),
        inputText(edge),
        brief(edge.score),
        edge.effect ? brief(edge.effect[0]) : "\u2013",
        edge.effect && edge.effect[1] !== null
          ? `${brief(edge.effect[1])} to ${brief(edge.effect[2])}`
          : "\u2013",
        isIn.has(edge) ? "yes" : "no",
      ]),
  );
}

function searchBlock(search, maps) {
  const container = element("div", {});
  let drawn = null; // index of the circuit
  const update = ({ edges }) => {
    const index = search.indexOf(edges);
    if (index === drawn) return;
    drawn = index;
    const circuit = search.circuit(index);
    const isOpen = container.querySelector(":scope > details")?.open;
    const table = edgesTable(search, circuit, maps);
    container.replaceChildren(
      element("p", { class: "summary" }, circuitText(search, circuit)),
      graphBlock(search, circuit, maps),
      table,
    );
    if (isOpen) table.open = true;
  };
  const node = element(
    "section",
    { class: "sweep", "aria-label": search.title },
    element("h3", {}, search.title),
    element("p", { class: "quiet" }, searchText(search)),
    container,
    faithfulnessBlock(search),
    settingsTable(search.settings),
  );
  return [node, update];
}

/** The control of the number of edges, which the link keeps. */
function sizeControl(searches) {
  const sizes = [
    ...new Set(searches.flatMap(({ circuits }) => circuits.map(([count]) => count))),
  ].sort((a, b) => a - b);
  const select = element(
    "select",
    {},
    element("option", { value: "" }, "fewest that keep 80\u00a0%"),
    sizes.map((size) => element("option", { value: size }, size.toLocaleString("en"))),
  );
  select.addEventListener("change", () =>
    view.replace({ options: select.value ? { edges: select.value } : {} }),
  );
  const update = ({ edges = "" }) => {
    select.value = edges;
    if (select.selectedIndex < 0) select.value = "";
  };
  return [
    element("div", { class: "options" }, element("label", {}, "Number of edges", " ", select)),
    update,
  ];
}

const expectedText = (count) =>
  count < 10 ? brief(count) : Math.round(count).toLocaleString("en");

/** How many edges each pair of circuits shares, and how many random circuits of their sizes would. */
function sharedBlock(searches, shared) {
  if (!shared.length) return [null, () => {}];
  const body = element("tbody", {});
  const update = ({ edges }) => {
    const indices = searches.map((search) => search.indexOf(edges));
    const size = (i) => searches[i].circuits[indices[i]][0];
    body.replaceChildren(
      ...shared.map(([a, b, counts]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, `${searches[a].title}, and ${searches[b].title}`),
          [
            size(a).toLocaleString("en"),
            size(b).toLocaleString("en"),
            counts[indices[a]][indices[b]].toLocaleString("en"),
            expectedText((size(a) * size(b)) / searches[a].count),
          ].map((cell) => element("td", {}, cell)),
        ),
      ),
    );
  };
  const node = element(
    "section",
    { class: "sweep", "aria-label": "Shared edges" },
    element("h3", {}, "Shared edges"),
    element(
      "div",
      { class: "table", tabindex: "0", role: "region", "aria-label": "Shared edges" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ["Circuits", "Edges of the first", "Of the second", "Shared", "Expected by chance"].map(
              (head) => element("th", { scope: "col" }, head),
            ),
          ),
        ),
        body,
      ),
    ),
  );
  return [node, update];
}

/** The section of circuits. */
export function circuitsView(section, data) {
  const titles = titlesOf(data.circuits);
  const searches = data.circuits.map((block, i) => new Search(block, titles[i]));
  const blocks = searches.map((search) => searchBlock(search, data.attention));
  const [control, updateControl] = sizeControl(searches);
  const [sharedNode, updateShared] = sharedBlock(searches, data.shared);
  section.update = (options) => {
    updateControl(options);
    updateShared(options);
    for (const [, update] of blocks) update(options);
  };
  return [
    sectionHead(
      "Circuits",
      "Sets of edges between heads, MLPs, the embedding and the logits that suffice for an effect. Point at a component or an edge to read its numbers; the arrow keys move among components, and a click opens the units of a component.",
    ),
    control,
    sharedNode,
    blocks.map(([node]) => node),
  ];
}
