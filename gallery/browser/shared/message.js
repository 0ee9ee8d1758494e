// What an action has done, shown at the foot of the page and read out by screen readers.

import { element } from "./dom.js";

const line = element("p", { class: "message", role: "status" });
document.body.append(line);

let hideTimer = 0;

/** Tell a message for as long as it takes to read; a button may stand behind it. */
export function showMessage(text, button = null) {
  clearTimeout(hideTimer);
  line.replaceChildren(text, ...(button ? [" ", button] : []));
  hideTimer = setTimeout(
    () => line.replaceChildren(),
    4000 + 60 * text.length + (button ? 12000 : 0),
  );
}

/** Put a text on the clipboard; where the browser refuses, select the node that shows it. */
export async function copyText(text, what, shown) {
  try {
    await navigator.clipboard.writeText(text);
    showMessage(`${what} copied`);
  } catch {
    shown.hidden = false;
    getSelection().selectAllChildren(shown);
    showMessage(`${what} selected; copy it with the keyboard`);
  }
}

/** What stands in place of something whose script is not there, or assigns nothing. */
export const missingFile = (error) =>
  element(
    "p",
    { class: "notice" },
    `A file of this gallery is missing or cannot be read: ${error.message}`,
  );
