// Search for a unit in all models.

import { unitHash } from "../shared/address-links.js";
import { data } from "../shared/data.js";
import { element } from "../shared/dom.js";
import { counted } from "../shared/text.js";

const unitLists = new Map(); // promise of {sites, suffixes} by page

/** Load a data script. Scripts of all models assign the same names, so load one at a time. */
function loadScript(src) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src });
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(script.src)));
    document.head.append(script);
  });
}

/** Layers of a model, and the address suffixes of its units. */
function unitsOf({ page, folder }) {
  if (!unitLists.has(page)) {
    unitLists.set(
      page,
      (async () => {
        await loadScript(`${folder}/model.js`);
        await loadScript(`${folder}/units.js`);
        return { sites: data.model.sites, suffixes: data.units.suffixes };
      })(),
    );
  }
  return unitLists.get(page);
}

function hasUnit({ sites, suffixes }, address) {
  let offset = 0;
  return sites.some(({ name, count }) => {
    offset += count;
    return (
      address.startsWith(name) &&
      suffixes.slice(offset - count, offset).includes(address.slice(name.length))
    );
  });
}

/** Models with a unit at an address. */
async function modelsWith(address) {
  const found = [];
  for (const model of data.models) {
    if (model.units && hasUnit(await unitsOf(model), address)) found.push(model);
  }
  return found;
}

const addressInput = document.getElementById("find-unit-address");

const result = document.getElementById("find-unit-result");

async function findUnit() {
  const address = addressInput.value.trim();
  if (!address) return;
  result.replaceChildren("Searching\u2026");
  try {
    const links = (await modelsWith(address)).map(({ page, name }) =>
      element("a", { href: `${page}${unitHash(address)}` }, name),
    );
    if (links.length === 1) links[0].click();
    result.replaceChildren(
      ...(links.length
        ? [`${counted(links.length, "model")}: `, ...links.flatMap((link) => [link, " "])]
        : ["No model has a unit ", element("bdi", {}, address), "."]),
    );
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
