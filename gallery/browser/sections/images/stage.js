// An image with a map laid over it, and with patches to choose.

import { element } from "../../shared/dom.js";
import { imageFile } from "./data.js";

/** Steps of the arrow keys, from row and column to row and column. */
const STEPS = {
  ArrowLeft: (row, column) => [row, column - 1],
  ArrowRight: (row, column) => [row, column + 1],
  ArrowUp: (row, column) => [row - 1, column],
  ArrowDown: (row, column) => [row + 1, column],
  Home: (row) => [row, 0],
  End: (row, _, columns) => [row, columns - 1],
};

/** The image as the model sees it. */
export function pictureOf(number, [name, side]) {
  return element("img", {
    src: imageFile(number),
    alt: name,
    width: side,
    height: side,
    decoding: "async",
    class: side < 160 ? "pixels" : "smooth",
  });
}

/** An image whose patches can be chosen: by the mouse for a moment, by a click until the next one. */
export class Stage {
  /** `onpatch` is called with the index of the patch that is shown; null if none is. */
  constructor(number, image, [rows, columns], onpatch) {
    [this.rows, this.columns, this.onpatch] = [rows, columns, onpatch];
    this.chosen = null;
    this.canvas = null;
    this.buttons = Array.from({ length: rows * columns }, (_, i) =>
      element("button", {
        type: "button",
        tabindex: i ? "-1" : "0",
        "aria-pressed": "false",
        "aria-label": `Patch in row ${Math.floor(i / columns) + 1}, column ${(i % columns) + 1}`,
      }),
    );
    this.patches = element(
      "div",
      { class: "patches", role: "group", "aria-label": `Patches of ${image[0]}` },
      this.buttons,
    );
    this.patches.style.setProperty("--rows", rows);
    this.patches.style.setProperty("--columns", columns);
    this.node = element("div", { class: "stage" }, pictureOf(number, image), this.patches);
    const shown = ({ target }) => {
      const at = this.buttons.indexOf(target);
      if (at >= 0) this.onpatch(at);
    };
    this.patches.addEventListener("pointerover", shown);
    this.patches.addEventListener("focusin", shown);
    for (const left of ["pointerleave", "focusout"])
      this.patches.addEventListener(left, () => this.onpatch(this.chosen));
    this.patches.addEventListener("click", ({ target }) => {
      const at = this.buttons.indexOf(target);
      if (at >= 0) this.choose(at === this.chosen ? null : at);
    });
    this.patches.addEventListener("keydown", (event) => this.press(event));
  }

  /** Choose a patch; null for none. */
  choose(at) {
    if (this.chosen !== null) this.buttons[this.chosen].setAttribute("aria-pressed", "false");
    this.chosen = at;
    if (at !== null) {
      this.buttons[at].setAttribute("aria-pressed", "true");
      this.focusable(at);
    }
    this.onpatch(at);
  }

  /** Lay a map over the image; null for none. */
  showMap(map) {
    this.canvas?.remove();
    this.canvas = map?.draw() ?? null;
    if (this.canvas) this.node.insertBefore(this.canvas, this.patches);
  }

  focusable(at) {
    this.patches.querySelector('[tabindex="0"]').setAttribute("tabindex", "-1");
    this.buttons[at].setAttribute("tabindex", "0");
  }

  press(event) {
    const from = this.buttons.indexOf(event.target);
    if (event.key === "Escape" && this.chosen !== null) this.choose(null);
    else if (Object.hasOwn(STEPS, event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const place = [Math.floor(from / this.columns), from % this.columns];
      const [row, column] = STEPS[event.key](...place, this.columns);
      if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) {
        const at = row * this.columns + column;
        this.focusable(at);
        this.buttons[at].focus();
      }
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
