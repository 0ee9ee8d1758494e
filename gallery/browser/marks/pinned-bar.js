// The bar of pinned units at the foot of the page.

import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { showMessage } from "../shared/message.js";
import { pins } from "../state/pins.js";
import { smallPicture } from "../state/small-pictures.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, view } from "../state/view.js";

/** The bar, which is hidden while nothing is pinned. */
export const pinnedBar = element("aside", {
  class: "pinned-bar",
  "aria-label": "Pinned units",
  hidden: "",
});

function fillBar() {
  const addresses = pins.list();
  const asked = document.activeElement?.closest(".pinned-bar button[data-place]")?.dataset.place;
  pinnedBar.hidden = addresses.length === 0;
  document.body.classList.toggle("has-pins", addresses.length > 0);
  pinnedBar.replaceChildren(
    element(
      "ul",
      { tabindex: "-1" },
      addresses.map((address, place) =>
        element(
          "li",
          {},
          pinnedLink(address),
          buttonOf(icon("cross"), "pin-remove", () => pins.toggle(address), {
            "aria-label": `Unpin ${address}`,
            "data-place": place,
          }),
        ),
      ),
    ),
    element(
      "div",
      { class: "pin-actions" },
      addresses.length > 1
        ? element("a", { class: "button" }, `Compare ${addresses.length}`)
        : element("span", { class: "quiet" }, "Pin another to compare"),
      buttonOf("Unpin all", "plain", () => {
        pins.replace([]);
        showMessage("Nothing is pinned");
        focusShown();
      }),
    ),
  );
  updateLinks();
  if (asked === undefined) return;
  // The button that was pressed is gone: the keyboard goes to the one in its place.
  const next =
    pinnedBar.querySelectorAll("button[data-place]")[Math.min(asked, addresses.length - 1)];
  if (next) next.focus();
  else focusShown();
}

/** Let the links lead on from the present view. */
function updateLinks() {
  for (const link of pinnedBar.querySelectorAll("a"))
    link.setAttribute("href", view.link(link.title ? { unit: link.title } : { pins: pins.list() }));
}

function pinnedLink(address) {
  const number = unitTable.find(address);
  return element(
    "a",
    { title: address, "aria-label": address },
    number < 0 ? element("span", { class: "pin-none" }, "?") : smallPicture(number, 48),
  );
}

document.body.append(pinnedBar);
document.addEventListener("pins", fillBar);
document.addEventListener("view", updateLinks);
fillBar();
