// Sparse autoencoders: the density of their latents, and their quality.

import { chartFigure } from "../charts/frame.js";
import { histogramPlot } from "../charts/histogram.js";
import { siteHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { settingsTable, tableOf } from "../shared/tables.js";
import { brief, counted, percent } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";
import { view } from "../state/view.js";
import { blockHead, sectionHead } from "./blocks.js";

const DENSE = 0.1; // as in featviz/analysis/reconstruction/token_statistics.py

const QUALITY_TEXTS = [
  ["explained_variance", "Explained variance", brief],
  ["l0", "Mean L0 (latents that fire on a token)", brief],
  ["alive", "Alive (fire on a token)", percent],
  ["dense", "Dense (fire on more than 10\u00a0% of the tokens)", percent],
];

const OUTPUT_TEXTS = [
  ["kl", "KL divergence (nats)", brief],
  ["same_top1", "Same top-1", percent],
  ["cosine", "Cosine similarity of the output", brief],
];

/** A density from its logarithm to base 10. */
const densityAt = (edge) => Number((10 ** edge).toPrecision(3));

/** Link to the latents of a site within bounds of the density, densest first. */
const latentsLink = (site, where) => view.link({ layer: site, where, sort: "density", down: true });

/** Bounds of a bin, as in the filter of the list. */
function boundsOf(edges, bin) {
  const bound = (op, edge) => ({ key: "density", op, value: densityAt(edge) });
  const isLast = bin === edges.length - 2;
  return [bound(">=", edges[bin]), ...(isLast ? [] : [bound("<", edges[bin + 1])])];
}

/** A number of latents, which leads to them if the gallery shows them. */
function latentCount(site, count, where) {
  const isShown = count && unitTable.columns.has("density");
  const text = count.toLocaleString("en");
  return isShown ? element("a", { href: latentsLink(site, where) }, text) : text;
}

/** Histogram of the density on a logarithmic scale, and the same as a table. */
function densityBlock({ site, latents, dead, edges, counts }) {
  const alive = latents - dead;
  const [low, high] = [edges[0], edges.at(-1)];
  const description = `Density of ${counted(alive, "latent")} from 10^${low} to 1, on a logarithmic scale`;
  const plot = (width) =>
    histogramPlot(
      counts,
      low,
      high,
      [[Math.log10(DENSE), "dense", "sample-7"]],
      width,
      description,
    );
  const rows = () =>
    counts.map((count, bin) => [
      `${brief(densityAt(edges[bin]))} to ${brief(densityAt(edges[bin + 1]))}`,
      latentCount(site, count, boundsOf(edges, bin)),
    ]);
  return element(
    "section",
    { "aria-label": "Density" },
    element("h4", {}, "Density of the latents"),
    chartFigure(
      plot,
      `Logarithm to base 10 of the share of tokens on which a latent fires: ${counted(alive, "latent")}. ` +
        `Dead, firing on no token: ${dead.toLocaleString("en")} (${percent(dead / latents)}).`,
    ),
    tableOf("Latents by density", ["Share of tokens", "Latents"], rows),
  );
}

/** Figures of one dataset: of the autoencoder, and of the output of the model. */
function qualityBlock(quality) {
  const row = (heading, ...cells) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      cells.map((cell) => element("td", {}, cell)),
    );
  const outputs = OUTPUT_TEXTS.filter(([key]) => quality.reconstruction[key] !== null);
  return element(
    "section",
    { "aria-label": "Quality" },
    element("h4", {}, "Quality"),
    element(
      "p",
      { class: "quiet" },
      `${quality.library} ${quality.architecture}, measured on ${counted(quality.tokens, "token")} of ${counted(quality.images, "image")} of `,
      element("bdi", {}, quality.data),
    ),
    element(
      "table",
      { class: "quality-table" },
      element(
        "tbody",
        {},
        QUALITY_TEXTS.map(([key, name, format]) => row(name, format(quality[key]))),
      ),
    ),
    element(
      "table",
      { class: "quality-table" },
      element("caption", {}, "Output of the model"),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ["", "Reconstruction", "Zero ablation"].map((head) =>
            element(head ? "th" : "td", head ? { scope: "col" } : {}, head),
          ),
        ),
      ),
      element(
        "tbody",
        {},
        outputs.map(([key, name, format]) =>
          row(name, format(quality.reconstruction[key]), format(quality.zero_ablation[key])),
        ),
      ),
    ),
  );
}

/** The section of sparse autoencoders. */
export function autoencodersView(section, { autoencoders }) {
  return [
    sectionHead(
      "Sparse autoencoders",
      "The density of a latent is the share of the tokens of all images on which it fires, that is, is not 0 after threshold or top-k. Its activation is the pre-activation. Dead latents have no page.",
    ),
    autoencoders.map((each) =>
      section.register(
        each.site,
        element(
          "section",
          { class: "autoencoder", "aria-label": each.site },
          blockHead(
            element("a", { href: siteHash(each.site) }, each.site),
            `${counted(each.latents, "latent")}${each.read ? ` of ${each.read}` : ""}`,
            "address",
          ),
          element(
            "div",
            { class: "columns" },
            densityBlock(each),
            element("div", {}, each.quality.map(qualityBlock)),
          ),
          settingsTable(each.settings),
        ),
      ),
    ),
  ];
}
