"use strict";

const ENTRIES_A_SHARD = 32; // as in gallery/scripts.py
const scripts = new Map();

/** Load a data script of the model, once, and give its value. */
function loaded(name) {
  if (!scripts.has(name)) {
    scripts.set(
      name,
      new Promise((resolve, reject) => {
        const script = element("script", { src: `${document.body.dataset.folder}/${name}.js` });
        const refuse = () => reject(new Error(script.src));
        script.addEventListener("load", () => (featviz[name] === undefined ? refuse() : resolve(featviz[name])));
        script.addEventListener("error", refuse);
        document.head.append(script);
      }),
    );
  }
  return scripts.get(name);
}

/** Entry of a list that lies in several scripts. */
async function entryOf(list, number) {
  const shard = await loaded(`${list}/${Math.floor(number / ENTRIES_A_SHARD)}`);
  return shard[number % ENTRIES_A_SHARD];
}

/** What stands in place of something whose script is not there, or assigns nothing. */
const missingFile = (error) => element("p", { class: "notice" }, `A file of this gallery is missing or cannot be read: ${error.message}`);
