// Mouse, touch and wheel on the map.

const CLICK = 6; // pixels that a pointer may move in a click
const LINE = 16; // pixels per line of a wheel
const WHEEL = 0.002; // change of the logarithm of the scale, per pixel
const PINCH = 0.01; // the same for a pinch on a touchpad, which has smaller steps

/**
 * Report gestures on a canvas: `pan(across, down)`, `zoom(factor, left, top)`, `click(left, top, event)`,
 * and `hover(left, top)`, which is without arguments when the mouse leaves or a button is pressed.
 */
export function addGestures(canvas, { pan, zoom, click, hover }) {
  const pointers = new Map(); // positions of the pointers that are down, by id
  let moved = 0; // pixels since the first of them went down

  const position = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [clientX - box.left - canvas.clientLeft, clientY - box.top - canvas.clientTop];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    hover();
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, position(event));
  });

  canvas.addEventListener("pointermove", (event) => {
    const at = position(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse" && !event.buttons) hover(...at);
      return;
    }
    pointers.set(event.pointerId, at);
    moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
    if (pointers.size === 1) {
      if (moved > CLICK) pan(at[0] - before[0], at[1] - before[1]);
      return;
    }
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
    const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    zoom(apart(at) / apart(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    if (event.type === "pointerup" && moved <= CLICK) click(...position(event), event);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => hover());

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
      zoom(Math.exp(-pixels * (event.ctrlKey ? PINCH : WHEEL)), ...position(event));
    },
    { passive: false },
  );
}
