"use strict";

// Data reaches the document only through these functions: as text and as attribute values,
// never as markup.

/** Make an HTML element with attributes and children (nodes, text, lists of them; null is left out). */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an SVG element, as `element` does. */
function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

/** A count with its noun: "1 unit", "1,200 units"; a line never breaks between them. */
function counted(count, noun) {
  return `${count.toLocaleString("en")}\u00a0${noun}${count === 1 ? "" : "s"}`;
}

/** Facts on a line; where it breaks, the point stays behind. */
const listed = (facts) => facts.join("\u00a0\u00b7 ");

/** A value with four digits; a dash where nothing finite was measured. */
function measured(value) {
  if (value === null) return "\u2013";
  return value.toPrecision(4).replace("-", "\u2212");
}

/** A round value, without the zeros that `measured` keeps. */
const rounded = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");
