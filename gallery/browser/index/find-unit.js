// Search for units in all models.

import { unitHash } from "../shared/address-links.js";
import { element } from "../shared/dom.js";
import { addressHas, counted, foldedText } from "../shared/text.js";
import { data } from "../state/data.js";

const unitLists = new Map(); // promise of {sites, suffixes, headlines} by page

/** Load a data script. Scripts of all models assign the same names, so load one at a time. */
function loadScript(src) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src });
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(script.src)));
    document.head.append(script);
  });
}

/** Layers of a model; the address suffixes and headlines of its units. */
function unitsOf({ page, folder }) {
  if (!unitLists.has(page)) {
    unitLists.set(
      page,
      (async () => {
        await loadScript(`${folder}/model.js`);
        await loadScript(`${folder}/units.js`);
        return { sites: data.model.sites, ...data.units };
      })(),
    );
  }
  return unitLists.get(page);
}

/** Predicate on an address and a headline: whether either contains each word of a text. */
function matcher(text) {
  const words = foldedText(text).split(/\s+/);
  return (address, headline) => {
    const [name, line] = [address.toLowerCase(), foldedText(headline)];
    return words.every((word) => addressHas(name, word) || line.includes(word));
  };
}

/** The units of a model that match a text: the one with this address, or all others. */
function matches({ sites, suffixes, headlines }, text) {
  const isMatch = matcher(text);
  const found = [];
  let index = 0;
  for (const { name, count } of sites) {
    for (const end = index + count; index < end; index += 1) {
      const address = name + suffixes[index];
      if (address === text) return [address];
      if (isMatch(address, headlines[index] ?? "")) found.push(address);
    }
  }
  return found;
}

const addressInput = document.getElementById("find-unit-address");

const result = document.getElementById("find-unit-result");

const SHOWN = 8; // units of a model that are listed

/** The units found in a model, as links; null if there are none. */
function foundUnits({ page, name }, found) {
  if (!found.length) return null;
  const rest = found.length - SHOWN;
  return element(
    "li",
    {},
    element("b", {}, name),
    `: ${counted(found.length, "unit")} `,
    found
      .slice(0, SHOWN)
      .map((address) => [element("a", { href: `${page}${unitHash(address)}` }, address), " "]),
    rest > 0 ? `and ${rest.toLocaleString("en")} more` : null,
  );
}

async function findUnit() {
  const text = addressInput.value.trim();
  if (!text) return;
  result.replaceChildren("Searching\u2026");
  try {
    const found = [];
    for (const model of data.models)
      if (model.units) found.push([model, matches(await unitsOf(model), text)]);
    const items = found.map(([model, units]) => foundUnits(model, units)).filter(Boolean);
    const links = items.flatMap((item) => [...item.querySelectorAll("a")]);
    result.replaceChildren(
      ...(items.length
        ? [element("ul", {}, items)]
        : ["No unit of any model matches ", element("bdi", {}, text), "."]),
    );
    if (links.length === 1) links[0].click();
  } catch (error) {
    result.replaceChildren(`A file of this gallery is missing: ${error.message}`);
  }
}

/** Show the search box, if there are units. */
export function initUnitSearch() {
  document.getElementById("find-unit-button").addEventListener("click", findUnit);
  addressInput.addEventListener("keydown", (event) => {
    if (event.key === "Enter") findUnit();
  });
  document.getElementById("find-unit").hidden = !data.models.some((model) => model.units);
}
