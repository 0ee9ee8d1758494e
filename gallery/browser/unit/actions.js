// What a reader does with a unit: label it, make it a favourite, pin it, copy its link.

import { unitHash } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { copyText, showMessage } from "../shared/message.js";
import { LABELS } from "../state/label-file.js";
import { labels } from "../state/labels.js";
import { pins } from "../state/pins.js";
import { pagePlace } from "../state/view.js";

/** The bar below the address. It follows changes that are made elsewhere. */
export function unitActions(unit) {
  const { address } = unit;
  const input = element("input", {
    type: "text",
    class: "label-input",
    maxlength: LABELS.longest,
    placeholder: "Add a label",
    "aria-label": "Label",
    autocomplete: "off",
    dir: "auto",
  });
  const favourite = buttonOf([icon("star"), "Favourite"], "button favourite", () =>
    setFavourite(address),
  );
  const pin = buttonOf([icon("pin"), "Pin"], "button pin", () => pins.toggle(address));
  const shown = element("code", { class: "link-text", hidden: "" }, linkTo(address));
  const link = buttonOf([icon("link"), "Copy link"], "button copy-link", () =>
    copyText(linkTo(address), "Link", shown),
  );
  const bar = element(
    "div",
    { class: "unit-tools of-one" },
    input,
    favourite,
    pin,
    link,
    shown,
    element("p", { class: "label-trouble quiet", hidden: "" }),
  );
  const fill = () => {
    const entry = labels.get(address);
    if (document.activeElement !== input) input.value = entry.label;
    favourite.setAttribute("aria-pressed", entry.favourite);
    pin.setAttribute("aria-pressed", pins.has(address));
    bar.lastChild.hidden = !labels.trouble;
    bar.lastChild.textContent = labels.trouble ?? "";
  };
  input.addEventListener("blur", () => setLabel(address, input.value));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") input.value = labels.get(address).label;
    if (event.key === "Enter" || event.key === "Escape") {
      event.stopPropagation(); // Escape leaves the label, not the page
      input.blur();
      pagePlace.querySelector("h1").focus({ preventScroll: true });
    }
  });
  bar.refill = fill;
  fill();
  return bar;
}

/** Address that opens a unit in another browser: this page's, with the unit alone behind it. */
const linkTo = (address) => location.href.split("#")[0] + unitHash(address);

function setLabel(address, text) {
  if (text.trim() === labels.get(address).label) return;
  labels.set(address, { label: text });
  showMessage(text.trim() ? "Label saved" : "Label removed");
}

/** Make a unit a favourite, or no longer. */
export function setFavourite(address) {
  const favourite = !labels.get(address).favourite;
  labels.set(address, { favourite });
  showMessage(favourite ? `${address} is a favourite` : `${address} is no longer a favourite`);
}

for (const change of ["labels", "pins"])
  document.addEventListener(change, () => pagePlace.querySelector(".unit-tools.of-one")?.refill());
