// The dialog that adds units to a named list, or removes them, and the one that renames a list.

import { buttonOf, element } from "../shared/dom.js";
import { showMessage } from "../shared/message.js";
import { counted } from "../shared/text.js";
import { LABELS, nameProblem } from "../state/saved/label-file.js";
import { unitLists } from "../state/saved/unit-lists.js";
import { view } from "../state/view.js";

const dialog = element("dialog", { class: "dialog", "aria-labelledby": "list-title" });
document.body.append(dialog);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // a click on the backdrop
});

/** Show a message about lists, with what is wrong with the storage, and a way back. */
export function listMessage(text, undo) {
  const warning = unitLists.warning ? ` ${unitLists.warning}` : "";
  showMessage(
    text + warning,
    undo
      ? buttonOf("Undo", "plain undo", () => {
          undo();
          showMessage("Restored");
        })
      : null,
  );
}

/** Ask for a list that units are added to; a list that has all of them removes them. */
export function chooseList(addresses, what) {
  const lists = unitLists.entries();
  const choices = lists.map(([name, held]) => {
    const known = new Set(held);
    const hasAll = addresses.every((address) => known.has(address));
    const choose = () => {
      dialog.close();
      if (hasAll) remove(name, addresses, what);
      else add(name, addresses, what);
    };
    return element(
      "li",
      {},
      buttonOf(
        [
          element("bdi", {}, name),
          element("span", { class: "quiet" }, counted(held.length, "unit")),
        ],
        "button",
        choose,
        { "aria-pressed": String(hasAll) },
      ),
    );
  });
  show(
    [`Add `, element("bdi", {}, what), " to a list"],
    [
      choices.length ? element("ul", {}, choices) : null,
      nameForm(choices.length ? "New list" : "Name of the list", "", "Create", (name) =>
        add(name, addresses, what),
      ),
    ],
  );
}

/** Ask for another name of a list. */
export function renameList(name) {
  show(
    ["Rename \u201c", element("bdi", {}, name), "\u201d"],
    nameForm("Name of the list", name, "Rename", (changed) => {
      if (changed === name) return;
      const { kind, list } = view.state();
      unitLists.rename(name, changed);
      if (list === name)
        view.replace({ ...(kind === "labels" ? { page: kind } : {}), list: changed });
      listMessage(`\u201c${name}\u201d is now \u201c${changed}\u201d`, null);
    }),
  );
}

function show(title, content) {
  dialog.replaceChildren(
    element("h2", { id: "list-title" }, title),
    element("div", {}, content),
    buttonOf("Cancel", "button", () => dialog.close()),
  );
  dialog.showModal();
  dialog.querySelector("ul button, input").focus();
}

/** A text box for the name of a list that does not exist yet. */
function nameForm(label, name, action, done) {
  const input = element("input", {
    type: "text",
    id: "list-name",
    value: name,
    autocomplete: "off",
    dir: "auto",
    maxlength: LABELS.longestName,
    "aria-describedby": "list-problem",
  });
  const problem = element("p", { id: "list-problem", class: "problem", role: "alert" });
  const form = element(
    "form",
    {},
    element("label", { for: "list-name" }, label),
    element("div", {}, input, element("button", { type: "submit", class: "button" }, action)),
    problem,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = input.value.trim();
    const isTaken = wanted !== name && unitLists.has(wanted);
    const text = nameProblem(wanted) ?? (isTaken ? `there is a list \u201c${wanted}\u201d` : null);
    if (text) {
      problem.replaceChildren(`${text[0].toUpperCase()}${text.slice(1)}.`);
      input.focus();
      return;
    }
    dialog.close();
    done(wanted);
  });
  return form;
}

function add(name, addresses, what) {
  const held = unitLists.get(name) ?? [];
  const undo = unitLists.change([name, [...new Set([...held, ...addresses])]]);
  listMessage(`${what} added to \u201c${name}\u201d`, undo);
}

function remove(name, addresses, what) {
  const gone = new Set(addresses);
  const held = unitLists.get(name);
  const undo = unitLists.change([name, held.filter((address) => !gone.has(address))]);
  listMessage(`${what} removed from \u201c${name}\u201d`, undo);
}
