"use strict";

// The tray of pinned units at the foot of the page, and the buttons on the cell under the pointer.

const pinTray = element("aside", { class: "pin-tray", "aria-label": "Pinned units", hidden: "" });

function fillTray() {
  const addresses = pins.list();
  const asked = document.activeElement?.closest(".pin-tray button[data-place]")?.dataset.place;
  pinTray.hidden = addresses.length === 0;
  document.body.classList.toggle("has-pins", addresses.length > 0);
  pinTray.replaceChildren(
    element("ul", { tabindex: "-1" }, addresses.map((address, place) => element("li", {}, trayLink(address), buttonOf(icon("cross"), "pin-remove", () => pins.toggle(address), { "aria-label": `Unpin ${address}`, "data-place": place })))),
    element(
      "div",
      { class: "pin-actions" },
      addresses.length > 1 ? element("a", { class: "button" }, `Compare ${addresses.length}`) : element("span", { class: "quiet" }, "Pin another to compare"),
      buttonOf("Unpin all", "plain", () => {
        pins.replace([]);
        say("Nothing is pinned");
        focusShown();
      }),
    ),
  );
  leadTray();
  if (asked === undefined) return;
  // The button that was pressed is gone: the keyboard goes to the one in its place.
  const next = pinTray.querySelectorAll("button[data-place]")[Math.min(asked, addresses.length - 1)];
  if (next) next.focus();
  else focusShown();
}

/** Let the links lead on from the present view. */
function leadTray() {
  for (const link of pinTray.querySelectorAll("a")) link.setAttribute("href", view.link(link.title ? { unit: link.title } : { pins: pins.list() }));
}

function trayLink(address) {
  const number = catalogue.find(address);
  return element("a", { title: address, "aria-label": address }, number < 0 ? element("span", { class: "pin-none" }, "?") : spriteNode(number, 48));
}

// One pair of buttons goes to the cell under the pointer: none are in the grid's own nodes.
const cellTools = element("div", { class: "cell-tools", hidden: "" });
let toolsOf = null; // the cell that they lie on

/** Address of the unit that a cell leads to; null if it is no cell. */
function cellAddress(node) {
  const [, part] = /^#unit=([^&]*)/s.exec(node?.closest?.("a.cell")?.hash ?? "") ?? [];
  return part === undefined ? null : plainText(part);
}

function fillTools() {
  const address = cellAddress(toolsOf);
  cellTools.hidden = address === null;
  if (address === null) return;
  const { favourite } = labels.get(address);
  const pinned = pins.has(address);
  cellTools.replaceChildren(
    buttonOf(icon("star"), "cell-tool", () => labels.set(address, { favourite: !favourite }), { tabindex: "-1", "aria-pressed": favourite, "aria-label": `Favourite ${address}`, title: "Favourite (f)" }),
    buttonOf(icon("pin"), "cell-tool", () => pins.toggle(address), { tabindex: "-1", "aria-pressed": pinned, "aria-label": `Pin ${address}`, title: "Pin to compare (p)" }),
  );
  const box = toolsOf.getBoundingClientRect();
  cellTools.style.setProperty("left", `${box.right}px`);
  cellTools.style.setProperty("top", `${box.top}px`);
}

function moveTools(event) {
  if (event.pointerType !== "mouse" || cellTools.contains(event.target)) return;
  const cell = event.target.closest?.("a.cell") ?? null;
  if (cell === toolsOf) return;
  toolsOf = cell;
  fillTools();
}

function leaveCell() {
  toolsOf = null;
  cellTools.hidden = true;
}

document.body.append(cellTools, pinTray);
document.addEventListener("pointerover", moveTools);
addEventListener("scroll", leaveCell, { passive: true });
document.addEventListener("view", leaveCell);
for (const change of ["pins", "labels"]) document.addEventListener(change, fillTools);
document.addEventListener("pins", fillTray);
document.addEventListener("view", leadTray);
fillTray();
