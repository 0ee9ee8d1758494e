"use strict";

/** A share as a percentage; a dash where there is none. */
const percent = (share) => (share === null ? "\u2013" : `${(100 * share).toFixed(1).replace("-", "\u2212")}\u00a0%`);

/** A value with two decimals. */
const hundredths = (value) => (value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212"));

/** Width at which a picture of so many pixels is shown: the whole multiple nearest to the wish. */
const wholeWidth = (pixels, wish) => pixels * Math.max(1, Math.round(wish / pixels));

/** A picture of the sections, enlarged without smoothing; `figure` is number, width and height. */
function pictureOf([number, width, height], shown, alt, loading = "lazy") {
  return element("img", {
    src: `${document.body.dataset.folder}/figures/${number}.webp`,
    alt,
    width: Math.round(shown),
    height: Math.round((shown * height) / width),
    loading,
    decoding: "async",
    class: shown >= 2 * width ? "pixels" : "smooth",
  });
}

/** The scale of colours between the values at its ends. */
function legend(scale, low, high) {
  return element(
    "span",
    { class: "legend" },
    element("span", {}, rounded(low)),
    element("img", { src: `${document.body.dataset.folder}/figures/${scale[0]}.webp`, alt: "to", width: 96, height: 8 }),
    element("span", {}, rounded(high)),
  );
}

/** A bar of parts of a whole, and below it what they are; parts are [name, size, text]. */
function shareBar(parts) {
  const bar = element("div", { class: "bar", "aria-hidden": "true" });
  for (const [i, [, size]] of parts.entries()) {
    const part = element("span", { class: `sample-${i % PLOT.colours}` });
    part.style.flexGrow = Math.max(0, size ?? 0);
    bar.append(part);
  }
  const items = parts.map(([name, , text], i) =>
    element("li", {}, element("span", { class: `swatch sample-${i % PLOT.colours}`, "aria-hidden": "true" }), name, " ", element("b", {}, text)),
  );
  return [bar, element("ul", { class: "shares" }, items)];
}

/** Heading and lead of a section. */
const sectionHead = (title, ...lead) => [element("h2", { class: "title", tabindex: "-1" }, title), element("p", { class: "lead" }, lead)];

/** Heading of a part of a section. */
function partHead(title, fact) {
  return element("div", { class: "heading" }, element("h3", {}, title), element("p", {}, fact));
}

/** Blocks of one kind, one a configuration, which is named where there are several. */
function blocksOf(blocks, build) {
  return blocks.map((block) => [
    blocks.length > 1 && block.label ? element("h3", { class: "label" }, block.label) : null,
    build(block),
    settingsTable(block.settings),
  ]);
}

/** Layers of a block; `build` makes each entry's node, which a link to its address leads to. */
function sitesOf(section, block, noun, className, build) {
  return block.sites.map(([site, entries]) =>
    element(
      "section",
      { "aria-label": site },
      partHead(site, counted(entries.length, noun)),
      element(
        "div",
        { class: className },
        entries.map((entry) => section.keep(entry[0], build(entry, site))),
      ),
    ),
  );
}

/** An address, linked to the view of its unit if there is one. */
function addressOf(section, address, text = address) {
  return section.units.has(address) ? element("a", { href: unitHash(address) }, text) : element("span", {}, text);
}

/** A table that is made when it is opened; `rows` gives, maybe later, lists of cells. */
function tableOf(summary, heads, rows) {
  const details = element("details", {}, element("summary", {}, summary));
  details.addEventListener(
    "toggle",
    async () => {
      let cells;
      try {
        cells = await rows();
      } catch (error) {
        details.append(missingFile(error));
        return;
      }
      details.append(
        element(
          "div",
          { class: "table", tabindex: "0", role: "region", "aria-label": summary },
          element(
            "table",
            {},
            element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
            element("tbody", {}, cells.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first), rest.map((cell) => element("td", {}, cell))))),
          ),
        ),
      );
    },
    { once: true },
  );
  return details;
}
