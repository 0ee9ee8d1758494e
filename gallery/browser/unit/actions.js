// Actions on a unit: label, favorite, pin, copy link.

import { chooseList } from "../marks/list-dialog.js";
import { listHash } from "../marks/list-tools.js";
import { unitHash } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { copyText, showMessage } from "../shared/message.js";
import { LABELS } from "../state/saved/label-file.js";
import { labels } from "../state/saved/labels.js";
import { pins } from "../state/saved/pins.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { pageContainer } from "../state/view.js";

/** The action bar below the address. It updates when labels or pins change. */
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
  const favorite = buttonOf([icon("star"), "Favorite"], "button favorite", () =>
    toggleFavorite(address),
  );
  const pin = buttonOf([icon("pin"), "Pin"], "button pin", () => pins.toggle(address));
  const lists = buttonOf([icon("list"), "Add to list"], "button to-list", () =>
    chooseList([address], address),
  );
  const listed = element("p", { class: "in-lists quiet", hidden: "" });
  const shown = element("code", { class: "link-text", hidden: "" }, linkTo(address));
  const link = buttonOf([icon("link"), "Copy link"], "button copy-link", () =>
    copyText(linkTo(address), "Link", shown),
  );
  const bar = element(
    "div",
    { class: "unit-tools of-one" },
    input,
    favorite,
    pin,
    lists,
    link,
    shown,
    listed,
    element("p", { class: "storage-warning quiet", hidden: "" }),
  );
  const fill = () => {
    const entry = labels.get(address);
    if (document.activeElement !== input) input.value = entry.label;
    favorite.setAttribute("aria-pressed", entry.favorite);
    pin.setAttribute("aria-pressed", pins.has(address));
    const names = unitLists.of(address);
    listed.hidden = !names.length;
    listed.replaceChildren(
      names.length === 1 ? "In the list " : "In the lists ",
      ...names.flatMap((name, i) => [
        i ? ", " : "",
        element("a", { href: listHash(name) }, element("bdi", {}, name)),
      ]),
    );
    const warning = labels.warning ?? unitLists.warning;
    bar.lastChild.hidden = !warning;
    bar.lastChild.textContent = warning ?? "";
  };
  input.addEventListener("blur", () => setLabel(address, input.value));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") input.value = labels.get(address).label;
    if (event.key === "Enter" || event.key === "Escape") {
      event.stopPropagation(); // Escape leaves the text box, not the page
      input.blur();
      pageContainer.querySelector("h1").focus({ preventScroll: true });
    }
  });
  bar.refill = fill;
  fill();
  return bar;
}

/** Link to a unit, without the state of the list. */
const linkTo = (address) => location.href.split("#")[0] + unitHash(address);

function setLabel(address, text) {
  if (text.trim() === labels.get(address).label) return;
  labels.set(address, { label: text });
  showMessage(text.trim() ? "Label saved" : "Label removed");
}

/** Add a unit to the favorites, or remove it. */
export function toggleFavorite(address) {
  const favorite = !labels.get(address).favorite;
  labels.set(address, { favorite });
  showMessage(favorite ? `${address} added to favorites` : `${address} removed from favorites`);
}

for (const change of ["labels", "pins", "lists"])
  document.addEventListener(change, () =>
    pageContainer.querySelector(".unit-tools.of-one")?.refill(),
  );
