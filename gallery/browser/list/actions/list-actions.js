// What can be done with the current list: copy its link, add it to a named list, download it.

import { chooseList } from "../../marks/list-dialog.js";
import { listTools } from "../../marks/list-tools.js";
import { buttonOf, element } from "../../shared/dom.js";
import { copyText } from "../../shared/message.js";
import { counted } from "../../shared/text.js";
import { unitLists } from "../../state/saved/unit-lists.js";
import { unitTable } from "../../state/unit-table.js";
import { view } from "../../state/view.js";
import { downloadList } from "./download.js";

/** The buttons at the end of the line with the number of units. */
export class ListActions {
  constructor() {
    this.link = element("code", { class: "list-link", hidden: "" });
    this.named = element("span", { class: "named" });
    this.adding = buttonOf("Add to list", "plain", () => this.add());
    const save = (type, name) =>
      buttonOf(name, "plain", () => downloadList(type), { "aria-label": `Download as ${name}` });
    // One stop of the tab key; the arrow keys move between the buttons.
    this.node = element(
      "span",
      { class: "list-actions", role: "toolbar", "aria-label": "This list" },
      this.named,
      buttonOf("Copy link", "plain", () => this.copyLink()),
      this.adding,
      element(
        "span",
        { role: "group", "aria-label": "Download this list" },
        "Download ",
        save("csv", "CSV"),
        save("json", "JSON"),
      ),
      this.link,
    );
    this.node.addEventListener("keydown", (event) => this.press(event));
    this.node.addEventListener("focusin", ({ target }) => this.stopAt(target));
  }

  press(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const buttons = this.buttons();
    const at = buttons.indexOf(event.target);
    if (!step || at < 0) return;
    buttons[(at + step + buttons.length) % buttons.length].focus();
    event.preventDefault();
  }

  buttons() {
    return [...this.node.querySelectorAll("button:not(:disabled)")];
  }

  /** Let the tab key stop at one of the buttons only. */
  stopAt(button) {
    for (const each of this.buttons()) each.tabIndex = each === button ? 0 : -1;
  }

  copyLink() {
    const { list } = view.state();
    this.link.replaceChildren(location.href);
    const isOwn = list !== null && !unitLists.isExported(list);
    copyText(
      location.href,
      "Link",
      this.link,
      isOwn ? "The list itself is in this browser only: send its file, too" : "",
    );
  }

  /** Add all units that are shown to a list. */
  add() {
    const units = [...unitTable.order(view.state())];
    if (!units.length) return;
    chooseList(
      units.map((i) => unitTable.address(i)),
      counted(units.length, "unit"),
    );
  }

  update({ list }, shown) {
    this.link.hidden = true;
    this.adding.disabled = shown === 0;
    const isSame = this.named.dataset.list === (list ?? "");
    this.named.dataset.list = list ?? "";
    if (!isSame) this.named.replaceChildren(...(list === null ? [] : [listTools(list)]));
    const buttons = this.buttons();
    this.stopAt(buttons.find((each) => each === document.activeElement) ?? buttons[0]);
  }
}
