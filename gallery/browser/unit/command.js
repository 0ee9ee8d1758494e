import { buttonOf, element } from "../shared/dom.js";
import { copyText } from "../shared/message.js";

/** The command that renders the pictures again, with a button that copies it. */
export function commandBlock(command) {
  if (command === null) {
    return element(
      "p",
      { class: "notice" },
      "No command: a name in this store cannot be pasted into a shell safely.",
    );
  }
  // Lines break between words only, not after the hyphens of an option.
  const words = command.split(" ").flatMap((word) => [" ", element("span", {}, word)]);
  const code = element("code", {}, words.slice(1));
  const copy = buttonOf("Copy command", "copy-command", () => copyText(command, "Command", code));
  return element(
    "div",
    { class: "command" },
    element("h3", {}, "Reproduce"),
    element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, code),
    copy,
  );
}
