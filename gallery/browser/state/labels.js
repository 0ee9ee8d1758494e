// Labels and favourites. What the reader sets lies in the browser's storage, under the model's
// name and weights, over the labels that the gallery was exported with.

import { LABELS, readLabels, writeLabels } from "./label-file.js";
import { model } from "./model.js";

class Labels {
  /** `baked` are the labels of the export; `key` is where the reader's lie in the storage. */
  constructor(baked, key) {
    this.baked = baked;
    this.key = key;
    this.own = new Map();
    this.trouble = null; // why the storage is not used, in words
    this.read();
    addEventListener("storage", (event) => {
      if (event.key !== key && event.key !== null) return;
      this.read();
      this.tell();
    });
  }

  /** Take what is stored: another window may have changed it. */
  read() {
    if (this.trouble) return;
    let text;
    try {
      text = localStorage.getItem(this.key);
    } catch {
      this.trouble =
        "This browser keeps nothing for this page: labels are lost when it is closed, unless you export them.";
      return;
    }
    try {
      this.own = text === null ? new Map() : readLabels(text).entries;
    } catch (error) {
      this.trouble = `The labels that this browser keeps for this page cannot be read (${error.message}). They are left as they are, and what you set now is lost when the page is closed, unless you export it.`;
    }
  }

  write() {
    if (this.trouble) return;
    try {
      if (this.own.size) localStorage.setItem(this.key, writeLabels(this.own));
      else localStorage.removeItem(this.key);
    } catch {
      this.trouble =
        "This browser has no room for more labels: what you set now is lost when the page is closed, unless you export it.";
    }
  }

  tell() {
    document.dispatchEvent(new Event("labels"));
  }

  /** Label and whether it is a favourite, of any address. */
  get(address) {
    return this.own.get(address) ?? this.baked.get(address) ?? { label: "", favourite: false };
  }

  /** Change the label, or the favourite, or both, of an address. */
  set(address, changes) {
    this.read();
    const entry = { ...this.get(address), ...changes };
    this.put(address, {
      label: entry.label.trim().slice(0, LABELS.longest),
      favourite: entry.favourite,
    });
    this.write();
    this.tell();
  }

  put(address, entry) {
    const below = this.baked.get(address) ?? { label: "", favourite: false };
    if (below.label === entry.label && below.favourite === entry.favourite)
      this.own.delete(address);
    else this.own.set(address, entry);
  }

  /** All that is labeled or a favourite: [address, {label, favourite}]. */
  entries() {
    const all = new Map([...this.baked, ...this.own]);
    return [...all].filter(([, { label, favourite }]) => label || favourite);
  }

  /** Number of units that are labeled or favourites. */
  get size() {
    return this.entries().length;
  }

  /** All of them as the text of a file. */
  toText() {
    return writeLabels(this.entries());
  }

  /** Take the labels of a file over one's own; give what changed, and how to take it back. */
  add(entries) {
    this.read();
    const before = new Map(this.own);
    const counts = { added: 0, changed: 0, same: 0 };
    for (const [address, entry] of entries) {
      const old = this.get(address);
      if (old.label === entry.label && old.favourite === entry.favourite) counts.same += 1;
      else if (old.label || old.favourite) counts.changed += 1;
      else counts.added += 1;
      this.put(address, entry);
    }
    this.write();
    this.tell();
    const undo = () => {
      this.read();
      for (const address of entries.keys()) {
        if (before.has(address)) this.own.set(address, before.get(address));
        else this.own.delete(address);
      }
      this.write();
      this.tell();
    };
    return { ...counts, undo };
  }
}

/** The labels of the model that the page shows. */
export const labels = new Labels(
  new Map(model.labels.map(([address, label, favourite]) => [address, { label, favourite }])),
  `featviz-labels:${model.name}:${model.weights}`,
);
