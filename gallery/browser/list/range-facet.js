// A metric in the filter panel: its distribution, and two bounds, typed or dragged on the histogram.

import { smallHistogram } from "../charts/histogram.js";
import { element } from "../shared/dom.js";
import { rounded } from "../shared/text.js";
import { unitTable } from "../state/unit-table.js";

const BINS = 40;
const GRIP = 10; // pixels from a bound, within which a drag moves it

/** Numbers of units in bins of equal width over the range of a metric. */
function binned(key, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const value of unitTable.columns.get(key))
    if (value !== null)
      counts[Math.min(BINS - 1, Math.floor((BINS * (value - low)) / (high - low || 1)))] += 1;
  return counts;
}

/** A number that is typed: with a minus sign or a decimal comma, too; null for no text. */
function typedNumber(text) {
  const plain = text
    .trim()
    .replace("\u2212", "-")
    .replace(/^(-?\d+),(\d+)$/, "$1.$2");
  return plain === "" ? null : Number(plain);
}

/** The bounds of a metric; `onchange` is called after they have changed. */
export class RangeFacet {
  constructor({ key, name }, [low, high], onchange) {
    Object.assign(this, { key, low, high, onchange });
    const histogram = binned(key, low, high);
    const count = histogram.reduce((sum, some) => sum + some, 0);
    this.inputs = [
      this.input(">=", `${name}, minimum`, low),
      this.input("<=", `${name}, maximum`, high),
    ];
    const plot = smallHistogram({ histogram, edges: [low, high], count }, name, "unit");
    plot.setAttribute("preserveAspectRatio", "none");
    this.range = element("span", { class: "chosen" });
    this.brush = element(
      "span",
      { class: "brush", title: "Drag to choose a range" },
      plot,
      this.range,
    );
    this.brush.addEventListener("pointerdown", (event) => this.drag(event));
    const [minimum, maximum] = this.inputs.map(({ input }) => input);
    this.node = element(
      "div",
      { class: "range", role: "group", "aria-label": name },
      element("span", {}, name),
      this.brush,
      minimum,
      "\u2013",
      maximum,
    );
  }

  /** A text box for a bound; its placeholder is the end of the range. */
  input(op, name, end) {
    const input = element("input", {
      type: "text",
      inputmode: "decimal",
      placeholder: rounded(end),
      "aria-label": name,
      autocomplete: "off",
      "aria-describedby": "bound-problem",
      size: 9,
    });
    input.addEventListener("change", () => this.onchange());
    return { op, input };
  }

  /** Mark text that is not a number. */
  validate() {
    for (const { input } of this.inputs) {
      const isValid = Number.isFinite(typedNumber(input.value) ?? 0);
      input.setAttribute("aria-invalid", String(!isValid));
    }
  }

  /** The text boxes whose text is not a number. */
  invalid() {
    return this.inputs
      .map(({ input }) => input)
      .filter((input) => input.getAttribute("aria-invalid") === "true");
  }

  /** The bounds that are numbers. */
  where() {
    return this.inputs.flatMap(({ op, input }) => {
      const value = typedNumber(input.value);
      return value !== null && Number.isFinite(value) ? [{ key: this.key, op, value }] : [];
    });
  }

  /** Show the bounds of the view; keep what is being typed or to be corrected. */
  update(where) {
    for (const { op, input } of this.inputs) {
      const found = where.find((one) => one.key === this.key && one.op === op);
      if (!found && input.getAttribute("aria-invalid") === "true") continue;
      if (document.activeElement === input && !found) continue;
      input.value = found ? String(found.value) : "";
      input.setAttribute("aria-invalid", "false");
    }
    this.showRange();
  }

  /** The bounds as shares of the range, from 0 to 1. */
  shares() {
    const share = (value) =>
      Math.min(1, Math.max(0, (value - this.low) / (this.high - this.low || 1)));
    return this.inputs.map(({ input }, end) => {
      const value = typedNumber(input.value);
      return Number.isFinite(value ?? Number.NaN) ? share(value) : end;
    });
  }

  showRange() {
    const [from, to] = this.shares();
    this.range.style.setProperty("left", `${100 * Math.min(from, to)}%`);
    this.range.style.setProperty("right", `${100 * (1 - Math.max(from, to))}%`);
    this.brush.classList.toggle("narrowed", from > 0 || to < 1);
  }

  /** Move the bound at the pointer, or choose a new range from there. */
  drag(event) {
    if (event.button) return;
    const { left, width } = this.brush.getBoundingClientRect();
    const shareAt = ({ clientX }) => Math.min(1, Math.max(0, (clientX - left) / width));
    const start = shareAt(event);
    const ends = this.shares();
    const grip = ends.findIndex((end) => Math.abs(end - start) * width <= GRIP);
    const fixed = grip < 0 ? start : ends[1 - grip];
    const move = (moved) => {
      const at = shareAt(moved);
      this.choose(Math.min(fixed, at), Math.max(fixed, at));
    };
    const stop = () => {
      this.brush.removeEventListener("pointermove", move);
      this.onchange();
    };
    this.brush.setPointerCapture(event.pointerId);
    this.brush.addEventListener("pointermove", move);
    this.brush.addEventListener("lostpointercapture", stop, { once: true });
    event.preventDefault();
  }

  /** Fill in the bounds of a part of the range; its ends are no bounds. */
  choose(from, to) {
    const valueAt = (share) => this.low + share * (this.high - this.low);
    const texts = [from > 0 ? rounded(valueAt(from)) : "", to < 1 ? rounded(valueAt(to)) : ""];
    for (const [i, { input }] of this.inputs.entries()) {
      input.value = texts[i];
      input.setAttribute("aria-invalid", "false");
    }
    this.showRange();
  }
}
