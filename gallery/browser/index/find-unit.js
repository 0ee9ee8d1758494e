// From an address to the models that have it.

import { unitHash } from "../shared/address-links.js";
import { data } from "../shared/data.js";
import { element } from "../shared/dom.js";
import { counted } from "../shared/text.js";

const unitLists = new Map(); // page -> promise of {sites, tails}

/** Load a script that assigns data; the next one waits for it, for they use the same names. */
function scriptOf(src) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src });
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(script.src)));
    document.head.append(script);
  });
}

/** Layers of a model, and what stands behind their names in its addresses. */
function unitsOf({ page, folder }) {
  if (!unitLists.has(page)) {
    unitLists.set(
      page,
      (async () => {
        await scriptOf(`${folder}/model.js`);
        await scriptOf(`${folder}/units.js`);
        return { sites: data.model.sites, tails: data.units.tails };
      })(),
    );
  }
  return unitLists.get(page);
}

function holds({ sites, tails }, address) {
  let offset = 0;
  return sites.some(({ name, count }) => {
    offset += count;
    return (
      address.startsWith(name) &&
      tails.slice(offset - count, offset).includes(address.slice(name.length))
    );
  });
}

/** Models that have a unit at an address. */
async function modelsWith(address) {
  const found = [];
  for (const model of data.models) {
    if (model.units && holds(await unitsOf(model), address)) found.push(model);
  }
  return found;
}

const addressInput = document.getElementById("jump-address");

const answer = document.getElementById("jump-answer");

async function findUnit() {
  const address = addressInput.value.trim();
  if (!address) return;
  answer.replaceChildren("Looking\u2026");
  try {
    const links = (await modelsWith(address)).map(({ page, name }) =>
      element("a", { href: `${page}${unitHash(address)}` }, name),
    );
    if (links.length === 1) links[0].click();
    answer.replaceChildren(
      ...(links.length
        ? [`${counted(links.length, "model")}: `, ...links.flatMap((link) => [link, " "])]
        : [element("bdi", {}, address), " is a unit of no model here."]),
    );
  } catch (error) {
    answer.replaceChildren(`A file of this gallery is missing: ${error.message}`);
  }
}

/** Let the box find units, if there are any. */
export function startFinding() {
  document.getElementById("jump-go").addEventListener("click", findUnit);
  addressInput.addEventListener("keydown", (event) => {
    if (event.key === "Enter") findUnit();
  });
  document.getElementById("jump").hidden = !data.models.some((model) => model.units);
}
