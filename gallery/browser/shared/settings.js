// Settings of the reader, kept in the browser for all galleries.

const KEY = "featviz-settings";

const DEFAULTS = { size: null, shortcuts: true, maps: false };

class Settings {
  constructor() {
    this.values = { ...DEFAULTS };
    try {
      const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
      for (const name of Object.keys(DEFAULTS))
        if (Object.hasOwn(stored, name)) this.values[name] = stored[name];
    } catch {
      // no or invalid storage: settings last as long as the page
    }
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.values));
    } catch {
      // as above
    }
  }
}

/** The settings of the reader. */
export const settings = new Settings();
