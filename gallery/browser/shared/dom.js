// Data reaches the document only through these functions: as text and as attribute values,
// never as markup.

/** Make an HTML element with attributes and children (nodes, text, lists of them; null is left out). */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an SVG element, as `element` does. */
export function svgElement(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

/** A button with a text, a class and what a click does. */
export function buttonOf(text, className, action, attributes = {}) {
  const button = element("button", { type: "button", class: className, ...attributes }, text);
  button.addEventListener("click", () => action(button));
  return button;
}
