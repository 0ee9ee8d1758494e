// Loading of data scripts on demand.

import { element } from "../shared/dom.js";
import { data } from "./data.js";
import { dataFolder } from "./model.js";

const ENTRIES_PER_SHARD = 32; // see gallery/build/js_data.py

const scripts = new Map();

/** Load a data script of the model once; resolves to its value. */
export function loadData(name) {
  if (!scripts.has(name)) {
    scripts.set(
      name,
      new Promise((resolve, reject) => {
        const script = element("script", { src: `${dataFolder}/${name}.js` });
        const fail = () => reject(new Error(script.src));
        script.addEventListener("load", () =>
          data[name] === undefined ? fail() : resolve(data[name]),
        );
        script.addEventListener("error", fail);
        document.head.append(script);
      }),
    );
  }
  return scripts.get(name);
}

/** Load an entry of a list that is split into several scripts. */
export async function loadEntry(list, index) {
  const shard = await loadData(`${list}/${Math.floor(index / ENTRIES_PER_SHARD)}`);
  return shard[index % ENTRIES_PER_SHARD];
}
