// The bar of pinned units at the bottom of the page.

import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { pins } from "../state/saved/pins.js";
import { thumbnail } from "../state/thumbnails.js";
import { unitTable } from "../state/unit-table.js";
import { focusShown, view } from "../state/view.js";
import { chooseList } from "./list-dialog.js";

/** The bar, hidden while no unit is pinned. */
export const pinnedBar = element("aside", {
  class: "pinned-bar",
  "aria-label": "Pinned units",
  hidden: "",
});

function fillBar() {
  const addresses = pins.list();
  const focused = document.activeElement?.closest(".pinned-bar button[data-index]")?.dataset.index;
  pinnedBar.hidden = addresses.length === 0;
  document.body.classList.toggle("has-pins", addresses.length > 0);
  pinnedBar.replaceChildren(
    element(
      "ul",
      { tabindex: "-1" },
      addresses.map((address, index) =>
        element(
          "li",
          {},
          pinnedLink(address),
          buttonOf(icon("cross"), "pin-remove", () => pins.toggle(address), {
            "aria-label": `Unpin ${address}`,
            "data-index": index,
          }),
        ),
      ),
    ),
    element(
      "div",
      { class: "pin-actions" },
      addresses.length > 1
        ? element("a", { class: "button" }, `Compare ${addresses.length}`)
        : element("span", { class: "quiet" }, "Pin another unit to compare"),
      buttonOf("Add to list", "plain", () =>
        chooseList(pins.list(), counted(pins.list().length, "pinned unit")),
      ),
      buttonOf("Unpin all", "plain", () => {
        pins.replace([]);
        showMessage("All units unpinned");
        focusShown();
      }),
    ),
  );
  updateLinks();
  if (focused === undefined) return;
  // The button with the focus was removed: focus the one that replaced it.
  const next =
    pinnedBar.querySelectorAll("button[data-index]")[Math.min(focused, addresses.length - 1)];
  if (next) next.focus();
  else focusShown();
}

/** Update the links for the current view. */
function updateLinks() {
  for (const link of pinnedBar.querySelectorAll("a"))
    link.setAttribute("href", view.link(link.title ? { unit: link.title } : { pins: pins.list() }));
}

function pinnedLink(address) {
  const index = unitTable.find(address);
  return element(
    "a",
    { title: address, "aria-label": index < 0 ? address : unitTable.description(index) },
    index < 0 ? element("span", { class: "pin-none" }, "?") : thumbnail(index, 48),
  );
}

document.body.append(pinnedBar);
document.addEventListener("pins", fillBar);
document.addEventListener("view", updateLinks);
fillBar();
