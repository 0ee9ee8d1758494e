"use strict";

// The page of one unit. Other files add blocks to it through `unitSlots`.

/** Functions (unit, detail) -> node or null; each adds a block to the page of a unit. */
const unitSlots = [];

const ALSO = {
  filters: "the filter itself",
  attention: "where the head looks",
  grids: "grid of the head",
  gradients: "gradients on images",
  tokens: "token by token",
  compare: "its match in another model",
};
const STRIP_MOST = 48; // pictures of a strip of other units

/** What the catalogue knows of a unit, by its number. */
function unitAt(number) {
  return { number, address: catalogue.address(number), site: catalogue.siteOf(number).name, renders: catalogue.renders(number) };
}

/** Give the parts of a picture row's entry their names. */
const detailOf = ([command, size, activation, trajectory, links, similar, evidence]) => ({ command, size, activation, trajectory, links, similar, evidence });

function settingsTable(settings) {
  return element(
    "details",
    {},
    element("summary", {}, "Settings"),
    element("dl", { class: "settings" }, settings.map(([key, value]) => [element("dt", {}, key), element("dd", {}, value)])),
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
  const copy = buttonOf("Copy command", "copy-command", () => copyText(command, "Command", code));
  return element("div", { class: "command" }, element("h3", {}, "Reproduce"), element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, code), copy);
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

/** Links to other results about the unit. */
function alsoAbout(links) {
  if (!links.length) return null;
  const items = links.map(([section, address]) => element("a", { href: `#${section}=${readable(address)}` }, ALSO[section]));
  return element("nav", { class: "also", "aria-label": "Also about this unit" }, "Also: ", items);
}

function renderBlock(unit, render, detail) {
  const group = featviz.model.groups[render.group];
  return element(
    "section",
    { class: `render ${render.sides > 1 ? "sides" : "whole"}`, "aria-label": unit.renders.length > 1 ? group.label : "Pictures" },
    unit.renders.length > 1 ? element("h2", {}, group.label) : null,
    featviz.model.thumbnailsOnly ? smallStage(unit) : stage(unit, render, detail),
    element("div", { class: "beside" }, plotFigure(detail.trajectory), commandBlock(detail.command), settingsTable(group.settings)),
  );
}

/** Pictures of other units, each a link, with what is told of each below it. */
function unitStrip(heading, lead, items) {
  if (!items.length) return null;
  return element(
    "section",
    { class: "unit-strip", "aria-label": heading },
    element("h2", {}, heading),
    lead ? element("p", { class: "quiet" }, lead) : null,
    element(
      "ul",
      {},
      items.map(([number, text]) =>
        element("li", {}, element("a", { href: view.link({ unit: catalogue.address(number) }), title: catalogue.address(number) }, spriteNode(number, 96), element("span", { class: "caption" }, text))),
      ),
    ),
  );
}

/** The same unit at other tokens, in the order of the list; those around it if they are many. */
function otherTokens(unit) {
  const whole = unit.address.split("@")[0];
  const { offset, count } = catalogue.siteOf(unit.number);
  const found = [];
  for (let i = offset; i < offset + count; i += 1) {
    const address = catalogue.address(i);
    if (address === whole || address.startsWith(`${whole}@`)) found.push(i);
  }
  if (found.length < 2) return null;
  const first = Math.max(0, Math.min(found.indexOf(unit.number) - STRIP_MOST / 2, found.length - STRIP_MOST));
  const shown = found.slice(first, first + STRIP_MOST);
  const lead = shown.length < found.length ? `${shown.length} of ${counted(found.length, "picture")}, those around this one.` : "";
  const strip = unitStrip(whole.includes(".qk:") ? "The same head at other tokens" : "The same unit at other tokens", lead, shown.map((i) => [i, catalogue.address(i).slice(whole.length) || "all patches"]));
  strip.querySelectorAll("a")[shown.indexOf(unit.number)].setAttribute("aria-current", "page");
  return strip;
}

/** The most similar units, by picture and, where it is known, by what excites them. */
function similarUnits(similar) {
  const strip = (heading, lead, found) => unitStrip(heading, lead, (found ?? []).map(([number, likeness]) => [number, [catalogue.address(number), element("b", {}, hundredths(likeness))]]));
  return [
    strip("Pictures most like this one", "Likeness of the pictures, from 0 to 1.", similar?.picture),
    strip("Units active on the same images", "Share of the images that excite this unit most which excite the other most, too.", similar?.activation),
  ];
}

function step(number, name, rel, key, arrow) {
  if (number === undefined) return element("span", { class: "step", "aria-hidden": "true" }, icon(arrow));
  const address = catalogue.address(number);
  return element("a", { class: "step", rel, "aria-keyshortcuts": key, href: view.link({ unit: address }), "aria-label": `${name} unit, ${address}`, title: address }, icon(arrow));
}

/** Numbers of the units before and after one in the list that it was opened from, and its place there. */
function neighbours(number) {
  const order = catalogue.order(view.state());
  const at = order.indexOf(number);
  return { at, order, before: at < 0 ? undefined : order[at - 1], after: order[at + 1] };
}

/** Links to the neighbours. */
function steps(unit) {
  const { at, order, before, after } = neighbours(unit.number);
  const place = at < 0 ? "not in the list" : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
  return element(
    "nav",
    { class: "steps", "aria-label": "Units" },
    step(before, "Previous", "prev", "ArrowLeft", "left"),
    element("span", { class: "quiet" }, place),
    step(after, "Next", "next", "ArrowRight", "right"),
  );
}

function trail(...links) {
  return element("nav", { class: "trail", "aria-label": "Where this is" }, element("a", { href: "index.html" }, "All models"), element("a", { href: view.link({ unit: null }), class: "back" }, featviz.model.name), links);
}

/** What stands in place of a unit that the page does not hold. */
function missingUnit(address) {
  return [element("header", {}, trail(), element("h1", { tabindex: "-1" }, address)), element("p", { class: "notice" }, "This gallery holds no such unit. ", element("a", { href: "#" }, "All units"))];
}

/** Fill a place with the page of the unit at an address. */
async function showUnit(place, address) {
  const number = catalogue.find(address);
  document.title = `${address} \u00b7 ${featviz.model.name} \u00b7 featviz gallery`;
  if (number < 0) {
    place.replaceChildren(...missingUnit(address));
    place.querySelector("h1").focus({ preventScroll: true });
    return;
  }
  const unit = unitAt(number);
  const header = element("header", {}, trail(element("a", { href: siteHash(unit.site) }, unit.site)), element("h1", { tabindex: "-1" }, unit.address), steps(unit), unitTools(unit));
  place.replaceChildren(header);
  header.querySelector("h1").focus({ preventScroll: true });
  let details;
  try {
    details = (await Promise.all(unit.renders.map((render) => entryOf("details", render.row)))).map(detailOf);
  } catch (error) {
    if (header.parentNode === place) place.append(missingFile(error));
    return;
  }
  if (header.parentNode !== place) return; // the reader has gone on
  const blocks = [
    alsoAbout(details[0].links),
    ...unit.renders.map((render, i) => renderBlock(unit, render, details[i])),
    ...unitSlots.map((slot) => slot(unit, details.find(({ evidence }) => evidence) ?? details[0])),
    otherTokens(unit),
    ...similarUnits(details[0].similar),
  ];
  place.append(...blocks.filter((block) => block !== null));
}
