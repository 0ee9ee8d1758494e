// All data is inserted into the document by these functions: as text or attribute values, never as
// markup.

/** Create an HTML element with attributes and children: nodes, text, nested lists; null is skipped. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Create an SVG element, like `element`. */
export function svgElement(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

/** An address without "blocks.", which breaks in front of its separators only. */
export const shortAddress = (address) =>
  element(
    "span",
    { class: "address" },
    address
      .replace(/^blocks\./, "")
      .split(/(?=[.:@])/)
      .map((part) => [element("wbr"), part]),
  );

/** A button with a content, a class and a click handler. */
export function buttonOf(content, className, action, attributes = {}) {
  const button = element("button", { type: "button", class: className, ...attributes }, content);
  button.addEventListener("click", () => action(button));
  return button;
}
