// Pictures that open enlarged in a dialog.

import { element } from "./dom.js";
import { fittingWidth } from "./picture-size.js";

/** The dialog that shows an enlarged picture. */
export const enlargedDialog = document.getElementById("zoom");

const enlarged = new WeakMap(); // size, draw and caption of each button

/**
 * A button with a picture that it enlarges. `draw` makes the picture at a width, and `caption` the
 * nodes of its caption; the size is in pixels. The arrow keys step through the buttons of a node of
 * class `enlarge-group`.
 */
export function enlargeButton(size, draw, width, caption, attributes = {}) {
  const button = element(
    "button",
    { type: "button", class: "zoom", "aria-haspopup": "dialog", ...attributes },
    draw(width, "lazy"),
  );
  enlarged.set(button, { size, draw, caption });
  button.addEventListener("click", () => openEnlarged(button));
  return button;
}

function openEnlarged(button) {
  const { size, draw, caption } = enlarged.get(button);
  const width = fittingWidth(size, innerWidth * 0.92, innerHeight * 0.74);
  const all = [...button.closest(".enlarge-group").querySelectorAll("button.zoom")];
  const at = all.indexOf(button);
  const stepButton = (offset, label, arrow) => {
    const other = all[at + offset];
    const step = element(
      "button",
      { type: "button", class: "step", "aria-label": label, ...(other ? {} : { disabled: "" }) },
      arrow,
    );
    step.addEventListener("click", () => openEnlarged(other));
    return step;
  };
  const close = element(
    "button",
    { type: "button", class: "step", "aria-label": "Close" },
    "\u00d7",
  );
  close.addEventListener("click", () => enlargedDialog.close());
  enlargedDialog.replaceChildren(
    element("figure", {}, draw(width, "eager"), element("figcaption", {}, caption())),
    element(
      "div",
      { class: "steps" },
      all.length > 1
        ? [stepButton(-1, "Previous picture", "\u2190"), stepButton(1, "Next picture", "\u2192")]
        : null,
      close,
    ),
  );
  if (!enlargedDialog.open) enlargedDialog.showModal();
  close.focus();
  enlargedDialog.onclose = () => button.focus({ preventScroll: true });
  enlargedDialog.onkeydown = (event) => {
    const offset = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (offset && all[at + offset]) openEnlarged(all[at + offset]);
  };
}

enlargedDialog.addEventListener("click", (event) => {
  if (event.target === enlargedDialog) enlargedDialog.close(); // a click on the backdrop
});
