// Code that embeds a picture of a unit in another page: HTML with the picture inside, without scripts.

import { unitHash } from "../shared/address-links.js";
import { buttonOf, element } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { isLocal, showMessage } from "../shared/message.js";
import { wholeWidth } from "../shared/picture-size.js";
import { measured } from "../shared/text.js";
import { model } from "../state/model.js";
import { unitTable } from "../state/unit-table.js";
import { embedCode } from "./embed-code.js";

const WIDTH = 256; // CSS pixels of all pictures together, about

const isFile = location.protocol === "file:";

const dialog = element("dialog", { class: "dialog", "aria-labelledby": "embed-title" });
document.body.append(dialog);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // a click on the backdrop
});

/**
 * A button for the code of the sample that is shown; `shown` returns its `activation` and `pictures`, a
 * list of {src, name, side}: the file, its name when downloaded, and the side of a pair or "".
 */
export const embedButton = (unit, size, shown) =>
  buttonOf([icon("code"), "Embed"], "button embed", () => openDialog(unit, size, shown()), {
    "aria-haspopup": "dialog",
    "aria-label": "Embed code",
  });

async function openDialog(unit, [width, height], { activation, pictures }) {
  const state = element("p", { role: "status" });
  const code = element("textarea", {
    readonly: "",
    rows: 6,
    spellcheck: "false",
    "aria-label": "Embed code",
    hidden: "",
  });
  const copy = buttonOf("Copy embed code", "button", () => copyCode(code, state), { hidden: "" });
  const fill = (urls) => {
    const target = WIDTH / pictures.length;
    const shown = width > target ? Math.min(width, 2 * target) : wholeWidth(width, target);
    code.value = embedCode(
      {
        address: unit.address,
        model: model.name,
        weights: model.weights,
        headline: unitTable.headline(unit.index),
        activation: measured(activation),
        link: isLocal(location.href) ? null : location.href.split("#")[0] + unitHash(unit.address),
      },
      pictures.map(({ side }, i) => ({ side, url: urls[i] })),
      { width: shown, height: Math.round((shown * height) / width), crisp: shown >= 2 * width },
    );
    code.hidden = copy.hidden = false;
    copy.focus();
  };
  const chooser = isFile ? pictureChooser(pictures, state, fill) : null;
  dialog.replaceChildren(
    element(
      "h2",
      { id: "embed-title" },
      "Embed ",
      element("span", { class: "address" }, unit.address),
    ),
    element(
      "p",
      {},
      "HTML with the picture inside. It needs no script and no other file, and has the text color of the page around it.",
    ),
    ...(chooser ? [chooser] : []),
    state,
    code,
    element(
      "div",
      { class: "dialog-actions" },
      copy,
      buttonOf("Close", "button", () => dialog.close()),
    ),
  );
  dialog.ondragover = dialog.ondrop = chooser ? (event) => takeFiles(event, chooser) : null;
  dialog.showModal();
  dialog.querySelector("button").focus();
  if (chooser) return;
  try {
    fill(await Promise.all(pictures.map(({ src }) => fetchedUrl(src))));
  } catch (error) {
    state.replaceChildren(`The picture cannot be read: ${error.message}`);
  }
}

async function copyCode(code, state) {
  try {
    await navigator.clipboard.writeText(code.value);
    dialog.close();
    showMessage(
      `Embed code copied (${Math.ceil(code.value.length / 1024).toLocaleString("en")} KB)`,
    );
  } catch {
    code.select();
    state.replaceChildren("Press Ctrl+C to copy the selected code.");
  }
}

/**
 * A button that asks for the files of the pictures: browsers let a page opened from a file show pictures,
 * but not read them. The name of a file says whether it is the right one.
 */
function pictureChooser(pictures, state, fill) {
  const input = element("input", {
    type: "file",
    accept: "image/*",
    class: "label-chooser",
    tabindex: "-1",
    "aria-hidden": "true",
    ...(pictures.length > 1 ? { multiple: "" } : {}),
  });
  const what = pictures.length > 1 ? "both pictures" : "the picture";
  const take = async (files) => {
    const chosen = pictures.map(({ src, name }) =>
      files.find((file) => file.name === name || file.name === src.split("/").at(-1)),
    );
    if (chosen.includes(undefined)) {
      const names = files.map((file) => file.name).join(", ");
      state.replaceChildren(
        `${names} is not ${what} of this unit: choose ${pictures.map(({ src }) => src).join(" and ")}.`,
      );
      return;
    }
    state.replaceChildren();
    fill(await Promise.all(chosen.map(dataUrl)));
  };
  input.addEventListener("change", () => {
    if (input.files.length) take([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  const node = element(
    "div",
    { class: "notice" },
    element(
      "p",
      {},
      `This page was opened from a file, and browsers let such a page show pictures, but not read them. Choose or drop ${what}: `,
      pictures.map(({ src }, i) => [i ? " and " : "", element("code", {}, src)]),
      ", in the folder of this gallery, or as downloaded. On a web server, such as that of ",
      element("code", { class: "nowrap" }, "featviz gallery --serve"),
      ", no choice is needed.",
    ),
    buttonOf(pictures.length > 1 ? "Choose pictures" : "Choose picture", "button", () =>
      input.click(),
    ),
    input,
  );
  node.take = take;
  return node;
}

/** Take files that are dropped on the dialog. */
function takeFiles(event, chooser) {
  event.preventDefault();
  if (event.type === "drop" && event.dataTransfer.files.length)
    chooser.take([...event.dataTransfer.files]);
}

/** Content of a file of this site as a data URL. */
async function fetchedUrl(src) {
  const response = await fetch(src);
  if (!response.ok) throw new Error(`${src}, status ${response.status}`);
  return dataUrl(await response.blob());
}

/** Content of a picture file as a data URL; the type that a server or a system gives it may be wrong. */
function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(new Blob([blob], { type: `image/${model.pictures}` }));
  });
}
