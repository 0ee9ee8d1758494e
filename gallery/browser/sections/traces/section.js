// Activation patching: effects by layer, head or token.

import { linesLegend, responsive } from "../../charts/frame.js";
import { divergingLegend, heatMap } from "../../charts/heat-map.js";
import { intervalsPlot } from "../../charts/intervals.js";
import { element } from "../../shared/dom.js";
import { missingFile } from "../../shared/message.js";
import { settingsTable, tableOf } from "../../shared/tables.js";
import { brief, counted, listed, percent } from "../../shared/text.js";
import { headLink, latentLink, layerLink, neuronLink } from "../../state/layer-links.js";
import { loadEntry } from "../../state/load.js";
import { view } from "../../state/view.js";
import { blocksOf, layersOf, sectionHead } from "../blocks.js";
import { enlargeable, shownWidth } from "../figures.js";
import { checkNode } from "./check.js";
import { isOfEmbedding, metricName, sweepText, sweepTitle, windowName } from "./experiment-text.js";

const ALL = "all";

const KINDS = { family: "the family", class: "class" }; // of groups of images

const GROUPS = new Set(["neuron", "latent"]); // other sites have heads

const HEIGHT = { average: 260, image: 170 }; // of charts by layer, in pixels

const distinct = (items) => [...new Set(items)];

const interval = (low, high) => (low === null ? "" : ` (${brief(low)} to ${brief(high)})`);

/** Effect of a site with its interval, and its share of the total effect if that is known. */
function valueText({ effect, share }, i) {
  const [estimate, low, high] = effect.map((column) => column[i] ?? null);
  const text = `${brief(estimate)}${interval(low, high)}`;
  if (!share) return text;
  const known = share[0][i] !== null;
  return `${text}, share ${known ? percent(share[0][i]) : "unknown"}`;
}

/** Words in the names of the sites whose units a patched activation belongs to. */
const unitWords = (site) => (/^(mlp|neurons)/.test(site) ? ["mlp"] : ["attn.qk", "attn"]);

/** Everything that draws the effects of one sweep; numbers are {effect, share?, total}. */
class Sweep {
  constructor(block, maps) {
    Object.assign(this, block);
    this.maps = maps;
    this.layers = distinct(this.sites.layer).sort((a, b) => a - b);
    this.windows = distinct(this.sites.window);
    this.tokenSets = distinct(this.sites.token);
    this.by = this.experiment.by;
  }

  layerHref(layer) {
    const { site } = this.experiment;
    return /embed$/.test(site) ? null : layerLink(layer, unitWords(site));
  }

  /** Indices of the sites for which a test of (layer, head, token, window) holds. */
  indices(test) {
    const { layer, head, token, window } = this.sites;
    return layer.flatMap((_, i) =>
      test({ layer: layer[i], head: head[i], token: token[i], window: window[i] }) ? [i] : [],
    );
  }

  /** Name of a site by what varies among the sites. */
  siteName(i) {
    const { layer, head, token, window } = this.sites;
    return listed([
      `layer ${layer[i]}`,
      ...(head[i] === ALL ? [] : [`${GROUPS.has(this.by) ? this.by : "head"} ${head[i]}`]),
      ...(token[i] === ALL ? [] : [/^\d+$/.test(token[i]) ? this.tokenName(token[i]) : token[i]]),
      ...(this.windows.length > 1 ? [`window of ${windowName(window[i])}`] : []),
    ]);
  }

  tokenName(token) {
    const patch = Number(token) - this.prefix;
    if (patch < 0) return `token ${token}, before the patches`;
    if (!this.grid) return `token ${token}`;
    const columns = this.grid[1];
    return `token ${token}, patch in row ${Math.floor(patch / columns)}, column ${patch % columns}`;
  }

  siteHref(i) {
    const { layer, head } = this.sites;
    if (!/^\d+$/.test(head[i])) return null;
    if (/^sae\./.test(this.experiment.site)) return latentLink(this.experiment.site, head[i]);
    return this.by === "neuron" || this.experiment.site === "neurons"
      ? neuronLink(layer[i], head[i])
      : headLink(layer[i], head[i], this.maps);
  }

  /** Nodes that draw the effects: curves by layer, or a map for each window. */
  figures(numbers, description) {
    const readout = element("output", { class: "quiet readout" });
    const parts =
      this.by === "layer"
        ? this.curves(numbers, description, readout)
        : this.windows.map((window) => [
            this.windows.length > 1 ? element("h5", {}, `Window of ${windowName(window)}`) : null,
            this.by === "token" && this.grid
              ? this.tokenMaps(numbers, window, description, readout)
              : this.map(numbers, window, description, readout),
          ]);
    const axes =
      this.by === "token" && this.grid
        ? "patches of each layer; class and register tokens are above"
        : `rows are layers, columns are ${this.by}s`;
    const isUnknown = numbers.effect[0].some((value) => value === null);
    const legend =
      this.by === "layer"
        ? null
        : [
            divergingLegend(this.most(numbers)),
            ` effect; ${axes}${isUnknown ? "; crossed cells are unknown" : ""}`,
          ];
    return element(
      "figure",
      { class: "chart wide" },
      parts,
      element("figcaption", {}, legend, readout),
    );
  }

  /** Largest absolute effect. */
  most({ effect }) {
    return Math.max(...effect[0].map((value) => Math.abs(value ?? 0)), 0);
  }

  curves(numbers, description, readout) {
    const lines = this.windows.flatMap((window) =>
      this.tokenSets.map((token) => {
        const at = this.layers.map(
          (layer) =>
            this.indices(
              (one) => one.layer === layer && one.token === token && one.window === window,
            )[0],
        );
        const column = (values) => at.map((i) => (i === undefined ? null : (values?.[i] ?? null)));
        const [estimate, low, high] = [0, 1, 2].map((k) => column(numbers.effect[k]));
        const name = listed([windowName(window), ...(token === ALL ? [] : [token])]);
        return { name, at, estimate, low, high };
      }),
    );
    const read = (k) => {
      const parts = lines.flatMap(({ name, at }) =>
        at[k] === undefined
          ? []
          : [`${lines.length > 1 ? `${name}: ` : ""}${valueText(numbers, at[k])}`],
      );
      readout.textContent = listed([`layer ${this.layers[k]}`, ...parts]);
    };
    const categories = this.layers.map((layer) => ({
      name: String(layer),
      href: this.layerHref(layer),
    }));
    const level = numbers.total[0];
    const chart = responsive(
      (width) =>
        intervalsPlot(
          {
            lines,
            categories,
            level,
            title: "layer",
            description,
            height: numbers.share ? HEIGHT.average : HEIGHT.image,
            read: (k) => (k === null ? readout.replaceChildren() : read(k)),
          },
          width,
        ),
      "chart-container",
    );
    const legend = linesLegend(
      lines.map(({ name }) => name),
      level === null ? null : "total effect",
    );
    return [chart, legend];
  }

  /** Heat map of layers by head, neuron or token. */
  map(numbers, window, description, readout) {
    const key = ({ head, token }) =>
      this.by === "token" ? token : [head, ...(this.tokenSets.length > 1 ? [token] : [])].join(" ");
    const own = this.indices((one) => one.window === window);
    const site = (i) => ({ head: this.sites.head[i], token: this.sites.token[i] });
    const names = distinct(own.map((i) => key(site(i))));
    const places = new Map(own.map((i) => [`${this.sites.layer[i]} ${key(site(i))}`, i]));
    const at = this.layers.map((layer) => names.map((name) => places.get(`${layer} ${name}`)));
    return this.drawn(numbers, at, readout, description, {
      rows: this.layers.map((layer) => ({ name: String(layer), href: this.layerHref(layer) })),
      columns: names.map((name) => ({ name, href: null })),
    });
  }

  /** For each layer, a map of the patches with the tokens before them above. */
  tokenMaps(numbers, window, description, readout) {
    const [rows, columns] = this.grid;
    return element(
      "div",
      { class: "layer-maps" },
      this.layers.map((layer) => {
        const own = this.indices((one) => one.layer === layer && one.window === window);
        const tokens = new Map(own.map((i) => [Number(this.sites.token[i]), i]));
        const prefix = Array.from({ length: this.prefix }, (_, token) => tokens.get(token));
        const patches = Array.from({ length: rows }, (_, row) =>
          Array.from({ length: columns }, (_, column) =>
            tokens.get(this.prefix + row * columns + column),
          ),
        );
        const above = prefix.some((i) => i !== undefined) ? [prefix, [undefined]] : [];
        const href = this.layerHref(layer);
        return element(
          "div",
          {},
          element("h5", {}, href ? element("a", { href }, `layer ${layer}`) : `layer ${layer}`),
          this.drawn(numbers, [...above, ...patches], readout, `${description}, layer ${layer}`),
        );
      }),
    );
  }

  /** Heat map of the sites whose indices are given. */
  drawn(numbers, at, readout, description, labels = {}) {
    const values = at.map((row) =>
      row.map((i) => (i === undefined ? undefined : (numbers.effect[0][i] ?? null))),
    );
    const read = (item) => {
      const i = item && at[item[0]][item[1]];
      readout.textContent = item === null ? "" : listed([this.siteName(i), valueText(numbers, i)]);
    };
    const linkOf = (row, column) => this.siteHref(at[row][column]);
    return responsive(
      (width) =>
        heatMap({ values, most: this.most(numbers), ...labels, description, linkOf, read }, width),
      "map-container",
    );
  }

  /** All values, as a table that unfolds. */
  table({ effect, share }) {
    const { layer, head, token, window } = this.sites;
    const varying = [
      ["Window", window, (i) => String(window[i])],
      ["Head", head, (i) => linked(head[i], this.siteHref(i))],
      ["Token", token, (i) => token[i]],
    ].filter(([, column]) => distinct(column).length > 1);
    const range = ([, low, high], i) =>
      low[i] === null ? "\u2013" : `${brief(low[i])} to ${brief(high[i])}`;
    const shareRange = ([, low, high], i) =>
      low[i] === null ? "\u2013" : `${percent(low[i])} to ${percent(high[i])}`;
    return tableOf(
      "Values",
      [
        "Layer",
        ...varying.map(([name]) => name),
        { text: "Effect", value: (i) => effect[0][i] },
        "95\u00a0% CI",
        "Share",
        "95\u00a0% CI",
      ],
      () =>
        layer.map((each, i) => [
          linked(String(each), this.layerHref(each)),
          ...varying.map(([, , cell]) => cell(i)),
          brief(effect[0][i]),
          range(effect, i),
          share[0][i] === null ? "unknown" : percent(share[0][i]),
          shareRange(share, i),
        ]),
      this.by === "layer" || this.by === "token" ? null : 1 + varying.length,
    );
  }
}

const linked = (text, href) => (href ? element("a", { href }, text) : text);

/** The average that the options select, and what of them the sweep does not have. */
function selected({ averages, experiment }, { group, metric, images }) {
  const missing = [];
  let left = averages;
  const narrow = (what, value, test) => {
    const found = left.filter(test);
    if (found.length) left = found;
    else if (value !== undefined) missing.push(`no ${what} \u201c${value}\u201d`);
  };
  const first = experiment.metrics?.[0];
  narrow("averages over images", images, (each) => each[3] === (images === ALL));
  narrow("metric", metric, ([, , name]) => name === (metric ?? first));
  const overall = left.find(([kind]) => kind === ALL);
  if (group !== undefined)
    narrow("group of images", group, ([kind, name]) => kind !== ALL && name === group);
  const isFound = group !== undefined && left[0][1] === group;
  return [isFound ? left[0] : (overall ?? left[0]), missing];
}

/** What an average is over, and its means and total effect. */
function averageText(sweep, [kind, group, metric, includesAll], { images, means, total }) {
  const data = sweep.experiment.data?.name;
  const which =
    kind === ALL || kind === "difference" ? "" : ` of ${KINDS[kind] ?? "the group"} ${group}`;
  const correct =
    includesAll || isOfEmbedding(metric) ? "" : " that the clean run classifies correctly";
  const [estimate, low, high] = total;
  const mean = kind === "difference" ? `Difference of the means of two groups, ${group},` : "Mean";
  return [
    `${mean} over ${counted(images, "image")}${which}${data ? ` of ${data}` : ""}${correct}, with 95\u00a0% confidence intervals from a bootstrap over images. `,
    `${metricName(metric).replace(/^[a-z]/, (letter) => letter.toUpperCase())}: ${brief(means[0])} clean, ${brief(means[1])} corrupted; total effect ${brief(estimate)}${interval(low, high)}.`,
    kind !== "difference" && total[0] !== null && numbersUnknown(total)
      ? " The total effect may be 0, so shares of it are unknown."
      : "",
  ];
}

const numbersUnknown = ([, low, high]) => low === null || !(low > 0 || high < 0);

/** Single images with their own effects of one metric. */
function imagesNode(sweep, metric) {
  const at = (sweep.experiment.metrics ?? []).indexOf(metric);
  if (at < 0 || !sweep.images.length) return null;
  return element(
    "section",
    { "aria-label": "Single images" },
    element("h4", {}, "Single images"),
    element(
      "p",
      { class: "quiet" },
      "Of each class with one of the largest total effects, the image nearest to the median of its class.",
    ),
    sweep.images.map(({ image, label, pictures, means, effect }) => {
      const [clean, corrupted] = means.map((values) => values[at]);
      const isDenoising = sweep.experiment.mode === "denoising";
      const total =
        clean === null || corrupted === null
          ? null
          : isDenoising
            ? clean - corrupted
            : corrupted - clean;
      const text = `${label}: ${brief(clean)} clean, ${brief(corrupted)} corrupted`;
      const sides = ["clean", "corrupted"];
      return element(
        "div",
        { class: "single-image" },
        element(
          "figure",
          {},
          element(
            "div",
            { class: "two" },
            pictures.map((picture, i) =>
              enlargeable(
                picture,
                Math.min(128, shownWidth(picture[1])),
                `${label}, ${sides[i]} image ${image}`,
                () => [element("b", {}, label), listed(["", `${sides[i]} image ${image}`])],
              ),
            ),
          ),
          element("figcaption", {}, element("b", {}, label), text.slice(label.length)),
        ),
        sweep.figures(
          { effect: [effect[at], [], []], total: [total] },
          `Effects on image ${image}, ${text}`,
        ),
      );
    }),
  );
}

function sweepBlock(block, maps) {
  const sweep = new Sweep(block, maps);
  const container = element("div", {});
  let turn = 0;
  const update = async (options) => {
    turn += 1;
    const own = turn;
    const [average, missing] = selected(sweep, options);
    let numbers;
    try {
      numbers = await loadEntry("effects", average[4]);
    } catch (error) {
      container.replaceChildren(missingFile(error));
      return;
    }
    if (own !== turn) return;
    const [, group, metric] = average;
    const table = sweep.table(numbers);
    const isOpen = container.querySelector(":scope > details")?.open;
    const description = `Effects on the ${metricName(metric)}, ${group === ALL ? "all images" : group}; arrow keys read the values`;
    container.replaceChildren(
      element("p", { class: "summary" }, averageText(sweep, average, numbers)),
      ...(missing.length
        ? [element("p", { class: "notice" }, `This sweep has ${missing.join(" and ")}.`)]
        : []),
      sweep.figures(numbers, description),
      table,
      ...[checkNode(sweep, average[3]), imagesNode(sweep, metric)].filter(Boolean),
    );
    if (isOpen) table.open = true;
  };
  const node = element(
    "section",
    { class: "sweep", "aria-label": sweepTitle(sweep.experiment) },
    element("h3", {}, sweepTitle(sweep.experiment)),
    element("p", { class: "quiet" }, sweepText(sweep.experiment, sweep.windows)),
    container,
    settingsTable(block.settings),
  );
  return [node, update];
}

/** Controls of the group of images and the metric, which the link keeps. */
function controls(sweeps) {
  const averages = sweeps.flatMap(({ averages }) => averages);
  const groupsOf = (kind) => distinct(averages.filter(([each]) => each === kind).map(([, g]) => g));
  const option = (value, text = value) => element("option", { value }, text);
  const kinds = [
    ["Families", groupsOf("family")],
    ["Classes", groupsOf("class")],
    ["Attributes", groupsOf("attribute")],
    ["Differences", groupsOf("difference")],
  ].filter(([, names]) => names.length);
  const selects = {
    group: [
      option("", "all"),
      kinds.map(([label, names]) =>
        element(
          "optgroup",
          { label },
          names.map((name) => option(name)),
        ),
      ),
    ],
    metric: distinct(sweeps.flatMap(({ experiment }) => experiment.metrics ?? [])).map(
      (metric, i) => option(i ? metric : "", metric.replaceAll("_", " ")),
    ),
    images: [option("", "classified correctly"), option(ALL, "all, also misclassified")],
  };
  const names = { group: "Average over", metric: "Metric", images: "Images" };
  const hasBoth = distinct(averages.map((each) => each[3])).length > 1;
  const shown = ["group", "metric", ...(hasBoth ? ["images"] : [])];
  const nodes = new Map(shown.map((key) => [key, element("select", {}, selects[key])]));
  const node = element(
    "div",
    { class: "options" },
    shown.map((key) => element("label", {}, names[key], " ", nodes.get(key))),
  );
  node.addEventListener("change", () => {
    const chosen = [...nodes].filter(([, select]) => select.value);
    view.replace({
      options: Object.fromEntries(chosen.map(([key, select]) => [key, select.value])),
    });
  });
  const update = (options) => {
    for (const [key, select] of nodes) {
      select.value = options[key] ?? "";
      if (select.selectedIndex < 0) select.value = "";
    }
  };
  return [node, update];
}

/** Caption of a figure of an older store, from its address, such as `effects:kl@all-images`. */
function figureCaption(address) {
  const [name, rest = ""] = address.split(":");
  const [metric, images] = rest.split("@");
  return listed([name, metric.replaceAll("_", " "), images?.replaceAll("-", " ")].filter(Boolean));
}

function traceFigure([address, figure]) {
  const text = figureCaption(address);
  return element(
    "figure",
    { class: "labeled", tabindex: "-1" },
    enlargeable(figure, Math.min(figure[1], 1100), text, () => element("b", {}, text)),
    element("figcaption", {}, element("b", {}, text)),
  );
}

/** The section of activation patching. */
export function tracesView(section, data) {
  const blocks = data.sweeps.map((block) => sweepBlock(block, data.attention));
  const [bar, updateBar] = data.sweeps.length ? controls(data.sweeps) : [null, () => {}];
  section.update = (options) => {
    updateBar(options);
    for (const [, update] of blocks) update(options);
  };
  return [
    sectionHead(
      "Activation patching",
      "Change of a metric when activations of one run are patched into another, one site at a time: which part of the model carries a cue. Point at a chart, or use the arrow keys, to read its values.",
    ),
    bar,
    blocks.map(([node]) => node),
    blocksOf(data.figures, (block) => layersOf(section, block, "figure", "figures", traceFigure)),
  ];
}
