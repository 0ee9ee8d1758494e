// The graph of a circuit: a cell for each component, and a curve for each edge.

import { element, svgElement } from "../../shared/dom.js";
import { counted } from "../../shared/text.js";
import { thumbnail } from "../../state/thumbnails.js";
import { unitTable } from "../../state/unit-table.js";
import { componentText, edgeText } from "./circuit.js";
import { edgePath, layoutOf } from "./layout.js";
import { linksOf, unitsOf } from "./links.js";

const WIDTH = { least: 1, most: 8 }; // of edges, in pixels
const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/**
 * Graph of a circuit. `show` is called with a component's name or an edge that is pointed at or has the
 * focus, and with null when it is left. Only one component is a tab stop; the arrow keys move among them.
 */
export class Graph {
  constructor(search, circuit, maps, width, show) {
    Object.assign(this, { search, circuit, maps, show });
    this.layout = layoutOf(search.components, width);
    this.edges = new Map(
      // The strongest edges are drawn last, on top.
      circuit.edges.toReversed().map((edge) => [edge.index, this.edgeNode(edge)]),
    );
    this.nodes = new Map(search.components.map(({ name }) => [name, this.componentNode(name)]));
    this.svg = this.draw();
    this.setStop(this.first());
  }

  /** The component with the most score in the circuit, among heads and MLPs. */
  first() {
    const sums = new Map();
    for (const { from, to, score } of this.circuit.edges)
      for (const name of [from, to]) sums.set(name, (sums.get(name) ?? 0) + Math.abs(score));
    const own = this.search.components.filter(({ block }) => block !== null);
    const most = own.reduce(
      (best, { name }) => ((sums.get(name) ?? 0) > (sums.get(best) ?? 0) ? name : best),
      own[0].name,
    );
    return most;
  }

  draw() {
    const { width, height, rows, columns } = this.layout;
    const text = (content, attributes) => svgElement("text", attributes, content);
    return svgElement(
      "svg",
      {
        class: "circuit-graph",
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: "group",
        "aria-label": `Circuit of ${counted(this.circuit.count, "edge")}; the arrow keys move among components`,
      },
      svgElement(
        "g",
        { "aria-hidden": "true" },
        rows.map(([name, y]) => text(name, { x: 0, y, dy: "0.35em" })),
        columns.map(([name, x]) => text(name, { x, y: 12, "text-anchor": "middle" })),
      ),
      svgElement("g", { class: "edges", "aria-hidden": "true" }, [...this.edges.values()]),
      [...this.nodes.values()],
    );
  }

  edgeNode(edge) {
    const d = edgePath(edge, this.layout);
    const share = this.search.most ? Math.abs(edge.score) / this.search.most : 0;
    const line = svgElement("path", { class: "edge-line", d });
    line.style.strokeWidth = `${Math.max(WIDTH.least, WIDTH.most * share).toFixed(2)}px`;
    const node = svgElement(
      "g",
      { class: edge.score < 0 ? "edge falls" : "edge" },
      line,
      svgElement("path", { class: "edge-hit", d }),
    );
    node.addEventListener("pointerenter", () => this.highlight({ edge }));
    node.addEventListener("pointerleave", () => this.highlight(null));
    return node;
  }

  componentNode(name) {
    const { x, y, width, height } = this.layout.places.get(name);
    const [reads, sends] = this.degrees(name);
    const isUsed = reads + sends > 0;
    const [, href] = linksOf(name, this.maps)[0] ?? [];
    const text = componentText(name);
    const frame = { x: x - width / 2, y: y - height / 2, width, height };
    const node = svgElement(
      href ? "a" : "g",
      {
        class: `component${isUsed ? "" : " unused"}`,
        tabindex: "-1",
        "aria-label": `${text[0].toUpperCase()}${text.slice(1)}: reads ${counted(reads, "edge")}, read by ${sends.toLocaleString("en")}`,
        ...(href ? { href } : { role: "img" }),
      },
      svgElement("rect", { class: "cell-frame", rx: 3, ...frame }),
      this.content(name, frame),
    );
    const select = () => this.highlight({ name });
    node.addEventListener("pointerenter", select);
    node.addEventListener("pointerleave", () => this.highlight(null));
    node.addEventListener("focus", () => {
      this.setStop(name);
      select();
    });
    node.addEventListener("blur", () => this.highlight(null));
    node.addEventListener("keydown", (event) => this.move(event, name));
    // A finger has no hover: the first touch shows a component, the second opens it.
    let isShown = true;
    node.addEventListener("pointerdown", ({ pointerType }) => {
      isShown = pointerType !== "touch" || this.stop === name;
    });
    node.addEventListener("click", (event) => {
      if (!isShown) event.preventDefault();
      if (!isShown || !href) node.focus({ preventScroll: true });
      isShown = true;
    });
    return node;
  }

  /** The picture of a component, or else its short name. */
  content(name, { x, y, width, height }) {
    const [unit] = unitsOf(name);
    if (unit === undefined)
      return svgElement(
        "text",
        { x: x + width / 2, y: y + height / 2, dy: "0.35em", "text-anchor": "middle" },
        { embed: "embedding" }[name] ?? name.split(/[.:]/).at(-1),
      );
    const isWide = unitTable.siteOf(unit).wide;
    const picture = thumbnail(unit, Math.min(height - 4, isWide ? width / 2 - 4 : width - 4));
    picture.removeAttribute("role");
    picture.removeAttribute("aria-label");
    return svgElement(
      "foreignObject",
      { x: x + 1, y: y + 1, width: width - 2, height: height - 2, "aria-hidden": "true" },
      element("div", { class: "cell-picture" }, picture),
    );
  }

  /** Numbers of edges that a component reads, and that read it. */
  degrees(name) {
    const { edges } = this.circuit;
    return ["to", "from"].map((end) => edges.filter((edge) => edge[end] === name).length);
  }

  setStop(name) {
    this.nodes.get(this.stop)?.setAttribute("tabindex", "-1");
    this.stop = name;
    this.nodes.get(name).setAttribute("tabindex", "0");
  }

  /** Focus a component. */
  focus(name) {
    this.nodes.get(name).focus({ preventScroll: false });
  }

  /** Move the focus to the nearest component in the direction of an arrow key. */
  move(event, name) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation();
    const next = this.nearest(name, direction);
    if (next !== null) this.focus(next);
  }

  nearest(name, [right, down]) {
    const { places } = this.layout;
    const here = places.get(name);
    let [best, least] = [null, Infinity];
    for (const [other, { x, y }] of places) {
      const [dx, dy] = [x - here.x, y - here.y];
      const ahead = dx * right + dy * down;
      const aside = Math.abs(dx * down) + Math.abs(dy * right);
      if (ahead <= 1 || (right && aside > here.height * 1.2)) continue;
      const distance = ahead + 2 * aside;
      if (distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  /** Highlight a component or an edge with what it is connected to, or nothing. */
  highlight(what) {
    this.svg.classList.toggle("highlighting", what !== null);
    const isOn = (edge) =>
      what !== null && (what.edge === edge || edge.from === what.name || edge.to === what.name);
    const names = new Set([what?.name]);
    for (const edge of this.circuit.edges) {
      const on = isOn(edge);
      this.edges.get(edge.index).classList.toggle("on", on);
      if (on) names.add(edge.from).add(edge.to);
    }
    for (const [name, node] of this.nodes) node.classList.toggle("on", names.has(name));
    this.show(what);
  }

  /** What is highlighted, in words. */
  describe({ name, edge }) {
    if (edge) return edgeText(edge);
    const [reads, sends] = this.degrees(name);
    return `${name}: reads ${counted(reads, "edge")}, read by ${counted(sends, "edge")}`;
  }
}
