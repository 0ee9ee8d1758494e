// How a picture was made: the optimization, the command and the settings.

import { activationFigure } from "../charts/activation.js";
import { buttonOf, element } from "../shared/dom.js";
import { copyText } from "../shared/message.js";
import { settingsTable } from "../shared/tables.js";
import { model } from "../state/model.js";
import { byActivation } from "./pictures.js";

/** The command that renders the pictures again, with a button that copies it. */
function commandBlock(command) {
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
  const copy = buttonOf("Copy command", "button copy-command", (button) => {
    button.closest(".how-made").open = true; // the key works while it is folded
    copyText(command, "Command", code);
  });
  return element(
    "div",
    { class: "command" },
    element("h3", {}, "Reproduce"),
    element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, code),
    copy,
  );
}

/** How the pictures of a configuration were made, folded unless `open`; null for natural images. */
export function howMade(render, { activation, trajectory, command }, open) {
  if (render.image !== null) return null;
  return element(
    "details",
    { class: "how-made", ...(open ? { open: "" } : {}) },
    element("summary", {}, element("h2", {}, "How it was made")),
    element(
      "div",
      {},
      activationFigure(byActivation(activation).map((sample) => trajectory[sample])),
      element("div", {}, commandBlock(command), settingsTable(model.groups[render.group].settings)),
    ),
  );
}
