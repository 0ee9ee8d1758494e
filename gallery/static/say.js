"use strict";

// What an action came to, told to the eye at the foot of the page and to screen readers.

const said = element("p", { class: "said-aloud", role: "status" });
let sayingEnds = 0;
document.body.append(said);

/** Tell a message for as long as it takes to read; a button may stand behind it. */
function say(text, button = null) {
  clearTimeout(sayingEnds);
  said.replaceChildren(text, ...(button ? [" ", button] : []));
  sayingEnds = setTimeout(() => said.replaceChildren(), 4000 + 60 * text.length + (button ? 12000 : 0));
}

/** Put a text on the clipboard; where the browser refuses, select the node that shows it. */
async function copyText(text, what, shown) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    shown.hidden = false;
    getSelection().selectAllChildren(shown);
    say(`${what} selected; copy it with the keyboard`);
  }
}

/** A button with a text, a class and what a click does. */
function buttonOf(text, className, action, attributes = {}) {
  const button = element("button", { type: "button", class: className, ...attributes }, text);
  button.addEventListener("click", () => action(button));
  return button;
}
