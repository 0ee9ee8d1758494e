"use strict";

const HEAD = 160; // pixels, about, at which a heat map is shown

/** A scale, and how far values go beyond it. */
const beyond = (scale, low, high, most) => [legend(scale, low, high), most > high ? element("span", {}, ` up to ${rounded(most)}`) : null];

function heatFigure(scale, [figure, low, high, most = high], address, text) {
  const ends = () => beyond(scale, low, high, most);
  const told = () => [element("b", {}, address), listed(["", text]), " ", ends()];
  return element(
    "figure",
    {},
    zoomable(figure, wholeWidth(figure[1], HEAD), `${address}, ${text}`, told),
    element("figcaption", {}, element("span", {}, text), ends()),
  );
}

function attentionCard(section, scale, [address, displacement, pattern, [prefix, self, local], entropy, most], site) {
  const known = [prefix, self, local].every((share) => share !== null);
  const rest = known ? Math.max(0, 1 - prefix - self - local) : null;
  const parts = [["class and registers", prefix], ["the patch itself", self], ["its neighbours", local], ["elsewhere", rest]];
  return element(
    "article",
    { class: "card-head", tabindex: "-1", "aria-label": address },
    element("h4", {}, `head ${address.slice(site.length + 1)}`),
    element(
      "div",
      { class: "maps" },
      heatFigure(scale, displacement, address, "by displacement of the key"),
      heatFigure(scale, pattern, address, "queries (rows) to keys"),
    ),
    shareBar(parts.map(([name, share]) => [name, share, percent(share)])),
    element("p", { class: "quiet" }, `entropy ${hundredths(entropy)} of at most ${hundredths(most)} nats`),
  );
}

function attentionView(section, data) {
  return [
    sectionHead("Attention", "Where the heads look, on average over a dataset. In the map by displacement the middle is the patch itself. Each map has its own scale; a few pairs of the second may lie beyond its end."),
    blocksOf(data.attention, (block) => sitesOf(section, block, "head", "heads", (entry, site) => attentionCard(section, data.scale, entry, site))),
  ];
}

function gridFigure(section, [address, figure, queries, keys, activation]) {
  const head = address.split("@")[0];
  const told = () => element("b", {}, address);
  const rows = () =>
    queries.map((query, i) => [`q${query}`, ...keys.map((key, j) => addressOf(section, `${head}@q${query}.k${key}`, measured(activation[i][j])))]);
  return element(
    "figure",
    { class: "labelled", tabindex: "-1" },
    zoomable(figure, Math.min(figure[1], 1100), address, told),
    element("figcaption", {}, element("b", {}, address)),
    tableOf("Values", ["query \\ key", ...keys.map((key) => `k${key}`)], rows),
  );
}

function gridsView(section, data) {
  return [
    sectionHead("Grids", "What a head compares: a picture for each pair of a query token (rows) and a key token (columns). A click enlarges."),
    blocksOf(data.grids, (block) => sitesOf(section, block, "grid", "figures", (entry) => gridFigure(section, entry))),
  ];
}

function gradientArticle(section, scale, [address, samples]) {
  const heads = ["the image", "through the query", "through the key"];
  const ends = (range) => (range.length ? beyond(scale, 0, ...range) : null);
  const told = (text, range) => () => [element("b", {}, address), listed(["", text]), " ", ends(range)];
  const triple = ([image, query, key, value], i) => {
    const pictures = [[image], query, key];
    return element(
      "figure",
      { class: "triple" },
      element(
        "div",
        { class: "three" },
        pictures.map(([figure, ...range], j) =>
          element(
            "div",
            {},
            zoomable(figure, shownWidth(figure[1]), `${address}, image ${i + 1}, ${heads[j]}`, told(`image ${i + 1}, ${heads[j]}`, range)),
            element("span", { class: "quiet" }, heads[j], ends(range)),
          ),
        ),
      ),
      element("figcaption", {}, "activation ", element("b", {}, measured(value))),
    );
  };
  return element(
    "article",
    { class: "gradient", tabindex: "-1" },
    element("h4", {}, addressOf(section, address)),
    element("div", { class: "triples" }, samples.map(triple)),
  );
}

/** A third of a column on the smallest screens, and whole multiples of small pictures. */
const shownWidth = (width) => (width < 160 ? wholeWidth(width, 160) : 160);

function gradientsView(section, data) {
  return [
    sectionHead("Gradients", "Which pixels raise or lower a logit: how long its gradient is at each pixel, when it may flow through the query only, and through the key only. The image is dim where the gradient is small."),
    blocksOf(data.gradients, (block) => sitesOf(section, block, "unit", "gradients", (entry) => gradientArticle(section, data.scale, entry))),
  ];
}
