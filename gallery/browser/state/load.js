// Data scripts that are loaded when they are needed.

import { data } from "../shared/data.js";
import { element } from "../shared/dom.js";
import { dataFolder } from "./model.js";

const ENTRIES_A_SHARD = 32; // as in gallery/build/js_data.py

const scripts = new Map();

/** Load a data script of the model, once, and give its value. */
export function loadData(name) {
  if (!scripts.has(name)) {
    scripts.set(
      name,
      new Promise((resolve, reject) => {
        const script = element("script", { src: `${dataFolder}/${name}.js` });
        const refuse = () => reject(new Error(script.src));
        script.addEventListener("load", () =>
          data[name] === undefined ? refuse() : resolve(data[name]),
        );
        script.addEventListener("error", refuse);
        document.head.append(script);
      }),
    );
  }
  return scripts.get(name);
}

/** Entry of a list that lies in several scripts. */
export async function loadEntry(list, number) {
  const shard = await loadData(`${list}/${Math.floor(number / ENTRIES_A_SHARD)}`);
  return shard[number % ENTRIES_A_SHARD];
}
