// All keys of the page, in one table, which the key ? shows.

import { element } from "./dom.js";

const KEY_NAMES = {
  ArrowLeft: "\u2190",
  ArrowRight: "\u2192",
  ArrowUp: "\u2191",
  ArrowDown: "\u2193",
  Escape: "Esc",
  PageUp: "Page up",
  PageDown: "Page down",
};

const KEY_GROUPS = ["List", "Unit", "Anywhere"]; // those that come first

class Keys {
  constructor() {
    this.entries = [];
    this.dialog = element("dialog", { class: "keys", "aria-labelledby": "keys-title" });
    document.body.append(this.dialog);
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // a click beside it
    });
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** Name a key; `action` runs when it is pressed while `when` holds. Without one the browser acts. */
  add(group, key, description, action = null, when = () => true) {
    this.entries.push({ group, key, description, action, when });
  }

  press(event) {
    if (
      event.defaultPrevented ||
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      isTyping(event.target)
    )
      return;
    if (document.querySelector("dialog[open]")) return;
    const entry = this.entries.find(
      ({ key, action, when }) => key === event.key && action && when(),
    );
    if (!entry) return;
    event.preventDefault();
    entry.action(event);
  }

  /** Show every key, by group. */
  show() {
    const groups = Map.groupBy(this.entries, ({ group }) => group);
    const shown = [...KEY_GROUPS, ...groups.keys()].filter(
      (group, place, all) => groups.has(group) && all.indexOf(group) === place,
    );
    const close = element("button", { type: "button" }, "Close");
    close.addEventListener("click", () => this.dialog.close());
    this.dialog.replaceChildren(
      element("h2", { id: "keys-title" }, "Keys"),
      element(
        "div",
        { class: "key-groups", tabindex: "0", role: "group", "aria-labelledby": "keys-title" },
        shown.map((group) =>
          element(
            "section",
            {},
            element("h3", {}, group),
            element("dl", {}, keyRows(groups.get(group))),
          ),
        ),
      ),
      close,
    );
    this.dialog.showModal();
    close.focus();
  }
}

/** Keys with their descriptions; keys that do the same stand on one line. */
function keyRows(entries) {
  const rows = Map.groupBy(entries, ({ description }) => description);
  return [...rows].map(([description, same]) => [
    element(
      "dt",
      {},
      same.map(({ key }) => element("kbd", {}, KEY_NAMES[key] ?? key)),
    ),
    element("dd", {}, description),
  ]);
}

/** Whether a key goes into a text or a choice. */
const isTyping = (node) =>
  node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);

/** The keys of the page. */
export const keys = new Keys();
keys.add("Anywhere", "?", "Show the keys", () => keys.show());
