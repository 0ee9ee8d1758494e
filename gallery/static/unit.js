"use strict";

const SIDES = ["query", "key"]; // of a logit that is rendered as two images
const ALSO = {
  filters: "the filter itself",
  attention: "where the head looks",
  grids: "grid of the head",
  gradients: "gradients on images",
  tokens: "token by token",
  compare: "its match in another model",
};

/** Side at which a picture is shown: the whole multiple of its pixels nearest to 288. */
function shownScale(width) {
  return Math.max(1, Math.round(288 / width));
}

function samplePicture(unit, render, detail, sample, side) {
  const [width, height] = detail.size;
  const scale = shownScale(width);
  const names = [unit.address, ...(render.samples > 1 ? [`sample ${sample + 1}`] : []), ...(side === null ? [] : [SIDES[side]])];
  return element("img", {
    src: `${document.body.dataset.folder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.webp`,
    alt: names.join(", "),
    width: width * scale,
    height: height * scale,
    class: width < 64 ? "pixels" : "smooth",
  });
}

function sampleFigure(unit, render, detail, sample) {
  const half = (side) => element("div", {}, samplePicture(unit, render, detail, sample, side), element("span", { class: "side" }, SIDES[side]));
  return element(
    "figure",
    {},
    render.sides > 1
      ? element("div", { class: "two" }, SIDES.map((_, side) => half(side)))
      : samplePicture(unit, render, detail, sample, null),
    element(
      "figcaption",
      {},
      render.samples > 1 ? element("span", { class: `number sample-${sample % PLOT.colours}` }, String(sample + 1)) : null,
      "activation ",
      element("b", {}, measured(detail.activation[sample])),
    ),
  );
}

/** A plot that is drawn anew whenever its place changes its width. */
function plotFigure(lines) {
  const place = element("div", { class: "place" });
  new ResizeObserver(() => {
    if (place.clientWidth) place.replaceChildren(trajectoryPlot(lines, place.clientWidth));
  }).observe(place);
  return element(
    "figure",
    { class: "trajectory" },
    place,
    element("figcaption", {}, "Activation at each step of the optimisation, on the randomly transformed view of that step. The value given with a picture is measured on the finished picture itself."),
  );
}

/** The command that makes the pictures again, with a button that copies it. */
function commandBlock(command) {
  if (command === null) {
    return element("p", { class: "notice" }, "No command is offered: a name in this store is not safe to paste into a shell.");
  }
  // A line may break between words only, not after each hyphen of an option.
  const words = command.split(" ").flatMap((word) => [" ", element("span", {}, word)]);
  const code = element("code", {}, words.slice(1));
  const button = element("button", { type: "button" }, "Copy");
  const said = element("span", { class: "said", role: "status" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      said.textContent = "Selected; copy it with the keyboard";
    }
  });
  return element("div", { class: "command" }, element("h3", {}, "Reproduce"), element("pre", { tabindex: "0" }, code), button, said);
}

function settingsTable(settings) {
  return element(
    "details",
    {},
    element("summary", {}, "Settings"),
    element("dl", { class: "settings" }, settings.map(([key, value]) => [element("dt", {}, key), element("dd", {}, value)])),
  );
}

/** Links to other results about the unit. */
function alsoAbout(links) {
  if (!links.length) return [];
  const items = links.map(([section, address]) => element("a", { href: `#${section}=${readable(address)}` }, ALSO[section]));
  return [element("nav", { class: "also", "aria-label": "Also about this unit" }, "Also: ", items)];
}

function renderBlock(model, unit, render, detail) {
  const group = model.groups[render.group];
  const several = render.samples > 1;
  const samples = Array.from({ length: render.samples }, (_, sample) => sampleFigure(unit, render, detail, sample));
  return element(
    "section",
    { class: `${several ? "render many" : "render single"}${render.sides > 1 ? " sides" : ""}` },
    unit.renders.length > 1 ? element("h2", {}, group.label) : null,
    element("div", { class: several ? "samples several" : "samples" }, samples),
    plotFigure(detail.trajectory),
    element("div", { class: "again" }, commandBlock(detail.command), settingsTable(group.settings)),
  );
}

function step(unit, name, rel, key, arrow) {
  if (!unit) return element("span", { class: "step", "aria-hidden": "true" }, arrow);
  return element("a", { class: "step", rel, "aria-keyshortcuts": key, href: unitHash(unit.address), "aria-label": `${name} unit, ${unit.address}`, title: unit.address }, arrow);
}

function unitHeader(model, unit) {
  const { units } = model;
  const at = units.indexOf(unit);
  return element(
    "header",
    {},
    element(
      "nav",
      { class: "trail", "aria-label": "Where this is" },
      element("a", { href: "index.html" }, "All models"),
      element("a", { href: "#" }, model.name),
      element("a", { href: siteHash(unit.site) }, unit.site),
    ),
    element("h1", { tabindex: "-1" }, unit.address),
    element(
      "nav",
      { class: "steps", "aria-label": "Units" },
      step(units[at - 1], "Previous", "prev", "ArrowLeft", "\u2190"),
      element("span", { class: "quiet" }, `${(at + 1).toLocaleString("en")} of ${units.length.toLocaleString("en")}`),
      step(units[at + 1], "Next", "next", "ArrowRight", "\u2192"),
    ),
  );
}

/** What stands in place of a unit that the page does not hold. */
function missingUnit(address) {
  return [
    element("header", {}, element("nav", { class: "trail" }, element("a", { href: "#" }, "All units")), element("h1", { tabindex: "-1" }, address)),
    element("p", { class: "notice" }, "This gallery holds no such unit."),
  ];
}
