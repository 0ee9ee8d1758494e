// Status messages at the bottom of the page, which screen readers announce.

import { element } from "./dom.js";

const line = element("p", { class: "message", role: "status" });
document.body.append(line);

let hideTimer = 0;

/** Show a message for a time that depends on its length, with an optional button. */
export function showMessage(text, button = null) {
  clearTimeout(hideTimer);
  line.replaceChildren(text, ...(button ? [" ", button] : []));
  hideTimer = setTimeout(
    () => line.replaceChildren(),
    4000 + 60 * text.length + (button ? 12000 : 0),
  );
}

/** Copy a text to the clipboard; if the browser refuses, select the node that shows it. */
export async function copyText(text, what, shown) {
  try {
    await navigator.clipboard.writeText(text);
    showMessage(`${what} copied`);
  } catch {
    shown.hidden = false;
    getSelection().selectAllChildren(shown);
    showMessage(`${what} selected; press Ctrl+C to copy it`);
  }
}

/** Message for a data script that is missing or invalid. */
export const missingFile = (error) =>
  element(
    "p",
    { class: "notice" },
    `A file of this gallery is missing or cannot be read: ${error.message}`,
  );
