// The section of the reader's own images: which units respond to them, and where.

import { unitHash } from "../../shared/address-links.js";
import { buttonOf, element, shortAddress } from "../../shared/dom.js";
import { missingFile } from "../../shared/message.js";
import { counted, listed, rounded } from "../../shared/text.js";
import { thumbnail } from "../../state/thumbnails.js";
import { unitTable } from "../../state/unit-table.js";
import { sectionHead } from "../blocks.js";
import { imageFile, loadImage, referenceName, relativeText, scaleText, valueText } from "./data.js";
import { Stage } from "./stage.js";

const MOST = 64; // units in the list of all layers

/** One image with its units. */
class ImageView {
  constructor(section, number, found) {
    [this.section, this.image] = [section, section.images[number]];
    [this.layers, this.grid, this.patches] = [found.layers, found.grid, found.patches];
    this.known = new Map([...found.layers.values()].flat().map((one) => [one.unit, one]));
    this.pinned = null; // response whose map stays
    this.stage = new Stage(number, this.image, found.grid, (at) => this.showPatch(at));
    for (const left of ["pointerleave", "focusout"])
      this.stage.node.addEventListener(left, () => this.showMap(this.pinned));
    this.patchShown = undefined; // index of a patch; null for none
    this.note = element("p", { class: "quiet map-note" });
    this.atPatch = element("section", { class: "at-patch", "aria-label": "Units at a patch" });
    this.list = element("ul", { class: "own-units" });
    this.select = element(
      "select",
      { "aria-label": "Layer" },
      element("option", { value: "" }, "All layers"),
      [...this.layers.keys()].map((layer) =>
        element("option", { value: layer }, unitTable.sites[layer].name),
      ),
    );
    this.select.addEventListener("change", () => this.fillList());
    this.node = element(
      "div",
      { class: "own-image" },
      element("div", { class: "own-left" }, this.stage.node, this.note, this.atPatch),
      element(
        "section",
        { class: "own-strongest", "aria-label": "Strongest units" },
        element("div", { class: "own-head" }, element("h3", {}, "Strongest units"), this.select),
        this.list,
      ),
    );
    this.fillList();
    this.showMap(null);
    this.showPatch(null);
  }

  /** The responses of the chosen layer, or of all. */
  responses() {
    if (this.select.value !== "") return this.layers.get(Number(this.select.value));
    const all = [...this.layers.values()].flat();
    return all.sort((a, b) => b.relative - a.relative || a.unit - b.unit).slice(0, MOST);
  }

  fillList() {
    this.pinned = null;
    this.list.replaceChildren(...this.responses().map((one) => this.item(one)));
    this.showMap(null);
  }

  /** A unit of the list. */
  item(one) {
    const address = unitTable.address(one.unit);
    const picture = buttonOf(thumbnail(one.unit, 64), "own-picture", () => this.pin(one, picture), {
      "aria-pressed": "false",
      "aria-label": `Keep the map of ${address} on the image`,
      title: one.map ? "Keep the map on the image" : "Values of this unit have no patches",
      ...(one.map ? {} : { disabled: "" }),
    });
    const node = element(
      "li",
      {},
      picture,
      element(
        "div",
        {},
        element("a", { href: unitHash(address), title: address }, shortAddress(address)),
        element(
          "p",
          {},
          element("b", {}, relativeText(one.relative)),
          ` ${referenceName(this.section)}`,
        ),
        element("p", { class: "quiet" }, valueText(one, this.section)),
        element("p", { class: "quiet" }, aboutUnit(one.unit)),
      ),
    );
    return this.shownBy(node, one);
  }

  /** Let a node show the map of a response while it is pointed at or has the focus. */
  shownBy(node, one) {
    if (one === undefined) return node; // not among the strongest of its layer
    for (const shown of ["pointerenter", "focusin"])
      node.addEventListener(shown, () => this.showMap(one));
    for (const left of ["pointerleave", "focusout"])
      node.addEventListener(left, () => this.showMap(this.pinned));
    return node;
  }

  /** Keep the map of a unit on the image, or no longer. */
  pin(one, button) {
    this.list
      .querySelector('.own-picture[aria-pressed="true"]')
      ?.setAttribute("aria-pressed", "false");
    this.pinned = this.pinned === one ? null : one;
    button.setAttribute("aria-pressed", String(this.pinned === one));
    this.showMap(this.pinned);
  }

  /** Lay the map of a unit over the image; of null, none. */
  showMap(one) {
    this.stage.showMap(one?.map ?? null);
    const [name, side] = this.image;
    const [rows, columns] = this.grid;
    this.note.replaceChildren(
      ...(one === null
        ? [
            element("bdi", {}, name),
            listed(["", `as the model sees it, ${side}\u00a0\u00d7\u00a0${side}\u00a0pixels`]),
            listed(["", `${rows}\u00a0\u00d7\u00a0${columns}\u00a0patches`]),
          ]
        : [
            element("b", {}, unitTable.address(one.unit)),
            one.map === null
              ? listed(["", "its value has no patches"])
              : listed([
                  "",
                  `by patch from ${rounded(one.map.low)} (dark) to ${rounded(one.map.high)} (clear)`,
                ]),
          ]),
    );
  }

  /** List the units that are strongest at a patch; null for no patch. */
  showPatch(at) {
    if (at !== null) this.showMap(null);
    if (at === this.patchShown) return; // a link of the list may be about to get the focus
    this.patchShown = at;
    const [, columns] = this.grid;
    const place =
      at === null ? null : `Row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}`;
    this.atPatch.replaceChildren(
      element("h3", {}, place ?? "Patches"),
      place === null
        ? element(
            "p",
            { class: "quiet" },
            "Point at a patch of the image for the units that are strongest there; a click keeps them.",
          )
        : element(
            "ul",
            {},
            this.patches[at].map(([unit, relative]) =>
              this.shownBy(patchUnit(unit, relative), this.known.get(unit)),
            ),
          ),
    );
  }
}

/** The headline of a unit without the ratio of its picture, which is on the scale of the list. */
const aboutUnit = (unit) =>
  listed(
    unitTable
      .headline(unit)
      .split(" \u00b7 ")
      .filter((part) => !part.endsWith("\u00d7 best image")),
  );

/** A unit that is strong at a patch. */
function patchUnit(unit, relative) {
  const address = unitTable.address(unit);
  return element(
    "li",
    {},
    element(
      "a",
      { href: unitHash(address), title: [address, unitTable.headline(unit)].join("\n").trim() },
      thumbnail(unit, 40),
      element(
        "span",
        {},
        element("span", { class: "caption" }, shortAddress(address)),
        element("b", {}, relativeText(relative)),
      ),
    ),
  );
}

/** The section of the reader's own images. */
export function imagesView(_section, data) {
  const shown = element("div", { class: "own-shown" });
  const views = new Map();
  let current = null;
  const show = async (number) => {
    current = number;
    for (const [i, button] of buttons.entries())
      button.setAttribute("aria-pressed", String(i === number));
    try {
      if (!views.has(number))
        views.set(number, new ImageView(data, number, await loadImage(number)));
      if (current === number) shown.replaceChildren(views.get(number).node);
    } catch (error) {
      if (current === number) shown.replaceChildren(missingFile(error));
    }
  };
  const buttons = data.images.map(([name], number) =>
    buttonOf(
      [
        element("img", { src: imageFile(number), alt: "", width: 40, height: 40 }),
        element("bdi", {}, name),
      ],
      "own-tab",
      () => show(number),
    ),
  );
  show(0);
  return [
    sectionHead(
      "Your images",
      `Units by their activation on an image, relative to a common scale: ${scaleText(data)}. Point at a unit to see where in the image it is active.`,
      data.unranked
        ? ` ${counted(data.unranked, "unit")} without a known scale ${data.unranked === 1 ? "is" : "are"} left out.`
        : null,
    ),
    buttons.length > 1
      ? element("div", { class: "own-tabs", role: "group", "aria-label": "Image" }, buttons)
      : null,
    shown,
  ];
}
