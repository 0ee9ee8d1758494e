"use strict";

const zoomDialog = document.getElementById("zoom");
const zooms = new WeakMap(); // of each button: its picture and what is told of it

/** Picture that a click enlarges; `told` gives the nodes of the caption. */
function zoomable(figure, width, alt, told) {
  const button = element("button", { type: "button", class: "zoom", "aria-haspopup": "dialog" }, pictureOf(figure, width, alt));
  zooms.set(button, { figure, alt, told });
  button.addEventListener("click", () => openZoom(button));
  return button;
}

/** Width at which a picture fits into a box, a whole multiple of its pixels if it can be. */
function fittingWidth([, width, height], across, down) {
  const scale = Math.min(across / width, down / height);
  return width * (scale > 1 ? Math.floor(scale) : scale);
}

function openZoom(button) {
  const { figure, alt, told } = zooms.get(button);
  const width = fittingWidth(figure, innerWidth * 0.92, innerHeight * 0.74);
  const all = [...button.closest("#section").querySelectorAll("button.zoom")];
  const at = all.indexOf(button);
  const go = (by, label, arrow) => {
    const other = all[at + by];
    const step = element("button", { type: "button", class: "step", "aria-label": label, ...(other ? {} : { disabled: "" }) }, arrow);
    step.addEventListener("click", () => openZoom(other));
    return step;
  };
  const close = element("button", { type: "button", class: "step", "aria-label": "Close" }, "\u00d7");
  close.addEventListener("click", () => zoomDialog.close());
  zoomDialog.replaceChildren(
    element("figure", {}, pictureOf(figure, width, alt, "eager"), element("figcaption", {}, told())),
    element("div", { class: "steps" }, go(-1, "Previous picture", "\u2190"), go(1, "Next picture", "\u2192"), close),
  );
  if (!zoomDialog.open) zoomDialog.showModal();
  close.focus();
  zoomDialog.onclose = () => button.focus({ preventScroll: true });
  zoomDialog.onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && all[at + by]) openZoom(all[at + by]);
  };
}

zoomDialog.addEventListener("click", (event) => {
  if (event.target === zoomDialog) zoomDialog.close(); // a click beside the picture
});
