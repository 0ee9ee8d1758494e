// Keyboard shortcuts, and the dialog that lists them.

import { element } from "./dom.js";
import { settings } from "./settings.js";

const KEY_NAMES = {
  ArrowLeft: "\u2190",
  ArrowRight: "\u2192",
  ArrowUp: "\u2191",
  ArrowDown: "\u2193",
  Escape: "Esc",
  PageUp: "Page up",
  PageDown: "Page down",
};

const KEY_GROUPS = ["List", "Unit", "Anywhere"]; // in this order, before others

class Keys {
  constructor() {
    this.entries = [];
    this.dialog = element("dialog", { class: "keys", "aria-labelledby": "keys-title" });
    document.body.append(this.dialog);
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // a click on the backdrop
    });
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** Add a key. `action` runs when it is pressed and `when` returns true; null only documents the key. */
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
    if ([...event.key].length === 1 && !settings.get("shortcuts")) return; // WCAG 2.1, 2.1.4
    const entry = this.entries.find(
      ({ key, action, when }) => key === event.key && action && when(),
    );
    if (!entry) return;
    event.preventDefault();
    entry.action(event);
  }

  /** Show the dialog of all keys, by group. */
  show() {
    const groups = Map.groupBy(this.entries, ({ group }) => group);
    const shown = [...KEY_GROUPS, ...groups.keys()].filter(
      (group, index, all) => groups.has(group) && all.indexOf(group) === index,
    );
    const single = element("input", { type: "checkbox", id: "single-keys" });
    single.checked = settings.get("shortcuts");
    single.addEventListener("change", () => settings.set("shortcuts", single.checked));
    const close = element("button", { type: "button" }, "Close");
    close.addEventListener("click", () => this.dialog.close());
    this.dialog.replaceChildren(
      element("h2", { id: "keys-title" }, "Keyboard shortcuts"),
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
      element("label", {}, single, " Shortcuts of a single letter, digit or sign"),
      close,
    );
    this.dialog.showModal();
    close.focus();
  }
}

/** Keys with descriptions; keys with the same description share a line. */
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

/** Whether a node takes keyboard input. */
const isTyping = (node) =>
  node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);

/** The keys of the page. */
export const keys = new Keys();
keys.add("Anywhere", "?", "Show keyboard shortcuts", () => keys.show());
