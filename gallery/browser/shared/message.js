// Status messages at the bottom of the page, which screen readers announce.

import { element } from "./dom.js";

const line = element("p", { class: "message", role: "status" });
document.body.append(line);

let hideTimer = 0;
let shownAt = ""; // hash of the view that the message is about

/** Show a message for a time that depends on its length, with an optional button. */
export function showMessage(text, button = null) {
  clearTimeout(hideTimer);
  shownAt = location.hash;
  line.replaceChildren(text, ...(button ? [" ", button] : []));
  hideTimer = setTimeout(
    () => line.replaceChildren(),
    4000 + 60 * text.length + (button ? 12000 : 0),
  );
}

document.addEventListener("view", () => {
  if (location.hash !== shownAt) line.replaceChildren();
});

/** Whether a URL opens on this computer only. */
export const isLocal = (url) =>
  /^(file:|https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])[:/])/.test(url);

/**
 * Copy a text to the clipboard; if the browser refuses, select the node that shows it. `remark` is a
 * sentence for the message, without a full stop.
 */
export async function copyText(text, what, shown, remark = "") {
  const note = [
    ...(isLocal(text) ? ["It opens on this computer only: publish the folder to share it"] : []),
    ...(remark ? [remark] : []),
  ]
    .map((sentence) => `. ${sentence}`)
    .join("");
  try {
    await navigator.clipboard.writeText(text);
    showMessage(`${what} copied${note}`);
  } catch {
    shown.hidden = false;
    getSelection().selectAllChildren(shown);
    showMessage(`${what} selected; press Ctrl+C to copy it${note}`);
  }
}

/** Message for a data script that is missing or invalid. */
export const missingFile = (error) =>
  element(
    "p",
    { class: "notice" },
    `A file of this gallery is missing or cannot be read: ${error.message}`,
  );
