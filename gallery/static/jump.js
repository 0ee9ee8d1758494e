"use strict";

// On the page of all models: from an address to the models that have it.

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
function unitList({ page, folder }) {
  if (!unitLists.has(page)) {
    unitLists.set(
      page,
      (async () => {
        await scriptOf(`${folder}/model.js`);
        await scriptOf(`${folder}/units.js`);
        return { sites: featviz.model.sites, tails: featviz.units.tails };
      })(),
    );
  }
  return unitLists.get(page);
}

function holds({ sites, tails }, address) {
  let offset = 0;
  return sites.some(({ name, count }) => {
    offset += count;
    return address.startsWith(name) && tails.slice(offset - count, offset).includes(address.slice(name.length));
  });
}

/** Models that have a unit at an address. */
async function modelsWith(address) {
  const found = [];
  for (const model of featviz.models) {
    if (model.units && holds(await unitList(model), address)) found.push(model);
  }
  return found;
}

const jumpInput = document.getElementById("jump-address");
const jumpAnswer = document.getElementById("jump-answer");

async function jump() {
  const address = jumpInput.value.trim();
  if (!address) return;
  jumpAnswer.replaceChildren("Looking\u2026");
  try {
    const links = (await modelsWith(address)).map(({ page, name }) => element("a", { href: `${page}${unitHash(address)}` }, name));
    if (links.length === 1) links[0].click();
    jumpAnswer.replaceChildren(...(links.length ? [`${counted(links.length, "model")}: `, ...links.flatMap((link) => [link, " "])] : [element("bdi", {}, address), " is a unit of no model here."]));
  } catch (error) {
    jumpAnswer.replaceChildren(`A file of this gallery is missing: ${error.message}`);
  }
}

document.getElementById("jump-go").addEventListener("click", jump);
jumpInput.addEventListener("keydown", (event) => {
  if (event.key === "Enter") jump();
});
document.getElementById("jump").hidden = !featviz.models.some((model) => model.units);
