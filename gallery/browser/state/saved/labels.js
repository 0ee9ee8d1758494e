// Labels and favorites. Changes are kept in local storage, by model name and weights. They override
// the labels that the gallery was exported with.

import { model } from "../model.js";
import { LABELS, readLabels, writeLabels } from "./label-file.js";
import { StoredMarks } from "./stored-marks.js";

class Labels extends StoredMarks {
  /** `exported` are the labels of the export; `key` is the key in local storage. */
  constructor(exported, key) {
    super(key, "labels");
    this.exported = exported;
  }

  parse(text) {
    return readLabels(text).entries;
  }

  serialize() {
    return writeLabels(this.own);
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
    this.save();
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
    this.save();
    const undo = () => {
      this.read();
      for (const address of entries.keys()) {
        if (before.has(address)) this.own.set(address, before.get(address));
        else this.own.delete(address);
      }
      this.save();
    };
    return { ...counts, undo };
  }
}

/** The labels of the model that the page shows. */
export const labels = new Labels(
  new Map(model.labels.map(([address, label, favorite]) => [address, { label, favorite }])),
  `featviz-labels:${model.name}:${model.weights}`,
);
