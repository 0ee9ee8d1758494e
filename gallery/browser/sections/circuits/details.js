// The panel next to a graph: pictures and edges of one component.

import { unitHash } from "../../shared/address-links.js";
import { buttonOf, element } from "../../shared/dom.js";
import { thumbnail } from "../../state/thumbnails.js";
import { unitTable } from "../../state/unit-table.js";
import { componentText, inputText, scoreText } from "./circuit.js";
import { linksOf, unitsOf } from "./links.js";

const PICTURES = { most: 4, height: 64 };
const EDGES = 8; // of each direction

/** Pictures of a component, which lead to their units. */
function pictures(name) {
  return unitsOf(name)
    .slice(0, PICTURES.most)
    .map((unit) =>
      element(
        "a",
        { href: unitHash(unitTable.address(unit)), title: unitTable.address(unit) },
        thumbnail(unit, PICTURES.height),
      ),
    );
}

/** The other end of an edge: a button that moves to it, and highlights the edge in the graph. */
function endButton(edge, name, { move, highlight }) {
  const button = buttonOf(name, "link", () => move(name));
  for (const event of ["focus", "pointerenter"])
    button.addEventListener(event, () => highlight({ edge }));
  for (const event of ["blur", "pointerleave"])
    button.addEventListener(event, () => highlight(null));
  return button;
}

/** The strongest edges of a component. */
function edgeList(title, edges, otherEnd, actions) {
  const others = edges.length - EDGES;
  return [
    element("h5", {}, title),
    edges.length
      ? element(
          "ul",
          {},
          edges
            .slice(0, EDGES)
            .map((edge) =>
              element(
                "li",
                {},
                endButton(edge, edge[otherEnd], actions),
                ` ${[inputText(edge), scoreText(edge)].filter(Boolean).join(": ")}`,
              ),
            ),
          others > 0 ? element("li", {}, `and ${others.toLocaleString("en")} more`) : null,
        )
      : element("p", {}, "no edge of this circuit"),
  ];
}

/** What is known of a component in a circuit. `actions` move to another component, and highlight an edge. */
export function detailsOf(name, circuit, maps, actions) {
  const links = linksOf(name, maps);
  const shown = pictures(name);
  const text = componentText(name);
  return [
    element("h4", { class: "address" }, name),
    element(
      "p",
      {},
      text === name ? null : [text[0].toUpperCase(), text.slice(1), links.length ? ": " : ""],
      links.map(([words, href], i) => [i ? ", " : "", element("a", { href }, words)]),
    ),
    shown.length ? element("div", { class: "pictures" }, shown) : null,
    ...edgeList(
      "Reads",
      circuit.edges.filter(({ to }) => to === name),
      "from",
      actions,
    ),
    ...edgeList(
      "Read by",
      circuit.edges.filter(({ from }) => from === name),
      "to",
      actions,
    ),
  ];
}
