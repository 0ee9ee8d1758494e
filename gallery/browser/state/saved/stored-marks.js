// Marks of units that are kept in local storage, by model name and weights.

/** A map in local storage. Subclasses have `parse` and `serialize`. */
export class StoredMarks {
  /** `key` is the key in local storage, and `event` the name of the event after changes. */
  constructor(key, event) {
    this.key = key;
    this.event = event;
    this.own = new Map();
    this.warning = null; // why local storage is not used
    this.read();
    addEventListener("storage", (event) => {
      if (event.key !== key && event.key !== null) return;
      this.read();
      this.notify();
    });
  }

  /** Read what is stored, which another window may have changed. */
  read() {
    if (this.warning) return;
    let text;
    try {
      text = localStorage.getItem(this.key);
    } catch {
      this.warning =
        "This browser does not store data for this page. Export your labels and lists before you close it, or they are lost.";
      return;
    }
    try {
      this.own = text === null ? new Map() : this.parse(text);
    } catch (error) {
      this.warning = `The ${this.event} stored in this browser cannot be read (${error.message}) and are left unchanged. Export new ${this.event} before you close the page, or they are lost.`;
    }
  }

  write() {
    if (this.warning) return;
    try {
      if (this.own.size) localStorage.setItem(this.key, this.serialize());
      else localStorage.removeItem(this.key);
    } catch {
      this.warning = `The storage of this browser is full. Export new ${this.event} before you close the page, or they are lost.`;
    }
  }

  /** Store changes that were made to `own`. */
  save() {
    this.write();
    this.notify();
  }

  notify() {
    document.dispatchEvent(new Event(this.event));
  }
}
