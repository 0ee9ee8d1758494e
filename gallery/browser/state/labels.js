// Labels and favorites. Changes are kept in local storage, by model name and weights. They override
// the labels that the gallery was exported with.

import { LABELS, readLabels, writeLabels } from "./label-file.js";
import { model } from "./model.js";

class Labels {
  /** `exported` are the labels of the export; `key` is the key in local storage. */
  constructor(exported, key) {
    this.exported = exported;
    this.key = key;
    this.own = new Map();
    this.warning = null; // why local storage is not used
    this.read();
    addEventListener("storage", (event) => {
      if (event.key !== key && event.key !== null) return;
      this.read();
      this.notify();
    });
  }

  /** Read the stored labels, which another window may have changed. */
  read() {
    if (this.warning) return;
    let text;
    try {
      text = localStorage.getItem(this.key);
    } catch {
      this.warning =
        "This browser does not store data for this page. Export your labels before you close it, or they are lost.";
      return;
    }
    try {
      this.own = text === null ? new Map() : readLabels(text).entries;
    } catch (error) {
      this.warning = `The labels stored in this browser cannot be read (${error.message}) and are left unchanged. Export new labels before you close the page, or they are lost.`;
    }
  }

  write() {
    if (this.warning) return;
    try {
      if (this.own.size) localStorage.setItem(this.key, writeLabels(this.own));
      else localStorage.removeItem(this.key);
    } catch {
      this.warning =
        "The storage of this browser is full. Export new labels before you close the page, or they are lost.";
    }
  }

  notify() {
    document.dispatchEvent(new Event("labels"));
  }

  /** Label and favorite of an address. */
  get(address) {
    return this.own.get(address) ?? this.exported.get(address) ?? { label: "", favorite: false };
  }

  /** Change the label or favorite of an address. */
  set(address, changes) {
    this.read();
    const entry = { ...this.get(address), ...changes };
    this.put(address, {
      label: entry.label.trim().slice(0, LABELS.longest),
      favorite: entry.favorite,
    });
    this.write();
    this.notify();
  }

  put(address, entry) {
    const base = this.exported.get(address) ?? { label: "", favorite: false };
    if (base.label === entry.label && base.favorite === entry.favorite) this.own.delete(address);
    else this.own.set(address, entry);
  }

  /** All labels and favorites, as [address, {label, favorite}]. */
  entries() {
    const all = new Map([...this.exported, ...this.own]);
    return [...all].filter(([, { label, favorite }]) => label || favorite);
  }

  /** Number of units with a label or favorite. */
  get size() {
    return this.entries().length;
  }

  /** The text of a label file. */
  toText() {
    return writeLabels(this.entries());
  }

  /** Add imported labels, replacing existing ones; return counts and a function that undoes it. */
  add(entries) {
    this.read();
    const before = new Map(this.own);
    const counts = { added: 0, changed: 0, same: 0 };
    for (const [address, entry] of entries) {
      const old = this.get(address);
      if (old.label === entry.label && old.favorite === entry.favorite) counts.same += 1;
      else if (old.label || old.favorite) counts.changed += 1;
      else counts.added += 1;
      this.put(address, entry);
    }
    this.write();
    this.notify();
    const undo = () => {
      this.read();
      for (const address of entries.keys()) {
        if (before.has(address)) this.own.set(address, before.get(address));
        else this.own.delete(address);
      }
      this.write();
      this.notify();
    };
    return { ...counts, undo };
  }
}

/** The labels of the model that the page shows. */
export const labels = new Labels(
  new Map(model.labels.map(([address, label, favorite]) => [address, { label, favorite }])),
  `featviz-labels:${model.name}:${model.weights}`,
);
