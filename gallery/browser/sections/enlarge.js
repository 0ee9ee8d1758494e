// Pictures that open enlarged in a dialog.

import { element } from "../shared/dom.js";
import { fittingWidth } from "../shared/picture-size.js";
import { pictureOf } from "./figures.js";

/** The dialog that shows an enlarged picture. */
export const enlargedDialog = document.getElementById("zoom");

const enlarged = new WeakMap(); // picture and caption of each button

/** A button with a picture that it enlarges; `caption` makes the nodes of the caption. */
export function enlargeable(figure, width, alt, caption) {
  const button = element(
    "button",
    { type: "button", class: "zoom", "aria-haspopup": "dialog" },
    pictureOf(figure, width, alt),
  );
  enlarged.set(button, { figure, alt, caption });
  button.addEventListener("click", () => openEnlarged(button));
  return button;
}

function openEnlarged(button) {
  const { figure, alt, caption } = enlarged.get(button);
  const width = fittingWidth(figure, innerWidth * 0.92, innerHeight * 0.74);
  const all = [...button.closest("#section").querySelectorAll("button.zoom")];
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
    element(
      "figure",
      {},
      pictureOf(figure, width, alt, "eager"),
      element("figcaption", {}, caption()),
    ),
    element(
      "div",
      { class: "steps" },
      stepButton(-1, "Previous picture", "\u2190"),
      stepButton(1, "Next picture", "\u2192"),
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
