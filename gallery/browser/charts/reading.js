// Reading values of a chart by pointer and keyboard.

/**
 * Let a node of a chart be read. `at` is the item at a pointer event, `next` the item in the direction of an
 * arrow key from another one (null for the first), both null if there is none. `show` is called with the
 * item, or with null when it is left, and `open` when Enter is pressed.
 */
export function makeReadable(node, { at, next, show, open = () => {} }) {
  let current = null;
  const read = (item) => {
    current = item;
    show(item);
  };
  for (const name of ["pointermove", "pointerdown"])
    node.addEventListener(name, (event) => read(at(event)));
  node.addEventListener("pointerleave", (event) => {
    // A finger leaves at once; what it touched stays.
    if (event.pointerType === "mouse" && document.activeElement !== node) read(null);
  });
  node.addEventListener("focus", () => {
    if (node.matches(":focus-visible")) read(current ?? next(null, null));
  });
  node.addEventListener("blur", () => read(null));
  node.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Enter" && current !== null) open();
    else if (event.key.startsWith("Arrow")) read(next(current, event.key) ?? current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Position of a pointer event in the coordinates of an SVG element. */
export function svgPoint(svg, event) {
  const box = svg.getBoundingClientRect();
  const { width, height } = svg.viewBox.baseVal;
  return [
    ((event.clientX - box.left) * width) / box.width,
    ((event.clientY - box.top) * height) / box.height,
  ];
}
