/* Made by `make scripts` from gallery/browser. */ "use strict";
(() => {
  // shared/dom.js
  function element(tag, attributes = {}, ...children) {
    return filled(document.createElement(tag), attributes, children);
  }
  function svgElement(tag, attributes = {}, ...children) {
    return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  }
  function filled(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.flat(Infinity).filter((child) => child !== null));
    return node;
  }
  var shortAddress = (address) => element(
    "span",
    { class: "address" },
    address.replace(/^blocks\./, "").split(/(?=[.:@])/).map((part) => [element("wbr"), part])
  );
  function buttonOf(content, className2, action, attributes = {}) {
    const button = element("button", { type: "button", class: className2, ...attributes }, content);
    button.addEventListener("click", () => action(button));
    return button;
  }

  // shared/icons.js
  var ICONS = {
    star: "M8 1.6 9.9 5.9 14.6 6.4 11.1 9.5 12.1 14.1 8 11.7 3.9 14.1 4.9 9.5 1.4 6.4 6.1 5.9Z",
    pin: "M5.2 1.8h5.6M6.2 1.8v4.4L3.9 9v.9h8.2V9L9.8 6.2V1.8M8 9.9v4.6",
    link: "M6.6 9.4 9.4 6.6M7.2 4.6 8.9 2.9a2.97 2.97 0 0 1 4.2 4.2L11.4 8.8M8.8 11.4 7.1 13.1a2.97 2.97 0 0 1-4.2-4.2L4.6 7.2",
    download: "M8 1.8v8.4M4.6 7 8 10.4 11.4 7M2.2 13.8h11.6",
    list: "M5.6 3.4h8.6M5.6 8h8.6M5.6 12.6h8.6M1.8 3.4h.9M1.8 8h.9M1.8 12.6h.9",
    code: "M5.4 4.2 1.8 8 5.4 11.8M10.6 4.2 14.2 8 10.6 11.8M9.2 2.6 6.8 13.4",
    cross: "M3.8 3.8 12.2 12.2M12.2 3.8 3.8 12.2",
    theme: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4ZM8 1.8v12.4M10 2.2v11.6M12 3.4v9.2",
    left: "M9.8 3 4.8 8 9.8 13",
    right: "M6.2 3 11.2 8 6.2 13"
  };
  var icon = (name) => svgElement(
    "svg",
    {
      class: `icon icon-${name}`,
      viewBox: "0 0 16 16",
      width: 16,
      height: 16,
      "aria-hidden": "true"
    },
    svgElement("path", { d: ICONS[name] })
  );

  // shared/message.js
  var line = element("p", { class: "message", role: "status" });
  document.body.append(line);
  var hideTimer = 0;
  var shownAt = "";
  function showMessage(text, button = null) {
    clearTimeout(hideTimer);
    shownAt = location.hash;
    line.replaceChildren(text, ...button ? [" ", button] : []);
    hideTimer = setTimeout(
      () => line.replaceChildren(),
      4e3 + 60 * text.length + (button ? 12e3 : 0)
    );
  }
  document.addEventListener("view", () => {
    if (location.hash !== shownAt) line.replaceChildren();
  });
  var isLocal = (url) => /^(file:|https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])[:/])/.test(url);
  async function copyText(text, what, shown, remark = "") {
    const note = [
      ...isLocal(text) ? ["It opens on this computer only: publish the folder to share it"] : [],
      ...remark ? [remark] : []
    ].map((sentence) => `. ${sentence}`).join("");
    try {
      await navigator.clipboard.writeText(text);
      showMessage(`${what} copied${note}`);
    } catch {
      shown.hidden = false;
      getSelection().selectAllChildren(shown);
      showMessage(`${what} selected; press Ctrl+C to copy it${note}`);
    }
  }
  var missingFile = (error) => element(
    "p",
    { class: "notice" },
    `A file of this gallery is missing or cannot be read: ${error.message}`
  );

  // shared/text.js
  function counted(count, noun) {
    return `${count.toLocaleString("en")}\xA0${noun}${count === 1 ? "" : "s"}`;
  }
  var listed = (items) => items.join("\xA0\xB7 ");
  function measured(value) {
    if (value === null) return "\u2013";
    return value.toPrecision(4).replace("-", "\u2212");
  }
  function scaleFormat(low, high, digits = 4) {
    const range = high - low || Math.abs(high) || 1;
    const decimals = Math.min(20, Math.max(0, digits - 1 - Math.floor(Math.log10(range))));
    return (value) => {
      if (value === null) return "\u2013";
      const text = value.toFixed(decimals);
      return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
    };
  }
  var rounded = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");
  var brief = (value) => value === null ? "\u2013" : rounded(Number(value.toPrecision(3)));
  var percent = (share) => share === null ? "\u2013" : `${(100 * share).toFixed(1).replace("-", "\u2212")}\xA0%`;
  var hundredths = (value) => value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212");
  var plainName = (text) => text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[.-]+|[.-]+$/g, "").slice(0, 80);
  var foldedText = (text) => text.normalize("NFKC").toLowerCase();
  var isShortAddress = (text) => /^\d+:\d+$/.test(text);
  function addressHas(address, word) {
    if (!isShortAddress(word)) return address.includes(word);
    const [block, unit] = word.split(":");
    const [, site, index] = /^([^:]*):(\d+)(@.*)?$/s.exec(address) ?? [];
    return index === unit && /\d+/.exec(site)?.[0] === block;
  }

  // state/data.js
  globalThis.featviz ??= {};
  var data = globalThis.featviz;

  // state/model.js
  var { model, units: unitData } = data;
  var dataFolder = document.body.dataset.folder;

  // state/saved/pins.js
  var MOST_PINS = 8;
  var Pins = class {
    /** `key` is the key in session storage. */
    constructor(key) {
      this.key = key;
      this.addresses = [];
      try {
        const stored = JSON.parse(sessionStorage.getItem(this.key) ?? "[]");
        if (Array.isArray(stored))
          this.addresses = stored.filter((item) => typeof item === "string").slice(0, MOST_PINS);
      } catch {
      }
    }
    list() {
      return [...this.addresses];
    }
    has(address) {
      return this.addresses.includes(address);
    }
    /** Whether exactly these units are pinned, in this order. */
    equal(addresses) {
      return addresses.length === this.addresses.length && addresses.every((address, index) => address === this.addresses[index]);
    }
    /** Pin or unpin a unit, with a message. */
    toggle(address) {
      if (this.has(address)) {
        this.replace(this.addresses.filter((pinned) => pinned !== address));
        showMessage(`${address} unpinned`);
      } else if (this.addresses.length >= MOST_PINS) {
        showMessage(`At most ${MOST_PINS} units can be pinned; unpin one first`);
      } else {
        this.replace([...this.addresses, address]);
        showMessage(`${address} pinned`);
      }
    }
    replace(addresses) {
      this.addresses = addresses;
      try {
        sessionStorage.setItem(this.key, JSON.stringify(addresses));
      } catch {
      }
      document.dispatchEvent(new Event("pins"));
    }
  };
  var pins = new Pins(`featviz-pins:${model.name}:${model.weights}`);

  // state/saved/label-file.js
  var LABELS = {
    format: "featviz-labels",
    version: 1,
    longest: 500,
    // characters of a label
    longestName: 100,
    // characters of the name of a list
    model: model.name,
    weights: model.weights.split(" ").at(-1)
    // first digits of the fingerprint
  };
  function readLabels(text) {
    let file;
    try {
      file = JSON.parse(text);
    } catch {
      throw new Error("it is not valid JSON");
    }
    if (file?.format !== LABELS.format) throw new Error(`its "format" is not "${LABELS.format}"`);
    if (file.version !== LABELS.version)
      throw new Error(
        `its version is ${JSON.stringify(file.version) ?? "missing"}; this gallery reads version ${LABELS.version}`
      );
    const { model: model2 = LABELS.model, weights = LABELS.weights, labels: entries, lists = {} } = file;
    if (typeof model2 !== "string" || typeof weights !== "string")
      throw new Error('its "model" and "weights" are not strings');
    if (!isObject(entries)) throw new Error('its "labels" is not an object');
    return {
      model: model2,
      weights,
      entries: new Map(
        Object.entries(entries).map(([address, entry]) => [address, checkedLabel(address, entry)])
      ),
      lists: checkedLists(lists)
    };
  }
  var isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  function checkedLists(lists) {
    if (!isObject(lists)) throw new Error('its "lists" is not an object');
    return new Map(
      Object.entries(lists).map(([name, addresses]) => {
        const problem = nameProblem(name);
        if (problem) throw new Error(problem);
        if (!Array.isArray(addresses) || addresses.some((address) => typeof address !== "string"))
          throw new Error(`the list \u201C${name}\u201D is not a list of addresses`);
        return [name, [...new Set(addresses)]];
      })
    );
  }
  function nameProblem(name) {
    if (name === "") return "a list needs a name";
    if (name !== name.trim()) return "the name of a list starts or ends with a space";
    if (name.length > LABELS.longestName)
      return `the name of a list has ${name.length.toLocaleString("en")} characters, more than ${LABELS.longestName}`;
    return null;
  }
  function checkedLabel(address, entry) {
    const { label = "", favourite: favorite = false } = entry ?? {};
    const named = `the entry of ${address.length > 60 ? `${address.slice(0, 60)}\u2026` : address}`;
    if (!isObject(entry)) throw new Error(`${named} is not an object`);
    if (typeof label !== "string") throw new Error(`${named} has a label that is not a string`);
    if (label.length > LABELS.longest)
      throw new Error(
        `${named} has a label of ${label.length.toLocaleString("en")} characters, more than ${LABELS.longest}`
      );
    if (typeof favorite !== "boolean")
      throw new Error(`${named} has a "favourite" that is neither true nor false`);
    return { label: label.trim(), favorite };
  }
  function writeLabels(entries, lists = []) {
    const byKey = ([one], [other]) => one < other ? -1 : 1;
    const sorted = [...entries].sort(byKey).map(([address, { label, favorite }]) => [address, { label, favourite: favorite }]);
    const { format, version, model: model2, weights } = LABELS;
    const named = [...lists].sort(byKey);
    const file = { format, version, model: model2, weights, labels: Object.fromEntries(sorted) };
    if (named.length) file.lists = Object.fromEntries(named);
    return `${JSON.stringify(file, null, 1)}
`;
  }

  // state/saved/stored-marks.js
  var StoredMarks = class {
    /** `key` is the key in local storage, and `event` the name of the event after changes. */
    constructor(key, event) {
      this.key = key;
      this.event = event;
      this.own = /* @__PURE__ */ new Map();
      this.warning = null;
      this.read();
      addEventListener("storage", (event2) => {
        if (event2.key !== key && event2.key !== null) return;
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
        this.warning = "This browser does not store data for this page. Export your labels and lists before you close it, or they are lost.";
        return;
      }
      try {
        this.own = text === null ? /* @__PURE__ */ new Map() : this.parse(text);
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
  };

  // state/saved/unit-lists.js
  var SHORTER = LABELS.longestName - 10;
  var UnitLists = class extends StoredMarks {
    /** `exported` are the lists of the export; `key` is the key in local storage. */
    constructor(exported, key) {
      super(key, "lists");
      this.exported = exported;
    }
    /** Lists by name; null for one of the export that was deleted. */
    parse(text) {
      const { lists, deleted } = JSON.parse(text);
      if (!Array.isArray(deleted)) throw new Error('its "deleted" is not a list');
      return new Map([...deleted.map((name) => [name, null]), ...checkedLists(lists)]);
    }
    serialize() {
      const all = [...this.own];
      return JSON.stringify({
        lists: Object.fromEntries(all.filter(([, addresses]) => addresses)),
        deleted: all.flatMap(([name, addresses]) => addresses ? [] : [name])
      });
    }
    /** Addresses of a list, in its order; null if there is no such list. */
    get(name) {
      return (this.own.has(name) ? this.own.get(name) : this.exported.get(name)) ?? null;
    }
    has(name) {
      return this.get(name) !== null;
    }
    /** Whether everyone who opens the gallery has this list. */
    isExported(name) {
      return this.exported.has(name) && isEqual(this.exported.get(name), this.get(name));
    }
    /** All lists, as [name, addresses], sorted by name. */
    entries() {
      return [...new Map([...this.exported, ...this.own])].filter(([, addresses]) => addresses).sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
    }
    /** Names of the lists that have a unit. */
    of(address) {
      return this.entries().flatMap(
        ([name, addresses]) => addresses.includes(address) ? [name] : []
      );
    }
    /** Change lists, [name, addresses] each; null deletes one. Return a function that undoes it. */
    change(...changes) {
      this.read();
      const before = changes.map(([name]) => [name, this.get(name)]);
      for (const [name, addresses] of changes) this.put(name, addresses);
      this.save();
      return () => this.change(...before);
    }
    put(name, addresses) {
      const base = this.exported.get(name) ?? null;
      if (isEqual(base, addresses)) this.own.delete(name);
      else this.own.set(name, addresses);
    }
    /** Rename a list; return a function that undoes it. */
    rename(name, changed) {
      return this.change([changed, this.get(name)], [name, null]);
    }
    /**
     * Add imported lists. One whose name is that of another list gets a number, so that both are kept.
     * Return the names of the `added` and the number of those that exist already, and `undo`.
     */
    add(imported) {
      this.read();
      const added = /* @__PURE__ */ new Map();
      const find = (name) => added.get(name) ?? this.get(name);
      for (const [name, addresses] of imported) {
        let free = name;
        for (let number = 2; find(free) && !isEqual(find(free), addresses); number += 1)
          free = `${name.slice(0, SHORTER)} (${number})`;
        if (!find(free)) added.set(free, addresses);
      }
      return {
        added: [...added.keys()],
        same: imported.size - added.size,
        undo: this.change(...added)
      };
    }
  };
  var isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  var unitLists = new UnitLists(
    new Map(model.lists),
    `featviz-lists:${model.name}:${model.weights}`
  );

  // state/saved/labels.js
  var Labels = class extends StoredMarks {
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
        favorite: entry.favorite
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
  };
  var labels = new Labels(
    new Map(model.labels.map(([address, label, favorite]) => [address, { label, favorite }])),
    `featviz-labels:${model.name}:${model.weights}`
  );

  // state/unit-filter.js
  var COMPARISONS = {
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b
  };
  var MARK_FILTERS = {
    labeled: () => (address) => labels.get(address).label !== "",
    favorites: () => (address) => labels.get(address).favorite,
    pinned: () => (address) => pins.has(address)
  };
  var FACET_NAMES = {
    class: "Top images of",
    necessary: "Necessary for",
    sufficient: "Sufficient for",
    writes: "Writes to"
  };
  var ANY = "*";
  function textFilter(text) {
    const words = foldedText(text).split(/\s+/).filter(Boolean);
    const labeled = new Map(
      labels.entries().map(([address, { label }]) => [address, foldedText(label)])
    );
    return (address, headline) => {
      const name = address.toLowerCase();
      const label = labeled.get(address) ?? "";
      const line2 = headline ? foldedText(headline) : "";
      return words.every(
        (word) => addressHas(name, word) || label.includes(word) || line2.includes(word)
      );
    };
  }

  // state/unit-table.js
  var UnitTable = class {
    /** `model` and `units` are the contents of the data files. */
    constructor(model2, units, folder) {
      this.count = units.suffixes.length;
      this.suffixes = units.suffixes;
      this.cell = model2.cell;
      this.sheetColumns = model2.columns;
      this.sheetRows = model2.rows;
      this.columns = new Map(model2.metrics.map(({ key }) => [key, units.metrics[key]]));
      this.metrics = model2.metrics;
      this.groups = model2.groups;
      this.rendered = units.renders;
      this.headlines = units.headlines;
      this.colors = units.colors;
      this.facets = new Map(
        Object.keys(FACET_NAMES).flatMap(
          (key) => Object.hasOwn(units.facets, key) ? [[key, units.facets[key]]] : []
        )
      );
      let offset = 0;
      this.sites = model2.sites.map(({ name, count, wide }) => {
        offset += count;
        return { name, count, wide, offset: offset - count };
      });
      this.siteIndices = new Map(this.sites.map(({ name }, index) => [name, index]));
      this.sheets = new URL(`${folder}/sheets/`, document.baseURI).href;
      this.pictures = new URL(`${folder}/pictures/`, document.baseURI).href;
      this.naturalImages = new URL(`${folder}/examples/`, document.baseURI).href;
      this.pictureFormat = model2.thumbnailsOnly ? null : model2.pictures;
      this.indices = null;
      this.ordered = null;
    }
    /** Index of the site of a unit. */
    siteIndex(i) {
      let low = 0;
      let high = this.sites.length - 1;
      while (low < high) {
        const middle = low + high + 1 >> 1;
        if (this.sites[middle].offset <= i) low = middle;
        else high = middle - 1;
      }
      return low;
    }
    siteOf(i) {
      return this.sites[this.siteIndex(i)];
    }
    address(i) {
      return this.siteOf(i).name + this.suffixes[i];
    }
    /** What the top images of a unit show and what was measured, in one line; empty if unknown. */
    headline(i) {
      return this.headlines[i] ?? "";
    }
    /** Alternative text of a unit's picture: its address, and its headline if there is one. */
    description(i) {
      return [this.address(i), this.headline(i)].filter(Boolean).join(": ");
    }
    /** Number of the unit with an address; -1 if there is none. */
    find(address) {
      this.indices ??= new Map(
        this.sites.flatMap(
          ({ name, offset, count }) => this.suffixes.slice(offset, offset + count).map((suffix, i) => [name + suffix, offset + i])
        )
      );
      return this.indices.get(address) ?? -1;
    }
    /** Mean color of a unit's picture; null if the picture does not fill its cell. */
    color(i) {
      const digits = this.colors.slice(3 * i, 3 * i + 3);
      return digits.trim() ? `#${digits}` : null;
    }
    /** Each value of each facet, with its number of units, the first of them, and its text for search. */
    facetCounts() {
      this.facetValues ??= [...this.facets].flatMap(([key, { values, units }]) => {
        const counts = new Array(values.length).fill(0);
        const firsts = [];
        for (const [i, value] of units.entries()) {
          if (value === null) continue;
          counts[value] += 1;
          firsts[value] ??= i;
        }
        return values.map((value, index) => ({
          key,
          value,
          count: counts[index],
          first: firsts[index],
          text: foldedText(`${FACET_NAMES[key]} ${value}`)
        }));
      });
      return this.facetValues;
    }
    /** A metric of a unit; null if it is not known. */
    metric(key, i) {
      return this.columns.get(key)?.[i] ?? null;
    }
    /** Value of a facet of a unit; null if it has none. */
    facet(key, i) {
      const { values, units } = this.facets.get(key);
      return units[i] === null ? null : values[units[i]];
    }
    /** Smallest and largest known value of a metric; null if there is none. */
    extent(key) {
      let [low, high] = [Infinity, -Infinity];
      for (const value of this.columns.get(key)) {
        if (value === null) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      return low <= high ? [low, high] : null;
    }
    /** The pictures of a unit, one entry per configuration. */
    renders(i) {
      return this.rendered[i].map(([group, row, samples, best]) => {
        const { sides, natural } = this.groups[group];
        return natural ? { group, row, samples, best: 0, image: best, sides } : { group, row, samples, best, image: null, sides };
      });
    }
    /** Largest number of samples of a unit in one configuration. */
    samples(i) {
      return this.rendered[i].reduce((most, [, , samples]) => Math.max(most, samples), 0);
    }
    /** URLs of a unit's best sample, two of a pair; null if there are no such files. */
    pictureFiles(i) {
      const [{ row, best, image, sides }] = this.renders(i);
      if (image !== null) return [`${this.naturalImages}${image}.webp`];
      if (this.pictureFormat === null) return null;
      const names = sides > 1 ? [`${best}-0`, `${best}-1`] : [best];
      return names.map((name) => `${this.pictures}${row}-${name}.${this.pictureFormat}`);
    }
    /** Width and height of a unit's pictures, in pixels. */
    pictureSize(i) {
      return this.groups[this.rendered[i][0][0]].size;
    }
    /** Position of a unit's thumbnail: file and size of its sheet, and offset and size in it, in pixels. */
    sprite(i) {
      const site = this.siteIndex(i);
      const { offset, count, wide } = this.sites[site];
      const columns = wide ? this.sheetColumns / 2 : this.sheetColumns;
      const most = columns * this.sheetRows;
      const sheet = Math.floor((i - offset) / most);
      const cell = (i - offset) % most;
      const held = Math.min(most, count - sheet * most);
      const width = wide ? 2 * this.cell : this.cell;
      return {
        file: `${this.sheets}${site}-${sheet}.webp`,
        x: cell % columns * width,
        y: Math.floor(cell / columns) * this.cell,
        width,
        height: this.cell,
        cell: this.cell,
        sheetWidth: Math.min(held, columns) * width,
        sheetHeight: Math.ceil(held / columns) * this.cell
      };
    }
    /** Indices of the units of a view: filtered, searched and sorted. */
    order(state) {
      const { sort, down, where, q, layer, only, list, facets } = state;
      const key = JSON.stringify([sort, down, where, q, layer, only, list, facets]);
      if (this.ordered?.key !== key)
        this.ordered = { key, units: this.sorted(this.filtered(state), sort, down, list) };
      return this.ordered.units;
    }
    /** Discard the last list after labels, pins or named lists changed. */
    invalidate() {
      this.ordered = null;
    }
    /** Number of units of each site that match a view, apart from its layer. */
    countsBySite(state) {
      const counts = new Array(this.sites.length).fill(0);
      const units = state.layer === null ? this.order(state) : this.filtered({ ...state, layer: null });
      for (const i of units) counts[this.siteIndex(i)] += 1;
      return counts;
    }
    filtered({ where, q, layer, only, list, facets }) {
      const tests = where.map(({ key, op, value }) => [
        this.columns.get(key),
        COMPARISONS[op],
        value
      ]);
      const chosenFacets = Object.entries(facets).map(([key, value]) => {
        const { values, units } = this.facets.get(key);
        return [units, value === ANY ? null : values.indexOf(value)];
      });
      const matches = [only ? MARK_FILTERS[only]() : null, q ? textFilter(q) : null].filter(Boolean);
      const listed2 = list === null ? null : new Set(this.listed(list));
      const site = layer === null ? null : this.sites[this.siteIndices.get(layer)];
      const from = site ? site.offset : 0;
      const to = site ? site.offset + site.count : layer === null ? this.count : 0;
      const chosen = new Int32Array(to - from);
      let size = 0;
      for (let i = from; i < to; i += 1) {
        if (listed2 !== null && !listed2.has(i)) continue;
        if (!tests.every(([column, holds, value]) => column[i] !== null && holds(column[i], value)))
          continue;
        if (!chosenFacets.every(([units, at]) => at === null ? units[i] !== null : units[i] === at))
          continue;
        if (matches.length) {
          const address = this.address(i);
          const headline = this.headline(i);
          if (!matches.every((match) => match(address, headline))) continue;
        }
        chosen[size] = i;
        size += 1;
      }
      return chosen.subarray(0, size);
    }
    /** Indices of the units of a named list, in its order. */
    listed(name) {
      return (unitLists.get(name) ?? []).map((address) => this.find(address)).filter((index) => index >= 0);
    }
    /** Sort by a metric, or else in the order of a named list. Units without the metric come last; ties keep their order. */
    sorted(chosen, sort, down, list) {
      const column = this.columns.get(sort);
      if (!column && list !== null) {
        const has = new Set(chosen);
        return Int32Array.from(this.listed(list).filter((i) => has.has(i)));
      }
      if (!column) return chosen;
      const sign = down ? -1 : 1;
      const known2 = chosen.filter((i) => column[i] !== null);
      const unknown = chosen.filter((i) => column[i] === null);
      known2.sort((a, b) => sign * (column[a] - column[b]) || a - b);
      const all = new Int32Array(chosen.length);
      all.set(known2);
      all.set(unknown, known2.length);
      return all;
    }
  };
  var unitTable = new UnitTable(model, unitData, dataFolder);

  // state/thumbnails.js
  var PAIR_GAP = 4;
  function thumbnailStyle(i, size) {
    const color = unitTable.color(i);
    return {
      ...color ? { "--color": color } : {},
      ...(size > unitTable.cell ? wholeStyle(i, size) : null) ?? spriteStyle(i, size)
    };
  }
  function spriteStyle(i, size) {
    const { file, x, y, width, cell, sheetWidth, sheetHeight } = unitTable.sprite(i);
    const scale = size / cell;
    return {
      "--sheet-file": `url("${file}")`,
      "--offset": `${-x * scale}px ${-y * scale}px`,
      "--sheet-size": `${sheetWidth * scale}px ${sheetHeight * scale}px`,
      "--width": `${width * scale}px`,
      "--height": `${size}px`,
      "--rendering": "auto"
    };
  }
  function wholeStyle(i, size) {
    const files = unitTable.pictureFiles(i);
    if (files === null) return null;
    const [own, ownHeight] = unitTable.pictureSize(i);
    const across = unitTable.siteOf(i).wide ? 2 * size : size;
    const slot = (across - PAIR_GAP * (files.length - 1)) / files.length;
    const scale = Math.min(slot / own, size / ownHeight);
    const isSmall = scale >= 2;
    const [width, height] = [own, ownHeight].map(
      (side) => side * (isSmall ? Math.floor(scale) : scale)
    );
    const left = (side) => side * (slot + PAIR_GAP) + (slot - width) / 2;
    const each = (text) => files.map(text).join(", ");
    return {
      ...width < across || height < size ? { "--color": "var(--surface)" } : {},
      "--sheet-file": each((file) => `url("${file}")`),
      "--offset": each((_, side) => `${left(side)}px ${(size - height) / 2}px`),
      "--sheet-size": each(() => `${width}px ${height}px`),
      "--width": `${across}px`,
      "--height": `${size}px`,
      "--rendering": isSmall ? "pixelated" : "auto"
    };
  }
  function setStyle(node, style, inherited = {}) {
    for (const [name, value] of Object.entries(style))
      if (inherited[name] !== value) node.style.setProperty(name, value);
  }
  function thumbnail(i, size) {
    const node = element("span", {
      class: "sprite",
      role: "img",
      "aria-label": unitTable.description(i)
    });
    setStyle(node, thumbnailStyle(i, size));
    return node;
  }

  // shared/address-links.js
  function escapeForHash(text) {
    return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
  }
  function unescapeHash(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }
  var unitHash = (address) => `#unit=${escapeForHash(address)}`;
  var siteHash = (site) => `#site=${escapeForHash(site)}`;
  var mapHash = (address) => `#map=${escapeForHash(address)}`;
  var pinsHash = (addresses) => `#pins=${addresses.map((address) => escapeForHash(address).replaceAll(",", "%2C")).join(",")}`;
  var pinsOf = (text) => [
    ...new Set(
      text.split(",").map(unescapeHash).filter((address) => address !== "")
    )
  ];

  // state/view.js
  var NO_FILTERS = { q: "", where: [], layer: null, only: null, list: null, facets: {} };
  var isByLayer = ({ sort, list }) => sort === null && list === null;
  var MAP = "map";
  var pageContainer = document.getElementById("unit");
  var View = class {
    constructor() {
      this.parsed = { hash: null };
      this.section = null;
      this.options = {};
      this.onleave = () => {
      };
      this.onchange = () => {
      };
    }
    /** The parsed hash. `text` is the escaped text after "=", and `name` is `text` unescaped. */
    state() {
      if (this.parsed.hash !== location.hash)
        this.parsed = { hash: location.hash, ...parseHash(location.hash) };
      return this.parsed;
    }
    /** Parse the hash again, after the lists that it may name have changed. */
    forget() {
      this.parsed = { hash: null };
    }
    /**
     * Hash of the current view with changes: to a `unit` by its address, to a comparison of `pins`, or to a `page`;
     * otherwise to the list; `unit: null` leads back to the last list. All links keep the filters and the sort order.
     * `options` are those of the current section, and lead to it. On the map, the list is the map, with its part and colors.
     */
    link(changes) {
      const { unit, pins: compared, page, options, ...rest } = changes;
      if (options) return sectionHash(this.section, options);
      if (unit === null && this.section !== null && this.section !== MAP)
        return sectionHash(this.section, this.options);
      const state = { ...this.state(), ...rest };
      const name = page ?? (this.section === MAP ? MAP : null);
      const lead = unit ? unitHash(unit) : compared ? pinsHash(compared) : name && `#${name}`;
      if (lead) return [lead, ...listParameters(state)].join("&");
      const parameters = listParameters({ ...state, layer: null });
      const list = state.layer !== null ? siteHash(state.layer) : `#${parameters.length ? "units" : ""}`;
      return [list, ...parameters].join("&");
    }
    /** Show the view of a hash synchronously, so that the next event acts on it. */
    open(hash) {
      this.onleave();
      location.hash = hash;
      this.onchange();
    }
    go(changes) {
      const hash = this.link(changes);
      if (!isShown(hash)) this.open(hash);
    }
    /** Change the view without a history entry. */
    replace(changes) {
      const hash = this.link(changes);
      if (isShown(hash)) return;
      this.onleave();
      location.replace(hash);
      this.onchange();
    }
    /** Change the link to what is shown already. */
    note(changes) {
      const hash = this.link(changes);
      if (!isShown(hash)) history.replaceState(null, "", hash);
    }
  };
  var isShown = (hash) => (hash === "#" ? "" : hash) === location.hash;
  var sectionHash = (name, options) => [
    `#${name}`,
    ...Object.entries(options).map(([key, value]) => `${key}=${escapeForHash(value)}`)
  ].join("&");
  function listParameters({ sort, down, where, q, layer, only, list, facets, color, at }) {
    return [
      ...sort ? [`sort=${down ? "-" : ""}${escapeForHash(sort)}`] : [],
      ...where.length ? [
        `where=${where.map(({ key, op, value }) => escapeForHash(`${key}${op}${value}`)).join(",")}`
      ] : [],
      ...layer !== null ? [`layer=${escapeForHash(layer)}`] : [],
      ...only ? [`only=${only}`] : [],
      ...list !== null ? [`list=${escapeForHash(list)}`] : [],
      ...Object.entries(facets).map(([key, value]) => `${key}=${escapeForHash(value)}`),
      ...q ? [`q=${escapeForHash(q)}`] : [],
      ...color ? [`color=${escapeForHash(color)}`] : [],
      ...at ? [`at=${escapeForHash(at)}`] : []
    ];
  }
  function parseHash(hash) {
    const [lead, ...parameters] = hash.slice(1).split("&");
    const [, kind, , text] = /^([a-z]*)(=(.*))?$/s.exec(lead) ?? [];
    const state = {
      kind: kind ?? "",
      text,
      name: text === void 0 ? void 0 : unescapeHash(text),
      sort: null,
      down: false,
      where: [],
      q: "",
      layer: null,
      only: null,
      list: null,
      facets: {},
      options: {},
      color: null,
      at: null,
      problems: []
    };
    for (const parameter of parameters) {
      const [, key, value] = /^([a-z]+)=(.*)$/s.exec(parameter) ?? [];
      if (OPTIONS.has(key)) state.options[key] = unescapeHash(value);
      else if (Object.hasOwn(PARAMETERS, key ?? "")) PARAMETERS[key](state, unescapeHash(value));
      else if (unitTable.facets.has(key)) readFacet(state, key, unescapeHash(value));
      else if (parameter) state.problems.push(`\u201C${unescapeHash(parameter)}\u201D is unknown`);
    }
    if (state.kind === "site" && state.name !== void 0) state.layer = state.name;
    return state;
  }
  function readFacet(state, key, value) {
    const { values } = unitTable.facets.get(key);
    if (value === ANY || values.includes(value)) state.facets[key] = value;
    else state.problems.push(`no unit has \u201C${key}\u201D \u201C${value}\u201D`);
  }
  var OPTIONS = /* @__PURE__ */ new Set(["group", "metric", "images", "edges"]);
  var isMetric = (key) => unitTable.metrics.some((metric) => metric.key === key);
  var PARAMETERS = {
    sort(state, value) {
      const key = value.replace(/^-/, "");
      if (isMetric(key)) [state.sort, state.down] = [key, value.startsWith("-")];
      else state.problems.push(`units have no metric \u201C${key}\u201D`);
    },
    where(state, value) {
      state.where = value.split(",").flatMap((part) => {
        const [, key, op, number] = /^(.+?)(>=|<=|>|<)(.+)$/s.exec(part) ?? [];
        if (isMetric(key) && Number.isFinite(Number(number)))
          return [{ key, op, value: Number(number) }];
        state.problems.push(`\u201C${part}\u201D is no bound of a metric`);
        return [];
      });
    },
    q(state, value) {
      state.q = value;
    },
    layer(state, value) {
      state.layer = value;
    },
    only(state, value) {
      const name = value === "favourites" ? "favorites" : value;
      if (Object.hasOwn(MARK_FILTERS, name)) state.only = name;
      else state.problems.push(`\u201Conly=${value}\u201D is unknown`);
    },
    list(state, value) {
      if (unitLists.has(value)) state.list = value;
      else
        state.problems.push(
          `there is no list \u201C${value}\u201D here; if somebody sent you its file, import it under Labels`
        );
    },
    color(state, value) {
      state.color = value;
    },
    at(state, value) {
      state.at = value;
    }
  };
  var view = new View();
  function focusShown() {
    (document.querySelector("#unit h1") ?? document.getElementById("pictures")).focus({
      preventScroll: true
    });
  }

  // marks/list-dialog.js
  var dialog = element("dialog", { class: "dialog", "aria-labelledby": "list-title" });
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  function listMessage(text, undo) {
    const warning = unitLists.warning ? ` ${unitLists.warning}` : "";
    showMessage(
      text + warning,
      undo ? buttonOf("Undo", "plain undo", () => {
        undo();
        showMessage("Restored");
      }) : null
    );
  }
  function chooseList(addresses, what) {
    const lists = unitLists.entries();
    const choices = lists.map(([name, held]) => {
      const known2 = new Set(held);
      const hasAll = addresses.every((address) => known2.has(address));
      const choose = () => {
        dialog.close();
        if (hasAll) remove(name, addresses, what);
        else add(name, addresses, what);
      };
      return element(
        "li",
        {},
        buttonOf(
          [
            element("bdi", {}, name),
            element("span", { class: "quiet" }, counted(held.length, "unit"))
          ],
          "button",
          choose,
          { "aria-pressed": String(hasAll) }
        )
      );
    });
    show(
      [`Add `, element("bdi", {}, what), " to a list"],
      [
        choices.length ? element("ul", {}, choices) : null,
        nameForm(
          choices.length ? "New list" : "Name of the list",
          "",
          "Create",
          (name) => add(name, addresses, what)
        )
      ]
    );
  }
  function renameList(name) {
    show(
      ["Rename \u201C", element("bdi", {}, name), "\u201D"],
      nameForm("Name of the list", name, "Rename", (changed) => {
        if (changed === name) return;
        const { kind, list } = view.state();
        unitLists.rename(name, changed);
        if (list === name)
          view.replace({ ...kind === "labels" ? { page: kind } : {}, list: changed });
        listMessage(`\u201C${name}\u201D is now \u201C${changed}\u201D`, null);
      })
    );
  }
  function show(title, content) {
    dialog.replaceChildren(
      element("h2", { id: "list-title" }, title),
      element("div", {}, content),
      buttonOf("Cancel", "button", () => dialog.close())
    );
    dialog.showModal();
    dialog.querySelector("ul button, input").focus();
  }
  function nameForm(label, name, action, done) {
    const input = element("input", {
      type: "text",
      id: "list-name",
      value: name,
      autocomplete: "off",
      dir: "auto",
      maxlength: LABELS.longestName,
      "aria-describedby": "list-problem"
    });
    const problem = element("p", { id: "list-problem", class: "problem", role: "alert" });
    const form = element(
      "form",
      {},
      element("label", { for: "list-name" }, label),
      element("div", {}, input, element("button", { type: "submit", class: "button" }, action)),
      problem
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = input.value.trim();
      const isTaken = wanted !== name && unitLists.has(wanted);
      const text = nameProblem(wanted) ?? (isTaken ? `there is a list \u201C${wanted}\u201D` : null);
      if (text) {
        problem.replaceChildren(`${text[0].toUpperCase()}${text.slice(1)}.`);
        input.focus();
        return;
      }
      dialog.close();
      done(wanted);
    });
    return form;
  }
  function add(name, addresses, what) {
    const held = unitLists.get(name) ?? [];
    const undo = unitLists.change([name, [.../* @__PURE__ */ new Set([...held, ...addresses])]]);
    listMessage(`${what} added to \u201C${name}\u201D`, undo);
  }
  function remove(name, addresses, what) {
    const gone = new Set(addresses);
    const held = unitLists.get(name);
    const undo = unitLists.change([name, held.filter((address) => !gone.has(address))]);
    listMessage(`${what} removed from \u201C${name}\u201D`, undo);
  }

  // marks/pinned-bar.js
  var pinnedBar = element("aside", {
    class: "pinned-bar",
    "aria-label": "Pinned units",
    hidden: ""
  });
  function fillBar() {
    const addresses = pins.list();
    const focused = document.activeElement?.closest(".pinned-bar button[data-index]")?.dataset.index;
    pinnedBar.hidden = addresses.length === 0;
    document.body.classList.toggle("has-pins", addresses.length > 0);
    pinnedBar.replaceChildren(
      element(
        "ul",
        { tabindex: "-1" },
        addresses.map(
          (address, index) => element(
            "li",
            {},
            pinnedLink(address),
            buttonOf(icon("cross"), "pin-remove", () => pins.toggle(address), {
              "aria-label": `Unpin ${address}`,
              "data-index": index
            })
          )
        )
      ),
      element(
        "div",
        { class: "pin-actions" },
        addresses.length > 1 ? element("a", { class: "button" }, `Compare ${addresses.length}`) : element("span", { class: "quiet" }, "Pin another unit to compare"),
        buttonOf(
          "Add to list",
          "plain",
          () => chooseList(pins.list(), counted(pins.list().length, "pinned unit"))
        ),
        buttonOf("Unpin all", "plain", () => {
          pins.replace([]);
          showMessage("All units unpinned");
          focusShown();
        })
      )
    );
    updateLinks();
    if (focused === void 0) return;
    const next = pinnedBar.querySelectorAll("button[data-index]")[Math.min(focused, addresses.length - 1)];
    if (next) next.focus();
    else focusShown();
  }
  function updateLinks() {
    for (const link of pinnedBar.querySelectorAll("a"))
      link.setAttribute("href", view.link(link.title ? { unit: link.title } : { pins: pins.list() }));
  }
  function pinnedLink(address) {
    const index = unitTable.find(address);
    return element(
      "a",
      { title: address, "aria-label": index < 0 ? address : unitTable.description(index) },
      index < 0 ? element("span", { class: "pin-none" }, "?") : thumbnail(index, 48)
    );
  }
  document.body.append(pinnedBar);
  document.addEventListener("pins", fillBar);
  document.addEventListener("view", updateLinks);
  fillBar();

  // shared/settings.js
  var KEY = "featviz-settings";
  var DEFAULTS = { size: null, shortcuts: true, maps: false };
  var Settings = class {
    constructor() {
      this.values = { ...DEFAULTS };
      try {
        const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
        for (const name of Object.keys(DEFAULTS))
          if (Object.hasOwn(stored, name)) this.values[name] = stored[name];
      } catch {
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
      }
    }
  };
  var settings = new Settings();

  // list/picture-sizes.js
  var SIZES = { S: 64, M: 96, L: 144, XL: 224 };
  var WIDE = 1600;
  function sizeName() {
    const chosen = settings.get("size");
    if (Object.hasOwn(SIZES, chosen)) return chosen;
    if (innerWidth >= WIDE && unitTable.cell === SIZES.M && unitTable.pictureFormat) return "L";
    return Object.keys(SIZES).find((name) => SIZES[name] === unitTable.cell) ?? "M";
  }
  var pictureSize = () => SIZES[sizeName()];

  // list/grid/arrow-keys.js
  var PLAIN_KEYS = {
    ArrowLeft: (position) => position - 1,
    ArrowRight: (position) => position + 1,
    ArrowUp: (position, { layout }) => layout.vertical(position, -1),
    ArrowDown: (position, { layout }) => layout.vertical(position, 1),
    Home: (position, { layout }) => position - layout.at(position).column,
    End: (position, { layout }) => {
      const { band, column } = layout.at(position);
      return Math.min(position - column + band.columns, band.start + band.count) - 1;
    },
    PageUp: (position, grid2) => screenful(position, grid2, -1),
    PageDown: (position, grid2) => screenful(position, grid2, 1)
  };
  var CTRL_KEYS = { Home: () => 0, End: (_, { units }) => units.length - 1 };
  function screenful(position, { layout }, step2) {
    let at = position;
    for (let rows = Math.max(1, Math.floor(0.8 * innerHeight / layout.rowHeight)); rows > 0; rows -= 1)
      at = layout.vertical(at, step2);
    return at;
  }

  // list/grid/layout.js
  var GAP = 10;
  var HEADING = 44;
  var SPACE = 20;
  var FEW = 6;
  var Layout = class {
    constructor(units, sites, width, { size, pitch, height }) {
      this.units = units;
      this.rowHeight = height;
      this.bands = [];
      let top = 0;
      let row = 0;
      for (const { site, start, count } of runs(units, sites)) {
        const least = site?.wide ? 2 * size : pitch;
        const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
        const head = site ? HEADING : 0;
        const rows = Math.ceil(count / columns);
        this.bands.push({
          site,
          start,
          count,
          columns,
          rows,
          row,
          top,
          head,
          cell: Math.min(least, width)
        });
        top += head + rows * height + (site ? SPACE : 0);
        row += rows + (site ? 1 : 0);
      }
      this.height = top;
      this.rows = row;
    }
    /** The band at a height, or the nearest one. */
    bandAt(y) {
      let found = 0;
      for (let i = 1; i < this.bands.length && this.bands[i].top <= y; i += 1) found = i;
      return this.bands[found];
    }
    /** Rows between two heights, as {band, index, top}; index -1 is the heading. */
    *between(from, to) {
      for (const band of this.bands) {
        const end = band.top + band.head + band.rows * this.rowHeight;
        if (end < from) continue;
        if (band.top > to) return;
        if (band.head && band.top + band.head >= from) yield { band, index: -1, top: band.top };
        const first = Math.max(0, Math.floor((from - band.top - band.head) / this.rowHeight));
        const last = Math.min(
          band.rows - 1,
          Math.floor((to - band.top - band.head) / this.rowHeight)
        );
        for (let index = first; index <= last; index += 1) yield this.row(band, index);
      }
    }
    row(band, index) {
      return { band, index, top: band.top + (index < 0 ? 0 : band.head + index * this.rowHeight) };
    }
    /** Row and column of a position in the list. */
    at(position) {
      const band = this.bands.findLast(({ start }) => start <= position);
      const index = Math.floor((position - band.start) / band.columns);
      return { ...this.row(band, index), column: (position - band.start) % band.columns };
    }
    /** Position one row up (`step` -1) or down (1), across layers; the same position at either end. */
    vertical(position, step2) {
      const { band, index, column } = this.at(position);
      const within = position + step2 * band.columns;
      if (index + step2 >= 0 && index + step2 < band.rows)
        return Math.min(within, band.start + band.count - 1);
      const other = this.bands[this.bands.indexOf(band) + step2];
      if (!other) return position;
      const row = step2 > 0 ? 0 : other.rows - 1;
      return Math.min(
        other.start + row * other.columns + Math.min(column, other.columns - 1),
        other.start + other.count - 1
      );
    }
  };
  function runs(units, sites) {
    if (!units.length) return [];
    if (!sites) return [{ site: null, start: 0, count: units.length }];
    const found = [];
    let start = 0;
    for (const site of sites) {
      let end = start;
      while (end < units.length && units[end] < site.offset + site.count) end += 1;
      if (end > start) found.push({ site, start, count: end - start });
      start = end;
    }
    return found;
  }
  function fitCells({ size, pitch, caption }, width) {
    const columns = Math.max(1, Math.floor((width + GAP) / (pitch + GAP)));
    if (columns >= FEW) return { size, pitch, height: size + caption };
    const wide = Math.floor((width + GAP) / columns - GAP);
    const grown = Math.max(size, Math.min(wide, Math.round(1.5 * size)));
    return { size: grown, pitch: wide, height: grown + caption };
  }

  // state/load.js
  var ENTRIES_PER_SHARD = 32;
  var scripts = /* @__PURE__ */ new Map();
  function loadData(name) {
    if (!scripts.has(name)) {
      scripts.set(
        name,
        new Promise((resolve, reject) => {
          const script = element("script", { src: `${dataFolder}/${name}.js` });
          const fail = () => reject(new Error(script.src));
          script.addEventListener(
            "load",
            () => data[name] === void 0 ? fail() : resolve(data[name])
          );
          script.addEventListener("error", fail);
          document.head.append(script);
        })
      );
    }
    return scripts.get(name);
  }
  async function loadEntry(list, index) {
    const shard = await loadData(`${list}/${Math.floor(index / ENTRIES_PER_SHARD)}`);
    return shard[index % ENTRIES_PER_SHARD];
  }

  // unit/details.js
  function unitAt(index) {
    return {
      index,
      address: unitTable.address(index),
      site: unitTable.siteOf(index).name,
      renders: unitTable.renders(index)
    };
  }
  var detailOf = ([command, size, activation, trajectory, links, similar, evidence]) => ({
    command,
    size,
    activation,
    trajectory,
    links,
    similar,
    evidence
  });
  var firstDetail = (unit) => loadEntry("details", unit.renders[0].row).then(detailOf, () => null);

  // shared/patch-map.js
  var MOST = 255;
  var DIM = 0.85;
  var COLOR = [22, 30, 74];
  var bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  function patchMap(levels, rows, columns) {
    const canvas = element("canvas", {
      class: "patch-map",
      width: columns,
      height: rows,
      "aria-hidden": "true"
    });
    const pixels = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i += 1) {
      const opacity = DIM * (1 - levels[i] / MOST);
      pixels.data.set([...COLOR, Math.round(255 * opacity)], 4 * i);
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas;
  }

  // unit/evidence/activation-maps.js
  var SCALE = 255 / 15;
  var isShown2 = () => Boolean(settings.get("maps"));
  function mapLayer({ map: shape }, map) {
    if (!map) return null;
    const [rows, columns] = shape;
    const levels = [...bytesOf(map)].flatMap((byte) => [byte >> 4, byte & 15]);
    return patchMap(
      levels.map((level) => level * SCALE),
      rows,
      columns
    );
  }
  function mapSwitch({ map: shape }) {
    if (!shape) return null;
    const [, , low, high] = shape;
    const format = scaleFormat(low, high, 3);
    const button = buttonOf("Activation maps", "button map-switch", toggleMaps, {
      "aria-pressed": String(isShown2())
    });
    return element(
      "div",
      { class: "maps" },
      button,
      element(
        "span",
        {
          class: "map-legend",
          role: "img",
          "aria-label": `Dark: activation ${format(low)} or lower. Clear: ${format(high)} or higher.`
        },
        `\u2264 ${format(low)}`,
        element("span", { class: "map-scale" }),
        `\u2265 ${format(high)}`
      )
    );
  }
  function toggleMaps() {
    settings.set("maps", !isShown2());
    applyMaps();
  }
  function applyMaps() {
    document.documentElement.toggleAttribute("data-maps", isShown2());
    for (const button of document.querySelectorAll(".map-switch"))
      button.setAttribute("aria-pressed", String(isShown2()));
  }
  applyMaps();

  // shared/picture-size.js
  var wholeWidth = (pixels, target) => pixels * Math.max(1, Math.round(target / pixels));
  function fittingWidth([width, height], across, down) {
    const scale = Math.min(across / width, down / height);
    return width * (scale > 1 ? Math.floor(scale) : scale);
  }

  // shared/enlarge.js
  var enlargedDialog = document.getElementById("zoom");
  var enlarged = /* @__PURE__ */ new WeakMap();
  function enlargeButton(size, draw, width, caption, attributes = {}) {
    const button = element(
      "button",
      { type: "button", class: "zoom", "aria-haspopup": "dialog", ...attributes },
      draw(width, "lazy")
    );
    enlarged.set(button, { size, draw, caption });
    button.addEventListener("click", () => openEnlarged(button));
    return button;
  }
  function openEnlarged(button) {
    const { size, draw, caption } = enlarged.get(button);
    const width = fittingWidth(size, innerWidth * 0.92, innerHeight * 0.74);
    const all = [...button.closest(".enlarge-group").querySelectorAll("button.zoom")];
    const at = all.indexOf(button);
    const stepButton = (offset, label, arrow) => {
      const other = all[at + offset];
      const step2 = element(
        "button",
        { type: "button", class: "step", "aria-label": label, ...other ? {} : { disabled: "" } },
        arrow
      );
      step2.addEventListener("click", () => openEnlarged(other));
      return step2;
    };
    const close = element(
      "button",
      { type: "button", class: "step", "aria-label": "Close" },
      "\xD7"
    );
    close.addEventListener("click", () => enlargedDialog.close());
    enlargedDialog.replaceChildren(
      element("figure", {}, draw(width, "eager"), element("figcaption", {}, caption())),
      element(
        "div",
        { class: "steps" },
        all.length > 1 ? [stepButton(-1, "Previous picture", "\u2190"), stepButton(1, "Next picture", "\u2192")] : null,
        close
      )
    );
    if (!enlargedDialog.open) enlargedDialog.showModal();
    close.focus();
    enlargedDialog.onclose = () => button.focus({ preventScroll: true });
    enlargedDialog.onkeydown = (event) => {
      const offset = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (offset && all[at + offset]) openEnlarged(all[at + offset]);
    };
  }
  enlargedDialog.addEventListener("click", (event) => {
    if (event.target === enlargedDialog) enlargedDialog.close();
  });

  // unit/evidence/names.js
  var METRIC_TEXTS = [
    [
      "ratio",
      "Activation vs. best natural image",
      "Activation on a scale from the median natural image (0) to the best one (1). Above 1, the picture activates the unit more than every image of the dataset."
    ],
    ["percentile", "Percentile", "Percentage of natural images with a lower activation."],
    [
      "held_out",
      "Activation on held-out transforms",
      "Mean activation over shifts, scales and sizes that were not used for optimization."
    ],
    [
      "kept",
      "Robustness to held-out transforms",
      "Fraction of the increase over the median natural image that remains under these transforms; 1 is all of it."
    ],
    [
      "fine",
      "High-frequency energy",
      "Fraction of the spectral energy at high frequencies. High values indicate noise."
    ],
    [
      "grid",
      "Patch-grid energy",
      "Fraction of the spectral energy at the period of the patch grid. High values indicate patch artifacts."
    ],
    [
      "spectrum",
      "Distance to natural spectra",
      "Distance between its power spectrum and that of natural images; 0 if they are equal."
    ],
    [
      "rise",
      "Late increase",
      "Increase of the activation late in the optimization, as a fraction of the total increase; below 0.1 counts as converged."
    ],
    [
      "latent",
      "Latent after the threshold",
      "Value of the latent after threshold or top-k, at the token of the unit or, for a mean or maximum over patches, at its strongest patch; 0 if it does not fire."
    ],
    [
      "rank",
      "Rank among latents",
      "Rank of its pre-activation among all latents of the autoencoder at this token; 1 is the largest."
    ],
    [
      "agreement",
      "Agreement between seeds",
      "Similarity of pictures from different random seeds, from 0 to 1."
    ],
    [
      "diversity",
      "Diversity of samples",
      "Dissimilarity of the samples of the unit; 0 if they are identical."
    ],
    [
      "path",
      "Layer-path similarity",
      "Similarity of the hidden activations of the picture to those of the unit\u2019s top natural images: 1 is as similar as these are to each other, 0 as similar as images of other classes. Can exceed 1."
    ]
  ];
  var CHECK_TEXTS = {
    beats_natural: [
      "Activation at least that of the best natural image",
      "Activation below that of the best natural image"
    ],
    converged: ["Optimization converged", "Optimization not converged"],
    follows_natural: [
      "Hidden activations match those of its top natural images",
      "Hidden activations do not match those of its top natural images"
    ]
  };
  var CLAIM_TEXTS = {
    necessary: "Necessary",
    sufficient: "Sufficient",
    pictured: "Own picture has a larger effect than another unit\u2019s"
  };
  var className = (name) => element("bdi", { class: "class-name" }, name);
  function chip(holds, text, tag = "li") {
    return element(
      tag,
      { class: holds ? "passed" : "flagged" },
      element("span", { "aria-hidden": "true" }, holds ? "\u2713 " : "\u2717 "),
      text
    );
  }
  function checksList({ evidence }) {
    return chipList(knownChecks(evidence).map(checkChip));
  }
  function knownChecks(evidence) {
    return Object.entries(evidence?.checks ?? {}).filter(
      ([name, holds]) => holds !== null && Object.hasOwn(CHECK_TEXTS, name)
    );
  }
  var checkChip = ([name, holds]) => chip(holds, CHECK_TEXTS[name][holds ? 0 : 1]);
  function claimsList({ evidence }) {
    const { claims = {}, label } = evidence?.verdict ?? {};
    const held = Object.entries(claims).filter(([, { holds }]) => holds);
    return chipList(held.map(([name]) => chip(true, [CLAIM_TEXTS[name], " for ", className(label)])));
  }
  function chipList(chips) {
    return chips.length ? element("ul", { class: "verdicts stacked" }, chips) : null;
  }

  // unit/evidence/image.js
  var PATCH_UNITS = 1e3;
  var PATCH_NAMES = ["query", "key"];
  var activationFormat = ({ low, high }) => scaleFormat(low, high);
  var exampleFile = (number) => `${dataFolder}/examples/${number}.webp`;
  var patchName = (patches, i) => patches.length > 1 ? `${PATCH_NAMES[i]} patch` : "most active patch";
  var markedPatches = (patches) => patches.map((patch, i) => [patch, i]).filter(([patch]) => patch !== null);
  function patchFrame([left, top, right, bottom], color) {
    const frame = element("span", { class: `frame ${color}`, "aria-hidden": "true" });
    const share = (part) => `${100 * part / PATCH_UNITS}%`;
    Object.assign(frame.style, {
      left: share(left),
      top: share(top),
      width: share(right - left),
      height: share(bottom - top)
    });
    return frame;
  }
  function patchCrop(number, [left, top, right, bottom], color, alt) {
    const crop = element("span", { class: `crop ${color}`, role: "img", "aria-label": alt });
    const [wide, high] = [(right - left) / PATCH_UNITS, (bottom - top) / PATCH_UNITS];
    const at = (start, size) => `${size < 1 ? 100 * start / PATCH_UNITS / (1 - size) : 0}%`;
    crop.style.setProperty("background-image", `url("${exampleFile(number)}")`);
    crop.style.setProperty("background-size", `${100 / wide}% ${100 / high}%`);
    crop.style.setProperty("background-position", `${at(left, wide)} ${at(top, high)}`);
    return crop;
  }
  function patchCrops([number, , , patches]) {
    const marked = markedPatches(patches);
    if (!marked.length) return null;
    return element(
      "div",
      { class: "crops" },
      marked.map(
        ([patch, i]) => patchCrop(number, patch, `patch-${i}`, `${patchName(patches, i)} of natural image ${number}`)
      )
    );
  }
  function framedImage([number, value, label, patches, map], examples, width, loading) {
    const format = activationFormat(examples);
    const image = element("img", {
      src: exampleFile(number),
      alt: `Natural image ${number}${label === null ? "" : `, ${label}`}, activation ${format(value)}`,
      loading,
      decoding: "async"
    });
    image.addEventListener(
      "error",
      () => image.replaceWith(
        element("span", { class: "no-image" }, "This image is missing or cannot be read")
      )
    );
    const framed = element(
      "span",
      { class: "framed" },
      image,
      mapLayer(examples, map),
      markedPatches(patches).map(([patch, i]) => patchFrame(patch, `patch-${i}`))
    );
    if (width !== null) framed.style.setProperty("width", `${width}px`);
    return framed;
  }
  function exampleButton(entry, examples, title) {
    const [number, value, label] = entry;
    const { side, data: data2 } = examples;
    const format = activationFormat(examples);
    const draw = (width, loading) => framedImage(entry, examples, width, loading);
    const caption = () => [
      element("b", {}, format(value)),
      ...label === null ? [] : ["\xA0\xB7 ", className(label)],
      `\xA0\xB7 image ${number.toLocaleString("en")} of `,
      element("bdi", {}, data2),
      element(
        "div",
        { class: "crops-and-maps" },
        patchCrops(entry),
        entry[4] ? mapSwitch(examples) : null
      )
    ];
    const attributes = title ? { title: listed([format(value), label ?? ""].filter(Boolean)) } : {};
    return enlargeButton([side, side], draw, null, caption, attributes);
  }
  function exampleFigure(entry, examples, lead) {
    const [, value, label] = entry;
    return element(
      "figure",
      { class: "example" },
      exampleButton(entry, examples, false),
      patchCrops(entry),
      element(
        "figcaption",
        {},
        lead ? element("span", { class: "quantile" }, lead) : null,
        element("b", {}, activationFormat(examples)(value)),
        label === null ? null : element("bdi", { class: "label-of" }, label)
      )
    );
  }
  function frameLegend(entries) {
    const patches = entries.map(([, , , found]) => found);
    const most = Math.max(0, ...patches.map((found) => found.length));
    if (!most) return null;
    const note = patches.some((found) => found.includes(null)) ? " Tokens that are not patches have no frame." : "";
    if (most === 1)
      return element(
        "p",
        { class: "quiet" },
        element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
        "Frame: the patch with the highest activation, enlarged below the image.",
        note
      );
    return element(
      "p",
      { class: "quiet" },
      element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
      "Solid frame: query patch. ",
      element("span", { class: "swatch patch-1", "aria-hidden": "true" }),
      "Dashed frame: key patch, which is attended to. Both are enlarged below the image.",
      note
    );
  }

  // unit/evidence/examples.js
  var NINE = 9;
  var FEW2 = 4;
  function exampleRow(heading, lead, entries, examples, leadOf = () => null) {
    if (!entries.length) return null;
    return element(
      "section",
      { "aria-label": heading },
      element("h3", {}, heading),
      lead ? element("p", { class: "quiet" }, lead) : null,
      element(
        "div",
        { class: "examples enlarge-group" },
        entries.map((entry, i) => exampleFigure(entry, examples, leadOf(i)))
      )
    );
  }
  function examplesBlock({ evidence }) {
    const found = evidence?.examples;
    if (!found) return null;
    const ordinal = (i) => i < found.quantiles.length ? `${rounded(100 * found.quantiles[i])}\xA0%` : null;
    const all = [...found.top, ...found.spread, ...found.bottom];
    return element(
      "section",
      { class: "evidence natural", "aria-label": "Natural images" },
      element("h2", {}, "Natural images"),
      element(
        "p",
        { class: "quiet" },
        `From ${counted(found.images, "image")} of `,
        element("bdi", {}, found.data),
        ", each with the activation of the unit and its class. Click to enlarge."
      ),
      frameLegend(all),
      mapSwitch(found),
      exampleRow("Highest activation", null, found.top, found),
      exampleRow(
        "Examples by percentile",
        "The image at each percentile of the activation.",
        found.spread,
        found,
        ordinal
      ),
      exampleRow("Lowest activation", null, found.bottom, found)
    );
  }
  function nineExamples({ evidence }) {
    const found = evidence?.examples;
    if (!found?.top.length) return null;
    const nine = found.top.slice(0, NINE);
    const [first, last] = [nine[0][1], nine.at(-1)[1]].map(activationFormat(found));
    return element(
      "figure",
      { class: "nine" },
      element(
        "div",
        { class: "nine-images enlarge-group" },
        nine.map((entry) => exampleButton(entry, found, true))
      ),
      element(
        "figcaption",
        {},
        nine.length > 1 ? [
          `Top ${nine.length} of ${counted(found.images, "natural image")}: activation `,
          element("b", {}, first),
          ` to ${last}`
        ] : [
          `Top of ${counted(found.images, "natural image")}: activation `,
          element("b", {}, first)
        ]
      ),
      mapSwitch(found)
    );
  }
  function previewExamples({ evidence }) {
    const found = evidence?.examples;
    if (!found?.top.length) return null;
    return found.top.slice(0, FEW2).map((entry) => framedImage(entry, found, null, "eager"));
  }
  function fewExamples({ evidence }) {
    const found = evidence?.examples;
    if (!found?.top.length) return null;
    const figures = found.top.slice(0, FEW2).map((entry) => exampleFigure(entry, found, null));
    return element("div", { class: "examples few enlarge-group" }, figures);
  }

  // list/cell-buttons.js
  var cellButtons = element("div", { class: "cell-tools", hidden: "" });
  var hoveredCell = null;
  function cellAddress(node) {
    const [, part] = /^#unit=([^&]*)/s.exec(node?.closest?.("a.cell")?.hash ?? "") ?? [];
    return part === void 0 ? null : unescapeHash(part);
  }
  function fillButtons() {
    const address = cellAddress(hoveredCell);
    cellButtons.hidden = address === null;
    if (address === null) return;
    const { favorite } = labels.get(address);
    const pinned = pins.has(address);
    cellButtons.replaceChildren(
      buttonOf(icon("star"), "cell-tool", () => labels.set(address, { favorite: !favorite }), {
        tabindex: "-1",
        "aria-pressed": favorite,
        "aria-label": `Favorite ${address}`,
        title: "Favorite (f)"
      }),
      buttonOf(icon("pin"), "cell-tool", () => pins.toggle(address), {
        tabindex: "-1",
        "aria-pressed": pinned,
        "aria-label": `Pin ${address}`,
        title: "Pin to compare (p)"
      })
    );
    const box = hoveredCell.getBoundingClientRect();
    cellButtons.style.setProperty("left", `${box.right}px`);
    cellButtons.style.setProperty("top", `${box.top}px`);
  }
  function moveButtons(event) {
    if (event.pointerType !== "mouse" || cellButtons.contains(event.target)) return;
    const cell = event.target.closest?.("a.cell") ?? null;
    if (cell === hoveredCell) return;
    hoveredCell = cell;
    fillButtons();
  }
  function hideButtons() {
    hoveredCell = null;
    cellButtons.hidden = true;
  }
  document.body.append(cellButtons);
  document.addEventListener("pointerover", moveButtons);
  addEventListener("scroll", hideButtons, { passive: true });
  document.addEventListener("view", hideButtons);
  for (const change of ["pins", "labels"]) document.addEventListener(change, fillButtons);

  // list/preview.js
  var SIZE = 224;
  var DELAY = 400;
  var GAP2 = 12;
  var CELL_BUTTONS = 28;
  var card = element("aside", { class: "preview", "aria-hidden": "true", hidden: "" });
  var timer = 0;
  var hovered = null;
  function showPreview(i, box, gap = GAP2) {
    const address = unitTable.address(i);
    const picture = element("span", { class: "sprite" });
    setStyle(picture, thumbnailStyle(i, unitTable.siteOf(i).wide ? SIZE / 2 : SIZE));
    const images = element("div", { class: "preview-images" });
    const lines = [labels.get(address).label, unitTable.headline(i)].filter(Boolean);
    card.replaceChildren(
      element("div", { class: "preview-pictures" }, picture, images),
      element("b", {}, address),
      ...lines.map((line2) => element("span", {}, line2))
    );
    card.hidden = false;
    place(box, gap);
    firstDetail(unitAt(i)).then((detail) => {
      const found = detail && previewExamples(detail);
      if (!found || !images.isConnected || card.hidden) return;
      images.append(...found);
      place(box, gap);
    });
  }
  function place(box, gap) {
    const { width, height } = card.getBoundingClientRect();
    const { clientWidth } = document.documentElement;
    const right = box.right + gap;
    const left = right + width <= clientWidth ? right : Math.max(0, box.left - GAP2 - width);
    card.style.setProperty("left", `${left}px`);
    card.style.setProperty(
      "top",
      `${Math.max(GAP2, Math.min(box.top, innerHeight - height - GAP2))}px`
    );
  }
  function hidePreview() {
    clearTimeout(timer);
    card.hidden = true;
    hovered = null;
  }
  function show2() {
    const address = cellAddress(hovered);
    if (address === null || !hovered.isConnected) return;
    showPreview(unitTable.find(address), hovered.getBoundingClientRect(), GAP2 + CELL_BUTTONS);
  }
  function move(event) {
    const cell = event.pointerType === "mouse" ? event.target.closest?.("a.cell") ?? null : null;
    if (cell === hovered || event.target.closest?.(".cell-tools")) return;
    hidePreview();
    hovered = cell;
    if (cell) timer = setTimeout(show2, DELAY);
  }
  document.body.append(card);
  document.addEventListener("pointerover", move);
  document.addEventListener("pointerdown", hidePreview);
  document.addEventListener("view", hidePreview);
  addEventListener("scroll", hidePreview, { passive: true });
  addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || card.hidden) return;
      hidePreview();
      event.preventDefault();
      event.stopPropagation();
    },
    { capture: true }
  );

  // list/grid/rows.js
  function unitRow(grid2, { band, index }) {
    const from = band.start + index * band.columns;
    const to = Math.min(from + band.columns, band.start + band.count);
    const {
      "--offset": _,
      "--color": __,
      ...shared
    } = thumbnailStyle(grid2.units[from], pictureHeight(grid2, grid2.units[from]));
    const cells = [];
    for (let position = from; position < to; position += 1)
      cells.push(element("div", { role: "gridcell" }, unitCell(grid2, position, shared)));
    const row = element(
      "div",
      {
        class: isNarrow(band) ? "row few" : "row",
        role: "row",
        "aria-rowindex": band.row + (band.head ? 1 : 0) + index + 1
      },
      cells
    );
    row.style.setProperty("grid-template-columns", `repeat(${band.columns}, ${band.cell}px)`);
    row.style.setProperty("height", `${grid2.layout.rowHeight}px`);
    setStyle(row, shared);
    return row;
  }
  function colorRow(grid2, { band, index }) {
    const from = band.start + index * band.columns;
    const to = Math.min(from + band.columns, band.start + band.count);
    const spread = (grid2.width - band.cell) / (band.columns - 1);
    const step2 = isNarrow(band) ? band.cell + GAP : spread;
    const stops = [];
    for (let position = from; position < to; position += 1) {
      const i = grid2.units[position];
      const left = Math.round((position - from) * step2);
      const right = left + pictureHeight(grid2, i) * (unitTable.siteOf(i).wide ? 2 : 1);
      const color = unitTable.color(i) ?? "var(--surface)";
      stops.push(`transparent ${left}px, ${color} ${left}px ${right}px, transparent ${right}px`);
    }
    const row = element("div", { class: "row colors", "aria-hidden": "true" });
    row.style.setProperty("height", `${grid2.layout.rowHeight}px`);
    row.style.setProperty("background-image", `linear-gradient(to right, ${stops.join()})`);
    row.style.setProperty("background-size", `100% ${grid2.shape.size}px`);
    return row;
  }
  var isNarrow = ({ columns, site }) => columns < FEW || site?.wide;
  function pictureHeight(grid2, i) {
    return unitTable.siteOf(i).wide && !grid2.headed ? grid2.shape.size / 2 : grid2.shape.size;
  }
  function unitCell(grid2, position, shared) {
    const i = grid2.units[position];
    const address = unitTable.address(i);
    const { label, favorite } = labels.get(address);
    const isPinned = pins.has(address);
    const headline = unitTable.headline(i);
    const values = grid2.metrics.map((key) => metricText(key, unitTable.metric(key, i)));
    const facts = [
      ...label ? [label] : [],
      ...headline ? [headline] : [],
      ...favorite ? ["favorite"] : [],
      ...isPinned ? ["pinned"] : []
    ];
    const [name, value, line2] = captionOf(grid2, i, label || headline);
    const link = element(
      "a",
      {
        class: `cell${favorite ? " favorite" : ""}${isPinned ? " pinned" : ""}`,
        href: view.link({ unit: address }),
        "aria-label": [address, ...values].join(", "),
        ...facts.length ? { "aria-description": facts.join(", ") } : {},
        "data-name": name,
        "data-position": position,
        tabindex: "-1"
      },
      value ? element("b", { class: "caption" }, value) : null,
      line2 ? element("span", { class: "caption" }, line2) : null
    );
    setStyle(link, thumbnailStyle(i, pictureHeight(grid2, i)), shared);
    return link;
  }
  function captionLines({ metrics }) {
    return 1 + metrics.length + (unitTable.headlines.length || labels.size ? 1 : 0);
  }
  function captionOf({ headed, metrics }, i, line2) {
    const samples = unitTable.samples(i);
    const suffix = `${unitTable.suffixes[i]}${samples > 1 ? ` \xD7${samples}` : ""}`;
    const name = headed ? suffix : `${shortSite(unitTable.siteOf(i).name)}${suffix}`;
    const values = metrics.map((key) => measured(unitTable.metric(key, i)));
    return [name, values.join("\n"), line2];
  }
  function shortSite(name) {
    const short = name.replace(/^blocks\./, "");
    return hasOneKind ? /\d+/.exec(name)[0] : short;
  }
  var hasOneKind = unitTable.sites.every(({ name }) => /\d/.test(name)) && new Set(unitTable.sites.map(({ name }) => name.replace(/\d+/, "#"))).size === 1;
  function headingRow({ band }) {
    const heading = element(
      "h2",
      { tabindex: "-1" },
      element("a", { href: view.link({ layer: band.site.name }), tabindex: "-1" }, band.site.name)
    );
    const shown = band.count < band.site.count ? `${band.count.toLocaleString("en")} of ${counted(band.site.count, "unit")}` : counted(band.count, "unit");
    return element(
      "div",
      { class: "row head", role: "row", "aria-rowindex": band.row + 1 },
      element("div", { role: "gridcell", class: "heading" }, heading, element("p", {}, shown))
    );
  }
  function metricText(key, value) {
    const { name } = unitTable.metrics.find((metric) => metric.key === key);
    return `${name} ${value === null ? "unknown" : measured(value)}`;
  }

  // list/grid/grid.js
  var OVERSCAN = 400;
  var CAPTION_LINE = 17;
  var CAPTION_GAP = 13;
  var WIDEST_VALUE = 84;
  var MARGIN_DELAY = 150;
  var FAST = 0.2;
  var PAUSE = 100;
  var Grid = class {
    constructor(container) {
      this.container = container;
      this.rows = /* @__PURE__ */ new Map();
      this.current = 0;
      this.layout = null;
      this.onlayer = () => {
      };
      this.frame = 0;
      this.marginTimer = 0;
      this.hasMargin = false;
      this.drawn = { top: 0, time: 0 };
      this.jump = 0;
      this.pauseTimer = 0;
      addEventListener("scroll", () => this.requestDraw(), { passive: true });
      addEventListener("resize", () => this.requestDraw());
      new ResizeObserver(() => this.resize()).observe(container);
      container.addEventListener("keydown", (event) => this.press(event));
      container.addEventListener(
        "focusin",
        (event) => this.setCurrent(event.target.closest("a.cell"))
      );
    }
    /** Show a list of units; `headed` adds a heading per layer, `metrics` are those shown in captions. */
    fill(units, { headed, metrics }) {
      this.units = units;
      this.headed = headed;
      this.metrics = metrics;
      this.positions = null;
      this.current = 0;
      this.measure();
      this.arrange();
    }
    /** Compute the size of a cell: that of its picture, and lines of text below it. */
    measure() {
      const size = pictureSize();
      const hasName = this.headed && !this.metrics.length;
      this.wanted = {
        size,
        pitch: hasName ? size : Math.max(size, WIDEST_VALUE),
        caption: captionHeight(this)
      };
    }
    /** Show pictures of another size; keep the first unit in view. */
    resizePictures() {
      if (!this.layout) return;
      this.measure();
      this.rearrange();
    }
    /** Compute the layout for the current width. */
    arrange() {
      this.width = this.container.clientWidth;
      this.shape = fitCells(this.wanted, this.width);
      this.layout = new Layout(
        this.units,
        this.headed ? unitTable.sites : null,
        this.width,
        this.shape
      );
      this.container.style.setProperty("height", `${this.layout.height}px`);
      this.container.setAttribute("aria-rowcount", this.layout.rows);
      for (const node of this.rows.values()) node.remove();
      this.rows.clear();
      this.jumped();
      this.draw();
    }
    /** Update the layout when the width changes; keep the scroll position and the focus. */
    resize() {
      if (!this.layout || !this.container.clientWidth || this.container.clientWidth === this.width)
        return;
      this.rearrange();
    }
    /** Compute the layout again; keep the scroll position and the focus. */
    rearrange() {
      const [top] = this.viewport();
      const first = this.firstIn(top);
      const shift = first === null ? 0 : top - this.layout.at(first).top;
      const focused = this.focused();
      const heading = document.activeElement?.closest("#units h2")?.textContent;
      this.arrange();
      if (first !== null && top > 0)
        scrollBy(0, this.layout.at(first).top + shift - this.viewport()[0]);
      this.draw();
      if (focused !== null) this.focus(focused);
      if (heading)
        [...this.container.querySelectorAll("h2")].find((other) => other.textContent === heading)?.focus({ preventScroll: true });
    }
    /** Draw once in the next animation frame. */
    requestDraw() {
      if (this.frame || !this.layout || this.container.offsetParent === null) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
    /** Draw the rows outside of the viewport when the pictures in it have been requested. */
    requestMargin() {
      this.hasMargin = false;
      clearTimeout(this.marginTimer);
      this.marginTimer = setTimeout(() => {
        this.hasMargin = true;
        this.requestDraw();
      }, MARGIN_DELAY);
    }
    /** Top and bottom of the viewport, relative to the grid. */
    viewport() {
      const top = -this.container.getBoundingClientRect().top;
      return [top, top + innerHeight];
    }
    /**
     * Notice fast scrolling, during which new rows show mean colors only: their pictures could not be
     * seen, and their cells would take longer than a frame. A single jump is no fast scrolling.
     */
    watchSpeed(top) {
      const now = performance.now();
      const isScrolling = now - this.drawn.time < 2 * PAUSE && now - this.jump > 2 * PAUSE;
      const isFast = isScrolling && Math.abs(top - this.drawn.top) > FAST * innerHeight;
      this.drawn = { top, time: now };
      if (!isFast) return;
      clearTimeout(this.pauseTimer);
      this.pauseTimer = setTimeout(() => this.pause(), PAUSE);
    }
    /** Take the next draws as a jump. */
    jumped() {
      this.jump = performance.now();
    }
    /** Replace rows of mean colors. */
    pause() {
      this.pauseTimer = 0;
      for (const [at, node] of this.rows) {
        if (!node.matches(".colors")) continue;
        node.remove();
        this.rows.delete(at);
      }
      this.draw();
    }
    /**
     * Insert the rows near the viewport, and remove the others. If no row of the viewport is in the
     * document, those outside of it follow later, so that their pictures delay no visible one.
     */
    draw() {
      if (!this.layout || this.container.offsetParent === null) return;
      const [top, bottom] = this.viewport();
      this.watchSpeed(top);
      const isNew = ![...this.layout.between(top, bottom)].some((row) => this.rows.has(row.top));
      if (isNew && this.units.length) this.requestMargin();
      const margin = this.hasMargin ? OVERSCAN : 0;
      const wanted = new Map(
        [...this.layout.between(top - margin, bottom + margin)].map((row) => [row.top, row])
      );
      const focused = document.activeElement?.closest("#units [role=row]");
      for (const [at, node] of this.rows) {
        if (wanted.has(at) || node === focused) continue;
        node.remove();
        this.rows.delete(at);
      }
      const fresh = [...wanted.values()].filter((row) => !this.rows.has(row.top));
      for (const row of fresh) this.insert(row);
      this.updateTabStop();
      if (this.units.length) this.onlayer(this.layerAt(top + stickyHeight()));
    }
    /** Name of the layer at a height; null if the list has no headings. */
    layerAt(top) {
      return this.headed ? this.layout.bandAt(top + HEADING).site.name : null;
    }
    /** Insert a row, in document order. */
    insert(row) {
      const node = this.node(row);
      node.style.setProperty("top", `${row.top}px`);
      node.dataset.top = row.top;
      const after = [...this.rows.keys()].filter((top) => top > row.top);
      this.container.insertBefore(node, after.length ? this.rows.get(Math.min(...after)) : null);
      this.rows.set(row.top, node);
    }
    node(row) {
      if (row.index < 0) return headingRow(row);
      return this.pauseTimer ? colorRow(this, row) : unitRow(this, row);
    }
    /** Rebuild the rows in the document, after labels or pins changed. */
    refresh() {
      if (!this.layout) return;
      if (this.wanted.caption !== captionHeight(this)) {
        this.resizePictures();
        return;
      }
      const focused = this.focused();
      for (const node of this.rows.values()) node.remove();
      this.rows.clear();
      this.draw();
      if (focused !== null) this.focus(Math.min(focused, this.units.length - 1));
    }
    /** Keep one cell in the tab order: the current one, or else the first in the document. */
    updateTabStop() {
      const cells = [...this.container.querySelectorAll("a.cell")];
      const current = cells.find((cell) => Number(cell.dataset.position) === this.current) ?? cells[0];
      if (current?.tabIndex === 0) return;
      for (const cell of cells) if (cell.tabIndex === 0) cell.tabIndex = -1;
      if (current) current.tabIndex = 0;
    }
    setCurrent(cell) {
      if (!cell) return;
      this.current = Number(cell.dataset.position);
      this.updateTabStop();
    }
    /** Position of the cell with the focus; null if none has it. */
    focused() {
      const cell = document.activeElement?.closest("#units a.cell");
      return cell ? Number(cell.dataset.position) : null;
    }
    /** Position of the first unit below a height; null if there is none. */
    firstIn(top) {
      for (const { band, index } of this.layout.between(top, top + innerHeight))
        if (index >= 0) return band.start + index * band.columns;
      return null;
    }
    /** Position of a unit in the list; -1 if it is not in it. */
    positionOf(i) {
      this.positions ??= new Map([...this.units].map((unit, position) => [unit, position]));
      return this.positions.get(i) ?? -1;
    }
    /** Scroll a range of heights into view, as little as possible. */
    reveal(from, height) {
      const bars = stickyHeight();
      const [top, end] = this.viewport();
      const bottom = end - pinnedBar.offsetHeight - 16;
      if (from < top + bars) scrollBy(0, from - top - bars);
      else if (from + height > bottom) scrollBy(0, from + height - bottom);
      clearTimeout(this.pauseTimer);
      this.jumped();
      this.pause();
    }
    /** Focus the cell at a position, and scroll it into view. */
    focus(position) {
      const row = this.layout.at(position);
      this.current = position;
      this.reveal(row.top, this.layout.rowHeight);
      if (!this.rows.has(row.top)) this.insert(row);
      this.updateTabStop();
      this.container.querySelector(`a.cell[data-position="${position}"]`).focus({ preventScroll: true });
    }
    press(event) {
      const position = this.focused();
      if (position === null || event.altKey || event.metaKey || event.shiftKey) return;
      const to = (event.ctrlKey ? CTRL_KEYS : PLAIN_KEYS)[event.key]?.(position, this);
      if (to === void 0) return;
      event.preventDefault();
      this.focus(Math.max(0, Math.min(this.units.length - 1, to)));
    }
  };
  var captionHeight = (grid2) => CAPTION_GAP + captionLines(grid2) * CAPTION_LINE;
  function stickyHeight() {
    const { left } = document.getElementById("units").getBoundingClientRect();
    const bars = ["sites", "tools"].map((name) => document.getElementById(name)).filter((bar) => getComputedStyle(bar).position === "sticky");
    const boxes = bars.map((bar) => bar.getBoundingClientRect()).filter((box) => box.right > left);
    return boxes.reduce((height, box) => height + box.height, 0);
  }

  // list/layers.js
  var ALL = "All layers";
  var Layers = class {
    constructor(container) {
      this.links = new Map(
        [null, ...unitTable.sites.map(({ name }) => name)].map((name) => [
          name,
          element(
            "a",
            { class: name === null ? "all" : "" },
            name ?? ALL,
            " ",
            element("span", { class: "quiet" })
          )
        ])
      );
      this.options = new Map(
        [...this.links.keys()].map((name) => [name, element("option", { value: name ?? "" })])
      );
      this.select = element("select", { id: "layer", "aria-label": "Layer" }, [
        ...this.options.values()
      ]);
      this.select.addEventListener("change", () => view.go({ layer: this.select.value || null }));
      this.list = element(
        "ol",
        {},
        [...this.links.values()].map((link) => element("li", {}, link))
      );
      this.list.addEventListener("keydown", (event) => this.press(event));
      const top = buttonOf("\u2191 Search", "to-top", () => {
        scrollTo(0, 0);
        document.getElementById("search").focus();
      });
      container.append(element("p", { class: "caption" }, "Show layer"), this.list, this.select, top);
      this.inView = null;
      this.update();
    }
    /** Update links and counts for the current view. Layers without matches have no link. */
    update() {
      const state = view.state();
      const counts = unitTable.countsBySite(state);
      const sum = counts.reduce((total, count) => total + count, 0);
      this.counts = new Map([
        [null, sum],
        ...unitTable.sites.map(({ name }, index) => [name, counts[index]])
      ]);
      for (const [name, link] of this.links) {
        const count = this.counts.get(name);
        const isShown3 = state.layer === name;
        if (count || isShown3 || name === null) link.setAttribute("href", view.link({ layer: name }));
        else link.removeAttribute("href");
        if (isShown3) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
        link.lastChild.replaceChildren(count.toLocaleString("en"));
        const option = this.options.get(name);
        option.disabled = !count && !isShown3 && name !== null;
        this.fillOption(name);
      }
      this.select.value = state.layer ?? "";
      this.mark(isByLayer(state) && state.layer === null ? this.inView : null);
      this.updateTabStop();
      const current = this.links.get(state.layer);
      if (current) this.reveal(current);
    }
    fillOption(name) {
      const place2 = name === null && this.inView !== null ? `, at ${this.inView}` : "";
      const count = this.counts.get(name).toLocaleString("en");
      this.options.get(name).replaceChildren(`${name ?? ALL} (${count})${place2}`);
    }
    /** Move between the links with the arrow keys, so that the tab key stops at one of them only. */
    press(event) {
      const step2 = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step2) return;
      const links = [...this.list.querySelectorAll("a[href]")];
      links[links.indexOf(document.activeElement) + step2]?.focus();
      event.preventDefault();
    }
    /** Keep one link in the tab order: that of the layer shown. */
    updateTabStop() {
      const links = [...this.list.querySelectorAll("a[href]")];
      const stop = links.find((link) => link.ariaCurrent) ?? links[0];
      for (const link of links) link.tabIndex = link === stop ? 0 : -1;
    }
    /** Mark the layer in view, where all layers are shown; null for none. */
    mark(name) {
      if (this.inView === name) return;
      this.links.get(this.inView)?.classList.remove("in-view");
      this.inView = name;
      this.fillOption(null);
      if (name === null) return;
      this.links.get(name).classList.add("in-view");
      this.reveal(this.links.get(name));
    }
    /** Scroll the list of links to one of them. */
    reveal(link) {
      const { parentElement: list } = this.list;
      const [top, bottom] = [link.offsetTop - 40, link.offsetTop + 60];
      if (top < list.scrollTop) list.scrollTop = top;
      else if (bottom > list.scrollTop + list.clientHeight)
        list.scrollTop = bottom - list.clientHeight;
    }
    /** Show the previous or the next layer that has matches; all layers are before the first. */
    step(offset) {
      const names = [...this.links.keys()];
      let to = names.indexOf(view.state().layer) + offset;
      while (this.counts.get(names[to]) === 0) to += offset;
      if (to >= 0 && to < names.length) view.go({ layer: names[to] });
    }
  };

  // list/map/coloring.js
  var MOST_CLASSES = 7;
  var OTHER = "--s7";
  var UNKNOWN = "--edge";
  var COLORINGS = {
    picture: "Color by picture",
    layer: "Color by layer",
    ...unitTable.facets.has("class") ? { class: "Color by class" } : {}
  };
  function coloring(name) {
    if (name === "layer") return byLayer();
    if (name === "class") return byClass();
    const unknown = themeColor(UNKNOWN);
    return {
      colors: Array.from({ length: unitTable.count }, (_, i) => unitTable.color(i) ?? unknown),
      legend: []
    };
  }
  function byLayer() {
    const { sites } = unitTable;
    const last = Math.max(1, sites.length - 1);
    const scale = sites.map((_, index) => {
      const share = index / last;
      return `oklch(${0.45 + 0.42 * share} 0.13 ${280 - 190 * share})`;
    });
    return {
      colors: sites.flatMap(({ count }, index) => new Array(count).fill(scale[index])),
      legend: sites.map(({ name, count }, index) => ({
        color: scale[index],
        text: name,
        count,
        filter: { layer: name }
      }))
    };
  }
  function byClass() {
    const { values, units } = unitTable.facets.get("class");
    const counts = unitTable.facetCounts().filter(({ key }) => key === "class").sort((a, b) => b.count - a.count);
    const common = counts.slice(0, MOST_CLASSES).map(({ value, count }, index) => ({
      color: themeColor(`--s${index}`),
      text: value,
      count,
      filter: { facets: { class: value } }
    }));
    const [other, unknown] = [themeColor(OTHER), themeColor(UNKNOWN)];
    const colorOf = new Map(common.map(({ text, color }) => [text, color]));
    const others = counts.slice(MOST_CLASSES).reduce((sum, { count }) => sum + count, 0);
    const without = units.filter((value) => value === null).length;
    return {
      colors: units.map(
        (value) => value === null ? unknown : colorOf.get(values[value]) ?? other
      ),
      legend: [
        ...common,
        ...others ? [{ color: other, text: "other classes", count: others }] : [],
        ...without ? [{ color: unknown, text: "no class", count: without }] : []
      ]
    };
  }
  function themeColor(name) {
    const probe = element("span", { hidden: "" });
    probe.style.setProperty("color", `var(${name})`);
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  // shared/keyboard.js
  var KEY_NAMES = {
    ArrowLeft: "\u2190",
    ArrowRight: "\u2192",
    ArrowUp: "\u2191",
    ArrowDown: "\u2193",
    Escape: "Esc",
    PageUp: "Page up",
    PageDown: "Page down"
  };
  var KEY_GROUPS = ["List", "Unit", "Anywhere"];
  var Keys = class {
    constructor() {
      this.entries = [];
      this.dialog = element("dialog", { class: "keys", "aria-labelledby": "keys-title" });
      document.body.append(this.dialog);
      this.dialog.addEventListener("click", (event) => {
        if (event.target === this.dialog) this.dialog.close();
      });
      document.addEventListener("keydown", (event) => this.press(event));
    }
    /** Add a key. `action` runs when it is pressed and `when` returns true; null only documents the key. */
    add(group, key, description, action = null, when = () => true) {
      this.entries.push({ group, key, description, action, when });
    }
    press(event) {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target))
        return;
      if (document.querySelector("dialog[open]")) return;
      if ([...event.key].length === 1 && !settings.get("shortcuts")) return;
      const entry = this.entries.find(
        ({ key, action, when }) => key === event.key && action && when()
      );
      if (!entry) return;
      event.preventDefault();
      entry.action(event);
    }
    /** Show the dialog of all keys, by group. */
    show() {
      const groups = Map.groupBy(this.entries, ({ group }) => group);
      const shown = [...KEY_GROUPS, ...groups.keys()].filter(
        (group, index, all) => groups.has(group) && all.indexOf(group) === index
      );
      const single = element("input", { type: "checkbox", id: "single-keys" });
      single.checked = settings.get("shortcuts");
      single.addEventListener("change", () => settings.set("shortcuts", single.checked));
      const close = element("button", { type: "button" }, "Close");
      close.addEventListener("click", () => this.dialog.close());
      this.dialog.replaceChildren(
        element("h2", { id: "keys-title" }, "Keyboard shortcuts"),
        element(
          "div",
          { class: "key-groups", tabindex: "0", role: "group", "aria-labelledby": "keys-title" },
          shown.map(
            (group) => element(
              "section",
              {},
              element("h3", {}, group),
              element("dl", {}, keyRows(groups.get(group)))
            )
          )
        ),
        element("label", {}, single, " Shortcuts of a single letter, digit or sign"),
        close
      );
      this.dialog.showModal();
      close.focus();
    }
  };
  function keyRows(entries) {
    const rows = Map.groupBy(entries, ({ description }) => description);
    return [...rows].map(([description, same]) => [
      element(
        "dt",
        {},
        same.map(({ key }) => element("kbd", {}, KEY_NAMES[key] ?? key))
      ),
      element("dd", {}, description)
    ]);
  }
  var isTyping = (node) => node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);
  var keys = new Keys();
  keys.add("Anywhere", "?", "Show keyboard shortcuts", () => keys.show());

  // list/map/gestures.js
  var CLICK = 6;
  var LINE = 16;
  var WHEEL = 2e-3;
  var PINCH = 0.01;
  function addGestures(canvas, { pan, zoom, click: click2, hover }) {
    const pointers = /* @__PURE__ */ new Map();
    let moved = 0;
    const position = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return [clientX - box.left - canvas.clientLeft, clientY - box.top - canvas.clientTop];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      hover();
      canvas.setPointerCapture(event.pointerId);
      if (!pointers.size) moved = 0;
      pointers.set(event.pointerId, position(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = position(event);
      const before = pointers.get(event.pointerId);
      if (!before) {
        if (event.pointerType === "mouse" && !event.buttons) hover(...at);
        return;
      }
      pointers.set(event.pointerId, at);
      moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
      if (pointers.size === 1) {
        if (moved > CLICK) pan(at[0] - before[0], at[1] - before[1]);
        return;
      }
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
      const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
      pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      zoom(apart(at) / apart(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    });
    const end = (event) => {
      if (!pointers.delete(event.pointerId) || pointers.size) return;
      if (event.type === "pointerup" && moved <= CLICK) click2(...position(event), event);
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => hover());
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
        zoom(Math.exp(-pixels * (event.ctrlKey ? PINCH : WHEEL)), ...position(event));
      },
      { passive: false }
    );
  }

  // list/map/pictures.js
  var AT_ONCE = 12;
  var Pictures = class {
    constructor(most, source, onload) {
      this.most = most;
      this.source = source;
      this.onload = onload;
      this.bitmaps = /* @__PURE__ */ new Map();
      this.wanted = /* @__PURE__ */ new Map();
      this.loading = /* @__PURE__ */ new Map();
      this.failed = /* @__PURE__ */ new Set();
    }
    /** The decoded picture of a unit; null if it is not loaded. */
    get(i) {
      const bitmap = this.bitmaps.get(i) ?? null;
      if (bitmap) {
        this.bitmaps.delete(i);
        this.bitmaps.set(i, bitmap);
      }
      return bitmap;
    }
    /** Load the pictures of these units, and no others, in this order. */
    request(units) {
      this.wanted = Map.groupBy(
        units.filter((i) => !this.bitmaps.has(i)),
        (i) => this.source(i)?.file
      );
      this.wanted.delete(void 0);
      this.loadNext();
    }
    loadNext() {
      for (const [file, units] of this.wanted) {
        if (this.loading.size >= AT_ONCE) return;
        if (this.loading.has(file) || this.failed.has(file)) continue;
        this.wanted.delete(file);
        this.loading.set(file, units);
        this.load(file, units).finally(() => {
          this.loading.delete(file);
          this.loadNext();
        });
      }
    }
    async load(file, units) {
      const image = new Image();
      image.src = file;
      try {
        await image.decode();
        for (const i of units) {
          const { x, y, width, height } = this.source(i);
          const part = width ? [x, y, width, height] : [];
          this.keep(i, await createImageBitmap(image, ...part));
        }
      } catch {
        this.failed.add(file);
      }
      this.onload();
    }
    keep(i, bitmap) {
      this.bitmaps.get(i)?.close();
      this.bitmaps.set(i, bitmap);
      for (const [old, unused] of this.bitmaps) {
        if (this.bitmaps.size <= this.most) return;
        unused.close();
        this.bitmaps.delete(old);
      }
    }
  };

  // list/map/painter.js
  var PICTURES_FROM = 16;
  var MOST_DRAWN = 700;
  var GAPS_FROM = 5;
  var MOST_PICTURES = 2048;
  var MOST_LARGE = 160;
  var DIMMED = 0.14;
  var FRAME = 0.09;
  var Painter = class {
    constructor(canvas, viewport, unitAt2, onload) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d", { alpha: false });
      this.viewport = viewport;
      this.unitAt = unitAt2;
      this.squares = document.createElement("canvas");
      this.squares.width = viewport.columns;
      this.squares.height = viewport.rows;
      this.thumbnails = new Pictures(MOST_PICTURES, (i) => unitTable.sprite(i), onload);
      this.large = new Pictures(MOST_LARGE, largeSource, onload);
    }
    /** Set the color of each unit, whether it is shown or dimmed, and whether its picture has a frame. */
    setColors(colors, isShown3, hasFrame) {
      this.isShown = isShown3;
      this.hasFrame = hasFrame;
      const context = this.squares.getContext("2d");
      const { columns, rows } = this.viewport;
      context.clearRect(0, 0, columns, rows);
      for (const [cell, i] of this.unitAt.entries()) {
        if (i < 0) continue;
        context.globalAlpha = isShown3(i) ? 1 : DIMMED;
        context.fillStyle = colors[i];
        context.fillRect(cell % columns, Math.floor(cell / columns), 1, 1);
      }
    }
    /** Draw the map; outline the unit under the mouse and the one with the focus, each null if none. */
    draw(theme, hovered2, focused) {
      const { context, canvas, viewport } = this;
      const ratio = canvas.width / viewport.width;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalAlpha = 1;
      context.fillStyle = theme.paper;
      context.fillRect(0, 0, canvas.width, canvas.height);
      const { columns, rows, scale } = viewport;
      const [x, y] = [Math.round(viewport.left(0) * ratio), Math.round(viewport.top(0) * ratio)];
      const across = Math.round(columns * scale * ratio);
      const down = Math.round(rows * scale * ratio);
      const left = (column) => x + Math.round(column * across / columns);
      const top = (row) => y + Math.round(row * down / rows);
      context.imageSmoothingEnabled = scale * ratio < 1;
      context.drawImage(this.squares, x, y, across, down);
      const range = viewport.visible();
      const gap = scale < GAPS_FROM ? 0 : Math.max(1, Math.round(scale * ratio * 0.06));
      const boxOf = (cell) => {
        const [column, row] = [cell % columns, Math.floor(cell / columns)];
        const [from, over] = [left(column), top(row)];
        return [from, over, left(column + 1) - from - gap, top(row + 1) - over - gap];
      };
      this.drawGaps(range, gap, left, top);
      this.drawPictures(range, ratio, boxOf);
      for (const [cell, width] of [
        [hovered2, 2],
        [focused, 3]
      ])
        if (cell !== null) this.outline(theme, boxOf(cell), width * ratio);
    }
    drawGaps(range, gap, left, top) {
      if (!gap) return;
      const { width, height } = this.canvas;
      for (let column = range.left; column <= range.right; column += 1)
        this.context.fillRect(left(column + 1) - gap, 0, gap, height);
      for (let row = range.top; row <= range.bottom; row += 1)
        this.context.fillRect(0, top(row + 1) - gap, width, gap);
    }
    drawPictures(range, ratio, boxOf) {
      const { scale, columns } = this.viewport;
      if (scale < PICTURES_FROM) return;
      const cells = [];
      for (let row = range.top; row <= range.bottom; row += 1)
        for (let column = range.left; column <= range.right; column += 1) {
          const cell = row * columns + column;
          if (this.unitAt[cell] >= 0) cells.push(cell);
        }
      if (cells.length > MOST_DRAWN) return;
      const isLarge = scale * ratio > 1.25 * unitTable.cell && cells.length <= MOST_LARGE;
      const units = cells.map((cell) => this.unitAt[cell]);
      this.thumbnails.request(units);
      if (isLarge) this.large.request(units);
      this.context.imageSmoothingEnabled = true;
      for (const [index, cell] of cells.entries()) {
        const i = units[index];
        const bitmap = (isLarge ? this.large.get(i) : null) ?? this.thumbnails.get(i);
        if (!bitmap) continue;
        const [x, y, width, height] = boxOf(cell);
        const frame = this.hasFrame ? Math.max(2, Math.round(width * FRAME)) : 0;
        const fit = Math.min(
          (width - 2 * frame) / bitmap.width,
          (height - 2 * frame) / bitmap.height
        );
        const across = Math.round(bitmap.width * fit);
        const down = Math.round(bitmap.height * fit);
        this.context.globalAlpha = this.isShown(i) ? 1 : DIMMED;
        this.context.drawImage(
          bitmap,
          x + (width - across >> 1),
          y + (height - down >> 1),
          across,
          down
        );
      }
      this.context.globalAlpha = 1;
    }
    outline(theme, [x, y, width, height], thickness) {
      for (const [color, grow] of [
        [theme.paper, 2],
        [theme.accent, 1]
      ]) {
        const line2 = grow === 2 ? thickness * 2 : thickness;
        const out = thickness;
        this.context.strokeStyle = color;
        this.context.lineWidth = line2;
        this.context.strokeRect(x - out, y - out, width + 2 * out, height + 2 * out);
      }
    }
  };
  function largeSource(i) {
    const files = unitTable.pictureFiles(i);
    return files?.length === 1 ? { file: files[0] } : null;
  }

  // list/map/viewport.js
  var MIN_SCALE = 1;
  var MAX_SCALE = 192;
  var MARGIN = 12;
  var PLACE = /^(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/;
  var Viewport = class {
    constructor(columns, rows) {
      this.columns = columns;
      this.rows = rows;
      this.width = this.height = 1;
      this.fit();
    }
    /** Scale at which the whole map is shown. */
    get fitting() {
      const across = (this.width - 2 * MARGIN) / this.columns;
      const down = (this.height - 2 * MARGIN) / this.rows;
      return Math.min(MAX_SCALE, Math.max(0.1, Math.min(across, down)));
    }
    /** Show the whole map. */
    fit() {
      this.scale = this.fitting;
      this.x = this.columns / 2;
      this.y = this.rows / 2;
    }
    get isFitted() {
      return this.scale === this.fitting && this.x === this.columns / 2 && this.y === this.rows / 2;
    }
    /** Change the size of the window; a map that is shown as a whole stays so. */
    resize(width, height) {
      const { isFitted } = this;
      this.width = width;
      this.height = height;
      if (isFitted) this.fit();
    }
    /** Horizontal position of a cell coordinate in the window, in pixels. */
    left(x) {
      return this.width / 2 + (x - this.x) * this.scale;
    }
    /** Vertical position of a cell coordinate in the window, in pixels. */
    top(y) {
      return this.height / 2 + (y - this.y) * this.scale;
    }
    /** Cell coordinates of a position in the window. */
    cellAt(left, top) {
      return [
        this.x + (left - this.width / 2) / this.scale,
        this.y + (top - this.height / 2) / this.scale
      ];
    }
    /** First and last column and row that are in the window. */
    visible() {
      const [left, top] = this.cellAt(0, 0);
      const [right, bottom] = this.cellAt(this.width, this.height);
      return {
        left: Math.max(0, Math.floor(left)),
        top: Math.max(0, Math.floor(top)),
        right: Math.min(this.columns - 1, Math.floor(right)),
        bottom: Math.min(this.rows - 1, Math.floor(bottom))
      };
    }
    /** Move the map by pixels. */
    pan(across, down) {
      this.moveTo(this.x - across / this.scale, this.y - down / this.scale);
    }
    /** Center a cell coordinate, within the map. */
    moveTo(x, y) {
      this.x = Math.min(this.columns, Math.max(0, x));
      this.y = Math.min(this.rows, Math.max(0, y));
    }
    /** Multiply the scale; what is at a position in the window stays there. */
    zoom(factor, left = this.width / 2, top = this.height / 2) {
      const [x, y] = this.cellAt(left, top);
      const lowest = Math.min(MIN_SCALE, this.fitting);
      this.scale = Math.min(MAX_SCALE, Math.max(lowest, this.scale * factor));
      this.moveTo(x - (left - this.width / 2) / this.scale, y - (top - this.height / 2) / this.scale);
    }
    /** Move as little as possible so that a cell is in the window. */
    reveal(column, row) {
      const margin = Math.min(0.25 * this.width, 0.25 * this.height, this.scale);
      const left = this.left(column);
      const top = this.top(row);
      const across = Math.max(margin - left, 0) || Math.min(this.width - margin - this.scale - left, 0);
      const down = Math.max(margin - top, 0) || Math.min(this.height - margin - this.scale - top, 0);
      if (across || down) this.pan(across, down);
    }
    /** Text for a link; null for the whole map. */
    get text() {
      if (this.isFitted) return null;
      return [this.x, this.y, this.scale].map((value) => Number(value.toFixed(2))).join(",");
    }
    /** Show what the text of a link says. */
    read(text) {
      const [, x, y, scale] = PLACE.exec(text) ?? [];
      this.fit();
      if (scale === void 0) return;
      this.zoom(Number(scale) / this.scale);
      this.moveTo(Number(x), Number(y));
    }
  };
  var isPlace = (text) => PLACE.test(text);

  // list/map/unit-map.js
  var STEP = 1.5;
  var PAN_STEP = 80;
  var NEAR = 8;
  var UNIT_SCALE = 64;
  var NOTE_DELAY = 250;
  var PREVIEW_DELAY = 150;
  var MIN_HEIGHT = 320;
  var STATUS_HEIGHT = 48;
  var BASES = {
    pictures: "Units with similar pictures are near each other.",
    activations: "Units that are active on the same natural images are near each other."
  };
  var DIRECTIONS = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1]
  };
  var UnitMap = class {
    constructor(container, { basis, columns, rows, cells }) {
      this.columns = columns;
      this.cells = cells;
      this.unitAt = new Int32Array(columns * rows).fill(-1);
      for (const [i, cell] of cells.entries()) if (cell !== null) this.unitAt[cell] = i;
      this.viewport = new Viewport(columns, rows);
      this.isShown = () => true;
      this.focused = null;
      this.hovered = null;
      this.frame = 0;
      this.place = void 0;
      this.build(container, basis);
      this.painter = new Painter(this.canvas, this.viewport, this.unitAt, () => this.requestDraw());
      this.listen();
    }
    build(container, basis) {
      this.canvas = element("canvas", {
        tabindex: "0",
        role: "application",
        "aria-label": "Map of units",
        "aria-describedby": "map-note"
      });
      this.color = element(
        "select",
        { id: "map-color", "aria-label": "Color of the units" },
        Object.entries(COLORINGS).map(([value, name]) => element("option", { value }, name))
      );
      this.color.addEventListener(
        "change",
        () => view.replace({ color: this.color.value === "picture" ? null : this.color.value })
      );
      this.legend = element("ul", { class: "colors-legend", "aria-label": "Colors" });
      this.status = element("p", { class: "map-status", role: "status" });
      this.list = element("a", {}, "Show as list");
      const missing = this.cells.filter((cell) => cell === null).length;
      const zoomButton = (text, label, action) => buttonOf(text, "", action, { "aria-label": label, title: label });
      container.replaceChildren(
        element(
          "div",
          { class: "map-bar" },
          this.color,
          element(
            "p",
            { id: "map-note", class: "quiet" },
            BASES[basis],
            missing ? ` ${counted(missing, "unit")} cannot be placed.` : null
          ),
          this.list
        ),
        this.legend,
        element(
          "div",
          { class: "map-frame" },
          this.canvas,
          element(
            "div",
            { class: "map-zoom" },
            zoomButton("+", "Zoom in", () => this.zoom(STEP)),
            zoomButton("\u2212", "Zoom out", () => this.zoom(1 / STEP)),
            zoomButton("Fit", "Show the whole map", () => this.fit())
          )
        ),
        this.status
      );
    }
    listen() {
      addGestures(this.canvas, {
        pan: (across, down) => this.move(() => this.viewport.pan(across, down)),
        zoom: (factor, left, top) => this.zoom(factor, left, top),
        click: (left, top, event) => this.click(left, top, event),
        hover: (left, top) => this.hover(left, top)
      });
      this.canvas.addEventListener("keydown", (event) => this.press(event));
      this.canvas.addEventListener("focus", () => this.requestDraw());
      this.canvas.addEventListener("blur", () => this.requestDraw());
      new ResizeObserver(() => this.resize()).observe(this.canvas);
      addEventListener("resize", () => this.resize());
      const recolor = () => this.recolor();
      new MutationObserver(recolor).observe(document.documentElement, {
        attributeFilter: ["data-theme"]
      });
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolor);
      document.addEventListener("view", () => clearTimeout(this.noteTimer));
      for (const key of Object.keys(DIRECTIONS))
        keys.add("Map", key, "Move to the next unit in a direction; with Shift, move the map");
      keys.add("Map", "Enter", "Open unit");
      for (const key of ["+", "-"]) keys.add("Map", key, "Zoom in or out");
      keys.add("Map", "0", "Show the whole map");
    }
    /** Show the map of a view: `shown` are the units that pass its filters. */
    show(state, shown) {
      this.color.value = Object.hasOwn(COLORINGS, state.color) ? state.color : "picture";
      this.list.setAttribute("href", view.link({ page: "units", color: null, at: null }));
      const isAll = shown.length === unitTable.count;
      const members = isAll ? null : new Set(shown);
      this.isShown = isAll ? () => true : (i) => members.has(i);
      this.resize();
      const named = state.name === void 0 ? -1 : unitTable.find(state.name);
      if (named >= 0 && this.cells[named] !== null) this.showUnit(named);
      else if (state.at !== this.place || this.place === void 0)
        this.viewport.read(state.at ?? "");
      this.place = state.at;
      this.recolor();
    }
    /** Center a unit, and give it the focus. */
    showUnit(i) {
      const [column, row] = this.cellOf(i);
      this.viewport.fit();
      this.viewport.zoom(Math.max(1, UNIT_SCALE / this.viewport.scale));
      this.viewport.moveTo(column + 0.5, row + 0.5);
      this.focusUnit(i);
      this.noteSoon();
    }
    /** Give the focus to the map, and to a unit on it. */
    focus(i = this.focused) {
      this.canvas.focus({ preventScroll: true });
      if ((this.cells[i] ?? null) !== null) this.focusUnit(i);
    }
    /** Column and row of a unit. */
    cellOf(i) {
      return [this.cells[i] % this.columns, Math.floor(this.cells[i] / this.columns)];
    }
    focusUnit(i) {
      this.focused = i;
      const address = unitTable.address(i);
      this.status.textContent = [address, labels.get(address).label, unitTable.headline(i)].filter(Boolean).join(" \xB7 ");
      this.requestDraw();
    }
    /** Compute the colors again, after a change of the view or the theme. */
    recolor() {
      this.theme = { paper: themeColor("--paper"), accent: themeColor("--accent") };
      const { colors, legend: legend2 } = coloring(this.color.value);
      this.painter.setColors(colors, this.isShown, this.color.value !== "picture");
      this.legend.hidden = !legend2.length;
      this.legend.replaceChildren(...legend2.map(legendItem));
      this.requestDraw();
    }
    /** Follow the size of the window: the map takes what is left below the tools. */
    resize() {
      if (!this.canvas.clientWidth) return;
      const top = this.canvas.getBoundingClientRect().top + scrollY;
      const height = Math.max(MIN_HEIGHT, innerHeight - top - STATUS_HEIGHT);
      this.canvas.style.setProperty("height", `${height}px`);
      const { clientWidth, clientHeight } = this.canvas;
      this.viewport.resize(clientWidth, clientHeight);
      this.canvas.width = Math.round(clientWidth * devicePixelRatio);
      this.canvas.height = Math.round(clientHeight * devicePixelRatio);
      this.draw();
    }
    /** Draw once in the next animation frame. */
    requestDraw() {
      this.frame ||= requestAnimationFrame(() => this.draw());
    }
    draw() {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      if (!this.theme || !this.canvas.clientWidth) return;
      const cell = (i) => i === null ? null : this.cells[i];
      const isFocused = document.activeElement === this.canvas;
      this.painter.draw(this.theme, cell(this.hovered), isFocused ? cell(this.focused) : null);
    }
    /** Move the map; the link follows when it rests. */
    move(action) {
      this.hover();
      action();
      this.requestDraw();
      this.noteSoon();
    }
    noteSoon() {
      clearTimeout(this.noteTimer);
      this.noteTimer = setTimeout(() => this.notePlace(), NOTE_DELAY);
    }
    notePlace() {
      clearTimeout(this.noteTimer);
      this.place = this.viewport.text;
      view.note({ at: this.place });
    }
    zoom(factor, left, top) {
      this.move(() => this.viewport.zoom(factor, left, top));
    }
    fit() {
      this.move(() => this.viewport.fit());
    }
    /** The unit at a position, or the nearest one around it; null if there is none. */
    unitNear(left, top) {
      const [x, y] = this.viewport.cellAt(left, top);
      const { columns, rows, scale } = this.viewport;
      const reach = Math.max(0.5, NEAR / scale);
      let [found, best] = [null, Infinity];
      for (let row = Math.floor(y - reach); row <= y + reach; row += 1)
        for (let column = Math.floor(x - reach); column <= x + reach; column += 1) {
          if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
          const i = this.unitAt[row * columns + column];
          const distance = Math.max(Math.abs(column + 0.5 - x), Math.abs(row + 0.5 - y));
          if (i >= 0 && distance <= reach + 0.5 && distance < best) [found, best] = [i, distance];
        }
      return best <= 0.5 || scale < NEAR ? found : null;
    }
    click(left, top, event) {
      const i = this.unitNear(left, top);
      if (i === null) return;
      const address = unitTable.address(i);
      if (event.ctrlKey || event.metaKey) open(unitHash(address));
      else this.openUnit(i);
    }
    openUnit(i) {
      this.notePlace();
      view.go({ unit: unitTable.address(i) });
    }
    hover(left, top) {
      const i = left === void 0 ? null : this.unitNear(left, top);
      if (i === this.hovered) return;
      this.hovered = i;
      this.canvas.classList.toggle("on-unit", i !== null);
      hidePreview();
      clearTimeout(this.previewTimer);
      if (i !== null) this.previewTimer = setTimeout(() => this.preview(i), PREVIEW_DELAY);
      this.requestDraw();
    }
    preview(i) {
      const [column, row] = this.cellOf(i);
      const box = this.canvas.getBoundingClientRect();
      const left = box.left + this.canvas.clientLeft + this.viewport.left(column);
      const top = box.top + this.canvas.clientTop + this.viewport.top(row);
      showPreview(i, { left, top, right: left + this.viewport.scale });
    }
    press(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const direction = DIRECTIONS[event.key];
      if (direction && event.shiftKey)
        this.move(() => this.viewport.pan(-PAN_STEP * direction[0], -PAN_STEP * direction[1]));
      else if (direction) this.step(direction);
      else if (event.key === "Enter" && this.focused !== null) this.openUnit(this.focused);
      else if (event.key === "+" || event.key === "=") this.zoomAtFocus(STEP);
      else if (event.key === "-") this.zoomAtFocus(1 / STEP);
      else if (event.key === "0") this.fit();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }
    /** Zoom around the unit with the focus, if it is in the window. */
    zoomAtFocus(factor) {
      if (this.focused === null) return this.zoom(factor);
      const [column, row] = this.cellOf(this.focused);
      const left = this.viewport.left(column + 0.5);
      const top = this.viewport.top(row + 0.5);
      const isVisible = left >= 0 && top >= 0 && left <= this.viewport.width && top <= this.viewport.height;
      return isVisible ? this.zoom(factor, left, top) : this.zoom(factor);
    }
    /** Move the focus to the nearest unit in a direction; at first, to the one nearest to the center. */
    step([across, down]) {
      const isFirst = this.focused === null;
      const [x, y] = isFirst ? [this.viewport.x - 0.5, this.viewport.y - 0.5] : this.cellOf(this.focused);
      let [found, best] = [null, Infinity];
      for (const [cell, i] of this.unitAt.entries()) {
        if (i < 0 || i === this.focused || !this.isShown(i)) continue;
        const right = cell % this.columns - x;
        const below = Math.floor(cell / this.columns) - y;
        const along = right * across + below * down;
        const aside = Math.abs(right * down) + Math.abs(below * across);
        if (!isFirst && (along <= 0 || aside > along)) continue;
        const distance = isFirst ? Math.hypot(right, below) : along + 2 * aside;
        if (distance < best) [found, best] = [i, distance];
      }
      if (found === null) return;
      this.focusUnit(found);
      this.move(() => this.viewport.reveal(...this.cellOf(found)));
    }
  };
  function legendItem({ color, text, count, filter }) {
    const swatch = element("span", { class: "swatch" });
    swatch.style.setProperty("background", color);
    const content = [
      swatch,
      element("bdi", {}, text),
      element("span", { class: "quiet" }, ` ${count.toLocaleString("en")}`)
    ];
    return element("li", {}, filter ? element("a", { href: view.link(filter) }, content) : content);
  }

  // state/saved/save-file.js
  var KEPT = 6e4;
  function saveFile(name, type, parts) {
    const url = URL.createObjectURL(new Blob(parts, { type }));
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), KEPT);
  }
  var modelFile = (what, suffix) => [plainName(LABELS.model) || "model", LABELS.weights, plainName(what) || "list"].join("-") + `.${suffix}`;

  // marks/list-tools.js
  function listTools(name) {
    const button = (text, action) => buttonOf(text, "plain", () => action(name), {
      "aria-label": `${text} list \u201C${name}\u201D`
    });
    return element(
      "span",
      { class: "list-tools" },
      button("Rename", renameList),
      button("Save file", saveList),
      button("Delete", deleteList)
    );
  }
  var listHash = (name) => view.link({ ...NO_FILTERS, sort: null, list: name });
  function saveList(name) {
    const file = modelFile(name, "json");
    saveFile(file, "application/json", [writeLabels([], [[name, unitLists.get(name)]])]);
    listMessage(`\u201C${name}\u201D saved to ${file}. Others import it under Labels`, null);
  }
  function deleteList(name) {
    const { kind, list } = view.state();
    const undo = unitLists.change([name, null]);
    if (list === name) view.replace({ ...kind === "labels" ? { page: kind } : {}, list: null });
    focusShown();
    listMessage(`List \u201C${name}\u201D deleted`, undo);
  }

  // list/actions/units-file.js
  function* csvLines(columns, rows) {
    yield csvLine(columns);
    for (const row of rows) yield csvLine(row);
  }
  var csvLine = (cells) => `${cells.map(csvCell).join(",")}\r
`;
  function csvCell(value) {
    if (value === null) return "";
    const text = String(value);
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  function* jsonLines(head, columns, rows) {
    yield `${JSON.stringify(head, null, 1).slice(0, -2)},
 "units": [`;
    let separator = "\n";
    for (const row of rows) {
      const unit = Object.fromEntries(columns.map((column, i) => [column, row[i]]));
      yield `${separator}  ${JSON.stringify(unit)}`;
      separator = ",\n";
    }
    yield "\n ]\n}\n";
  }

  // list/actions/download.js
  var SLICE = 12;
  var rowOf = (i, metrics, facets) => {
    const address = unitTable.address(i);
    const { label, favorite } = labels.get(address);
    return [
      address,
      unitTable.siteOf(i).name,
      ...metrics.map((key) => unitTable.metric(key, i)),
      unitTable.headline(i) || null,
      ...facets.map((key) => unitTable.facet(key, i)),
      label || null,
      favorite
    ];
  };
  function* rowsOf(units, metrics, facets) {
    for (const i of units) yield rowOf(i, metrics, facets);
  }
  async function downloadList(type) {
    const units = unitTable.order(view.state());
    const { list } = view.state();
    const metrics = unitTable.metrics.map(({ key }) => key);
    const facets = [...unitTable.facets.keys()];
    const columns = ["address", "layer", ...metrics, "headline", ...facets, "label", "favorite"];
    const rows = rowsOf(units, metrics, facets);
    const { model: model2, weights } = LABELS;
    const lines = type === "csv" ? csvLines(columns, rows) : jsonLines({ model: model2, weights, view: location.hash }, columns, rows);
    const name = modelFile(list ?? "units", type);
    saveFile(name, type === "csv" ? "text/csv" : "application/json", await collected(lines));
    showMessage(`${counted(units.length, "unit")} saved to ${name}`);
  }
  async function collected(lines) {
    const parts = [];
    let some = [];
    let end = performance.now() + SLICE;
    for (const line2 of lines) {
      some.push(line2);
      if (performance.now() < end) continue;
      parts.push(new Blob([some.join("")]));
      some = [];
      await new Promise((resume) => setTimeout(resume));
      end = performance.now() + SLICE;
    }
    return [...parts, new Blob([some.join("")])];
  }

  // list/actions/list-actions.js
  var ListActions = class {
    constructor() {
      this.link = element("code", { class: "list-link", hidden: "" });
      this.named = element("span", { class: "named" });
      this.adding = buttonOf("Add to list", "plain", () => this.add());
      const save = (type, name) => buttonOf(name, "plain", () => downloadList(type), { "aria-label": `Download as ${name}` });
      this.node = element(
        "span",
        { class: "list-actions", role: "toolbar", "aria-label": "This list" },
        this.named,
        buttonOf("Copy link", "plain", () => this.copyLink()),
        this.adding,
        element(
          "span",
          { role: "group", "aria-label": "Download this list" },
          "Download ",
          save("csv", "CSV"),
          save("json", "JSON")
        ),
        this.link
      );
      this.node.addEventListener("keydown", (event) => this.press(event));
      this.node.addEventListener("focusin", ({ target }) => this.stopAt(target));
    }
    press(event) {
      const step2 = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const buttons = this.buttons();
      const at = buttons.indexOf(event.target);
      if (!step2 || at < 0) return;
      buttons[(at + step2 + buttons.length) % buttons.length].focus();
      event.preventDefault();
    }
    buttons() {
      return [...this.node.querySelectorAll("button:not(:disabled)")];
    }
    /** Let the tab key stop at one of the buttons only. */
    stopAt(button) {
      for (const each of this.buttons()) each.tabIndex = each === button ? 0 : -1;
    }
    copyLink() {
      const { list } = view.state();
      this.link.replaceChildren(location.href);
      const isOwn = list !== null && !unitLists.isExported(list);
      copyText(
        location.href,
        "Link",
        this.link,
        isOwn ? "The list itself is in this browser only: send its file, too" : ""
      );
    }
    /** Add all units that are shown to a list. */
    add() {
      const units = [...unitTable.order(view.state())];
      if (!units.length) return;
      chooseList(
        units.map((i) => unitTable.address(i)),
        counted(units.length, "unit")
      );
    }
    update({ list }, shown) {
      this.link.hidden = true;
      this.adding.disabled = shown === 0;
      const isSame = this.named.dataset.list === (list ?? "");
      this.named.dataset.list = list ?? "";
      if (!isSame) this.named.replaceChildren(...list === null ? [] : [listTools(list)]);
      const buttons = this.buttons();
      this.stopAt(buttons.find((each) => each === document.activeElement) ?? buttons[0]);
    }
  };

  // charts/scales.js
  var COLORS = 8;
  function ticks(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const distance = (factor) => Math.abs(Math.log(factor * power / rough));
    const step2 = [1, 2, 5, 10].reduce((a, b) => distance(b) < distance(a) ? b : a) * power;
    const first = Math.ceil(low / step2 - 1e-9);
    const last = Math.floor(high / step2 + 1e-9);
    return Array.from(
      { length: last - first + 1 },
      (_, i) => Number(((first + i) * step2).toPrecision(12))
    );
  }
  function valueRange(lines) {
    let [low, high] = [Infinity, -Infinity];
    for (const line2 of lines) {
      for (const value of line2) {
        if (value === null) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return null;
    const pad = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
    return [low - pad, high + pad];
  }
  function linePath(line2, x, y) {
    let pen = "M";
    let d = "";
    line2.forEach((value, i) => {
      if (value === null) {
        pen = "M";
        return;
      }
      d += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    return d;
  }
  var sampleColor = (index) => `sample-${index % COLORS}`;
  var MARKS = [
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    // circle
    "m-3 -3h6v6h-6z",
    // square
    "m0 -4l4 7h-8z",
    // triangle
    "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z"
    // diamond
  ];
  var lineMark = (index, x, y) => `M${x.toFixed(1)} ${y.toFixed(1)}${MARKS[index % MARKS.length]}`;

  // charts/frame.js
  var CHART = { left: 44, right: 14, top: 10, bottom: 34, height: 170 };
  function responsive(draw, className2) {
    const container = element("div", { class: className2 });
    let drawn = 0;
    new ResizeObserver(() => {
      if (!container.clientWidth || container.clientWidth === drawn) return;
      drawn = container.clientWidth;
      container.replaceChildren(draw(drawn));
    }).observe(container);
    return container;
  }
  var chartFigure = (draw, caption, ...rest) => element(
    "figure",
    { class: "chart" },
    responsive(draw, "chart-container"),
    element("figcaption", {}, caption),
    rest
  );
  var chartSvg = (width, height, description) => svgElement("svg", {
    class: "plot chart-plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": description
  });
  function addVerticalAxis(svg, low, high, y, right) {
    for (const tick of ticks(low, high, 3)) {
      svg.append(
        svgElement("line", {
          class: tick === 0 ? "zero" : "grid",
          x1: CHART.left,
          x2: right,
          y1: y(tick),
          y2: y(tick)
        }),
        svgElement(
          "text",
          { class: "tick", x: CHART.left - 6, y: y(tick) + 4, "text-anchor": "end" },
          rounded(tick)
        )
      );
    }
  }
  var chartLegend = (entries) => element(
    "ul",
    { class: "shares" },
    entries.map(
      ([name, color]) => element("li", {}, element("span", { class: `swatch ${color}`, "aria-hidden": "true" }), name)
    )
  );
  var linesLegend = (names, level) => element(
    "ul",
    { class: "shares" },
    names.map((name, i) => element("li", {}, lineSample(i), name)),
    level === null ? null : element("li", {}, element("span", { class: "dash", "aria-hidden": "true" }), level)
  );
  var lineSample = (index) => svgElement(
    "svg",
    {
      class: `line-sample chart-plot ${sampleColor(index)}`,
      viewBox: "0 0 22 12",
      width: 22,
      height: 12,
      "aria-hidden": "true"
    },
    svgElement("path", { class: "whisker", d: "M0 6h22" }),
    svgElement("path", { class: "dot", d: lineMark(index, 11, 6) })
  );

  // charts/histogram.js
  function histogramPlot(counts, low, high, marks, width, description) {
    const values = marks.map(([value]) => value);
    const from = Math.min(low, ...values);
    const span = Math.max(high, ...values) - from || 1;
    const right = width - CHART.right;
    const bottom = CHART.height - CHART.bottom;
    const top = CHART.top + 16;
    const x = (value) => CHART.right + (right - CHART.right) * (value - from) / span;
    const most = Math.max(1, ...counts);
    const svg = chartSvg(width, CHART.height, description);
    counts.forEach((count, i) => {
      if (!count) return;
      const edge = (bin) => x(low + (high - low) * bin / counts.length);
      const height = Math.max(1, (bottom - top) * count / most);
      svg.append(
        svgElement("rect", {
          class: "counts",
          x: edge(i),
          y: bottom - height,
          width: Math.max(1, edge(i + 1) - edge(i) - 0.5),
          height
        })
      );
    });
    svg.append(
      svgElement("line", { class: "axis", x1: CHART.right, x2: right, y1: bottom, y2: bottom })
    );
    for (const tick of ticks(from, from + span, Math.max(2, Math.floor(width / 90)))) {
      svg.append(
        svgElement("line", { class: "axis", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 }),
        svgElement(
          "text",
          { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" },
          rounded(tick)
        )
      );
    }
    for (const [value, name, color] of marks) {
      const anchor = x(value) > width / 2 ? "end" : "start";
      svg.append(
        svgElement("line", {
          class: `mark ${color}`,
          x1: x(value),
          x2: x(value),
          y1: CHART.top + 4,
          y2: bottom
        }),
        svgElement(
          "text",
          {
            class: `end ${color}`,
            x: x(value) + (anchor === "end" ? -5 : 5),
            y: CHART.top + 12,
            "text-anchor": anchor
          },
          name
        )
      );
    }
    return svg;
  }
  function smallHistogram({ histogram, edges, count }, name, noun = "picture") {
    const most = Math.max(1, ...histogram);
    const [width, height] = [120, 32];
    const bar = width / histogram.length;
    const description = `${name}: ${counted(count, noun)} from ${brief(edges[0])} to ${brief(edges.at(-1))}`;
    const svg = svgElement("svg", {
      class: "small-histogram",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": description
    });
    histogram.forEach((some, i) => {
      if (some)
        svg.append(
          svgElement("rect", {
            class: "counts",
            x: i * bar,
            y: height - Math.max(1, height * some / most),
            width: bar - 1,
            height: Math.max(1, height * some / most)
          })
        );
    });
    return svg;
  }

  // list/range-facet.js
  var BINS = 40;
  var GRIP = 10;
  function binned(key, low, high) {
    const counts = new Array(BINS).fill(0);
    for (const value of unitTable.columns.get(key))
      if (value !== null)
        counts[Math.min(BINS - 1, Math.floor(BINS * (value - low) / (high - low || 1)))] += 1;
    return counts;
  }
  function typedNumber(text) {
    const plain = text.trim().replace("\u2212", "-").replace(/^(-?\d+),(\d+)$/, "$1.$2");
    return plain === "" ? null : Number(plain);
  }
  var RangeFacet = class {
    constructor({ key, name }, [low, high], onchange) {
      Object.assign(this, { key, low, high, onchange });
      const histogram = binned(key, low, high);
      const count = histogram.reduce((sum, some) => sum + some, 0);
      this.inputs = [
        this.input(">=", `${name}, minimum`, low),
        this.input("<=", `${name}, maximum`, high)
      ];
      const plot = smallHistogram({ histogram, edges: [low, high], count }, name, "unit");
      plot.setAttribute("preserveAspectRatio", "none");
      this.range = element("span", { class: "chosen" });
      this.brush = element(
        "span",
        { class: "brush", title: "Drag to choose a range" },
        plot,
        this.range
      );
      this.brush.addEventListener("pointerdown", (event) => this.drag(event));
      const [minimum, maximum] = this.inputs.map(({ input }) => input);
      this.node = element(
        "div",
        { class: "range", role: "group", "aria-label": name },
        element("span", {}, name),
        this.brush,
        minimum,
        "\u2013",
        maximum
      );
    }
    /** A text box for a bound; its placeholder is the end of the range. */
    input(op, name, end) {
      const input = element("input", {
        type: "text",
        inputmode: "decimal",
        placeholder: rounded(end),
        "aria-label": name,
        autocomplete: "off",
        "aria-describedby": "bound-problem",
        size: 9
      });
      input.addEventListener("change", () => this.onchange());
      return { op, input };
    }
    /** Mark text that is not a number. */
    validate() {
      for (const { input } of this.inputs) {
        const isValid = Number.isFinite(typedNumber(input.value) ?? 0);
        input.setAttribute("aria-invalid", String(!isValid));
      }
    }
    /** The text boxes whose text is not a number. */
    invalid() {
      return this.inputs.map(({ input }) => input).filter((input) => input.getAttribute("aria-invalid") === "true");
    }
    /** The bounds that are numbers. */
    where() {
      return this.inputs.flatMap(({ op, input }) => {
        const value = typedNumber(input.value);
        return value !== null && Number.isFinite(value) ? [{ key: this.key, op, value }] : [];
      });
    }
    /** Show the bounds of the view; keep what is being typed or to be corrected. */
    update(where) {
      for (const { op, input } of this.inputs) {
        const found = where.find((one) => one.key === this.key && one.op === op);
        if (!found && input.getAttribute("aria-invalid") === "true") continue;
        if (document.activeElement === input && !found) continue;
        input.value = found ? String(found.value) : "";
        input.setAttribute("aria-invalid", "false");
      }
      this.showRange();
    }
    /** The bounds as shares of the range, from 0 to 1. */
    shares() {
      const share = (value) => Math.min(1, Math.max(0, (value - this.low) / (this.high - this.low || 1)));
      return this.inputs.map(({ input }, end) => {
        const value = typedNumber(input.value);
        return Number.isFinite(value ?? Number.NaN) ? share(value) : end;
      });
    }
    showRange() {
      const [from, to] = this.shares();
      this.range.style.setProperty("left", `${100 * Math.min(from, to)}%`);
      this.range.style.setProperty("right", `${100 * (1 - Math.max(from, to))}%`);
      this.brush.classList.toggle("narrowed", from > 0 || to < 1);
    }
    /** Move the bound at the pointer, or choose a new range from there. */
    drag(event) {
      if (event.button) return;
      const { left, width } = this.brush.getBoundingClientRect();
      const shareAt = ({ clientX }) => Math.min(1, Math.max(0, (clientX - left) / width));
      const start = shareAt(event);
      const ends = this.shares();
      const grip = ends.findIndex((end) => Math.abs(end - start) * width <= GRIP);
      const fixed2 = grip < 0 ? start : ends[1 - grip];
      const move2 = (moved) => {
        const at = shareAt(moved);
        this.choose(Math.min(fixed2, at), Math.max(fixed2, at));
      };
      const stop = () => {
        this.brush.removeEventListener("pointermove", move2);
        this.onchange();
      };
      this.brush.setPointerCapture(event.pointerId);
      this.brush.addEventListener("pointermove", move2);
      this.brush.addEventListener("lostpointercapture", stop, { once: true });
      event.preventDefault();
    }
    /** Fill in the bounds of a part of the range; its ends are no bounds. */
    choose(from, to) {
      const valueAt = (share) => this.low + share * (this.high - this.low);
      const texts = [from > 0 ? rounded(valueAt(from)) : "", to < 1 ? rounded(valueAt(to)) : ""];
      for (const [i, { input }] of this.inputs.entries()) {
        input.value = texts[i];
        input.setAttribute("aria-invalid", "false");
      }
      this.showRange();
    }
  };

  // list/filter-panel.js
  var MARK_NAMES = { labeled: "labeled", favorites: "favorites", pinned: "pinned" };
  function facetSelect(key) {
    const counts = unitTable.facetCounts().filter((one) => one.key === key).sort((a, b) => b.count - a.count);
    const known2 = counts.reduce((sum, { count }) => sum + count, 0);
    const select = element(
      "select",
      { id: `only-${key}` },
      element("option", { value: "" }, "all"),
      element("option", { value: ANY }, `any class (${known2.toLocaleString("en")})`),
      counts.map(
        ({ value, count }) => element("option", { value }, `${value} (${count.toLocaleString("en")})`)
      )
    );
    select.addEventListener("change", () => {
      const { [key]: _, ...others } = view.state().facets;
      view.go({ facets: select.value ? { ...others, [key]: select.value } : others });
    });
    return select;
  }
  var FilterPanel = class {
    constructor(onclose) {
      this.done = buttonOf("", "done", onclose);
      this.only = element(
        "select",
        { id: "only" },
        element("option", { value: "" }, "all"),
        Object.entries(MARK_NAMES).map(([value, name]) => element("option", { value }, name))
      );
      this.only.addEventListener("change", () => view.go({ only: this.only.value || null }));
      this.list = element("select", { id: "only-list" });
      this.list.addEventListener("change", () => view.go({ list: this.list.value || null }));
      this.listLabel = element("label", {}, element("span", {}, "List"), this.list);
      this.fillLists();
      document.addEventListener("lists", () => this.fillLists());
      this.facets = new Map([...unitTable.facets.keys()].map((key) => [key, facetSelect(key)]));
      this.problem = element("p", {
        id: "bound-problem",
        class: "problem",
        role: "alert",
        hidden: ""
      });
      this.ranges = null;
      this.where = [];
      this.node = element(
        "div",
        { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
        element("label", {}, element("span", {}, "Show"), this.only),
        this.listLabel,
        [...this.facets].map(
          ([key, select]) => element("label", {}, element("span", {}, FACET_NAMES[key]), select)
        ),
        this.problem,
        this.done
      );
    }
    /** Options of the named lists. */
    fillLists() {
      const lists = unitLists.entries();
      this.listLabel.hidden = !lists.length;
      this.list.replaceChildren(
        element("option", { value: "" }, "all"),
        ...lists.map(
          ([name, { length }]) => element("option", { value: name }, `${name} (${length.toLocaleString("en")})`)
        )
      );
      this.list.value = view.state().list ?? "";
    }
    /** Show or hide the panel. */
    open(open2) {
      this.node.hidden = !open2;
      if (!open2) return;
      this.ranges ??= this.addRanges();
      this.updateRanges();
      this.node.querySelector("select, input").focus();
    }
    addRanges() {
      const ranges = unitTable.metrics.flatMap((metric) => {
        const extent = unitTable.extent(metric.key);
        return extent ? [new RangeFacet(metric, extent, () => this.read())] : [];
      });
      this.problem.before(...ranges.map(({ node }) => node));
      return ranges;
    }
    updateRanges() {
      for (const range of this.ranges ?? []) range.update(this.where);
    }
    /** Apply the bounds. Text that is not a number is marked as invalid, named, and not applied. */
    read() {
      for (const range of this.ranges) range.validate();
      const strict = view.state().where.filter(({ op }) => op === ">" || op === "<");
      view.go({ where: [...strict, ...this.ranges.flatMap((range) => range.where())] });
      const invalid = this.ranges.flatMap((range) => range.invalid());
      this.problem.hidden = !invalid.length;
      this.problem.replaceChildren(
        ...invalid.map(
          (input) => `${input.getAttribute("aria-label")}: \u201C${input.value}\u201D is not a number, and is not applied. `
        )
      );
    }
    update({ only, list, where, facets }, shown) {
      this.done.replaceChildren(`Show ${counted(shown, "unit")}`);
      for (const [key, select] of this.facets) select.value = facets[key] ?? "";
      this.only.value = only ?? "";
      this.list.value = list ?? "";
      this.where = where;
      this.updateRanges();
    }
  };

  // state/unit-search.js
  function findUnits(text, most) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return { units: [], isNamed: false, isNear: false };
    const isShort = isShortAddress(wanted);
    const match = textFilter(text);
    const ranked = [[], [], []];
    let near = [];
    let longest = 1;
    for (let i = 0; i < unitTable.count; i += 1) {
      const address = unitTable.address(i).toLowerCase();
      if (address === wanted) ranked[0].push(i);
      else if (match(address, unitTable.headline(i)))
        ranked[isShort ? 0 : address.startsWith(wanted) ? 1 : 2].push(i);
      else {
        const shared = commonPrefix(address, wanted);
        if (shared < longest) continue;
        if (shared > longest) near = [];
        longest = shared;
        if (near.length < most) near.push(i);
      }
    }
    const units = ranked.flatMap((some) => some.slice(0, most)).slice(0, most);
    return units.length ? { units, isNamed: ranked[0].length > 0, isNear: false } : { units: longest > 2 ? near : [], isNamed: false, isNear: true };
  }
  function matchingFacets(text, most) {
    const words = foldedText(text).split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    return unitTable.facetCounts().filter(({ text: own }) => words.every((word) => own.includes(word))).sort((a, b) => b.count - a.count).slice(0, most);
  }
  function commonPrefix(one, other) {
    let length = 0;
    while (length < one.length && one[length] === other[length]) length += 1;
    return length;
  }

  // list/search-box.js
  var UNITS_SUGGESTED = 6;
  var FACETS_SUGGESTED = 4;
  var SearchBox = class {
    constructor() {
      this.list = element("ul", {
        id: "found",
        role: "listbox",
        "aria-label": "Suggestions",
        hidden: ""
      });
      this.none = element("p", { id: "none", role: "status", hidden: "" });
      this.input = element("input", {
        id: "search",
        type: "text",
        role: "combobox",
        placeholder: "Search: 9:2, class \u2026",
        "aria-label": "Search units by address, label, class or statement",
        "aria-controls": "found",
        "aria-expanded": "false",
        "aria-autocomplete": "list",
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false"
      });
      this.node = element("div", { class: "find" }, this.input, this.list, this.none);
      this.actions = [];
      this.chosen = -1;
      this.typed = null;
      this.input.addEventListener("input", () => {
        view[location.hash === this.typed ? "replace" : "go"]({ q: this.input.value });
        this.typed = location.hash;
        this.suggest();
      });
      this.input.addEventListener("keydown", (event) => this.press(event));
      this.input.addEventListener("blur", () => this.close());
      this.list.addEventListener("pointerdown", (event) => event.preventDefault());
      this.list.addEventListener(
        "click",
        (event) => this.take([...this.list.children].indexOf(event.target.closest("[role=option]")))
      );
    }
    select() {
      this.input.select();
    }
    /** Suggest facets and units for the text. The first is chosen only if the text names that unit. */
    suggest() {
      const text = this.input.value.trim();
      const { units, isNamed, isNear } = findUnits(text, UNITS_SUGGESTED);
      const facets = matchingFacets(text, FACETS_SUGGESTED);
      const suggestions = [
        ...isNamed ? [] : facets.map((facet) => this.facetOption(facet)),
        ...units.map((i) => this.unitOption(i, isNear))
      ];
      this.actions = suggestions.map(({ action }) => action);
      this.list.replaceChildren(
        ...suggestions.map(
          ({ content }, index) => element("li", { role: "option", id: `found-${index}`, "aria-selected": "false" }, content)
        )
      );
      this.list.hidden = !suggestions.length;
      this.none.hidden = text === "" || suggestions.length > 0;
      this.none.replaceChildren(text === "" ? "" : `No unit matches \u201C${text}\u201D`);
      this.input.setAttribute("aria-expanded", String(suggestions.length > 0));
      this.choose(isNamed ? 0 : -1);
    }
    unitOption(i, isNear) {
      const address = unitTable.address(i);
      const { label } = labels.get(address);
      const facts = [label, unitTable.headline(i)].filter(Boolean).join(" \xB7 ");
      return {
        content: [
          hidden(thumbnail(i, 32)),
          element(
            "span",
            {},
            isNear ? element("span", { class: "quiet" }, "Nearest: ") : null,
            element("span", { class: "address" }, address),
            facts ? element("span", { class: "quiet" }, ` ${facts}`) : null
          )
        ],
        action: () => view.go({ unit: address, q: "" })
      };
    }
    facetOption({ key, value, count, first }) {
      return {
        content: [
          hidden(thumbnail(first, 32)),
          element(
            "span",
            {},
            `${FACET_NAMES[key]} `,
            element("bdi", {}, value),
            element("span", { class: "quiet" }, ` ${counted(count, "unit")}`)
          )
        ],
        action: () => view.go({ ...NO_FILTERS, facets: { [key]: value } })
      };
    }
    choose(index) {
      this.chosen = index;
      for (const [i, node] of [...this.list.children].entries())
        node.setAttribute("aria-selected", String(i === index));
      if (index < 0) this.input.removeAttribute("aria-activedescendant");
      else this.input.setAttribute("aria-activedescendant", `found-${index}`);
    }
    press(event) {
      const { length } = this.list.children;
      const isOpen = !this.list.hidden;
      if (event.key === "ArrowDown" && length && isOpen) this.choose((this.chosen + 1) % length);
      else if (event.key === "ArrowUp" && length && isOpen)
        this.choose(this.chosen > 0 ? this.chosen - 1 : length - 1);
      else if (event.key === "Enter") {
        if (isOpen && this.chosen >= 0) this.take(this.chosen);
        else this.close();
      } else if (event.key === "Escape" && (isOpen || !this.none.hidden)) this.close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }
    take(index) {
      const action = this.actions[index];
      if (!action) return;
      this.input.value = "";
      this.close();
      action();
    }
    close() {
      this.list.hidden = true;
      this.none.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.choose(-1);
    }
  };
  function hidden(node) {
    node.setAttribute("aria-hidden", "true");
    return node;
  }

  // list/toolbar.js
  var Toolbar = class {
    constructor(container) {
      this.container = container;
      this.search = new SearchBox();
      this.sort = element(
        "select",
        { id: "sort", "aria-label": "Sort" },
        element("option", { value: "" }, "Sort by layer"),
        unitTable.metrics.map(
          ({ key, name }) => element("option", { value: key }, `Sort by ${name}`)
        )
      );
      this.sort.addEventListener("change", () => this.sortBy(this.sort.value));
      this.direction = buttonOf("", "direction", () => view.go({ down: !view.state().down }));
      this.ranges = new FilterPanel(() => {
        this.open(false);
        this.toggle.focus();
      });
      this.sizes = element(
        "select",
        { id: "size", "aria-label": "Size of pictures" },
        Object.keys(SIZES).map((name) => element("option", { value: name }, `Size ${name}`))
      );
      this.sizes.value = sizeName();
      this.sizes.addEventListener("change", () => {
        settings.set("size", this.sizes.value);
        this.onsize();
      });
      this.onsize = () => {
      };
      this.toggle = buttonOf("Filter", "", () => this.open(this.ranges.node.hidden), {
        id: "filter",
        "aria-expanded": "false",
        "aria-controls": "ranges"
      });
      const random = buttonOf("Random", "", () => this.random());
      const help = buttonOf("?", "help", () => keys.show(), {
        "aria-label": "Keyboard shortcuts",
        title: "Keyboard shortcuts"
      });
      this.count = element("span", { id: "count", role: "status" });
      this.chips = element("span", { class: "chips" });
      this.actions = new ListActions();
      this.map = element("a", { class: "to-map", hidden: "" }, "Show on map");
      this.sorting = element("span", { class: "sorting" }, this.sort, this.direction);
      container.append(
        element(
          "div",
          { class: "bar-row" },
          this.search.node,
          this.sorting,
          this.sizes,
          this.toggle,
          random,
          help
        ),
        this.ranges.node,
        element("div", { class: "found" }, this.count, this.chips, this.map, this.actions.node)
      );
    }
    /** Sort by a metric, better values first; without one, in layer order. */
    sortBy(key) {
      const metric = unitTable.metrics.find((one) => one.key === key);
      view.go({ sort: metric ? key : null, down: metric ? metric.higher !== false : false });
    }
    open(open2) {
      this.ranges.open(open2);
      this.toggle.setAttribute("aria-expanded", String(open2));
    }
    /** Open a random unit of the list. */
    random() {
      const units = unitTable.order(view.state());
      if (units.length)
        view.go({ unit: unitTable.address(units[Math.floor(Math.random() * units.length)]) });
    }
    /** Show the state of the view. Order and size of the pictures are not those of a map. */
    update(state, shown) {
      const isMap = view.section === MAP;
      this.sorting.hidden = this.sizes.hidden = isMap;
      this.map.hidden = isMap || !model.map || !shown;
      this.map.setAttribute("href", view.link({ page: MAP }));
      const { input } = this.search;
      if (document.activeElement !== input || input.value.trim() !== state.q.trim())
        input.value = state.q;
      this.sort.options[0].text = state.list === null ? "Sort by layer" : "In the list's order";
      this.sort.value = state.sort ?? "";
      this.direction.hidden = !state.sort;
      this.direction.replaceChildren(state.down ? "\u2193" : "\u2191");
      this.direction.setAttribute(
        "aria-label",
        state.down ? "Highest first; reverse order" : "Lowest first; reverse order"
      );
      this.direction.title = state.down ? "Highest first" : "Lowest first";
      this.ranges.update(state, shown);
      this.actions.update(state, shown);
      const all = counted(unitTable.count, "unit");
      this.count.replaceChildren(
        shown < unitTable.count ? `${shown.toLocaleString("en")} of ${all}` : all
      );
      const focused = [...this.chips.children].indexOf(document.activeElement);
      const chips = chipsOf(state);
      this.chips.replaceChildren(
        ...chips,
        ...chips.length ? [element("a", { href: view.link(NO_FILTERS), class: "clear" }, "Clear filters")] : []
      );
      if (focused >= 0)
        (this.chips.children[Math.min(focused, this.chips.children.length - 1)] ?? this.toggle).focus();
    }
  };
  function chipsOf({ q, layer, only, list, where, facets }) {
    const chip2 = (text, changes) => element(
      "a",
      { class: "chip-off", href: view.link(changes), "aria-label": `Remove filter: ${text}` },
      text,
      element("span", { "aria-hidden": "true" }, " \xD7")
    );
    return [
      ...q.trim() ? [chip2(`\u201C${q.trim()}\u201D`, { q: "" })] : [],
      ...layer !== null ? [chip2(layer, { layer: null })] : [],
      ...only ? [chip2(MARK_NAMES[only], { only: null })] : [],
      ...list !== null ? [chip2(`list: ${list}`, { list: null })] : [],
      ...Object.entries(facets).map(([key, value]) => {
        const { [key]: _, ...others } = facets;
        return chip2(`${FACET_NAMES[key]} ${value === ANY ? "any class" : value}`, { facets: others });
      }),
      ...where.map(
        (one) => chip2(conditionText(one), { where: where.filter((other) => other !== one) })
      )
    ];
  }
  function conditionText({ key, op, value }) {
    const signs = { ">": ">", ">=": "\u2265", "<": "<", "<=": "\u2264" };
    return `${unitTable.metrics.find((metric) => metric.key === key).name} ${signs[op]} ${rounded(value)}`;
  }

  // unit/navigation.js
  function breadcrumbs(...links) {
    const isBack = links.some((link) => link.classList.contains("back"));
    return element(
      "nav",
      { class: "breadcrumbs", "aria-label": "Breadcrumbs" },
      element("a", { href: "index.html" }, "All models"),
      element("a", { href: view.link({ unit: null }), class: isBack ? "" : "back" }, model.name),
      links
    );
  }
  function step(index, name, rel, key, arrow) {
    if (index === void 0)
      return element("span", { class: "step", "aria-hidden": "true" }, icon(arrow));
    const address = unitTable.address(index);
    return element(
      "a",
      {
        class: "step",
        rel,
        "aria-keyshortcuts": key,
        href: view.link({ unit: address }),
        "aria-label": `${name} unit, ${address}`,
        title: address
      },
      icon(arrow)
    );
  }
  function neighbors(index) {
    const order = unitTable.order(view.state());
    const at = order.indexOf(index);
    return { at, order, before: at < 0 ? void 0 : order[at - 1], after: order[at + 1] };
  }
  function steps(unit) {
    const { at, order, before, after } = neighbors(unit.index);
    const position = at < 0 ? "not in the list" : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
    return element(
      "nav",
      { class: "steps", "aria-label": "Units" },
      step(before, "Previous", "prev", "ArrowLeft", "left"),
      element("span", { class: "quiet" }, position),
      step(after, "Next", "next", "ArrowRight", "right")
    );
  }

  // unit/embed-code.js
  function embedCode(unit, pictures2, { width, height, crisp }) {
    const { address, model: model2, weights, headline, activation, link } = unit;
    const name = `<code>${escaped(address)}</code>`;
    const facts = [...headline ? [escaped(headline)] : [], `activation ${escaped(activation)}`];
    const style = `display:block;width:100%;height:auto${crisp ? ";image-rendering:pixelated" : ""}`;
    const images = pictures2.map(({ url, side }) => {
      const alt = `Feature visualization of ${address} of ${model2}${side ? `, ${side}` : ""}${headline ? `: ${headline}` : ""}`;
      return `<span style="flex:1"><img src="${escaped(url)}" alt="${escaped(alt)}" width="${width}" height="${height}" style="${style}">${side}</span>`;
    });
    const total = width * pictures2.length + GAP3 * (pictures2.length - 1);
    return [
      `<figure style="width:${total}px;max-width:100%;margin:1em 0;padding:0;color:inherit;font:14px/1.45 system-ui,sans-serif">`,
      `<span style="display:flex;gap:${GAP3}px">${images.join("")}</span>`,
      `<figcaption style="margin-top:6px;padding:0;color:inherit;font:inherit;overflow-wrap:anywhere">`,
      `${link ? `<a href="${escaped(link)}" style="color:inherit">${name}</a>` : name} of ${escaped(model2)} (${escaped(weights)})<br>`,
      `${facts.join(" \xB7 ")}</figcaption>`,
      "</figure>",
      ""
    ].join("\n");
  }
  var GAP3 = 8;
  var ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  var escaped = (text) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]);

  // unit/embed.js
  var WIDTH = 256;
  var isFile = location.protocol === "file:";
  var dialog2 = element("dialog", { class: "dialog", "aria-labelledby": "embed-title" });
  document.body.append(dialog2);
  dialog2.addEventListener("click", (event) => {
    if (event.target === dialog2) dialog2.close();
  });
  var embedButton = (unit, size, shown) => buttonOf([icon("code"), "Embed"], "button embed", () => openDialog(unit, size, shown()), {
    "aria-haspopup": "dialog",
    "aria-label": "Embed code"
  });
  async function openDialog(unit, [width, height], { activation, pictures: pictures2 }) {
    const state = element("p", { role: "status" });
    const code = element("textarea", {
      readonly: "",
      rows: 6,
      spellcheck: "false",
      "aria-label": "Embed code",
      hidden: ""
    });
    const copy = buttonOf("Copy embed code", "button", () => copyCode(code, state), { hidden: "" });
    const fill = (urls) => {
      const target = WIDTH / pictures2.length;
      const shown = width > target ? Math.min(width, 2 * target) : wholeWidth(width, target);
      code.value = embedCode(
        {
          address: unit.address,
          model: model.name,
          weights: model.weights,
          headline: unitTable.headline(unit.index),
          activation: measured(activation),
          link: isLocal(location.href) ? null : location.href.split("#")[0] + unitHash(unit.address)
        },
        pictures2.map(({ side }, i) => ({ side, url: urls[i] })),
        { width: shown, height: Math.round(shown * height / width), crisp: shown >= 2 * width }
      );
      code.hidden = copy.hidden = false;
      copy.focus();
    };
    const chooser = isFile ? pictureChooser(pictures2, state, fill) : null;
    dialog2.replaceChildren(
      element(
        "h2",
        { id: "embed-title" },
        "Embed ",
        element("span", { class: "address" }, unit.address)
      ),
      element(
        "p",
        {},
        "HTML with the picture inside. It needs no script and no other file, and has the text color of the page around it."
      ),
      ...chooser ? [chooser] : [],
      state,
      code,
      element(
        "div",
        { class: "dialog-actions" },
        copy,
        buttonOf("Close", "button", () => dialog2.close())
      )
    );
    dialog2.ondragover = dialog2.ondrop = chooser ? (event) => takeFiles(event, chooser) : null;
    dialog2.showModal();
    dialog2.querySelector("button").focus();
    if (chooser) return;
    try {
      fill(await Promise.all(pictures2.map(({ src }) => fetchedUrl(src))));
    } catch (error) {
      state.replaceChildren(`The picture cannot be read: ${error.message}`);
    }
  }
  async function copyCode(code, state) {
    try {
      await navigator.clipboard.writeText(code.value);
      dialog2.close();
      showMessage(
        `Embed code copied (${Math.ceil(code.value.length / 1024).toLocaleString("en")} KB)`
      );
    } catch {
      code.select();
      state.replaceChildren("Press Ctrl+C to copy the selected code.");
    }
  }
  function pictureChooser(pictures2, state, fill) {
    const input = element("input", {
      type: "file",
      accept: "image/*",
      class: "label-chooser",
      tabindex: "-1",
      "aria-hidden": "true",
      ...pictures2.length > 1 ? { multiple: "" } : {}
    });
    const what = pictures2.length > 1 ? "both pictures" : "the picture";
    const take = async (files) => {
      const chosen = pictures2.map(
        ({ src, name }) => files.find((file) => file.name === name || file.name === src.split("/").at(-1))
      );
      if (chosen.includes(void 0)) {
        const names = files.map((file) => file.name).join(", ");
        state.replaceChildren(
          `${names} is not ${what} of this unit: choose ${pictures2.map(({ src }) => src).join(" and ")}.`
        );
        return;
      }
      state.replaceChildren();
      fill(await Promise.all(chosen.map(dataUrl)));
    };
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files]);
      input.value = "";
    });
    const node = element(
      "div",
      { class: "notice" },
      element(
        "p",
        {},
        `This page was opened from a file, and browsers let such a page show pictures, but not read them. Choose or drop ${what}: `,
        pictures2.map(({ src }, i) => [i ? " and " : "", element("code", {}, src)]),
        ", in the folder of this gallery, or as downloaded. On a web server, such as that of ",
        element("code", { class: "nowrap" }, "featviz gallery --serve"),
        ", no choice is needed."
      ),
      buttonOf(
        pictures2.length > 1 ? "Choose pictures" : "Choose picture",
        "button",
        () => input.click()
      ),
      input
    );
    node.take = take;
    return node;
  }
  function takeFiles(event, chooser) {
    event.preventDefault();
    if (event.type === "drop" && event.dataTransfer.files.length)
      chooser.take([...event.dataTransfer.files]);
  }
  async function fetchedUrl(src) {
    const response2 = await fetch(src);
    if (!response2.ok) throw new Error(`${src}, status ${response2.status}`);
    return dataUrl(await response2.blob());
  }
  function dataUrl(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result));
      reader.addEventListener("error", () => reject(reader.error));
      reader.readAsDataURL(new Blob([blob], { type: `image/${model.pictures}` }));
    });
  }

  // unit/pictures.js
  var SIDES = ["query", "key"];
  var pictureFile = (render, sample, side) => render.image !== null ? `${dataFolder}/examples/${render.image}.webp` : `${dataFolder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.${model.pictures}`;
  function samplePicture(unit, render, size, { sample, rank, side }, target = null) {
    const [width, height] = size;
    const names = [
      unitTable.description(unit.index),
      ...render.samples > 1 ? [`sample ${rank + 1}`] : [],
      ...side === null ? [] : [`${SIDES[side]} side`]
    ];
    const shown = target === null ? null : target >= width ? wholeWidth(width, target) : target;
    const crisp = width <= (side === null ? 224 : 128) ? "pixels" : "smooth";
    const src = pictureFile(render, sample, side);
    const image = element("img", {
      src,
      alt: names.join(", "),
      width: shown ?? width,
      height: Math.round((shown ?? width) * height / width),
      class: shown === null ? `fitted ${crisp}` : shown >= 2 * width ? "pixels" : "smooth"
    });
    image.addEventListener(
      "error",
      () => image.replaceWith(
        element("p", { class: "notice" }, `This picture is missing or cannot be read: ${src}`)
      )
    );
    return image;
  }
  function largePicture(unit, render, detail, sample, rank) {
    const value = measured(detail.activation[sample]);
    const button = (side) => {
      const draw = (width) => samplePicture(unit, render, detail.size, { sample, rank, side }, width);
      const caption = () => [
        element("b", {}, unit.address),
        side === null ? "" : `, ${SIDES[side]}`,
        `\xA0\xB7 activation ${value}`
      ];
      return enlargeButton(detail.size, draw, null, caption);
    };
    if (render.sides === 1) return button(null);
    return element(
      "div",
      { class: "two" },
      SIDES.map(
        (name, side) => element("div", {}, button(side), element("span", { class: "side" }, name))
      )
    );
  }
  function byActivation(activation) {
    return activation.map((_, sample) => sample).sort(
      (one, other) => (activation[other] ?? -Infinity) - (activation[one] ?? -Infinity) || one - other
    );
  }
  var sampleNumber = (rank) => element("span", { class: `number ${sampleColor(rank)}` }, String(rank + 1));
  function downloadLink(side) {
    const hint = location.protocol === "file:" ? { title: "If the picture opens in a tab, save it from there" } : {};
    return element(
      "a",
      {
        class: "button download",
        target: "_blank",
        "aria-label": side ? `Download ${side} picture` : "Download picture",
        ...hint
      },
      icon("download"),
      side ? `Download ${side}` : "Download"
    );
  }
  function fileName(unit, render, rank, side) {
    const parts = [
      plainName(unit.address) || "unit",
      ...render.samples > 1 ? [rank + 1] : [],
      ...render.sides > 1 ? [SIDES[side]] : []
    ];
    return `${parts.join("-")}.${render.image === null ? model.pictures : "webp"}`;
  }
  function samplesFigure(unit, render, detail) {
    const several = render.samples > 1;
    const order = byActivation(detail.activation);
    const shown = element("div", { class: "large enlarge-group" });
    const caption = element("span", { "aria-live": "polite" });
    const downloads = Array.from(
      { length: render.sides },
      (_, side) => downloadLink(render.sides > 1 ? SIDES[side] : "")
    );
    const choices = several ? order.map(
      (sample, rank) => sampleButton(unit, render, detail, sample, rank, () => show3(rank))
    ) : [];
    let shownRank = 0;
    const show3 = (rank) => {
      const sample = order[rank];
      shownRank = rank;
      shown.replaceChildren(largePicture(unit, render, detail, sample, rank));
      caption.replaceChildren(
        ...several ? [sampleNumber(rank)] : [],
        render.image === null ? "activation " : "best natural image, activation ",
        element("b", {}, measured(detail.activation[sample]))
      );
      downloads.forEach((link, side) => {
        link.href = pictureFile(render, sample, render.sides > 1 ? side : null);
        link.download = fileName(unit, render, rank, side);
      });
      choices.forEach((button, at) => {
        button.setAttribute("aria-pressed", String(at === rank));
      });
    };
    show3(0);
    const embed = embedButton(unit, detail.size, () => ({
      activation: detail.activation[order[shownRank]],
      pictures: downloads.map((link, side) => ({
        src: link.getAttribute("href"),
        name: link.download,
        side: render.sides > 1 ? SIDES[side] : ""
      }))
    }));
    return element(
      "div",
      { class: "samples" },
      element("figure", {}, shown, element("figcaption", {}, caption, downloads, embed)),
      several ? element(
        "div",
        { class: "choices", role: "group", "aria-label": "Samples, by decreasing activation" },
        choices
      ) : null
    );
  }
  function sampleButton(unit, render, detail, sample, rank, show3) {
    const side = render.sides > 1 ? 0 : null;
    const picture = samplePicture(unit, render, detail.size, { sample, rank, side }, 64);
    picture.alt = "";
    const value = measured(detail.activation[sample]);
    return buttonOf([picture, element("span", {}, sampleNumber(rank), value)], "choice", show3, {
      "aria-label": `Sample ${rank + 1}, activation ${value}`,
      title: `Sample ${sample} in the store`
    });
  }
  function thumbnailFigure(unit) {
    return element(
      "div",
      { class: "samples" },
      element(
        "figure",
        {},
        thumbnail(unit.index, 288),
        element(
          "figcaption",
          {},
          "Enlarged thumbnail: this gallery was exported without full-size pictures."
        )
      )
    );
  }

  // marks/compare-page.js
  var DETAIL_ROWS = [
    ["Top natural images", fewExamples],
    ["Checks", checksList],
    ["Claims", claimsList]
  ];
  var refocus = null;
  function changeCompared(shown, changed, focus) {
    refocus = focus;
    if (pins.equal(shown)) pins.replace(changed);
    view.replace({ pins: changed });
  }
  function columnTools(addresses, column) {
    const address = addresses[column];
    const move2 = (step2) => {
      const changed = [...addresses];
      [changed[column], changed[column + step2]] = [changed[column + step2], changed[column]];
      changeCompared(addresses, changed, [address, step2 < 0 ? "left" : "right"]);
    };
    const button = (name, label, action, enabled) => buttonOf(icon(name), "plain", action, {
      "aria-label": `${label} ${address}`,
      "data-action": name,
      ...enabled ? {} : { disabled: "" }
    });
    return element(
      "div",
      { class: "column-tools", "data-address": address },
      button("left", "Move left", () => move2(-1), column > 0),
      button("right", "Move right", () => move2(1), column < addresses.length - 1),
      button(
        "cross",
        "Remove",
        () => {
          const changed = addresses.filter((other) => other !== address);
          changeCompared(addresses, changed, [
            changed[Math.min(column, changed.length - 1)],
            "cross"
          ]);
        },
        true
      )
    );
  }
  function comparedPicture(unit, detail, width) {
    const [render] = unit.renders;
    if (model.thumbnailsOnly && render.image === null || !detail)
      return thumbnail(unit.index, width);
    const picture = (side, target) => samplePicture(unit, render, detail.size, { sample: render.best, rank: 0, side }, target);
    if (render.sides === 1) return picture(null, width);
    return element(
      "div",
      { class: "two" },
      SIDES.map((_, side) => picture(side, width / 2))
    );
  }
  function comparedRows(units, details) {
    const width = units.length > 4 ? 128 : units.length > 2 ? 192 : 224;
    const label = (unit) => element("bdi", {}, labels.get(unit.address).label);
    const rows = [["Picture", units.map((unit, i) => comparedPicture(unit, details[i], width))]];
    if (units.some((unit) => labels.get(unit.address).label)) rows.push(["Label", units.map(label)]);
    for (const { key, name, higher } of unitTable.metrics) {
      const values = units.map((unit) => unitTable.metric(key, unit.index));
      const known2 = values.filter((value) => value !== null);
      if (!known2.length) continue;
      const differ = new Set(known2).size > 1;
      const best = higher !== null && differ ? Math[higher ? "max" : "min"](...known2) : void 0;
      rows.push([
        name,
        values.map((value) => element(value === best ? "b" : "span", {}, measured(value)))
      ]);
    }
    for (const [heading, cellOf] of DETAIL_ROWS) {
      const cells = details.map((detail) => detail && cellOf(detail));
      if (cells.some(Boolean)) rows.push([heading, cells.map((cell) => cell ?? "\u2013")]);
    }
    return rows;
  }
  function comparison(addresses, units, details) {
    const head = units.map(
      (unit, column) => element(
        "th",
        { scope: "col" },
        element("a", { href: view.link({ unit: unit.address }) }, unit.address),
        columnTools(addresses, column)
      )
    );
    const body = comparedRows(units, details).map(
      ([heading, cells]) => element(
        "tr",
        {},
        element("th", { scope: "row" }, heading),
        cells.map((cell) => element("td", {}, cell))
      )
    );
    return element(
      "div",
      { class: "compared", tabindex: "0", role: "region", "aria-label": "Comparison" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, element("td"), head)),
        element("tbody", {}, body)
      )
    );
  }
  function comparedNotes(requested, found) {
    const missing = requested.filter((address) => unitTable.find(address) < 0);
    const over = requested.length - missing.length - found.length;
    return [
      ...missing.map(
        (address) => element("p", { class: "notice" }, "No unit ", element("b", {}, address), " in this gallery.")
      ),
      ...over > 0 ? [
        element(
          "p",
          { class: "notice" },
          `The link has more than ${MOST_PINS} units; only the first ${MOST_PINS} are shown.`
        )
      ] : []
    ];
  }
  async function showPins(container, text, origin) {
    document.title = `Compare units \xB7 ${model.name} \xB7 featviz gallery`;
    const requested = text === void 0 ? pins.list() : pinsOf(text);
    const addresses = requested.filter((address) => unitTable.find(address) >= 0).slice(0, MOST_PINS);
    const units = addresses.map((address) => unitAt(unitTable.find(address)));
    const shown = element(
      "code",
      { class: "link-text", hidden: "" },
      location.href.split("#")[0] + pinsHash(addresses)
    );
    const tools = element(
      "div",
      { class: "unit-tools" },
      buttonOf(
        [icon("link"), "Copy link"],
        "button copy-link",
        () => copyText(shown.textContent, "Link", shown)
      ),
      keepButton(addresses),
      shown
    );
    const header = element(
      "header",
      {},
      origin === null ? breadcrumbs() : breadcrumbs(element("a", { href: view.link({ unit: origin }), class: "back" }, origin)),
      element("h1", { tabindex: "-1", class: "plain-title" }, "Compare units"),
      units.length ? tools : null
    );
    container.replaceChildren(header, ...comparedNotes(requested, addresses));
    if (!units.length)
      container.append(
        element(
          "p",
          { class: "lead" },
          "No pinned units. Pin units in the list or on their pages (key p) to compare them here."
        )
      );
    const focus = refocus;
    refocus = null;
    if (!focus || !units.length) focusShown();
    if (!units.length) return;
    const details = await Promise.all(units.map(firstDetail));
    if (header.parentNode !== container) return;
    container.append(comparison(addresses, units, details));
    if (focus) focusTool(container, ...focus);
  }
  function focusTool(container, address, action) {
    const tools = [...container.querySelectorAll(".column-tools")].find(
      (node) => node.dataset.address === address
    );
    const button = tools?.querySelector(`[data-action=${action}]:enabled`) ?? tools?.querySelector("button:enabled");
    (button ?? container.querySelector("h1")).focus();
  }
  function keepButton(addresses) {
    const button = buttonOf([icon("pin"), "Pin these"], "button keep", () => {
      pins.replace(addresses);
      showMessage(`${counted(addresses.length, "unit")} pinned`);
      focusShown();
    });
    button.refill = () => {
      button.hidden = pins.equal(addresses);
    };
    button.refill();
    return button;
  }
  document.addEventListener("pins", () => pageContainer.querySelector(".keep")?.refill());

  // marks/label-files.js
  var FILE = "featviz-labels.json";
  var NAMED = 5;
  function exportLabels() {
    const lists = unitLists.entries();
    saveFile(FILE, "application/json", [writeLabels(labels.entries(), lists)]);
    const what = [
      counted(labels.size, "unit"),
      ...lists.length ? [counted(lists.length, "list")] : []
    ];
    showMessage(`${what.join(" and ")} exported to ${FILE}`);
  }
  async function importLabels(file) {
    let found;
    try {
      found = readLabels(await file.text());
    } catch (error) {
      showMessage(`${file.name} was not imported: ${error.message}`);
      return;
    }
    const { model: model2, weights } = found;
    if (model2 === LABELS.model && weights.startsWith(LABELS.weights)) {
      addAll(found);
      return;
    }
    const units = unitsOf(found);
    const known2 = units.length - unknownOf(units).length;
    const anyway = buttonOf("Import anyway", "plain", () => {
      addAll(found);
      focusShown();
    });
    const what = found.lists.size ? "labels or lists" : "labels";
    showMessage(
      `${file.name} has ${what} of another model: ${model2.slice(0, 60)} with weights ${weights.slice(0, 8)}. This gallery has ${known2} of its ${counted(units.length, "unit")}.`,
      anyway
    );
  }
  var unitsOf = ({ entries, lists }) => [
    .../* @__PURE__ */ new Set([...entries.keys(), ...[...lists.values()].flat()])
  ];
  var unknownOf = (addresses) => addresses.filter((address) => unitTable.find(address) < 0);
  function addAll({ entries, lists }) {
    const added = labels.add(entries);
    const listed2 = unitLists.add(lists);
    const warning = labels.warning ?? unitLists.warning;
    const sentences = [
      ...entries.size || !lists.size ? [labelSentence(added, entries)] : [],
      ...lists.size ? listSentences(listed2, lists) : [],
      ...warning ? [warning] : []
    ];
    const hasChanged = added.added + added.changed + listed2.added.length > 0;
    showMessage(
      sentences.join(" "),
      hasChanged ? buttonOf("Undo", "plain undo", () => {
        added.undo();
        listed2.undo();
        showMessage("Restored");
        focusShown();
      }) : null
    );
  }
  function labelSentence({ added, changed, same }, entries) {
    const unknown = unknownOf([...entries.keys()]).length;
    const facts = [
      `${added} new`,
      `${changed} changed`,
      `${same} unchanged`,
      ...unknown ? [`${unknown} of units not in this gallery`] : []
    ];
    return `Imported: ${facts.join(", ")}.`;
  }
  function listSentences({ added, same }, lists) {
    const unknown = unknownOf([...new Set([...lists.values()].flat())]);
    const names = added.map((name) => `\u201C${name}\u201D`).join(", ");
    const more = unknown.length - NAMED;
    return [
      ...added.length ? [`Imported ${counted(added.length, "list")}: ${names}.`] : [],
      ...same ? [`${counted(same, "list")} unchanged.`] : [],
      ...unknown.length ? [
        `Not in this gallery, but kept: ${unknown.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}.`
      ] : []
    ];
  }

  // marks/labels-page.js
  function labeledUnit([address, { label, favorite }]) {
    const index = unitTable.find(address);
    const name = element("b", {}, address);
    return element(
      "li",
      { class: "labeled-unit" },
      index < 0 ? element("span", { class: "pin-none" }, "?") : thumbnail(index, 64),
      element(
        "p",
        {},
        index < 0 ? [name, element("span", { class: "quiet" }, " not in this gallery")] : element("a", { href: view.link({ unit: address }) }, name),
        element("br"),
        element("bdi", {}, label)
      ),
      favorite ? element(
        "span",
        { class: "favorite-mark", role: "img", "aria-label": "Favorite" },
        icon("star")
      ) : null,
      buttonOf(icon("cross"), "plain forget", () => forget(address, { label, favorite }), {
        "aria-label": `Remove label and favorite of ${address}`
      })
    );
  }
  function forget(address, entry) {
    labels.set(address, { label: "", favorite: false });
    pageContainer.querySelector(".label-file button")?.focus();
    showMessage(
      `Label of ${address} removed`,
      buttonOf("Undo", "plain undo", () => restore(() => labels.set(address, entry)))
    );
  }
  function restore(undo) {
    undo();
    showMessage("Restored");
    focusShown();
  }
  function labelsBody() {
    const entries = labels.entries();
    const indices = new Map(entries.map(([address]) => [address, unitTable.find(address)]));
    const order = (address) => indices.get(address) < 0 ? Infinity : indices.get(address);
    entries.sort(([one], [other]) => order(one) - order(other) || (one < other ? -1 : 1));
    const warning = labels.warning ?? unitLists.warning;
    return [
      warning ? element("p", { class: "notice storage-warning" }, warning) : null,
      listsBlock(unitLists.entries()),
      element("h2", {}, "Labels and favorites"),
      element(
        "p",
        { class: "quiet" },
        entries.length ? `${counted(entries.length, "unit")} labeled or marked as favorite, stored in this browser.` : "No labels or favorites yet. Add them on the page of a unit, or import a file."
      ),
      element("ul", { class: "labeled" }, entries.map(labeledUnit))
    ].flat().filter((node) => node !== null);
  }
  function listsBlock(lists) {
    return [
      element("h2", {}, "Lists"),
      lists.length ? element(
        "ul",
        { class: "named-lists" },
        lists.map(
          ([name, { length }]) => element(
            "li",
            {},
            element("a", { href: listHash(name) }, element("bdi", {}, name)),
            element("span", { class: "quiet" }, counted(length, "unit")),
            listTools(name)
          )
        )
      ) : element(
        "p",
        { class: "quiet" },
        "No lists yet. Add units to one in the list of units, on the page of a unit, or from the pinned units."
      )
    ];
  }
  function takeFiles2(event) {
    if (!pageContainer.querySelector(".label-file") || !event.dataTransfer.types.includes("Files"))
      return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) importLabels(file);
  }
  for (const type of ["dragover", "drop"]) pageContainer.addEventListener(type, takeFiles2);
  function showLabels(container) {
    document.title = `Labels and lists \xB7 ${model.name} \xB7 featviz gallery`;
    const input = element("input", {
      type: "file",
      accept: ".json,application/json",
      class: "label-chooser",
      tabindex: "-1",
      "aria-hidden": "true"
    });
    input.addEventListener("change", async () => {
      const [file] = input.files;
      if (file) await importLabels(file);
      input.value = "";
    });
    const body = element("div", { class: "label-list" }, labelsBody());
    container.replaceChildren(
      element(
        "header",
        {},
        breadcrumbs(),
        element("h1", { tabindex: "-1", class: "plain-title" }, "Labels and lists")
      ),
      element(
        "div",
        { class: "label-file" },
        buttonOf("Export to file", "button", exportLabels),
        buttonOf("Import from file", "button", () => input.click()),
        input,
        element(
          "p",
          { class: "quiet" },
          "One file has labels, favorites and lists. Importing replaces the labels of the units in the file, adds its lists, and keeps all others. A file can also be dropped on this page."
        )
      ),
      body
    );
    container.querySelector("h1").focus({ preventScroll: true });
  }
  for (const change of ["labels", "lists"])
    document.addEventListener(
      change,
      () => pageContainer.querySelector(".label-list")?.replaceChildren(...labelsBody())
    );

  // shared/theme.js
  var KEY2 = "featviz-theme";
  var root = document.documentElement;
  var systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  var isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
  function storedTheme() {
    try {
      return localStorage.getItem(KEY2);
    } catch {
      return null;
    }
  }
  function switchTheme() {
    const theme = isDark() ? "light" : "dark";
    const isDefault = theme === "dark" === systemIsDark.matches;
    if (isDefault) delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      if (isDefault) localStorage.removeItem(KEY2);
      else localStorage.setItem(KEY2, theme);
    } catch {
    }
  }
  function initTheme() {
    const stored = storedTheme();
    if (stored === "light" || stored === "dark") root.dataset.theme = stored;
    const button = buttonOf(
      icon("theme"),
      "plain theme",
      () => {
        switchTheme();
        show3();
      },
      { "aria-label": "Dark theme", title: "Light or dark theme" }
    );
    const show3 = () => button.setAttribute("aria-pressed", String(isDark()));
    systemIsDark.addEventListener("change", show3);
    show3();
    document.body.append(button);
  }

  // unit/actions.js
  function unitActions(unit) {
    const { address } = unit;
    const input = element("input", {
      type: "text",
      class: "label-input",
      maxlength: LABELS.longest,
      placeholder: "Add a label",
      "aria-label": "Label",
      autocomplete: "off",
      dir: "auto"
    });
    const favorite = buttonOf(
      [icon("star"), "Favorite"],
      "button favorite",
      () => toggleFavorite(address)
    );
    const pin = buttonOf([icon("pin"), "Pin"], "button pin", () => pins.toggle(address));
    const lists = buttonOf(
      [icon("list"), "Add to list"],
      "button to-list",
      () => chooseList([address], address)
    );
    const listed2 = element("p", { class: "in-lists quiet", hidden: "" });
    const shown = element("code", { class: "link-text", hidden: "" }, linkTo(address));
    const link = buttonOf(
      [icon("link"), "Copy link"],
      "button copy-link",
      () => copyText(linkTo(address), "Link", shown)
    );
    const bar = element(
      "div",
      { class: "unit-tools of-one" },
      input,
      favorite,
      pin,
      lists,
      link,
      shown,
      listed2,
      element("p", { class: "storage-warning quiet", hidden: "" })
    );
    const fill = () => {
      const entry = labels.get(address);
      if (document.activeElement !== input) input.value = entry.label;
      favorite.setAttribute("aria-pressed", entry.favorite);
      pin.setAttribute("aria-pressed", pins.has(address));
      const names = unitLists.of(address);
      listed2.hidden = !names.length;
      listed2.replaceChildren(
        names.length === 1 ? "In the list " : "In the lists ",
        ...names.flatMap((name, i) => [
          i ? ", " : "",
          element("a", { href: listHash(name) }, element("bdi", {}, name))
        ])
      );
      const warning = labels.warning ?? unitLists.warning;
      bar.lastChild.hidden = !warning;
      bar.lastChild.textContent = warning ?? "";
    };
    input.addEventListener("blur", () => setLabel(address, input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") input.value = labels.get(address).label;
      if (event.key === "Enter" || event.key === "Escape") {
        event.stopPropagation();
        input.blur();
        pageContainer.querySelector("h1").focus({ preventScroll: true });
      }
    });
    bar.refill = fill;
    fill();
    return bar;
  }
  var linkTo = (address) => location.href.split("#")[0] + unitHash(address);
  function setLabel(address, text) {
    if (text.trim() === labels.get(address).label) return;
    labels.set(address, { label: text });
    showMessage(text.trim() ? "Label saved" : "Label removed");
  }
  function toggleFavorite(address) {
    const favorite = !labels.get(address).favorite;
    labels.set(address, { favorite });
    showMessage(favorite ? `${address} added to favorites` : `${address} removed from favorites`);
  }
  for (const change of ["labels", "pins", "lists"])
    document.addEventListener(
      change,
      () => pageContainer.querySelector(".unit-tools.of-one")?.refill()
    );

  // charts/activation.js
  var PLOT = { height: 300, left: 56, right: 30, top: 14, bottom: 46, label: 13 };
  function labelHeights(heights) {
    const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
    const placed = [...heights];
    for (let k = 1; k < order.length; k += 1) {
      placed[order[k]] = Math.max(placed[order[k]], placed[order[k - 1]] + PLOT.label);
    }
    const over = Math.max(0, placed[order.at(-1)] - (PLOT.height - PLOT.bottom));
    return placed.map((height) => height - over);
  }
  function plotSummary(lines) {
    const parts = lines.map((line2, i) => {
      const finite = line2.filter((value) => value !== null);
      if (!finite.length) return `sample ${i + 1} has no finite activation`;
      return `sample ${i + 1} goes from ${measured(finite[0])} to ${measured(finite.at(-1))}`;
    });
    return `Activation over ${lines[0].length} steps: ${parts.join("; ")}.`;
  }
  function activationPlot(lines, width) {
    const range = valueRange(lines);
    const steps2 = Math.max(...lines.map((line2) => line2.length));
    if (range === null || steps2 === 0)
      return element("p", { class: "notice" }, "No finite activation was recorded.");
    const [low, high] = range;
    const right = width - PLOT.right;
    const bottom = PLOT.height - PLOT.bottom;
    const x = (i) => PLOT.left + (right - PLOT.left) * i / Math.max(1, steps2 - 1);
    const y = (value) => bottom - (bottom - PLOT.top) * (value - low) / (high - low);
    const svg = svgElement("svg", {
      class: "plot",
      viewBox: `0 0 ${width} ${PLOT.height}`,
      role: "img",
      "aria-label": plotSummary(lines)
    });
    for (const tick of ticks(low, high, 5)) {
      svg.append(
        svgElement("line", {
          class: tick === 0 ? "zero" : "grid",
          x1: PLOT.left,
          x2: right,
          y1: y(tick),
          y2: y(tick)
        }),
        svgElement(
          "text",
          { class: "tick", x: PLOT.left - 8, y: y(tick) + 4, "text-anchor": "end" },
          rounded(tick)
        )
      );
    }
    for (const tick of ticks(1, steps2, Math.max(2, Math.floor(width / 65)))) {
      if (tick !== Math.round(tick)) continue;
      const at = x(tick - 1);
      svg.append(
        svgElement("line", { class: "axis", x1: at, x2: at, y1: bottom, y2: bottom + 5 }),
        svgElement(
          "text",
          { class: "tick", x: at, y: bottom + 19, "text-anchor": "middle" },
          String(tick)
        )
      );
    }
    svg.append(
      svgElement("line", { class: "axis", x1: PLOT.left, x2: right, y1: bottom, y2: bottom }),
      svgElement(
        "text",
        { class: "name", x: (PLOT.left + right) / 2, y: PLOT.height - 6, "text-anchor": "middle" },
        "step"
      ),
      svgElement(
        "text",
        {
          class: "name",
          transform: `translate(13 ${(PLOT.top + bottom) / 2}) rotate(-90)`,
          "text-anchor": "middle"
        },
        "activation"
      )
    );
    const ends = lines.map((line2) => y(line2.findLast((value) => value !== null) ?? low));
    const heights = labelHeights(ends);
    lines.forEach((line2, i) => {
      const color = sampleColor(i);
      svg.append(svgElement("path", { class: `line ${color}`, d: linePath(line2, x, y) }));
      if (lines.length > 1) {
        svg.append(
          svgElement(
            "text",
            { class: `end ${color}`, x: right + 7, y: heights[i] + 4 },
            String(i + 1)
          )
        );
      }
    });
    return svg;
  }
  function activationFigure(lines) {
    const container = element("div", { class: "plot-container" });
    new ResizeObserver(() => {
      if (container.clientWidth)
        container.replaceChildren(activationPlot(lines, container.clientWidth));
    }).observe(container);
    return element(
      "figure",
      { class: "trajectory" },
      container,
      element(
        "figcaption",
        {},
        "Activation at each optimization step, on the augmented image of that step. The activation of a picture is measured without augmentation."
      )
    );
  }

  // shared/tables.js
  function settingsTable(settings2) {
    return element(
      "details",
      {},
      element("summary", {}, "Settings"),
      element(
        "dl",
        { class: "settings" },
        settings2.map(([key, value]) => [element("dt", {}, key), element("dd", {}, value)])
      )
    );
  }
  function tableOf(summary, headings, rows, sorted = null) {
    const details = element("details", {}, element("summary", {}, summary));
    details.addEventListener(
      "toggle",
      async () => {
        let cells;
        try {
          cells = await rows();
        } catch (error) {
          details.append(missingFile(error));
          return;
        }
        details.append(
          element(
            "div",
            { class: "table", tabindex: "0", role: "region", "aria-label": summary },
            tableNode(headings, cells, sorted)
          )
        );
      },
      { once: true }
    );
    return details;
  }
  function tableNode(headings, cells, sorted) {
    const nodes = cells.map(
      ([first, ...rest]) => element(
        "tr",
        {},
        element("th", { scope: "row" }, first),
        rest.map((cell) => element("td", {}, cell))
      )
    );
    const body = element("tbody", {}, nodes);
    const heads = headings.map((heading, column) => {
      if (heading.value === void 0) return element("th", { scope: "col" }, heading);
      const sort = () => order(column, heads[column].getAttribute("aria-sort") === "descending");
      return element(
        "th",
        { scope: "col", "aria-sort": "none" },
        buttonOf(heading.text, "sort", sort)
      );
    });
    const order = (column, isAscending) => {
      for (const head of heads)
        if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      heads[column].setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      body.replaceChildren(...inOrder(nodes, headings[column].value, isAscending));
    };
    if (sorted !== null) order(sorted, false);
    return element("table", {}, element("thead", {}, element("tr", {}, heads)), body);
  }
  function inOrder(items, value, isAscending) {
    const values = items.map((_, i) => value(i));
    const known2 = [...items.keys()].filter((i) => values[i] !== null);
    const unknown = [...items.keys()].filter((i) => values[i] === null);
    known2.sort((a, b) => isAscending ? values[a] - values[b] : values[b] - values[a]);
    return [...known2, ...unknown].map((i) => items[i]);
  }

  // unit/how-made.js
  function commandBlock(command) {
    if (command === null) {
      return element(
        "p",
        { class: "notice" },
        "No command: a name in this store cannot be pasted into a shell safely."
      );
    }
    const words = command.split(" ").flatMap((word) => [" ", element("span", {}, word)]);
    const code = element("code", {}, words.slice(1));
    const copy = buttonOf("Copy command", "button copy-command", (button) => {
      button.closest(".how-made").open = true;
      copyText(command, "Command", code);
    });
    return element(
      "div",
      { class: "command" },
      element("h3", {}, "Reproduce"),
      element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, code),
      copy
    );
  }
  function howMade(render, { activation, trajectory, command }, open2) {
    if (render.image !== null) return null;
    return element(
      "details",
      { class: "how-made", ...open2 ? { open: "" } : {} },
      element("summary", {}, element("h2", {}, "How it was made")),
      element(
        "div",
        {},
        activationFigure(byActivation(activation).map((sample) => trajectory[sample])),
        element("div", {}, commandBlock(command), settingsTable(model.groups[render.group].settings))
      )
    );
  }

  // unit/answer.js
  var RELATED = {
    filters: "filter",
    attention: "attention map",
    grids: "token grid",
    gradients: "gradients on images",
    tokens: "position dependence",
    compare: "match in another model"
  };
  function relatedLinks(links) {
    if (!links.length) return null;
    const items = links.map(
      ([section, address]) => element("a", { href: `#${section}=${escapeForHash(address)}` }, RELATED[section])
    );
    return element("nav", { class: "related", "aria-label": "Related results" }, "Related: ", items);
  }
  function verdictBlock(unit, detail) {
    const headline = unitTable.headline(unit.index);
    const lists = [checksList(detail), claimsList(detail)].filter(Boolean);
    if (!headline && !lists.length) return null;
    const [first, ...rest] = headline.split(" \xB7 ");
    return element(
      "section",
      { class: "verdict", "aria-label": "Verdict" },
      headline ? element("p", { class: "headline" }, element("b", {}, first), " ", listed(rest)) : null,
      lists,
      relatedLinks(detail.links)
    );
  }
  function pictureRow(unit, render, detail, ...beside) {
    const group = model.groups[render.group];
    const [width, height] = detail.size;
    const row = element(
      "div",
      { class: "answer" },
      model.thumbnailsOnly && render.image === null ? thumbnailFigure(unit) : samplesFigure(unit, render, detail),
      beside
    );
    row.style.setProperty("--own", `${width}px`);
    row.style.setProperty("--ratio", String(height / width));
    const several = unit.renders.length > 1;
    return element(
      "section",
      {
        class: `render ${render.sides > 1 ? "sides" : "whole"}`,
        "aria-label": several ? group.label : "Pictures"
      },
      several ? element("h2", {}, group.label) : null,
      row
    );
  }
  function answerRow(unit, render, detail) {
    const beside = [nineExamples(detail), verdictBlock(unit, detail)].filter(Boolean);
    return beside.length ? [pictureRow(unit, render, detail, beside), howMade(render, detail, false)] : [relatedLinks(detail.links), plainRow(unit, render, detail)];
  }
  var plainRow = (unit, render, detail) => pictureRow(unit, render, detail, howMade(render, detail, true));

  // charts/bars.js
  function shareTrack(share, className2 = "") {
    const track = element(
      "span",
      { class: `track ${className2}`, "aria-hidden": "true" },
      element("span", {})
    );
    track.firstChild.style.width = `${100 * Math.min(1, Math.abs(share))}%`;
    return track;
  }
  function barList(caption, rows, most, format = brief) {
    return element(
      "table",
      { class: "bars" },
      element("caption", {}, caption),
      element(
        "tbody",
        {},
        rows.map(
          ([name, value]) => element(
            "tr",
            {},
            element("th", { scope: "row" }, element("bdi", {}, name)),
            element("td", {}, shareTrack((value ?? 0) / (most || 1), value < 0 ? "minus" : "plus")),
            element("td", {}, format(value))
          )
        )
      )
    );
  }
  function shareBar(parts) {
    const bar = element("div", { class: "bar", "aria-hidden": "true" });
    for (const [i, [, size]] of parts.entries()) {
      const part = element("span", { class: sampleColor(i) });
      part.style.flexGrow = Math.max(0, size ?? 0);
      bar.append(part);
    }
    const items = parts.map(
      ([name, , text], i) => element(
        "li",
        {},
        element("span", { class: `swatch ${sampleColor(i)}`, "aria-hidden": "true" }),
        name,
        " ",
        element("b", {}, text)
      )
    );
    return [bar, element("ul", { class: "shares" }, items)];
  }

  // unit/evidence/distribution.js
  var sharePercent = (share) => `${brief(100 * share)}\xA0%`;
  function valuesFigure(found, activation) {
    const format = activationFormat(found);
    const marks = [
      [found.median, "median", "sample-7"],
      ...activation === null ? [] : [[activation, "this picture", "sample-1"]]
    ];
    const position = activation === null ? "" : activation > found.high ? "above all of them" : activation < found.low ? "below all of them" : "within their range";
    const reached = activation === null ? "" : ` The picture reaches ${format(activation)}, ${position}.`;
    const description = `Activation on natural images from ${format(found.low)} to ${format(found.high)}, median ${format(found.median)}.${reached}`;
    return chartFigure(
      (width) => histogramPlot(found.histogram, found.low, found.high, marks, width, description),
      `Activation on ${counted(found.images, "natural image")}.${reached}`
    );
  }
  function valuesList(found, firing) {
    const { mean, deviation, sparsity, active } = found;
    const format = activationFormat(found);
    const entry = (name, value, description, text = format(value)) => value === null ? null : [
      element("dt", {}, name),
      element(
        "dd",
        {},
        element("b", {}, text),
        " ",
        element("span", { class: "quiet" }, description)
      )
    ];
    return element(
      "dl",
      { class: "value-list" },
      entry("Mean", mean, "over all natural images"),
      entry("Standard deviation", deviation, "over all natural images"),
      entry(
        "Sparsity",
        sparsity,
        "(0 if equal on all images, 1 if active on a single one)",
        hundredths(sparsity)
      ),
      entry("Active", active, "of the images have an activation above 0", percent(active)),
      firing ? [
        entry(
          "Density",
          firing.tokens,
          "of the tokens on which it fires",
          sharePercent(firing.tokens)
        ),
        entry("Images", firing.images, "of the images on which it fires", percent(firing.images)),
        entry(
          "Median",
          firing.quantiles[found.quantiles.indexOf(0.5)] ?? null,
          "over the images on which it fires"
        )
      ] : null
    );
  }
  function classMeans({ classes, mean, deviation }) {
    if (!deviation || !classes.up.length) return null;
    const scaled = (pairs) => pairs.map(([name, value]) => [name, value === null ? null : (value - mean) / deviation]);
    const [up, down] = [scaled(classes.up), scaled(classes.down)];
    const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value)));
    return element(
      "section",
      { "aria-label": "Classes by mean activation" },
      element("h3", {}, "Classes by mean activation"),
      element(
        "p",
        { class: "quiet" },
        "Difference of the class mean from the mean over all images, in standard deviations."
      ),
      barList("Highest", up, most, hundredths),
      down.length ? barList("Lowest", down, most, hundredths) : null
    );
  }
  function distributionBlock({ evidence }) {
    const found = evidence?.examples;
    if (!found) return null;
    const activation = evidence.pictures[evidence.best]?.activation ?? null;
    return element(
      "section",
      { class: "evidence distribution", "aria-label": "Activation on natural images" },
      element(
        "div",
        {},
        element("h2", {}, "Activation on natural images"),
        valuesFigure(found, activation),
        valuesList(found, evidence.firing)
      ),
      classMeans(found)
    );
  }

  // charts/effects.js
  function effectsPlot(rows, width, description) {
    const range = valueRange([
      [0],
      ...rows.map(([, , { estimate, low: low2, high: high2 }]) => [estimate, low2, high2])
    ]);
    const [low, high] = range;
    const height = CHART.height + 18;
    const right = width - CHART.right;
    const bottom = height - CHART.bottom - 18;
    const y = (value) => bottom - (bottom - CHART.top) * (value - low) / (high - low);
    const svg = chartSvg(width, height, description);
    addVerticalAxis(svg, low, high, y, right);
    const step2 = (right - CHART.left) / rows.length;
    rows.forEach(([name, note, effect], i) => {
      const at = CHART.left + step2 * (i + 0.5);
      svg.append(
        svgElement(
          "text",
          { class: "tick strong", x: at, y: bottom + 20, "text-anchor": "middle" },
          name
        ),
        svgElement("text", { class: "tick", x: at, y: bottom + 37, "text-anchor": "middle" }, note)
      );
      if (effect.estimate === null) return;
      const color = i < rows.length - 2 ? "sample-0" : `sample-${i - rows.length + 3}`;
      if (effect.low !== null)
        svg.append(
          svgElement("line", {
            class: `whisker ${color}`,
            x1: at,
            x2: at,
            y1: y(effect.low),
            y2: y(effect.high)
          })
        );
      svg.append(
        svgElement("circle", { class: `dot ${color}`, cx: at, cy: y(effect.estimate), r: 4.5 })
      );
    });
    return svg;
  }

  // unit/evidence/interventions.js
  var doseNames = (unit) => ({
    picture: ["own picture", "own"],
    other: [`picture of another ${unit}`, "other"]
  });
  function doseFigure({ unit, doses, label, neutral }) {
    const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
    if (!rows.length) return null;
    const names = doseNames(unit);
    const name = (dose, short = 0) => names[dose]?.[short] ?? `${dose}th`;
    const description = `Change of the margin of ${label} by patched activation: ${rows.map(([dose, { effect }]) => `${name(dose)} ${brief(effect.estimate)}`).join("; ")}.`;
    const interval2 = ({ low, high }) => low === null ? "\u2013" : `${hundredths(low)} to ${hundredths(high)}`;
    return element(
      "section",
      { "aria-label": "Dose response" },
      element("h3", {}, "Dose response"),
      chartFigure(
        (width) => effectsPlot(
          rows.map(([dose, { activation, effect }]) => [
            name(dose, 1),
            activation === null ? "" : rounded(Number(activation.toPrecision(2))),
            effect
          ]),
          width,
          description
        ),
        [
          "Change of the margin of ",
          className(label),
          ` on ${counted(neutral, "neutral image")} when an activation is patched in, with 95\xA0% confidence intervals. Doses: the activation of natural images at these percentiles, of the ${unit}\u2019s own picture, and of the picture of another ${unit}.`
        ],
        tableOf(
          "Values",
          ["Dose", "Activation", "Effect", "95\xA0% CI", "Predicted as the class"],
          () => rows.map(([dose, { activation, effect, converted }]) => [
            name(dose),
            brief(activation),
            hundredths(effect.estimate),
            interval2(effect),
            percent(converted)
          ])
        )
      )
    );
  }
  function profileBars({ unit, profile, agreement }) {
    const total = profile.total ?? [];
    if (!total.length) return null;
    const direct = new Map(profile.direct);
    const up = total.filter(([, value]) => value > 0);
    const down = total.filter(([, value]) => value <= 0).sort(([, one], [, other]) => one - other);
    const most = Math.max(...total.map(([, value]) => Math.abs(value ?? 0)));
    const format = scaleFormat(0, most, 3);
    const correlations = Object.entries(agreement).filter(([, value]) => value !== null);
    const bars = (caption, rows) => rows.length ? barList(caption, rows, most, format) : null;
    return element(
      "section",
      { "aria-label": "Effect by class" },
      element("h3", {}, "Effect by class"),
      element(
        "p",
        { class: "quiet" },
        `Decrease of each class logit when the ${unit} is ablated to its mean; the strongest effects of either sign. These effects were not tested.`
      ),
      bars("Supports", up),
      bars("Opposes", down),
      tableOf(
        "Total and direct effects",
        ["Class", "Total", "Direct"],
        () => total.map(([name, value]) => [
          className(name),
          brief(value),
          brief(direct.get(name) ?? null)
        ])
      ),
      correlations.length ? element(
        "dl",
        { class: "value-list" },
        element("dt", {}, "Rank correlation"),
        element(
          "dd",
          {},
          "of the effects on all classes: ",
          correlations.map(([pair, value], i) => [
            i ? "; " : "",
            pair,
            " ",
            element("b", {}, hundredths(value))
          ]),
          "."
        )
      ) : null
    );
  }
  var ABLATIONS = { mean: "Mean ablation", resample: "Resample ablation" };
  var CONTROLS = { directions: "random directions" };
  var LEVEL = 0.05;
  var bound = (name, value) => value === null ? `${name} unknown` : `${name} ${value > LEVEL ? "\u2265" : "="} ${rounded(Number(value.toPrecision(2)))}`;
  function comparison2(unit, kind, { count, level, within, p }, format) {
    const name = kind === "neurons" ? `${unit}s` : CONTROLS[kind] ?? kind;
    const text = p <= LEVEL ? `above ${within} of ${count} ${name}, at most ${format(level)}` : level > 0 ? `${count - within + 1} or more of ${count} ${name} reach ${format(level)}` : `not shown to be above 0 and ${within} of ${count} ${name}`;
    return element("div", {}, text, " ", element("span", { class: "quiet" }, `(${bound("p", p)})`));
  }
  function claimCells(name, { holds, significant, p, q }, rows) {
    const span = { rowspan: rows };
    const verdict = holds ? chip(true, CLAIM_TEXTS[name], "span") : p === null ? "Not tested" : `Not shown: ${CLAIM_TEXTS[name].toLowerCase()}${significant ? ", an interval includes 0" : ""}`;
    return [
      element("td", { class: "value", ...span }, p === null ? "\u2013" : bound("q", q).slice(2)),
      element("td", span, element("span", { class: "verdicts one" }, verdict))
    ];
  }
  function testRows({ unit, removals, doses, controls: controls2, claims, neutral, picture_p: pictureP }) {
    const effects = [
      ...Object.values(removals).map(({ effect }) => effect),
      ...[doses[99], doses.picture, doses.other].map((dose) => dose?.effect)
    ].filter((effect) => effect && effect.estimate !== null);
    const ends = effects.flatMap(({ estimate, low, high }) => [estimate, low ?? 0, high ?? 0]);
    const format = scaleFormat(0, Math.max(0, ...ends.map(Math.abs)), 3);
    const effectCell = ({ estimate, low, high }) => estimate === null ? "\u2013" : [
      element("b", {}, format(estimate)),
      low === null ? "" : ` [${format(low)}, ${format(high)}]`
    ];
    const compared = (found) => Object.entries(found).map(([kind, group]) => comparison2(unit, kind, group, format));
    const ablations = Object.entries(removals).map(([name, { effect, controls: found }]) => [
      ABLATIONS[name] ?? name,
      effectCell(effect),
      compared(found)
    ]);
    const dosed = [];
    if (doses[99]?.effect.estimate != null)
      dosed.push(["Dose of the 99th percentile", effectCell(doses[99].effect), compared(controls2)]);
    else dosed.push(["Dose of the 99th percentile", "\u2013", `only ${neutral} neutral images`]);
    const own = [];
    if (doses.picture?.effect.estimate != null)
      own.push([
        "Dose of its own picture",
        effectCell(doses.picture.effect),
        doses.other?.effect.estimate == null ? `no picture of another ${unit}` : [
          `picture of another ${unit}: ${format(doses.other.effect.estimate)} `,
          element("span", { class: "quiet" }, `(${bound("p", pictureP)})`)
        ]
      ]);
    return [
      ["necessary", ablations],
      ["sufficient", dosed],
      ["pictured", own]
    ].flatMap(
      ([name, rows]) => rows.map((row, i) => [
        ...row,
        i || !claims[name] ? [] : claimCells(name, claims[name], rows.length)
      ])
    );
  }
  function mediationRow({ unit, mediation, mediation_control: control }) {
    if (mediation === null) return [];
    const share = (value) => percent(Math.round(1e3 * value) / 1e3 || 0);
    return [
      [
        "Mediation of its picture\u2019s effect",
        element("b", {}, share(mediation)),
        control === null ? "\u2013" : `control ${unit}s: median ${share(control)}`,
        [element("td", {}, "\u2013"), element("td", {}, "\u2013")]
      ]
    ];
  }
  function testsTable(verdict) {
    const heads = ["Test", "Effect [95\xA0% CI]", "Controls", "q", "Verdict"];
    return element(
      "div",
      { class: "metrics tests", tabindex: "0", role: "region", "aria-label": "Tests" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            heads.map((head) => element("th", { scope: "col" }, head))
          )
        ),
        element(
          "tbody",
          {},
          [...testRows(verdict), ...mediationRow(verdict)].map(
            ([test, effect, controls2, rest]) => element(
              "tr",
              {},
              element("th", { scope: "row" }, test),
              element("td", { class: "effect" }, effect),
              element("td", {}, controls2),
              rest
            )
          )
        )
      )
    );
  }
  function testsBlock(verdict) {
    const { unit, label, images, neutral, data: data2, claims } = verdict;
    const among = Math.max(0, ...Object.values(claims).map((claim) => claim.among));
    return [
      element(
        "p",
        { class: "quiet" },
        "Effects in logits on the margin of ",
        className(label),
        `, the class that the ${unit} supports most, on held-out images of `,
        element("bdi", {}, data2),
        "."
      ),
      testsTable(verdict),
      element(
        "details",
        { class: "why" },
        element("summary", {}, "How to read the table"),
        element(
          "dl",
          { class: "value-list" },
          [
            [
              "Ablation",
              `decrease of the margin on ${counted(images, "image")} of the class, when the activation is replaced by its mean, or by that of an image of another class`
            ],
            [
              "Dose",
              `increase of the margin on ${counted(neutral, "neutral image")}, when an activation is patched in: that of the natural image at the 99th percentile, or of the ${unit}\u2019s own picture`
            ],
            [
              "Controls",
              `${unit}s of the same layer and activation level, and random directions of equal norm, each with the class that it supports most; p-values under resampling of the images`
            ],
            [
              "q",
              `false discovery rate over ${counted(among, `tested ${unit}`)}; above 0.05 a lower bound. About 5\xA0% of ${unit}s outrank their controls by chance`
            ],
            [
              "Mediation",
              `share of the margin on the ${unit}\u2019s own picture that is lost with the ${unit} frozen at its mean`
            ]
          ].map(([term, meaning]) => [
            element("dt", {}, term),
            element("dd", { class: "quiet" }, meaning)
          ])
        )
      )
    ];
  }
  function sentencesBlock(sentences, folded) {
    const list = element(
      "ul",
      { class: "sentences" },
      sentences.map((sentence) => element("li", {}, sentence))
    );
    return folded ? element("details", {}, element("summary", {}, "In words"), list) : list;
  }
  function interventionsBlock({ evidence }) {
    const verdict = evidence?.verdict;
    if (!verdict) return null;
    return element(
      "section",
      { class: "evidence", "aria-label": "Causal tests" },
      element("h2", {}, "Causal tests"),
      verdict.silent ? null : testsBlock(verdict),
      sentencesBlock(evidence.sentences, !verdict.silent),
      verdict.silent ? null : element("div", { class: "sided" }, doseFigure(verdict), profileBars(verdict))
    );
  }

  // unit/evidence/logits.js
  function logitsBlock({ evidence }) {
    const found = evidence?.logits;
    if (!found?.up.length) return null;
    const { up, down } = found;
    const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value ?? 0)));
    const format = scaleFormat(0, most, 3);
    return element(
      "section",
      { class: "evidence", "aria-label": "Writes to logits" },
      element("h2", {}, "Writes to logits"),
      element(
        "p",
        { class: "quiet" },
        "What the unit adds to each class logit through the residual stream and the head, per unit of activation, and not through later layers. The scale of the final norm is left out."
      ),
      element(
        "div",
        { class: "sided" },
        barList("Highest", up, most, format),
        down.length ? barList("Lowest", down, most, format) : null
      )
    );
  }

  // charts/lines.js
  function linesPlot(lines, names, width, description) {
    const range = valueRange(lines.map(([, values]) => values));
    if (range === null) return element("p", { class: "notice" }, "No finite value was recorded.");
    const [low, high] = range;
    const right = width - CHART.right;
    const bottom = CHART.height - CHART.bottom;
    const x = (i) => CHART.left + (right - CHART.left) * i / Math.max(1, names.length - 1);
    const y = (value) => bottom - (bottom - CHART.top) * (value - low) / (high - low);
    const svg = chartSvg(width, CHART.height, description);
    addVerticalAxis(svg, low, high, y, right);
    svg.append(
      svgElement("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom })
    );
    const room = Math.max(...names.map((name) => name.length)) * 7 + 10;
    const every = Math.max(1, Math.ceil(names.length * room / (right - CHART.left)));
    names.forEach((name, i) => {
      if (i % every) return;
      const anchor = i === names.length - 1 ? "end" : "middle";
      svg.append(
        svgElement("line", { class: "axis", x1: x(i), x2: x(i), y1: bottom, y2: bottom + 4 }),
        svgElement("text", { class: "tick", x: x(i), y: bottom + 18, "text-anchor": anchor }, name)
      );
    });
    for (const [, values, color] of lines) {
      svg.append(svgElement("path", { class: `line ${color}`, d: linePath(values, x, y) }));
      if (values.length === 1 && values[0] !== null)
        svg.append(svgElement("circle", { class: `dot ${color}`, cx: x(0), cy: y(values[0]), r: 3 }));
    }
    return svg;
  }

  // unit/evidence/metrics.js
  function rankAmongUnits(key, index) {
    const metric = unitTable.metrics.find((one) => one.key === key);
    const own = unitTable.metric(key, index);
    if (!metric || metric.higher === null || own === null) return null;
    let [worse, others] = [0, 0];
    for (const value of unitTable.columns.get(key)) {
      if (value === null) continue;
      others += 1;
      if (value === own) worse += 0.5;
      else if (value < own === metric.higher) worse += 1;
    }
    return others > 1 ? { share: (worse - 0.5) / (others - 1), others: others - 1 } : null;
  }
  function metricRow(unit, [key, name, meaning]) {
    const value = unitTable.metric(key, unit.index);
    if (value === null) return null;
    const rank = rankAmongUnits(key, unit.index);
    const comparison3 = rank ? [
      shareTrack(rank.share),
      element(
        "span",
        { class: "quiet" },
        `better than ${Math.round(100 * rank.share)}\xA0% of ${rank.others.toLocaleString("en")}`
      )
    ] : element("span", { class: "quiet" }, "\u2013");
    const describe = element(
      "details",
      { class: "why" },
      element("summary", {}, name),
      element("p", {}, meaning)
    );
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, describe),
      element("td", { class: "value" }, key === "rank" ? `${value}` : measured(value)),
      element("td", { class: "rank" }, comparison3)
    );
  }
  function metricsBlock(unit, { evidence }) {
    if (!evidence) return null;
    const rows = METRIC_TEXTS.map((entry) => metricRow(unit, entry)).filter(Boolean);
    const checks = knownChecks(evidence);
    if (!rows.length && !checks.length) return null;
    return element(
      "section",
      { class: "evidence quality", "aria-label": "Picture quality" },
      element("h2", {}, "Picture quality"),
      checks.length ? element("ul", { class: "verdicts", "aria-label": "Checks" }, checks.map(checkChip)) : null,
      rows.length ? element(
        "div",
        {
          class: "metrics",
          tabindex: "0",
          role: "region",
          "aria-label": "Metrics of the picture"
        },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              ["Metric", "Value", "Rank among units"].map(
                (head) => element("th", { scope: "col" }, head)
              )
            )
          ),
          element("tbody", {}, rows)
        )
      ) : null,
      pathFigure(evidence.route)
    );
  }
  var shortLayer = (name) => name.replace(/^(blocks|layers|stages)\./, "").replace(/^patch_embed$/, "in");
  function pathFigure(route2) {
    if (!route2) return null;
    const lines = [
      ["this picture", route2.picture, "sample-1"],
      ["top natural images, to each other", route2.natural, "sample-0"],
      ["other images of their classes", route2.same, "sample-2"],
      ["images of other classes", route2.different, "sample-7"]
    ];
    const last = (values) => hundredths(values.findLast((value) => value !== null) ?? null);
    const description = `Similarity to the unit\u2019s top natural images over ${route2.layers.length} layers. At the last layer: ${lines.map(([name, values]) => `${name} ${last(values)}`).join("; ")}.`;
    const rows = () => route2.layers.map((layer, i) => [layer, ...lines.map(([, values]) => hundredths(values[i]))]);
    return element(
      "section",
      { "aria-label": "Similarity by layer" },
      element("h3", {}, "Similarity by layer"),
      chartFigure(
        (width) => linesPlot(lines, route2.layers.map(shortLayer), width, description),
        "Similarity to the unit\u2019s top natural images, by layer.",
        chartLegend(lines.map(([name, , color]) => [name, color])),
        tableOf("Values", ["Layer", ...lines.map(([name]) => name)], rows)
      )
    );
  }

  // unit/other-units.js
  var STRIP_MOST = 48;
  function unitStrip(heading, lead, items) {
    if (!items.length) return null;
    return element(
      "section",
      { class: "unit-strip", "aria-label": heading },
      element("h2", {}, heading),
      lead ? element("p", { class: "quiet" }, lead) : null,
      element(
        "ul",
        {},
        items.map(
          ([index, text]) => element(
            "li",
            {},
            element(
              "a",
              {
                href: view.link({ unit: unitTable.address(index) }),
                title: unitTable.address(index)
              },
              thumbnail(index, 96),
              element("span", { class: "caption" }, text)
            )
          )
        )
      )
    );
  }
  function otherTokens(unit) {
    const whole = unit.address.split("@")[0];
    const { offset, count } = unitTable.siteOf(unit.index);
    const found = [];
    for (let i = offset; i < offset + count; i += 1) {
      const address = unitTable.address(i);
      if (address === whole || address.startsWith(`${whole}@`)) found.push(i);
    }
    if (found.length < 2) return null;
    const first = Math.max(
      0,
      Math.min(found.indexOf(unit.index) - STRIP_MOST / 2, found.length - STRIP_MOST)
    );
    const shown = found.slice(first, first + STRIP_MOST);
    const lead = shown.length < found.length ? `${shown.length} of ${counted(found.length, "picture")}, around this one.` : "";
    const strip = unitStrip(
      whole.includes(".qk:") ? "The same head at other tokens" : "The same unit at other tokens",
      lead,
      shown.map((i) => [i, unitTable.address(i).slice(whole.length) || "all patches"])
    );
    strip.querySelectorAll("a")[shown.indexOf(unit.index)].setAttribute("aria-current", "page");
    return strip;
  }
  function similarUnits(unit, similar) {
    const strip = (heading, lead, found) => unitStrip(
      heading,
      lead,
      (found ?? []).map(([index, similarity]) => [
        index,
        [shortAddress(unitTable.address(index)), element("b", {}, hundredths(similarity))]
      ])
    );
    return [
      strip(
        "Units with similar pictures",
        [
          "Similarity of the pictures, from 0 to 1.",
          ...model.map ? [" ", element("a", { href: mapHash(unit.address) }, "Show this unit on the map")] : []
        ],
        unit.renders[0].image === null ? similar?.picture : null
      ),
      strip(
        "Units active on the same images",
        "Share of this unit\u2019s top natural images that are also top images of the other unit.",
        similar?.activation
      ),
      strip(
        "Correlated units",
        "Pearson correlation of the activations over images of the dataset, at most 512.",
        similar?.correlation
      )
    ];
  }

  // sections/images/data.js
  var imageFile = (number) => `${dataFolder}/input-images/${number}.webp`;
  var response = ([unit, value, relative, rank, percentile, map]) => ({
    unit,
    value,
    relative,
    rank,
    percentile,
    map: map === null ? null : mapOf(map)
  });
  var unitResponse = ([value, relative, rank, percentile, hasMap]) => ({
    value,
    relative,
    rank,
    percentile,
    hasMap
  });
  function mapOf([rows, columns, low, high, levels]) {
    return { low, high, draw: () => mapLayer({ map: [rows, columns] }, levels) };
  }
  async function loadImage(number) {
    const { grid: grid2, layers: layers2, patches } = await loadData(`images/${number}`);
    return {
      grid: grid2,
      layers: new Map(layers2.map(([layer, units]) => [layer, units.map(response)])),
      patches
    };
  }
  var relativeText = (relative) => relative === null ? "\u2013" : `${hundredths(relative)}\xD7`;
  var referenceName = ({ reference }) => reference === "natural" ? "best natural image" : "its picture";
  function valueText({ value, rank, percentile }, { natural }) {
    const place2 = rank !== null ? `rank ${rank} of ${natural.toLocaleString("en")}` : percentile !== null ? `above ${percent(percentile / 100)}` : "";
    return listed([measured(value), place2].filter(Boolean));
  }
  var scaleText = ({ reference, natural, data: data2 }) => reference === "natural" ? `0\xD7 is the median and 1\xD7 the best of ${natural.toLocaleString("en")} images of ${data2}` : "0\xD7 is a gray image and 1\xD7 the picture of the unit";

  // sections/images/stage.js
  var STEPS = {
    ArrowLeft: (row, column) => [row, column - 1],
    ArrowRight: (row, column) => [row, column + 1],
    ArrowUp: (row, column) => [row - 1, column],
    ArrowDown: (row, column) => [row + 1, column],
    Home: (row) => [row, 0],
    End: (row, _, columns) => [row, columns - 1]
  };
  function pictureOf(number, [name, side]) {
    return element("img", {
      src: imageFile(number),
      alt: name,
      width: side,
      height: side,
      decoding: "async",
      class: side < 160 ? "pixels" : "smooth"
    });
  }
  var Stage = class {
    /** `onpatch` is called with the index of the patch that is shown; null if none is. */
    constructor(number, image, [rows, columns], onpatch) {
      [this.rows, this.columns, this.onpatch] = [rows, columns, onpatch];
      this.chosen = null;
      this.canvas = null;
      this.buttons = Array.from(
        { length: rows * columns },
        (_, i) => element("button", {
          type: "button",
          tabindex: i ? "-1" : "0",
          "aria-pressed": "false",
          "aria-label": `Patch in row ${Math.floor(i / columns) + 1}, column ${i % columns + 1}`
        })
      );
      this.patches = element(
        "div",
        { class: "patches", role: "group", "aria-label": `Patches of ${image[0]}` },
        this.buttons
      );
      this.patches.style.setProperty("--rows", rows);
      this.patches.style.setProperty("--columns", columns);
      this.node = element("div", { class: "stage" }, pictureOf(number, image), this.patches);
      const shown = ({ target }) => {
        const at = this.buttons.indexOf(target);
        if (at >= 0) this.onpatch(at);
      };
      this.patches.addEventListener("pointerover", shown);
      this.patches.addEventListener("focusin", shown);
      for (const left of ["pointerleave", "focusout"])
        this.patches.addEventListener(left, () => this.onpatch(this.chosen));
      this.patches.addEventListener("click", ({ target }) => {
        const at = this.buttons.indexOf(target);
        if (at >= 0) this.choose(at === this.chosen ? null : at);
      });
      this.patches.addEventListener("keydown", (event) => this.press(event));
    }
    /** Choose a patch; null for none. */
    choose(at) {
      if (this.chosen !== null) this.buttons[this.chosen].setAttribute("aria-pressed", "false");
      this.chosen = at;
      if (at !== null) {
        this.buttons[at].setAttribute("aria-pressed", "true");
        this.focusable(at);
      }
      this.onpatch(at);
    }
    /** Lay a map over the image; null for none. */
    showMap(map) {
      this.canvas?.remove();
      this.canvas = map?.draw() ?? null;
      if (this.canvas) this.node.insertBefore(this.canvas, this.patches);
    }
    focusable(at) {
      this.patches.querySelector('[tabindex="0"]').setAttribute("tabindex", "-1");
      this.buttons[at].setAttribute("tabindex", "0");
    }
    press(event) {
      const from = this.buttons.indexOf(event.target);
      if (event.key === "Escape" && this.chosen !== null) this.choose(null);
      else if (Object.hasOwn(STEPS, event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
        const place2 = [Math.floor(from / this.columns), from % this.columns];
        const [row, column] = STEPS[event.key](...place2, this.columns);
        if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) {
          const at = row * this.columns + column;
          this.focusable(at);
          this.buttons[at].focus();
        }
      } else return;
      event.preventDefault();
      event.stopPropagation();
    }
  };

  // unit/own-images.js
  async function ownImagesBlock(unit) {
    if (!model.sections.some(([name]) => name === "images")) return null;
    const [section, entries] = await Promise.all([
      loadData("sections/images"),
      loadEntry("responses", unit.index)
    ]);
    const responses = entries.map(unitResponse);
    const maps = await Promise.all(responses.map(({ hasMap }, i) => hasMap && mapOf2(unit, i)));
    return element(
      "section",
      { class: "evidence own-of-unit", "aria-label": "Your images" },
      element("h2", {}, element("a", { href: "#images" }, "Your images")),
      element(
        "div",
        { class: "examples" },
        responses.map((one, i) => imageFigure(section, i, one, maps[i] || null))
      )
    );
  }
  async function mapOf2(unit, number) {
    const { layers: layers2 } = await loadImage(number);
    const all = [...layers2.values()].flat();
    return all.find((one) => one.unit === unit.index)?.map ?? null;
  }
  function imageFigure(section, number, one, map) {
    const image = section.images[number];
    return element(
      "figure",
      { class: "example" },
      element("span", { class: "own-framed" }, pictureOf(number, image), map?.draw() ?? null),
      element(
        "figcaption",
        {},
        element("b", {}, relativeText(one.relative)),
        ` ${referenceName(section)}`,
        element("span", { class: "own-line" }, element("bdi", {}, image[0])),
        element(
          "span",
          { class: "own-line" },
          one.value === null ? "" : `activation ${valueText(one, section)}`
        )
      )
    );
  }

  // unit/page.js
  function missingUnit(address) {
    return [
      element("header", {}, breadcrumbs(), element("h1", { tabindex: "-1" }, address)),
      element(
        "p",
        { class: "notice" },
        "No such unit in this gallery. ",
        element("a", { href: "#" }, "All units")
      )
    ];
  }
  async function showUnit(container, address) {
    const index = unitTable.find(address);
    document.title = `${address} \xB7 ${model.name} \xB7 featviz gallery`;
    if (index < 0) {
      container.replaceChildren(...missingUnit(address));
      container.querySelector("h1").focus({ preventScroll: true });
      return;
    }
    const unit = unitAt(index);
    const header = element(
      "header",
      {},
      breadcrumbs(element("a", { href: siteHash(unit.site) }, unit.site)),
      element("h1", { tabindex: "-1" }, unit.address),
      steps(unit),
      unitActions(unit)
    );
    container.replaceChildren(header);
    header.querySelector("h1").focus({ preventScroll: true });
    let details;
    let ownImages;
    try {
      const entries = unit.renders.map((render) => loadEntry("details", render.row));
      [ownImages, ...details] = await Promise.all([ownImagesBlock(unit), ...entries]);
      details = details.map(detailOf);
    } catch (error) {
      if (header.parentNode === container) container.append(missingFile(error));
      return;
    }
    if (header.parentNode !== container) return;
    const main = Math.max(
      0,
      details.findIndex(({ evidence }) => evidence)
    );
    const withEvidence = details[main];
    const [answer, made] = answerRow(unit, unit.renders[main], withEvidence);
    const others = unit.renders.map(
      (render, i) => i === main ? null : plainRow(unit, render, details[i])
    );
    const blocks = [
      answer,
      distributionBlock(withEvidence),
      made,
      ...others,
      examplesBlock(withEvidence),
      ownImages,
      metricsBlock(unit, withEvidence),
      interventionsBlock(withEvidence),
      logitsBlock(withEvidence),
      otherTokens(unit),
      ...similarUnits(unit, details[0].similar)
    ];
    container.append(...blocks.filter((block) => block !== null));
  }

  // sections/blocks.js
  var sectionHead = (title, ...lead) => [
    element("h2", { class: "title", tabindex: "-1" }, title),
    element("p", { class: "lead" }, lead)
  ];
  function blockHead(title, note, className2 = "") {
    const heading = element("h3", { class: className2 }, title);
    return element("div", { class: "heading" }, heading, element("p", {}, note));
  }
  function blocksOf(blocks, build) {
    return blocks.map((block) => [
      blocks.length > 1 && block.label ? element("h3", { class: "label" }, block.label) : null,
      build(block),
      settingsTable(block.settings)
    ]);
  }
  function layersOf(section, block, noun, className2, build) {
    return block.sites.map(
      ([site, entries]) => element(
        "section",
        { "aria-label": site },
        blockHead(site, counted(entries.length, noun), "address"),
        element(
          "div",
          { class: className2 },
          entries.map((entry) => section.register(entry[0], build(entry, site)))
        )
      )
    );
  }
  function addressLink(section, address, text = address) {
    return section.units.has(address) ? element("a", { href: unitHash(address) }, text) : element("span", {}, text);
  }

  // sections/autoencoders.js
  var DENSE = 0.1;
  var QUALITY_TEXTS = [
    ["explained_variance", "Explained variance", brief],
    ["l0", "Mean L0 (latents that fire on a token)", brief],
    ["alive", "Alive (fire on a token)", percent],
    ["dense", "Dense (fire on more than 10\xA0% of the tokens)", percent]
  ];
  var OUTPUT_TEXTS = [
    ["kl", "KL divergence (nats)", brief],
    ["same_top1", "Same top-1", percent],
    ["cosine", "Cosine similarity of the output", brief]
  ];
  var densityAt = (edge) => Number((10 ** edge).toPrecision(3));
  var latentsLink = (site, where) => view.link({ layer: site, where, sort: "density", down: true });
  function boundsOf(edges, bin) {
    const bound2 = (op, edge) => ({ key: "density", op, value: densityAt(edge) });
    const isLast = bin === edges.length - 2;
    return [bound2(">=", edges[bin]), ...isLast ? [] : [bound2("<", edges[bin + 1])]];
  }
  function latentCount(site, count, where) {
    const isShown3 = count && unitTable.columns.has("density");
    const text = count.toLocaleString("en");
    return isShown3 ? element("a", { href: latentsLink(site, where) }, text) : text;
  }
  function densityBlock({ site, latents, dead, edges, counts }) {
    const alive = latents - dead;
    const [low, high] = [edges[0], edges.at(-1)];
    const description = `Density of ${counted(alive, "latent")} from 10^${low} to 1, on a logarithmic scale`;
    const plot = (width) => histogramPlot(
      counts,
      low,
      high,
      [[Math.log10(DENSE), "dense", "sample-7"]],
      width,
      description
    );
    const rows = () => counts.map((count, bin) => [
      `${brief(densityAt(edges[bin]))} to ${brief(densityAt(edges[bin + 1]))}`,
      latentCount(site, count, boundsOf(edges, bin))
    ]);
    return element(
      "section",
      { "aria-label": "Density" },
      element("h4", {}, "Density of the latents"),
      chartFigure(
        plot,
        `Logarithm to base 10 of the share of tokens on which a latent fires: ${counted(alive, "latent")}. Dead, firing on no token: ${dead.toLocaleString("en")} (${percent(dead / latents)}).`
      ),
      tableOf("Latents by density", ["Share of tokens", "Latents"], rows)
    );
  }
  function qualityBlock(quality) {
    const row = (heading, ...cells) => element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      cells.map((cell) => element("td", {}, cell))
    );
    const outputs = OUTPUT_TEXTS.filter(([key]) => quality.reconstruction[key] !== null);
    return element(
      "section",
      { "aria-label": "Quality" },
      element("h4", {}, "Quality"),
      element(
        "p",
        { class: "quiet" },
        `${quality.library} ${quality.architecture}, measured on ${counted(quality.tokens, "token")} of ${counted(quality.images, "image")} of `,
        element("bdi", {}, quality.data)
      ),
      element(
        "table",
        { class: "quality-table" },
        element(
          "tbody",
          {},
          QUALITY_TEXTS.map(([key, name, format]) => row(name, format(quality[key])))
        )
      ),
      element(
        "table",
        { class: "quality-table" },
        element("caption", {}, "Output of the model"),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ["", "Reconstruction", "Zero ablation"].map(
              (head) => element(head ? "th" : "td", head ? { scope: "col" } : {}, head)
            )
          )
        ),
        element(
          "tbody",
          {},
          outputs.map(
            ([key, name, format]) => row(name, format(quality.reconstruction[key]), format(quality.zero_ablation[key]))
          )
        )
      )
    );
  }
  function autoencodersView(section, { autoencoders }) {
    return [
      sectionHead(
        "Sparse autoencoders",
        "The density of a latent is the share of the tokens of all images on which it fires, that is, is not 0 after threshold or top-k. Its activation is the pre-activation. Dead latents have no page."
      ),
      autoencoders.map(
        (each) => section.register(
          each.site,
          element(
            "section",
            { class: "autoencoder", "aria-label": each.site },
            blockHead(
              element("a", { href: siteHash(each.site) }, each.site),
              `${counted(each.latents, "latent")}${each.read ? ` of ${each.read}` : ""}`,
              "address"
            ),
            element(
              "div",
              { class: "columns" },
              densityBlock(each),
              element("div", {}, each.quality.map(qualityBlock))
            ),
            settingsTable(each.settings)
          )
        )
      )
    ];
  }

  // charts/reading.js
  function makeReadable(node, { at, next, show: show3, open: open2 = () => {
  } }) {
    let current = null;
    const read = (item) => {
      current = item;
      show3(item);
    };
    for (const name of ["pointermove", "pointerdown"])
      node.addEventListener(name, (event) => read(at(event)));
    node.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && document.activeElement !== node) read(null);
    });
    node.addEventListener("focus", () => {
      if (node.matches(":focus-visible")) read(current ?? next(null, null));
    });
    node.addEventListener("blur", () => read(null));
    node.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (event.key === "Enter" && current !== null) open2();
      else if (event.key.startsWith("Arrow")) read(next(current, event.key) ?? current);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  function svgPoint(svg, event) {
    const box = svg.getBoundingClientRect();
    const { width, height } = svg.viewBox.baseVal;
    return [
      (event.clientX - box.left) * width / box.width,
      (event.clientY - box.top) * height / box.height
    ];
  }

  // charts/intervals.js
  function intervalsPlot({ lines, categories, level, title, description, height, read }, width) {
    const values = lines.flatMap(({ estimate, low, high }) => [estimate, low, high]);
    const [least, most] = valueRange([...values, [0, level]]);
    const right = width - CHART.right;
    const bottom = height - CHART.bottom - 14;
    const step2 = (right - CHART.left) / categories.length;
    const x = (i) => CHART.left + step2 * (i + 0.5);
    const y = (value) => bottom - (bottom - CHART.top) * (value - least) / (most - least);
    const svg = svgElement("svg", {
      class: "plot chart-plot",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height
    });
    const guide = svgElement("line", { class: "guide", y1: CHART.top, y2: bottom });
    const plot = svgElement("g", { tabindex: "0", role: "application", "aria-label": description });
    addVerticalAxis(plot, least, most, y, right);
    plot.append(
      guide,
      svgElement("line", { class: "axis", x1: CHART.left, x2: right, y1: bottom, y2: bottom })
    );
    if (level !== null)
      plot.append(
        svgElement("line", {
          class: "level",
          x1: CHART.left,
          x2: right,
          y1: y(level),
          y2: y(level)
        })
      );
    lines.forEach((line2, i) => {
      plot.append(lineNode(line2, x, y, i));
    });
    plot.append(
      svgElement("rect", {
        class: "hit",
        x: CHART.left,
        y: CHART.top,
        width: right - CHART.left,
        height: bottom - CHART.top
      })
    );
    svg.append(plot, ...categoryLabels(categories, x, bottom, step2));
    svg.append(
      svgElement(
        "text",
        { class: "name", x: (CHART.left + right) / 2, y: height - 4, "text-anchor": "middle" },
        title
      )
    );
    const last = categories.length - 1;
    const clipped = (i) => Math.min(last, Math.max(0, i));
    makeReadable(plot, {
      at: (event) => clipped(Math.floor((svgPoint(svg, event)[0] - CHART.left) / step2)),
      next: (i, key) => i === null ? 0 : clipped(i + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0)),
      show: (i) => {
        guide.classList.toggle("shown", i !== null);
        if (i !== null) for (const end of ["x1", "x2"]) guide.setAttribute(end, x(i));
        read(i);
      }
    });
    return svg;
  }
  function lineNode({ estimate, low, high }, x, y, index) {
    const isKnown = (i) => low[i] !== null && low[i] !== void 0;
    const node = svgElement("g", { class: sampleColor(index) });
    for (const run of runs2(low.length, isKnown)) {
      const forth = run.map((i) => `${x(i).toFixed(1)} ${y(high[i]).toFixed(1)}`);
      const back = run.map((i) => `${x(i).toFixed(1)} ${y(low[i]).toFixed(1)}`).reverse();
      node.append(
        run.length > 1 ? svgElement("path", { class: "band", d: `M${[...forth, ...back].join("L")}Z` }) : svgElement("path", { class: "whisker", d: `M${forth[0]}L${back[0]}` })
      );
    }
    node.append(svgElement("path", { class: "line", d: linePath(estimate, x, y) }));
    estimate.forEach((value, i) => {
      if (value !== null)
        node.append(svgElement("path", { class: "dot", d: lineMark(index, x(i), y(value)) }));
    });
    return node;
  }
  function runs2(count, holds) {
    const found = [];
    for (let i = 0; i < count; i += 1) {
      if (!holds(i)) continue;
      if (i && holds(i - 1)) found.at(-1).push(i);
      else found.push([i]);
    }
    return found;
  }
  function categoryLabels(categories, x, bottom, step2) {
    const room = Math.max(...categories.map(({ name }) => name.length)) * 7 + 10;
    const every = Math.ceil(room / step2);
    return categories.map(({ name, href }, i) => {
      if (i % every) return null;
      const text = svgElement(
        "text",
        { class: "tick", x: x(i), y: bottom + 18, "text-anchor": "middle" },
        name
      );
      return href === null ? text : svgElement("a", { href, "aria-label": `layer ${name}` }, text);
    }).filter((node) => node !== null);
  }

  // sections/traces/experiment-text.js
  var SITES = {
    attn_out: "attention outputs",
    mlp_out: "MLP outputs",
    resid_pre: "states of the residual stream before each block",
    resid_mid: "states of the residual stream between attention and MLP",
    resid_post: "states of the residual stream after each block",
    z: "outputs of attention heads",
    q: "queries",
    k: "keys",
    v: "values",
    pattern: "attention patterns",
    neurons: "MLP neurons after the nonlinearity",
    patch_embed: "patch embeddings",
    pos_embed: "position embeddings"
  };
  var CORRUPTED = {
    grayscale: "grayscale images",
    blur: "blurred images",
    noise: "images with noise",
    embedding: "images with noise on the patch embeddings",
    silhouette: "silhouettes",
    mask: "images with a filled object",
    background: "images with a filled background",
    word: "images with a label",
    shuffle: "images with shuffled patches",
    occlude: "partly occluded images",
    swap: "images of other classes"
  };
  var ABLATIONS2 = {
    zero: "replaced by zeros",
    mean: "replaced by their mean over the images",
    resample: "replaced by those of an image of another class"
  };
  var METRICS = {
    probability: "probability of the label",
    logit: "logit of the label",
    logit_difference: "logit difference",
    kl: "KL divergence from the clean run (nats)",
    cosine: "cosine similarity with the embedding of the clean run",
    projection: "projection of the embedding"
  };
  var isLatents = (site) => String(site).startsWith("sae.");
  var siteText = (site) => isLatents(site) ? `latents of ${site}` : known(SITES, site);
  var known = (names, key) => Object.hasOwn(names, key) ? names[key] : String(key);
  var isOfEmbedding = (metric) => metric === "cosine" || metric === "projection";
  var metricName = (metric) => known(METRICS, metric);
  var windowName = (window) => window === 1 ? "1 layer" : `${window} layers`;
  function corruptedImages(corrupt) {
    const [name, ...rest] = String(corrupt).split(":");
    if (name === "cue") return `images with another ${rest.join(":")}`;
    return known(CORRUPTED, name) + (rest.length ? ` (${rest.join(":")})` : "");
  }
  function sweepTitle({ site, by, corrupt, ablate, donor, estimate }) {
    const source = ablate ? `${ablate} ablation` : corrupt === "none" ? donor?.model : corrupt;
    const kind = estimate?.direct ? ["estimated direct effects"] : estimate ? ["estimated"] : [];
    return listed(
      [source ?? "patching", site === "neurons" ? "mlp_act" : site, `by ${by}`, ...kind].map(String)
    );
  }
  function restrictions({ site, heads = "all", tokens = ["all"] }) {
    const groups = isLatents(site) ? "" : "heads ";
    const parts = [
      ...heads === null || heads === "all" ? [] : [`${groups}${heads}`],
      ...tokens === null || String(tokens) === "all" ? [] : [`tokens ${tokens.join(" or ")}`]
    ];
    return parts.length ? ` (${parts.join(", ")})` : "";
  }
  function estimateText({ steps: steps2, direct }) {
    const where = steps2 ? `the mean gradient at ${steps2} ${steps2 === 1 ? "point" : "points"} between both runs` : "the gradient of the unpatched run";
    const later = direct ? " Effects through later blocks are left out." : "";
    return ` Effects are estimates by attribution patching, from ${where}.${later}`;
  }
  function sweepText(experiment, windows) {
    const { site, by, mode, corrupt, ablate, donor, frozen, estimate } = experiment;
    const what = siteText(site) + restrictions(experiment);
    const each = by === "layer" ? "one layer at a time" : `one ${by} at a time`;
    const unit = windows.length === 1 && windows[0] === 1 ? each : `${by === "layer" ? "" : `one ${by} of `}${windows.join(" or ")} adjacent layers at a time`;
    const of = donor ? ` of ${donor.model}` : "";
    const corrupted = `the run on ${corruptedImages(corrupt)}`;
    const direction = ablate ? `Ablation: ${what} of the clean run are ${known(ABLATIONS2, ablate)}` : corrupt === "none" ? `Patching from another model: ${what}${of} are patched into the run of this model` : mode === "denoising" ? `Denoising: ${what} of the clean run${of} are patched into ${corrupted}` : `Noising: ${what} of ${corrupted}${of} are patched into the clean run`;
    return `${direction}, ${unit}${frozen ? ", with frozen norms" : ""}.${estimate ? estimateText(estimate) : ""}`;
  }

  // sections/circuits/circuit.js
  var EMBEDDING = "embed";
  var LOGITS = "logits";
  var componentOf = (receiver) => receiver.replace(/(?<=:\d+)\.[qkv]$/, "");
  var inputOf = (receiver) => /:\d+\.([qkv])$/.exec(receiver)?.[1] ?? null;
  function partsOf(name) {
    const [, block, head] = /^blocks\.(\d+)\.[^:]*(?::(\d+))?$/.exec(name) ?? [];
    return {
      name,
      block: block === void 0 ? null : Number(block),
      head: head === void 0 ? null : Number(head)
    };
  }
  function componentText(name) {
    const { block, head } = partsOf(name);
    if (head !== null) return `head ${head} of block ${block}`;
    if (block !== null) return `MLP of block ${block}`;
    return { [EMBEDDING]: "embedding", [LOGITS]: "logits" }[name] ?? name;
  }
  var Search = class {
    constructor(block, title) {
      Object.assign(this, block, { title });
      const { senders, receivers, groups } = block;
      this.edges = block.edges.map(([sender, receiver, group, score, effect], index) => ({
        index,
        from: senders[sender],
        to: componentOf(receivers[receiver]),
        input: inputOf(receivers[receiver]),
        group: groups.length > 1 ? groups[group] : null,
        isFirst: group === 0,
        score,
        effect
      }));
      this.components = [...senders, LOGITS].map(partsOf);
      this.most = Math.max(...this.edges.map(({ score }) => Math.abs(score)), 0);
      [this.curve] = block.curves;
    }
    /** Number of edges of the graph. */
    get count() {
      return this.experiment.edges;
    }
    /** Index of the smallest circuit with at least as many edges; by default, of that which keeps 80 % of the effect. */
    indexOf(edges) {
      const wanted = Number(edges ?? this.curve.size ?? this.count);
      const found = this.circuits.findIndex(([count]) => count >= wanted);
      return found < 0 ? this.circuits.length - 1 : found;
    }
    /** A circuit: its number of edges, those that are listed, and the share of the effect it keeps. */
    circuit(index) {
      const [count, listed2] = this.circuits[index];
      const [estimate, low, high] = this.curve.faithfulness.map((column) => column[index]);
      return { count, edges: listed2.map((i) => this.edges[i]), kept: { estimate, low, high } };
    }
  };
  var intervalText = ([estimate, low, high]) => low === null ? brief(estimate) : `${brief(estimate)} (${brief(low)} to ${brief(high)})`;
  var inputText = ({ input, group }) => [input, group && `at ${group === "prefix" ? "prefix tokens" : group}`].filter(Boolean).join(" ");
  var scoreText = ({ score, effect }) => `score ${brief(score)}${effect ? `, exact effect ${intervalText(effect)}` : ""}`;
  var edgeText = (edge) => `${edge.from} \u2192 ${[edge.to, inputText(edge)].filter(Boolean).join(" ")}: ${scoreText(edge)}`;

  // state/layer-links.js
  var blockOf = (site) => Number(/\d+/.exec(site)?.[0] ?? Number.NaN);
  function layerLink(layer, words = []) {
    const sites = unitTable.sites.filter(({ name }) => blockOf(name) === layer);
    const site = sites.find(({ name }) => words.some((word) => name.includes(word))) ?? sites[0];
    return site ? siteHash(site.name) : null;
  }
  function blockUnits(layer, word) {
    const site = unitTable.sites.find(({ name }) => blockOf(name) === layer && name.includes(word));
    return site ? Array.from({ length: site.count }, (_, i) => site.offset + i) : [];
  }
  var headSite = (layer) => unitTable.sites.find(({ name }) => blockOf(name) === layer && name.endsWith("attn.qk"));
  function headUnits(layer, head) {
    const site = headSite(layer);
    return site ? unitsOf2(site, `:${head}`) : [];
  }
  function headUnitsLink(layer, head) {
    const units = headUnits(layer, head);
    if (units.length < 2) return units.length ? unitHash(unitTable.address(units[0])) : null;
    return view.link({ ...NO_FILTERS, layer: headSite(layer).name, q: `:${head}@`, sort: null });
  }
  function attentionLink(layer, head, maps) {
    const map = maps.find((each) => isHead(each, layer, head));
    return map === void 0 ? null : `#attention=${escapeForHash(map)}`;
  }
  var headLink = (layer, head, maps) => headUnitsLink(layer, head) ?? attentionLink(layer, head, maps);
  function neuronLink(layer, neuron) {
    const site = unitTable.sites.find(
      (each) => blockOf(each.name) === layer && /mlp/.test(each.name) && unitTable.find(`${each.name}:${neuron}`) >= 0
    );
    return site ? unitHash(`${site.name}:${neuron}`) : null;
  }
  function latentLink(site, latent) {
    const address = [`${site}:${latent}`, `${site}:${latent}@max`, `${site}:${latent}@cls`].find(
      (each) => unitTable.find(each) >= 0
    );
    return address ? unitHash(address) : null;
  }
  var isHead = (address, layer, head) => address.endsWith(`attn.qk:${head}`) && blockOf(address) === layer;
  function unitsOf2({ offset, count }, suffix) {
    const found = [];
    for (let i = offset; i < offset + count; i += 1)
      if (unitTable.suffixes[i] === suffix || unitTable.suffixes[i].startsWith(`${suffix}@`))
        found.push(i);
    return found;
  }

  // sections/circuits/links.js
  var SITES2 = { [EMBEDDING]: "patch_embed", [LOGITS]: "head" };
  function unitsOf3(name) {
    const { block, head } = partsOf(name);
    if (head !== null) return headUnits(block, head);
    return block === null ? [] : blockUnits(block, "mlp");
  }
  function linksOf(name, maps) {
    const { block, head } = partsOf(name);
    const count = unitsOf3(name).length;
    const all = [];
    if (head !== null) {
      all.push([counted(count, "query-key logit"), headUnitsLink(block, head)]);
      all.push(["attention map", attentionLink(block, head, maps)]);
    } else if (block !== null) {
      all.push([counted(count, "neuron"), count ? layerLink(block, ["mlp"]) : null]);
    } else if (unitTable.sites.some((site) => site.name === SITES2[name])) {
      all.push(["units", siteHash(SITES2[name])]);
    }
    return all.filter(([, href]) => href !== null);
  }

  // sections/circuits/details.js
  var PICTURES = { most: 4, height: 64 };
  var EDGES = 8;
  function pictures(name) {
    return unitsOf3(name).slice(0, PICTURES.most).map(
      (unit) => element(
        "a",
        { href: unitHash(unitTable.address(unit)), title: unitTable.address(unit) },
        thumbnail(unit, PICTURES.height)
      )
    );
  }
  function endButton(edge, name, { move: move2, highlight }) {
    const button = buttonOf(name, "link", () => move2(name));
    for (const event of ["focus", "pointerenter"])
      button.addEventListener(event, () => highlight({ edge }));
    for (const event of ["blur", "pointerleave"])
      button.addEventListener(event, () => highlight(null));
    return button;
  }
  function edgeList(title, edges, otherEnd, actions) {
    const others = edges.length - EDGES;
    return [
      element("h5", {}, title),
      edges.length ? element(
        "ul",
        {},
        edges.slice(0, EDGES).map(
          (edge) => element(
            "li",
            {},
            endButton(edge, edge[otherEnd], actions),
            ` ${[inputText(edge), scoreText(edge)].filter(Boolean).join(": ")}`
          )
        ),
        others > 0 ? element("li", {}, `and ${others.toLocaleString("en")} more`) : null
      ) : element("p", {}, "no edge of this circuit")
    ];
  }
  function detailsOf(name, circuit, maps, actions) {
    const links = linksOf(name, maps);
    const shown = pictures(name);
    const text = componentText(name);
    return [
      element("h4", { class: "address" }, name),
      element(
        "p",
        {},
        text === name ? null : [text[0].toUpperCase(), text.slice(1), links.length ? ": " : ""],
        links.map(([words, href], i) => [i ? ", " : "", element("a", { href }, words)])
      ),
      shown.length ? element("div", { class: "pictures" }, shown) : null,
      ...edgeList(
        "Reads",
        circuit.edges.filter(({ to }) => to === name),
        "from",
        actions
      ),
      ...edgeList(
        "Read by",
        circuit.edges.filter(({ from }) => from === name),
        "to",
        actions
      )
    ];
  }

  // sections/circuits/layout.js
  var LEFT = 62;
  var RIGHT = 12;
  var TOP = 64;
  var BOW = 90;
  var COLUMN = { least: 34, most: 190 };
  var HEAD_NAME = 52;
  var ROW = { least: 60, most: 84, all: 1e3 };
  var CELL = { width: 80, height: 40 };
  function layoutOf(components, width) {
    const blocks = 1 + Math.max(-1, ...components.map(({ block }) => block ?? -1));
    const heads = 1 + Math.max(0, ...components.map(({ head }) => head ?? 0));
    const column = clamped((width - LEFT - RIGHT) / (heads + 1), COLUMN);
    const row = clamped(ROW.all / blocks, ROW);
    const height = Math.min(CELL.height, column - 8, row / 2 - 4);
    const room = Math.max(column * 0.6, Math.min(column - 10, 56));
    const pair = Math.max(height, Math.min(2 * height, CELL.width, room));
    const bottom = TOP + row * (blocks + 1);
    const isNarrow2 = column < HEAD_NAME;
    const x = (at) => LEFT + column * (at + 0.5);
    const all = column * heads + height;
    const bar = (y) => ({ x: LEFT + (column - height + all) / 2, y, width: all, height: 26 });
    const places = components.map(({ name, block, head }) => {
      if (block === null) return [name, bar(name === EMBEDDING ? bottom : TOP - 26)];
      const y = TOP + row * (blocks - block) + (head === null ? -row / 2 : 0);
      return [name, { x: x(head ?? heads), y, width: head === null ? height : pair, height }];
    });
    return {
      places: new Map(places),
      column,
      width: LEFT + column * (heads + 1) + RIGHT,
      height: bottom + 22,
      rows: [
        ...Array.from({ length: blocks }, (_, block) => [
          `block ${block}`,
          TOP + row * (blocks - block)
        ]),
        ...isNarrow2 ? [["head", 8]] : []
      ],
      columns: [
        ...Array.from({ length: heads }, (_, head) => [isNarrow2 ? head : `head ${head}`, x(head)]),
        ["MLP", x(heads)]
      ]
    };
  }
  var clamped = (value, { least, most }) => Math.max(least, Math.min(most, value));
  function edgePath({ from, to, input, isFirst }, { places, column }) {
    const [start, end] = [places.get(from), places.get(to)];
    const side = isFirst ? -1 : 1;
    const within = (place2, x) => Math.max(place2.x - place2.width / 2 + 8, Math.min(place2.x + place2.width / 2 - 8, x));
    const inset = Math.min(end.width / 3, 16);
    const x1 = input === null ? within(end, start.x) : end.x + ("qkv".indexOf(input) - 1) * inset;
    const x0 = within(start, x1) + side * 3;
    const [y0, y1] = [start.y - start.height / 2, end.y + end.height / 2];
    const rise = y0 - y1;
    const bow = side * Math.min(column * 0.66, BOW, Math.max(0, rise - 40) * 0.35);
    const pull = Math.max(rise * 0.38, 8);
    return `M${[x0, y0].map(fixed)}C${[x0 + bow, y0 - pull, x1 + bow, y1 + pull, x1, y1].map(fixed)}`;
  }
  var fixed = (value) => value.toFixed(1);

  // sections/circuits/graph.js
  var WIDTH2 = { least: 1, most: 8 };
  var DIRECTIONS2 = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  var Graph = class {
    constructor(search, circuit, maps, width, show3) {
      Object.assign(this, { search, circuit, maps, show: show3 });
      this.layout = layoutOf(search.components, width);
      this.edges = new Map(
        // The strongest edges are drawn last, on top.
        circuit.edges.toReversed().map((edge) => [edge.index, this.edgeNode(edge)])
      );
      this.nodes = new Map(search.components.map(({ name }) => [name, this.componentNode(name)]));
      this.svg = this.draw();
      this.setStop(this.first());
    }
    /** The component with the most score in the circuit, among heads and MLPs. */
    first() {
      const sums = /* @__PURE__ */ new Map();
      for (const { from, to, score } of this.circuit.edges)
        for (const name of [from, to]) sums.set(name, (sums.get(name) ?? 0) + Math.abs(score));
      const own = this.search.components.filter(({ block }) => block !== null);
      const most = own.reduce(
        (best, { name }) => (sums.get(name) ?? 0) > (sums.get(best) ?? 0) ? name : best,
        own[0].name
      );
      return most;
    }
    draw() {
      const { width, height, rows, columns } = this.layout;
      const text = (content, attributes) => svgElement("text", attributes, content);
      return svgElement(
        "svg",
        {
          class: "circuit-graph",
          viewBox: `0 0 ${width} ${height}`,
          width,
          height,
          role: "group",
          "aria-label": `Circuit of ${counted(this.circuit.count, "edge")}; the arrow keys move among components`
        },
        svgElement(
          "g",
          { "aria-hidden": "true" },
          rows.map(([name, y]) => text(name, { x: 0, y, dy: "0.35em" })),
          columns.map(([name, x]) => text(name, { x, y: 12, "text-anchor": "middle" }))
        ),
        svgElement("g", { class: "edges", "aria-hidden": "true" }, [...this.edges.values()]),
        [...this.nodes.values()]
      );
    }
    edgeNode(edge) {
      const d = edgePath(edge, this.layout);
      const share = this.search.most ? Math.abs(edge.score) / this.search.most : 0;
      const line2 = svgElement("path", { class: "edge-line", d });
      line2.style.strokeWidth = `${Math.max(WIDTH2.least, WIDTH2.most * share).toFixed(2)}px`;
      const node = svgElement(
        "g",
        { class: edge.score < 0 ? "edge falls" : "edge" },
        line2,
        svgElement("path", { class: "edge-hit", d })
      );
      node.addEventListener("pointerenter", () => this.highlight({ edge }));
      node.addEventListener("pointerleave", () => this.highlight(null));
      return node;
    }
    componentNode(name) {
      const { x, y, width, height } = this.layout.places.get(name);
      const [reads, sends] = this.degrees(name);
      const isUsed = reads + sends > 0;
      const [, href] = linksOf(name, this.maps)[0] ?? [];
      const text = componentText(name);
      const frame = { x: x - width / 2, y: y - height / 2, width, height };
      const node = svgElement(
        href ? "a" : "g",
        {
          class: `component${isUsed ? "" : " unused"}`,
          tabindex: "-1",
          "aria-label": `${text[0].toUpperCase()}${text.slice(1)}: reads ${counted(reads, "edge")}, read by ${sends.toLocaleString("en")}`,
          ...href ? { href } : { role: "img" }
        },
        svgElement("rect", { class: "cell-frame", rx: 3, ...frame }),
        this.content(name, frame)
      );
      const select = () => this.highlight({ name });
      node.addEventListener("pointerenter", select);
      node.addEventListener("pointerleave", () => this.highlight(null));
      node.addEventListener("focus", () => {
        this.setStop(name);
        select();
      });
      node.addEventListener("blur", () => this.highlight(null));
      node.addEventListener("keydown", (event) => this.move(event, name));
      let isShown3 = true;
      node.addEventListener("pointerdown", ({ pointerType }) => {
        isShown3 = pointerType !== "touch" || this.stop === name;
      });
      node.addEventListener("click", (event) => {
        if (!isShown3) event.preventDefault();
        if (!isShown3 || !href) node.focus({ preventScroll: true });
        isShown3 = true;
      });
      return node;
    }
    /** The picture of a component, or else its short name. */
    content(name, { x, y, width, height }) {
      const [unit] = unitsOf3(name);
      if (unit === void 0)
        return svgElement(
          "text",
          { x: x + width / 2, y: y + height / 2, dy: "0.35em", "text-anchor": "middle" },
          { embed: "embedding" }[name] ?? name.split(/[.:]/).at(-1)
        );
      const isWide = unitTable.siteOf(unit).wide;
      const picture = thumbnail(unit, Math.min(height - 4, isWide ? width / 2 - 4 : width - 4));
      picture.removeAttribute("role");
      picture.removeAttribute("aria-label");
      return svgElement(
        "foreignObject",
        { x: x + 1, y: y + 1, width: width - 2, height: height - 2, "aria-hidden": "true" },
        element("div", { class: "cell-picture" }, picture)
      );
    }
    /** Numbers of edges that a component reads, and that read it. */
    degrees(name) {
      const { edges } = this.circuit;
      return ["to", "from"].map((end) => edges.filter((edge) => edge[end] === name).length);
    }
    setStop(name) {
      this.nodes.get(this.stop)?.setAttribute("tabindex", "-1");
      this.stop = name;
      this.nodes.get(name).setAttribute("tabindex", "0");
    }
    /** Focus a component. */
    focus(name) {
      this.nodes.get(name).focus({ preventScroll: false });
    }
    /** Move the focus to the nearest component in the direction of an arrow key. */
    move(event, name) {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const direction = DIRECTIONS2[event.key];
      if (!direction) return;
      event.preventDefault();
      event.stopPropagation();
      const next = this.nearest(name, direction);
      if (next !== null) this.focus(next);
    }
    nearest(name, [right, down]) {
      const { places } = this.layout;
      const here = places.get(name);
      let [best, least] = [null, Infinity];
      for (const [other, { x, y }] of places) {
        const [dx, dy] = [x - here.x, y - here.y];
        const ahead = dx * right + dy * down;
        const aside = Math.abs(dx * down) + Math.abs(dy * right);
        if (ahead <= 1 || right && aside > here.height * 1.2) continue;
        const distance = ahead + 2 * aside;
        if (distance < least) [best, least] = [other, distance];
      }
      return best;
    }
    /** Highlight a component or an edge with what it is connected to, or nothing. */
    highlight(what) {
      this.svg.classList.toggle("highlighting", what !== null);
      const isOn = (edge) => what !== null && (what.edge === edge || edge.from === what.name || edge.to === what.name);
      const names = /* @__PURE__ */ new Set([what?.name]);
      for (const edge of this.circuit.edges) {
        const on = isOn(edge);
        this.edges.get(edge.index).classList.toggle("on", on);
        if (on) names.add(edge.from).add(edge.to);
      }
      for (const [name, node] of this.nodes) node.classList.toggle("on", names.has(name));
      this.show(what);
    }
    /** What is highlighted, in words. */
    describe({ name, edge }) {
      if (edge) return edgeText(edge);
      const [reads, sends] = this.degrees(name);
      return `${name}: reads ${counted(reads, "edge")}, read by ${counted(sends, "edge")}`;
    }
  };

  // sections/circuits/section.js
  var CHART_HEIGHT = 280;
  function titlesOf(blocks) {
    const base = ({ experiment: { corrupt, metric } }) => listed([corrupt, metricName(metric)].map(String));
    return blocks.map((block) => {
      const isAmbiguous = blocks.some((other) => other !== block && base(other) === base(block));
      return isAmbiguous ? listed([base(block), block.label]) : base(block);
    });
  }
  var shareOf = (part, all) => `${rounded(Number((100 * part / all).toPrecision(2)))}\xA0%`;
  var keptText = ({ estimate, low, high }) => `${percent(estimate)}${low === null ? "" : ` (${percent(low)} to ${percent(high)})`}`;
  function searchText({ experiment, scored, tested, total }) {
    const data2 = experiment.data?.name;
    const correct = isOfEmbedding(experiment.metric) ? "" : " that the clean run classifies correctly";
    return [
      `Edges that carry the change of the ${metricName(experiment.metric)} from images to ${corruptedImages(experiment.corrupt)}. `,
      `Scored on ${counted(scored, "image")}${data2 ? ` of ${data2}` : ""}${correct}, tested on ${tested.toLocaleString("en")} others. `,
      `Total effect ${intervalText(total)}.`,
      total[1] <= 0 && total[2] >= 0 ? " It is not distinct from 0, so shares of it mean nothing." : ""
    ];
  }
  function circuitText(search, { count, edges, kept }) {
    const { size } = search.curve;
    return [
      `${counted(count, "edge")} of ${search.count.toLocaleString("en")} (${shareOf(count, search.count)}) keep ${keptText(kept)} of the effect. `,
      edges.length < count ? `The ${counted(edges.length, "edge")} with the largest scores are drawn. ` : "",
      size === null ? "No circuit keeps 80\xA0% of the effect." : ""
    ];
  }
  var groupName = (group) => group === "prefix" ? "prefix tokens" : group;
  var edgesLegend = ({ groups }) => element(
    "ul",
    { class: "shares" },
    [
      ["", "raises the metric (score above 0)"],
      ["falls", "lowers it"]
    ].map(
      ([name, text]) => element(
        "li",
        {},
        element("span", { class: `edge-sample ${name}`, "aria-hidden": "true" }),
        text
      )
    ),
    element("li", {}, "width: score"),
    groups.length > 1 ? element(
      "li",
      {},
      `bent to the left: ${groupName(groups[0])}, to the right: ${groups.slice(1).map(groupName).join(" and ")}`
    ) : null
  );
  function graphBlock(search, circuit, maps) {
    const readout = element("output", { class: "quiet readout" });
    const panel = element("aside", { class: "component-panel", "aria-label": "Component" });
    let graph = null;
    let shown = null;
    const select = (name) => {
      if (name === shown) return;
      shown = name;
      const actions = {
        move: (other) => graph.focus(other),
        highlight: (what) => graph.highlight(what)
      };
      panel.replaceChildren(...detailsOf(name, circuit, maps, actions).filter(Boolean));
    };
    const show3 = (what) => {
      readout.textContent = what ? graph.describe(what) : "";
      if (what?.name) select(what.name);
    };
    const draw = (width) => {
      graph = new Graph(search, circuit, maps, width, show3);
      if (shown === null) select(graph.stop);
      else graph.setStop(shown);
      return graph.svg;
    };
    return element(
      "div",
      { class: "circuit" },
      element(
        "figure",
        { class: "chart wide" },
        responsive(draw, "map-container"),
        readout,
        element("figcaption", {}, edgesLegend(search))
      ),
      panel
    );
  }
  function faithfulnessBlock(search) {
    const { curves } = search;
    const { counts } = curves[0];
    const readout = element("output", { class: "quiet readout" });
    const lines = curves.map(({ method, faithfulness: [estimate, low, high] }) => ({
      name: method,
      estimate,
      low,
      high
    }));
    const read = (i) => {
      readout.textContent = i === null ? "" : listed([
        `${counted(counts[i], "edge")} (${shareOf(counts[i], search.count)})`,
        ...lines.map(
          ({ name, estimate, low, high }) => `${name} ${keptText({ estimate: estimate[i], low: low[i], high: high[i] })}`
        )
      ]);
    };
    const plot = (width) => intervalsPlot(
      {
        lines,
        categories: counts.map((count) => ({ name: count.toLocaleString("en"), href: null })),
        level: 0.8,
        title: `edges, of ${search.count.toLocaleString("en")} (logarithmic)`,
        description: `Faithfulness by number of edges, ${search.title}; arrow keys read the values`,
        height: CHART_HEIGHT,
        read
      },
      width
    );
    return element(
      "section",
      { "aria-label": "Faithfulness" },
      element("h4", {}, "Faithfulness"),
      element(
        "p",
        { class: "quiet" },
        "Share of the effect that a circuit keeps alone, with 95\xA0% confidence intervals: circuits grown from the scores of edges, all edges between the components with the largest scores, and random circuits."
      ),
      element(
        "figure",
        { class: "chart wide" },
        responsive(plot, "chart-container"),
        element(
          "figcaption",
          {},
          linesLegend(
            lines.map(({ name }) => name),
            "80\xA0% of the effect"
          ),
          readout
        )
      ),
      curvesTable(search)
    );
  }
  function curvesTable({ curves }) {
    const row = (heading, cell) => element(
      "tr",
      {},
      element("th", { scope: "row" }, heading),
      curves.map((curve) => element("td", {}, cell(curve)))
    );
    const summary = element(
      "table",
      { class: "quality-table" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td", {}),
          curves.map(({ method }) => element("th", { scope: "col" }, method))
        )
      ),
      element(
        "tbody",
        {},
        row(
          "Fewest edges that keep 80\xA0%",
          ({ size }) => size === null ? "none" : size.toLocaleString("en")
        ),
        row("Area under the curve (CPR)", ({ cpr }) => brief(cpr)),
        row("Area between the curve and 1 (CMD)", ({ cmd }) => brief(cmd))
      )
    );
    const values = tableOf(
      "Values",
      [
        "Edges",
        ...curves.flatMap(({ method }) => [`Faithfulness, ${method}`, `Completeness, ${method}`])
      ],
      () => curves[0].counts.map((count, i) => [
        count.toLocaleString("en"),
        ...curves.flatMap(({ faithfulness: [estimate, low, high], completeness }) => [
          keptText({ estimate: estimate[i], low: low[i], high: high[i] }),
          percent(completeness[i])
        ])
      ])
    );
    return [summary, values];
  }
  function edgesTable(search, circuit, maps) {
    const { edges } = search;
    const isIn = new Set(circuit.edges);
    const linked2 = (name) => {
      const [, href] = linksOf(name, maps)[0] ?? [];
      return href ? element("a", { href }, name) : name;
    };
    return tableOf(
      "Strongest edges",
      [
        "From",
        "To",
        "Input",
        { text: "Score", value: (i) => edges[i].score },
        { text: "Exact effect", value: (i) => edges[i].effect?.[0] ?? null },
        "95\xA0% CI",
        "In this circuit"
      ],
      () => edges.map((edge) => [
        linked2(edge.from),
        linked2(edge.to),
        inputText(edge),
        brief(edge.score),
        edge.effect ? brief(edge.effect[0]) : "\u2013",
        edge.effect && edge.effect[1] !== null ? `${brief(edge.effect[1])} to ${brief(edge.effect[2])}` : "\u2013",
        isIn.has(edge) ? "yes" : "no"
      ])
    );
  }
  function searchBlock(search, maps) {
    const container = element("div", {});
    let drawn = null;
    const update = ({ edges }) => {
      const index = search.indexOf(edges);
      if (index === drawn) return;
      drawn = index;
      const circuit = search.circuit(index);
      const isOpen = container.querySelector(":scope > details")?.open;
      const table = edgesTable(search, circuit, maps);
      container.replaceChildren(
        element("p", { class: "summary" }, circuitText(search, circuit)),
        graphBlock(search, circuit, maps),
        table
      );
      if (isOpen) table.open = true;
    };
    const node = element(
      "section",
      { class: "sweep", "aria-label": search.title },
      element("h3", {}, search.title),
      element("p", { class: "quiet" }, searchText(search)),
      container,
      faithfulnessBlock(search),
      settingsTable(search.settings)
    );
    return [node, update];
  }
  function sizeControl(searches) {
    const sizes = [
      ...new Set(searches.flatMap(({ circuits }) => circuits.map(([count]) => count)))
    ].sort((a, b) => a - b);
    const select = element(
      "select",
      {},
      element("option", { value: "" }, "fewest that keep 80\xA0%"),
      sizes.map((size) => element("option", { value: size }, size.toLocaleString("en")))
    );
    select.addEventListener(
      "change",
      () => view.replace({ options: select.value ? { edges: select.value } : {} })
    );
    const update = ({ edges = "" }) => {
      select.value = edges;
      if (select.selectedIndex < 0) select.value = "";
    };
    return [
      element("div", { class: "options" }, element("label", {}, "Number of edges", " ", select)),
      update
    ];
  }
  var expectedText = (count) => count < 10 ? brief(count) : Math.round(count).toLocaleString("en");
  function sharedBlock(searches, shared) {
    if (!shared.length) return [null, () => {
    }];
    const body = element("tbody", {});
    const update = ({ edges }) => {
      const indices = searches.map((search) => search.indexOf(edges));
      const size = (i) => searches[i].circuits[indices[i]][0];
      body.replaceChildren(
        ...shared.map(
          ([a, b, counts]) => element(
            "tr",
            {},
            element("th", { scope: "row" }, `${searches[a].title}, and ${searches[b].title}`),
            [
              size(a).toLocaleString("en"),
              size(b).toLocaleString("en"),
              counts[indices[a]][indices[b]].toLocaleString("en"),
              expectedText(size(a) * size(b) / searches[a].count)
            ].map((cell) => element("td", {}, cell))
          )
        )
      );
    };
    const node = element(
      "section",
      { class: "sweep", "aria-label": "Shared edges" },
      element("h3", {}, "Shared edges"),
      element(
        "div",
        { class: "table", tabindex: "0", role: "region", "aria-label": "Shared edges" },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              ["Circuits", "Edges of the first", "Of the second", "Shared", "Expected by chance"].map(
                (head) => element("th", { scope: "col" }, head)
              )
            )
          ),
          body
        )
      )
    );
    return [node, update];
  }
  function circuitsView(section, data2) {
    const titles = titlesOf(data2.circuits);
    const searches = data2.circuits.map((block, i) => new Search(block, titles[i]));
    const blocks = searches.map((search) => searchBlock(search, data2.attention));
    const [control, updateControl] = sizeControl(searches);
    const [sharedNode, updateShared] = sharedBlock(searches, data2.shared);
    section.update = (options) => {
      updateControl(options);
      updateShared(options);
      for (const [, update] of blocks) update(options);
    };
    return [
      sectionHead(
        "Circuits",
        "Sets of edges between heads, MLPs, the embedding and the logits that suffice for an effect. Point at a component or an edge to read its numbers; the arrow keys move among components, and a click opens the units of a component."
      ),
      control,
      sharedNode,
      blocks.map(([node]) => node)
    ];
  }

  // sections/figures.js
  function pictureOf2([number, width, height], shown, alt, loading) {
    return element("img", {
      src: `${dataFolder}/figures/${number}.webp`,
      alt,
      width: Math.round(shown),
      height: Math.round(shown * height / width),
      loading,
      decoding: "async",
      class: shown >= 2 * width ? "pixels" : "smooth"
    });
  }
  function enlargeable(figure, width, alt, caption) {
    const [, ...size] = figure;
    const draw = (shown, loading) => pictureOf2(figure, shown, alt, loading);
    return enlargeButton(size, draw, width, caption);
  }
  function legend(scale, low, high) {
    return element(
      "span",
      {
        class: "legend",
        role: "img",
        "aria-label": `Color scale from ${rounded(low)} to ${rounded(high)}`
      },
      element("span", {}, rounded(low)),
      element("img", {
        src: `${dataFolder}/figures/${scale[0]}.webp`,
        alt: "",
        width: 96,
        height: 8
      }),
      element("span", {}, rounded(high))
    );
  }
  var scaleWithMaximum = (scale, low, high, most) => [
    legend(scale, low, high),
    most > high ? element("span", {}, ` (maximum ${rounded(most)})`) : null
  ];
  var shownWidth = (width) => width < 160 ? wholeWidth(width, 160) : 160;

  // sections/compare.js
  var LAYERS = { text: 13, letter: 7.9, gap: 6, least: 6, most: 30 };
  var truncated = (text, room) => text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}\u2026`;
  function layerPlot({ rows, columns, map: [figure], values }, other, own, width, readout) {
    const room = Math.floor(width * 0.34 / LAYERS.letter);
    const letters = (labels3) => Math.min(room, Math.max(...labels3.map((label2) => label2.length)));
    const left = letters(rows) * LAYERS.letter + LAYERS.gap + 20;
    const top = letters(columns) * LAYERS.letter + LAYERS.gap + 22;
    const side = Math.min(LAYERS.most, Math.max(LAYERS.least, (width - left - 2) / columns.length));
    const [across, down] = [side * columns.length, side * rows.length];
    const step2 = Math.ceil((LAYERS.text + 2) / side);
    const label = (i, text, transform, anchor) => i % step2 ? null : svgElement(
      "text",
      { class: "tick", transform, "text-anchor": anchor, dy: "0.35em" },
      truncated(text, room),
      svgElement("title", {}, text)
    );
    const svg = svgElement(
      "svg",
      {
        class: "layers",
        viewBox: `0 0 ${left + across + 2} ${top + down + 2}`,
        width: left + across + 2,
        height: top + down + 2,
        role: "img",
        "aria-label": `Similarity of ${rows.length} layers of ${own} to ${columns.length} layers of ${other}`
      },
      svgElement("image", {
        class: "pixels",
        href: `${dataFolder}/figures/${figure[0]}.webp`,
        x: left,
        y: top,
        width: across,
        height: down,
        preserveAspectRatio: "none"
      }),
      rows.map(
        (text, i) => label(i, text, `translate(${left - LAYERS.gap} ${top + (i + 0.5) * side})`, "end")
      ),
      columns.map(
        (text, i) => label(
          i,
          text,
          `translate(${left + (i + 0.5) * side} ${top - LAYERS.gap}) rotate(-90)`,
          "start"
        )
      ),
      svgElement("text", { class: "name", x: left, y: 12 }, other),
      svgElement(
        "text",
        { class: "name", transform: `translate(12 ${top}) rotate(-90)`, "text-anchor": "end" },
        own
      )
    );
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const column = Math.floor(
        ((event.clientX - box.left) * (left + across + 2) / box.width - left) / side
      );
      const row = Math.floor(
        ((event.clientY - box.top) * (top + down + 2) / box.height - top) / side
      );
      const value = values[row]?.[column];
      readout.textContent = value === void 0 ? "" : listed([rows[row], columns[column], hundredths(value)]);
    });
    return svg;
  }
  function layersBlock(scale, block) {
    const container = element("div", { class: "layers-container" });
    const readout = element("output", { class: "quiet" });
    new ResizeObserver(() => {
      if (container.clientWidth)
        container.replaceChildren(
          layerPlot(block, block.other, model.name, container.clientWidth, readout)
        );
    }).observe(container);
    const rows = () => block.rows.map((layer, i) => [layer, ...block.values[i].map(hundredths)]);
    return [
      element(
        "figure",
        { class: "cka" },
        container,
        element("figcaption", {}, legend(scale, 0, 1), " linear CKA ", readout)
      ),
      tableOf("Values", ["Layer", ...block.columns], rows)
    ];
  }
  var otherName = ({ other, page }) => page === null ? element("span", {}, other) : element("a", { href: page }, other);
  function matchFigure(section, block, [address, match, correlation, pair, activation, isShown3]) {
    const link = block.page !== null && isShown3 ? element("a", { href: `${block.page}${unitHash(match)}` }, match) : element("span", {}, match);
    const sides = [
      [pair[0], address, addressLink(section, address), activation[0]],
      [pair[1], match, link, activation[1]]
    ];
    return element(
      "figure",
      { class: "match", tabindex: "-1" },
      element(
        "div",
        { class: "two" },
        sides.map(
          ([figure, name, caption, value]) => element(
            "div",
            {},
            enlargeable(figure, shownWidth(figure[1]), name, () => [
              element("b", {}, name),
              listed(["", `activation ${measured(value)}`])
            ]),
            element("span", { class: "who" }, caption)
          )
        )
      ),
      element("figcaption", {}, "correlation ", element("b", {}, hundredths(correlation)))
    );
  }
  function compareView(section, data2) {
    return [
      sectionHead(
        "Model comparison",
        "Similarity of the layers of two models on the same images, and for units of this model the unit of the other model with the most correlated activation."
      ),
      data2.cka.map((block) => [
        element("h3", { class: "label" }, "Layer similarity to ", otherName(block)),
        block.label ? element("p", { class: "quiet" }, block.label) : null,
        layersBlock(data2.scale, block),
        settingsTable(block.settings)
      ]),
      data2.matches.map((block) => [
        element("h3", { class: "label" }, "Matched units in ", otherName(block)),
        block.label ? element("p", { class: "quiet" }, block.label) : null,
        layersOf(section, block, "unit", "matches", (entry) => matchFigure(section, block, entry)),
        settingsTable(block.settings)
      ])
    ];
  }

  // sections/filters.js
  var FILTER = 48;
  function filterCell(section, [address, figure, name, [energy, spatial, color], cluster]) {
    const caption = () => [
      element("b", {}, addressLink(section, address)),
      listed([
        "",
        name,
        `energy ${measured(energy)}`,
        `spatial ${measured(spatial)}`,
        `color ${measured(color)}`,
        `cluster ${cluster}`
      ])
    ];
    return section.register(
      address,
      element(
        "div",
        { class: "chip" },
        enlargeable(figure, wholeWidth(figure[1], FILTER), `${address}, ${name}`, caption),
        element("span", { "aria-hidden": "true" }, address.slice(address.lastIndexOf(":") + 1))
      )
    );
  }
  function classBlock(section, { classes }) {
    const total = classes.reduce((sum, [, entries]) => sum + entries.length, 0);
    return [
      shareBar(
        classes.map(([name, entries]) => [name, entries.length, entries.length.toLocaleString("en")])
      ),
      classes.map(
        ([name, entries]) => element(
          "section",
          { "aria-label": name },
          blockHead(
            name,
            listed([counted(entries.length, "filter"), percent(entries.length / total)])
          ),
          element(
            "div",
            { class: "chips" },
            entries.map((entry) => filterCell(section, entry))
          )
        )
      )
    ];
  }
  function componentBlock(section, { rows }) {
    const cell = ([address, figure, variance]) => {
      const caption = () => [
        element("b", {}, address),
        listed(["", `${percent(variance)} of the variance`])
      ];
      const picture = enlargeable(figure, wholeWidth(figure[1], FILTER), address, caption);
      return section.register(
        address,
        element("div", { class: "chip" }, picture, element("span", {}, percent(variance)))
      );
    };
    return element("div", { class: "chips" }, rows.map(cell));
  }
  function positionBlock(scale, { map: [figure, low, high], count }) {
    const alt = "For each patch, a map of the cosine similarity of its position embedding to those of all patches";
    return element(
      "figure",
      { class: "sheet" },
      enlargeable(figure, wholeWidth(figure[1], 480), alt, () => legend(scale, low, high)),
      element("figcaption", {}, legend(scale, low, high), ` ${count.toLocaleString("en")} maps`)
    );
  }
  function filtersView(section, data2) {
    return [
      data2.filters.length ? sectionHead(
        "Filters",
        "Weights of the first layer as pictures, by class. Similar filters of a class are next to each other."
      ) : sectionHead("First layer"),
      blocksOf(data2.filters, (block) => classBlock(section, block)),
      data2.components.length ? [
        blockHead("Principal components", "of the filters, with explained variance"),
        blocksOf(data2.components, (block) => componentBlock(section, block))
      ] : null,
      data2.positions.length ? [
        blockHead(
          "Position embeddings",
          "for each patch, at its position in the image, the cosine similarity of its embedding to all others"
        ),
        blocksOf(data2.positions, (block) => positionBlock(data2.scale, block))
      ] : null
    ];
  }

  // sections/grids.js
  var PICTURE = { least: 72, most: 320, gap: 16, heading: 88 };
  function tokenPlace(token, [rows, columns, prefix]) {
    const side = 40 / Math.max(rows, columns);
    const patch = token - prefix;
    const isPatch = patch >= 0;
    const [x, y] = isPatch ? [patch % columns * side, 10 + Math.floor(patch / columns) * side] : [token * 8, 0];
    const [width, height] = [columns * side + 2, rows * side + 12];
    return svgElement(
      "svg",
      {
        class: "token-place",
        viewBox: `-1 -1 ${Math.max(width, 8 * prefix)} ${height}`,
        width: Math.max(width, 8 * prefix),
        height,
        role: "img",
        "aria-label": placeName(token, [rows, columns, prefix])
      },
      svgElement("rect", { class: "patches", y: 10, width: columns * side, height: rows * side }),
      svgElement("rect", {
        class: "token",
        x,
        y,
        width: isPatch ? Math.max(side, 3) : 6,
        height: isPatch ? Math.max(side, 3) : 6
      })
    );
  }
  function placeName(token, [, columns, prefix]) {
    const patch = token - prefix;
    return patch < 0 ? "before the patches" : `row ${Math.floor(patch / columns)}, column ${patch % columns}`;
  }
  function shiftText(query, key, layout) {
    if (!layout || query < layout[2] || key < layout[2]) return "";
    const [, columns, prefix] = layout;
    const place2 = (token) => [Math.floor((token - prefix) / columns), (token - prefix) % columns];
    const [from, to] = [place2(query), place2(key)];
    return `, shift (${to[0] - from[0]}, ${to[1] - from[1]})`.replaceAll("-", "\u2212");
  }
  function pairCell(head, query, key, value, layout, size) {
    const address = `${head}@q${query}.k${key}`;
    const unit = unitTable.find(address);
    const text = `${address}: ${measured(value)}${shiftText(query, key, layout)}`;
    return element(
      "td",
      { class: query === key ? "same" : "" },
      unit < 0 ? null : element("a", { href: unitHash(address), title: text }, thumbnail(unit, size)),
      element("span", unit < 0 ? { title: text } : {}, measured(value))
    );
  }
  function gridTable([address, queries, keys2, activation, layout], width) {
    const head = address.split("@")[0];
    const room = (width - PICTURE.heading) / keys2.length - PICTURE.gap;
    const size = Math.floor(Math.max(PICTURE.least, Math.min(PICTURE.most, room)));
    const heading = (side, token, scope) => element(
      "th",
      { scope },
      element("span", {}, `${side} ${token}`),
      layout ? tokenPlace(token, layout) : null
    );
    return element(
      "table",
      {},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td", {}),
          keys2.map((key) => heading("key", key, "col"))
        )
      ),
      element(
        "tbody",
        {},
        queries.map(
          (query, i) => element(
            "tr",
            {},
            heading("query", query, "row"),
            keys2.map((key, j) => pairCell(head, query, key, activation[i][j], layout, size))
          )
        )
      )
    );
  }
  function gridFigure(entry) {
    const [address] = entry;
    const table = responsive((width) => gridTable(entry, width), "grid-table");
    for (const [name, value] of Object.entries({
      tabindex: "0",
      role: "region",
      "aria-label": `Grid of ${address}`
    }))
      table.setAttribute(name, value);
    return element(
      "figure",
      { tabindex: "-1" },
      table,
      element("figcaption", {}, element("b", {}, address))
    );
  }
  function gridsView(section, data2) {
    return [
      sectionHead(
        "Token grids",
        "Pictures of a head for each pair of a query token (rows) and a key token (columns), with the logit of the pair on its picture. Pairs of equal tokens have a frame. Drawings show the place of each token among the patches, with class and register tokens above."
      ),
      blocksOf(data2.grids, (block) => layersOf(section, block, "grid", "figures", gridFigure))
    ];
  }

  // sections/heads/attention.js
  var MAP2 = 160;
  function heatFigure(scale, [figure, low, high, most = high], address, text) {
    const ends = () => scaleWithMaximum(scale, low, high, most);
    const caption = () => [element("b", {}, address), listed(["", text]), " ", ends()];
    return element(
      "figure",
      {},
      enlargeable(figure, wholeWidth(figure[1], MAP2), `${address}, ${text}`, caption),
      element("figcaption", {}, element("span", {}, text), ends())
    );
  }
  function attentionCard(scale, [address, displacement, pattern, [prefix, self, local], entropy, most], site) {
    const known2 = [prefix, self, local].every((share) => share !== null);
    const rest = known2 ? Math.max(0, 1 - prefix - self - local) : null;
    const parts = [
      ["class and register tokens", prefix],
      ["same patch", self],
      ["neighboring patches", local],
      ["other patches", rest]
    ];
    return element(
      "article",
      { class: "card-head", tabindex: "-1", "aria-label": address },
      element("h4", {}, `head ${address.slice(site.length + 1)}`),
      element(
        "div",
        { class: "maps" },
        heatFigure(scale, displacement, address, "by relative position of the key"),
        heatFigure(scale, pattern, address, "queries (rows) to keys (columns)")
      ),
      shareBar(parts.map(([name, share]) => [name, share, percent(share)])),
      element(
        "p",
        { class: "quiet" },
        `entropy ${hundredths(entropy)} nats (maximum ${hundredths(most)})`
      )
    );
  }
  function attentionView(section, data2) {
    return [
      sectionHead(
        "Attention maps",
        "Mean attention of each head over a dataset. The center of the map by relative position is the query\u2019s own patch. Each map has its own color scale; the scale of the second map is clipped at its 99th percentile."
      ),
      blocksOf(
        data2.attention,
        (block) => layersOf(
          section,
          block,
          "head",
          "heads",
          (entry, site) => attentionCard(data2.scale, entry, site)
        )
      )
    ];
  }

  // sections/heads/gradients.js
  function gradientArticle(section, scale, [address, samples]) {
    const titles = ["image", "gradient through the query", "gradient through the key"];
    const ends = (range) => range.length ? scaleWithMaximum(scale, 0, ...range) : null;
    const caption = (text, range) => () => [
      element("b", {}, address),
      listed(["", text]),
      " ",
      ends(range)
    ];
    const triple = ([image, query, key, value], i) => {
      const pictures2 = [[image], query, key];
      return element(
        "figure",
        { class: "triple" },
        element(
          "div",
          { class: "three" },
          pictures2.map(
            ([figure, ...range], j) => element(
              "div",
              {},
              enlargeable(
                figure,
                shownWidth(figure[1]),
                `${address}, image ${i + 1}, ${titles[j]}`,
                caption(`image ${i + 1}, ${titles[j]}`, range)
              ),
              element("span", { class: "quiet" }, titles[j], ends(range))
            )
          )
        ),
        element("figcaption", {}, "activation ", element("b", {}, measured(value)))
      );
    };
    return element(
      "article",
      { class: "gradient", tabindex: "-1" },
      element("h4", {}, addressLink(section, address)),
      element("div", { class: "triples" }, samples.map(triple))
    );
  }
  function gradientsView(section, data2) {
    return [
      sectionHead(
        "Gradients",
        "Norm of the gradient of a query-key logit at each pixel, through the query only and through the key only. The image is dimmed where the gradient is small."
      ),
      blocksOf(
        data2.gradients,
        (block) => layersOf(
          section,
          block,
          "unit",
          "gradients",
          (entry) => gradientArticle(section, data2.scale, entry)
        )
      )
    ];
  }

  // sections/heads/section.js
  var HEAD_SITE = /^blocks\.(\d+)\.attn\.qk$/;
  function headRows() {
    return unitTable.sites.flatMap((site) => {
      const [, layer] = HEAD_SITE.exec(site.name) ?? [];
      if (layer === void 0) return [];
      const heads = /* @__PURE__ */ new Map();
      for (let i = site.offset; i < site.offset + site.count; i += 1) {
        const [, head] = /^:(\d+)(?=@|$)/.exec(unitTable.suffixes[i]) ?? [];
        if (head !== void 0) heads.set(Number(head), [...heads.get(Number(head)) ?? [], i]);
      }
      return heads.size ? [{ layer, site, heads }] : [];
    });
  }
  function headsView(section) {
    const rows = headRows();
    const columns = [...new Set(rows.flatMap(({ heads }) => [...heads.keys()]))].sort(
      (a, b) => a - b
    );
    return [
      ...sectionHead(
        "Attention heads",
        "Rows are layers, columns are heads; each picture is the first rendered unit of a head. Below it, links to all pictures of the head and to its attention map."
      ),
      element(
        "div",
        { class: "overview", tabindex: "0", role: "region", "aria-label": "Attention heads" },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              element("td", {}),
              columns.map((head) => element("th", { scope: "col" }, `head ${head}`))
            )
          ),
          element(
            "tbody",
            {},
            rows.map(
              ({ layer, site, heads }) => element(
                "tr",
                {},
                element(
                  "th",
                  { scope: "row" },
                  element("a", { href: siteHash(site.name) }, `block ${layer}`)
                ),
                columns.map((head) => headCell(section, site, head, heads.get(head)))
              )
            )
          )
        )
      )
    ];
  }
  function headCell(section, site, head, units) {
    if (!units) return element("td", {});
    const address = unitTable.address(units[0]);
    const allUnits = element(
      "a",
      {
        href: view.link({ ...NO_FILTERS, layer: site.name, q: `:${head}@`, sort: null }),
        "aria-label": `${counted(units.length, "picture")} of ${site.name}:${head}`
      },
      counted(units.length, "picture")
    );
    const attentionMap = element(
      "a",
      {
        href: `#attention=${escapeForHash(`${site.name}:${head}`)}`,
        "aria-label": `Attention map of ${site.name}:${head}`
      },
      "attention map"
    );
    const picture = element(
      "a",
      { href: unitHash(address), title: address },
      thumbnail(units[0], 48)
    );
    return element(
      "td",
      {},
      section.register(address, picture),
      element(
        "span",
        { class: "more" },
        units.length > 1 ? allUnits : null,
        section.hasAttention ? attentionMap : null
      )
    );
  }

  // sections/images/section.js
  var MOST2 = 64;
  var ImageView = class {
    constructor(section, number, found) {
      [this.section, this.image] = [section, section.images[number]];
      [this.layers, this.grid, this.patches] = [found.layers, found.grid, found.patches];
      this.known = new Map([...found.layers.values()].flat().map((one) => [one.unit, one]));
      this.pinned = null;
      this.stage = new Stage(number, this.image, found.grid, (at) => this.showPatch(at));
      for (const left of ["pointerleave", "focusout"])
        this.stage.node.addEventListener(left, () => this.showMap(this.pinned));
      this.patchShown = void 0;
      this.note = element("p", { class: "quiet map-note" });
      this.atPatch = element("section", { class: "at-patch", "aria-label": "Units at a patch" });
      this.list = element("ul", { class: "own-units" });
      this.select = element(
        "select",
        { "aria-label": "Layer" },
        element("option", { value: "" }, "All layers"),
        [...this.layers.keys()].map(
          (layer) => element("option", { value: layer }, unitTable.sites[layer].name)
        )
      );
      this.select.addEventListener("change", () => this.fillList());
      this.node = element(
        "div",
        { class: "own-image" },
        element("div", { class: "own-left" }, this.stage.node, this.note, this.atPatch),
        element(
          "section",
          { class: "own-strongest", "aria-label": "Strongest units" },
          element("div", { class: "own-head" }, element("h3", {}, "Strongest units"), this.select),
          this.list
        )
      );
      this.fillList();
      this.showMap(null);
      this.showPatch(null);
    }
    /** The responses of the chosen layer, or of all. */
    responses() {
      if (this.select.value !== "") return this.layers.get(Number(this.select.value));
      const all = [...this.layers.values()].flat();
      return all.sort((a, b) => b.relative - a.relative || a.unit - b.unit).slice(0, MOST2);
    }
    fillList() {
      this.pinned = null;
      this.list.replaceChildren(...this.responses().map((one) => this.item(one)));
      this.showMap(null);
    }
    /** A unit of the list. */
    item(one) {
      const address = unitTable.address(one.unit);
      const picture = buttonOf(thumbnail(one.unit, 64), "own-picture", () => this.pin(one, picture), {
        "aria-pressed": "false",
        "aria-label": `Keep the map of ${address} on the image`,
        title: one.map ? "Keep the map on the image" : "Values of this unit have no patches",
        ...one.map ? {} : { disabled: "" }
      });
      const node = element(
        "li",
        {},
        picture,
        element(
          "div",
          {},
          element("a", { href: unitHash(address), title: address }, shortAddress(address)),
          element(
            "p",
            {},
            element("b", {}, relativeText(one.relative)),
            ` ${referenceName(this.section)}`
          ),
          element("p", { class: "quiet" }, valueText(one, this.section)),
          element("p", { class: "quiet" }, aboutUnit(one.unit))
        )
      );
      return this.shownBy(node, one);
    }
    /** Let a node show the map of a response while it is pointed at or has the focus. */
    shownBy(node, one) {
      if (one === void 0) return node;
      for (const shown of ["pointerenter", "focusin"])
        node.addEventListener(shown, () => this.showMap(one));
      for (const left of ["pointerleave", "focusout"])
        node.addEventListener(left, () => this.showMap(this.pinned));
      return node;
    }
    /** Keep the map of a unit on the image, or no longer. */
    pin(one, button) {
      this.list.querySelector('.own-picture[aria-pressed="true"]')?.setAttribute("aria-pressed", "false");
      this.pinned = this.pinned === one ? null : one;
      button.setAttribute("aria-pressed", String(this.pinned === one));
      this.showMap(this.pinned);
    }
    /** Lay the map of a unit over the image; of null, none. */
    showMap(one) {
      this.stage.showMap(one?.map ?? null);
      const [name, side] = this.image;
      const [rows, columns] = this.grid;
      this.note.replaceChildren(
        ...one === null ? [
          element("bdi", {}, name),
          listed(["", `as the model sees it, ${side}\xA0\xD7\xA0${side}\xA0pixels`]),
          listed(["", `${rows}\xA0\xD7\xA0${columns}\xA0patches`])
        ] : [
          element("b", {}, unitTable.address(one.unit)),
          one.map === null ? listed(["", "its value has no patches"]) : listed([
            "",
            `by patch from ${rounded(one.map.low)} (dark) to ${rounded(one.map.high)} (clear)`
          ])
        ]
      );
    }
    /** List the units that are strongest at a patch; null for no patch. */
    showPatch(at) {
      if (at !== null) this.showMap(null);
      if (at === this.patchShown) return;
      this.patchShown = at;
      const [, columns] = this.grid;
      const place2 = at === null ? null : `Row ${Math.floor(at / columns) + 1}, column ${at % columns + 1}`;
      this.atPatch.replaceChildren(
        element("h3", {}, place2 ?? "Patches"),
        place2 === null ? element(
          "p",
          { class: "quiet" },
          "Point at a patch of the image for the units that are strongest there; a click keeps them."
        ) : element(
          "ul",
          {},
          this.patches[at].map(
            ([unit, relative]) => this.shownBy(patchUnit(unit, relative), this.known.get(unit))
          )
        )
      );
    }
  };
  var aboutUnit = (unit) => listed(
    unitTable.headline(unit).split(" \xB7 ").filter((part) => !part.endsWith("\xD7 best image"))
  );
  function patchUnit(unit, relative) {
    const address = unitTable.address(unit);
    return element(
      "li",
      {},
      element(
        "a",
        { href: unitHash(address), title: [address, unitTable.headline(unit)].join("\n").trim() },
        thumbnail(unit, 40),
        element(
          "span",
          {},
          element("span", { class: "caption" }, shortAddress(address)),
          element("b", {}, relativeText(relative))
        )
      )
    );
  }
  function imagesView(_section, data2) {
    const shown = element("div", { class: "own-shown" });
    const views = /* @__PURE__ */ new Map();
    let current = null;
    const show3 = async (number) => {
      current = number;
      for (const [i, button] of buttons.entries())
        button.setAttribute("aria-pressed", String(i === number));
      try {
        if (!views.has(number))
          views.set(number, new ImageView(data2, number, await loadImage(number)));
        if (current === number) shown.replaceChildren(views.get(number).node);
      } catch (error) {
        if (current === number) shown.replaceChildren(missingFile(error));
      }
    };
    const buttons = data2.images.map(
      ([name], number) => buttonOf(
        [
          element("img", { src: imageFile(number), alt: "", width: 40, height: 40 }),
          element("bdi", {}, name)
        ],
        "own-tab",
        () => show3(number)
      )
    );
    show3(0);
    return [
      sectionHead(
        "Your images",
        `Units by their activation on an image, relative to a common scale: ${scaleText(data2)}. Point at a unit to see where in the image it is active.`,
        data2.unranked ? ` ${counted(data2.unranked, "unit")} without a known scale ${data2.unranked === 1 ? "is" : "are"} left out.` : null
      ),
      buttons.length > 1 ? element("div", { class: "own-tabs", role: "group", "aria-label": "Image" }, buttons) : null,
      shown
    ];
  }

  // sections/report.js
  var METRIC_KEYS = { route: "path" };
  var CHECK_TITLES = {
    beats_natural: "Activation at least that of the best natural image",
    converged: "Optimization converged",
    follows_natural: "Hidden activations match those of top natural images",
    necessary: "Necessary for a class",
    sufficient: "Sufficient for a class",
    pictured: "Own picture has a larger effect than another unit\u2019s"
  };
  var EFFECTS = { necessary: "necessity", sufficient: "sufficiency" };
  var CLASS_MOST = 24;
  var metricKey = (name) => METRIC_KEYS[name] ?? name;
  function reportPicture(address, text, size = 56) {
    const i = unitTable.find(address);
    if (i < 0) return null;
    return element(
      "a",
      { href: unitHash(address), title: address, class: "report-picture" },
      thumbnail(i, size),
      element("span", {}, text)
    );
  }
  function extremeUnits(entries, key) {
    const column = unitTable.columns.get(key) ?? [];
    const rounded2 = (value) => Number(value.toPrecision(5));
    const last = rounded2(entries.at(-1)[1]);
    const tied = column.filter((value) => value === last).length;
    const shown = entries.filter(([, value]) => rounded2(value) !== last);
    const isWhole = tied <= entries.length - shown.length;
    const where = [">=", "<="].map((op) => ({ key, op, value: last }));
    return element(
      "div",
      { class: "report-pictures" },
      (isWhole ? entries : shown).map(([address, value]) => reportPicture(address, brief(value), 52)),
      isWhole ? null : element(
        "a",
        { class: "tied", href: view.link({ where, sort: key, down: true }) },
        `${counted(tied, "unit")} with ${brief(last)}`
      )
    );
  }
  function reportRow(name, found) {
    const [, title, meaning] = METRIC_TEXTS.find(([key]) => key === metricKey(name)) ?? [
      name,
      name,
      ""
    ];
    const pictures2 = (entries) => extremeUnits(entries, metricKey(name));
    const known2 = unitTable.metrics.some(({ key }) => key === metricKey(name));
    const heading = known2 ? element(
      "a",
      {
        href: view.link({ sort: metricKey(name), down: found.higher_is_better }),
        title: "Sort units by this metric"
      },
      title
    ) : title;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, heading, element("p", { class: "quiet" }, meaning)),
      element(
        "td",
        { class: "value" },
        smallHistogram(found, title),
        element(
          "p",
          {},
          brief(found.quantiles["5"]),
          " \u2026 ",
          element("b", {}, brief(found.quantiles["50"])),
          " \u2026 ",
          brief(found.quantiles["95"])
        ),
        element("p", { class: "quiet" }, counted(found.count, "unit"))
      ),
      element("td", {}, pictures2(found.best)),
      element("td", {}, pictures2(found.worst))
    );
  }
  function reportMetrics({ numbers }) {
    const rows = Object.entries(numbers).map(([name, found]) => reportRow(name, found));
    if (!rows.length) return null;
    return element(
      "section",
      { "aria-label": "Metrics" },
      blockHead("Metrics", "of the best picture of each unit"),
      element(
        "div",
        {
          class: "report-table",
          tabindex: "0",
          role: "region",
          "aria-label": "Metrics over all pictures"
        },
        element(
          "table",
          {},
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              ["Metric", "5\xA0% \u2026 median \u2026 95\xA0%", "Best", "Worst"].map(
                (head) => element("th", { scope: "col" }, head)
              )
            )
          ),
          element("tbody", {}, rows)
        )
      )
    );
  }
  function expectedRow({ by_rank: ranks }, passes) {
    if (!passes.some((name) => ranks[name])) return [];
    const cells = passes.map(
      (name) => element("td", { class: "quiet" }, ranks[name] ? brief(ranks[name]) : "")
    );
    return [element("tr", {}, element("th", { scope: "row" }, "expected by chance"), cells)];
  }
  function reportPasses({ overall, layers: layers2, passes }) {
    if (!passes.length) return null;
    const cell = ({ passed, known: known2 }) => known2 ? element(
      "td",
      {},
      shareTrack(passed / known2),
      element("span", {}, `${Math.round(100 * passed / known2)}\xA0%`),
      element(
        "span",
        { class: "quiet" },
        ` ${passed.toLocaleString("en")} of ${known2.toLocaleString("en")}`
      )
    ) : element("td", { class: "quiet" }, "\u2013");
    const row = (heading, group, kind = "") => element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, heading),
      passes.map((name) => cell(group.passes[name]))
    );
    return element(
      "section",
      { "aria-label": "Checks and claims" },
      blockHead(
        "Checks and claims",
        "share of the measured units; neurons with constant activation count as failing every claim"
      ),
      element(
        "div",
        {
          class: "report-table",
          tabindex: "0",
          role: "region",
          "aria-label": "Checks and claims, by layer"
        },
        element(
          "table",
          { class: "passes" },
          element(
            "thead",
            {},
            element(
              "tr",
              {},
              element("th", { scope: "col" }, "Layer"),
              passes.map((name) => element("th", { scope: "col" }, CHECK_TITLES[name] ?? name))
            )
          ),
          element(
            "tbody",
            {},
            row("All layers", overall, "overall"),
            ...expectedRow(overall, passes),
            Object.entries(layers2).map(
              ([site, group]) => row(element("a", { href: siteHash(site) }, site), group)
            )
          )
        )
      )
    );
  }
  function effectOf(name, address) {
    const value = unitTable.metric(EFFECTS[name], unitTable.find(address));
    return [address, ...value === null ? [] : [" ", element("b", {}, brief(value))]];
  }
  function reportClasses({ classes }) {
    const blocks = Object.entries(classes).map(
      ([label, claims]) => element(
        "section",
        { class: "report-class", "aria-label": label },
        element("h4", {}, className(label)),
        Object.entries(claims).filter(([name]) => Object.hasOwn(CLAIM_TEXTS, name)).map(
          ([name, addresses]) => element(
            "div",
            { class: "report-claim" },
            element(
              "p",
              { class: "quiet" },
              CLAIM_TEXTS[name],
              `: ${counted(addresses.length, "neuron")}`,
              addresses.length > CLASS_MOST ? `, the first ${CLASS_MOST} shown` : ""
            ),
            element(
              "div",
              { class: "report-pictures" },
              addresses.slice(0, CLASS_MOST).map((address) => reportPicture(address, effectOf(name, address), 72))
            )
          )
        )
      )
    );
    if (!blocks.length) return null;
    return element(
      "section",
      { "aria-label": "Claims by class" },
      blockHead(
        "Claims by class",
        "neurons by decreasing effect; each was tested for one class only"
      ),
      element("div", { class: "report-classes" }, blocks)
    );
  }
  function reportView(_section, data2) {
    return [
      sectionHead(
        "Report",
        `Quality of the pictures of ${counted(data2.units, "unit")}, compared with natural images, and results of the causal tests of neurons and latents. Claims control the false discovery rate at 5\xA0% over the neurons and latents of a store, with respect to the choice of images. About 5\xA0% of neurons outrank their controls by chance; compare with the row \u201Cexpected by chance\u201D. \u201CNot shown\u201D does not mean disproved.`
      ),
      reportPasses(data2),
      reportMetrics(data2.overall),
      reportClasses(data2)
    ];
  }

  // sections/tokens.js
  function tokenCard(section, [address, [figure], share, similarity, count, detail], site) {
    const caption = () => [
      element("b", {}, addressLink(section, address)),
      listed(["", `median ${percent(share)}`, `similarity ${hundredths(similarity)}`])
    ];
    const rows = async () => {
      const [tokens, optimum, reached, shares, similarities] = await loadEntry("tokens", detail);
      return tokens.map((token, i) => [
        addressLink(section, `${address}@${token}`, String(token)),
        measured(optimum[i]),
        measured(reached[i]),
        percent(shares[i]),
        hundredths(similarities[i])
      ]);
    };
    return element(
      "figure",
      { class: "token-map", tabindex: "-1" },
      enlargeable(
        figure,
        wholeWidth(figure[1], 112),
        `${address}: median ${percent(share)}`,
        caption
      ),
      element(
        "figcaption",
        {},
        element("b", {}, addressLink(section, address, address.slice(site.length))),
        element("span", {}, `median ${percent(share)}`),
        element("span", { class: "quiet" }, `similarity ${hundredths(similarity)}`)
      ),
      tableOf(counted(count, "token"), ["Token", "Optimum", "Reached", "Share", "Similarity"], rows)
    );
  }
  function tokensView(section, data2) {
    return [
      sectionHead(
        "Position dependence",
        "How well the picture optimized for all patches activates the unit at each token: the increase over a gray image, as a share of the increase by the picture optimized for that token. ",
        legend(data2.scale, 0, 1),
        " Gray patches have no picture, or theirs does not exceed a gray image."
      ),
      blocksOf(
        data2.tokens,
        (block) => layersOf(
          section,
          block,
          "unit",
          "token-maps",
          (entry, site) => tokenCard(section, entry, site)
        )
      )
    ];
  }

  // charts/heat-map.js
  var LEVELS = 24;
  var LETTER = 7;
  var ROW2 = { least: 14, most: 30 };
  var COLUMN2 = { least: 4, most: 160 };
  function heatMap({ values, most, rows = null, columns = null, description, linkOf = () => null, read }, width) {
    const across = Math.max(...values.map((row) => row.length));
    const left = rows ? Math.max(...rows.map(({ name }) => name.length)) * LETTER + 8 : 1;
    const top = columns ? 20 : 1;
    const cell = Math.max(COLUMN2.least, Math.min(COLUMN2.most, (width - left - 1) / across));
    const height = rows ? Math.min(ROW2.most, Math.max(ROW2.least, cell)) : cell;
    const size = [left + cell * across + 1, top + height * values.length + 1];
    const x = (j) => left + cell * j;
    const y = (i) => top + height * i;
    const svg = svgElement("svg", {
      class: "plot heat-map",
      viewBox: `0 0 ${size.join(" ")}`,
      width: size[0],
      height: size[1]
    });
    const plot = svgElement("g", { tabindex: "0", role: "application", "aria-label": description });
    const frame = svgElement("rect", { width: cell, height });
    const cursor = svgElement("a", { class: "cursor", tabindex: "-1" }, frame);
    plot.append(...cellPaths(values, most, x, y, cell, height), cursor);
    svg.append(plot, ...labels2(rows, columns, x, y, cell, height));
    const has = ([i, j]) => values[i]?.[j] !== void 0;
    const show3 = (item) => {
      cursor.classList.toggle("shown", item !== null);
      const link = item && linkOf(...item);
      if (link) cursor.setAttribute("href", link);
      else cursor.removeAttribute("href");
      if (item) {
        frame.setAttribute("x", x(item[1]));
        frame.setAttribute("y", y(item[0]));
      }
      read(item);
    };
    makeReadable(plot, {
      at: (event) => {
        const [px, py] = svgPoint(svg, event);
        const item = [Math.floor((py - top) / height), Math.floor((px - left) / cell)];
        return has(item) ? item : null;
      },
      next: (item, key) => nextCell(values, item, key),
      show: show3,
      open: () => {
        if (cursor.hasAttribute("href"))
          cursor.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
      }
    });
    return svg;
  }
  function cellPaths(values, most, x, y, width, height) {
    const paths = /* @__PURE__ */ new Map();
    const add2 = (key, d) => paths.set(key, (paths.get(key) ?? "") + d);
    values.forEach((row, i) => {
      row.forEach((value, j) => {
        if (value === void 0) return;
        const corner = `M${x(j).toFixed(2)} ${y(i).toFixed(2)}`;
        const box = `${corner}h${width.toFixed(2)}v${height.toFixed(2)}h-${width.toFixed(2)}z`;
        if (value === null) {
          add2("unknown", box);
          add2("cross", `${corner}l${width.toFixed(2)} ${height.toFixed(2)}`);
        } else add2(Math.round(LEVELS * Math.max(-1, Math.min(1, value / (most || 1)))), box);
      });
    });
    return [...paths].map(([level, d]) => {
      const isColor = typeof level === "number";
      const path = svgElement("path", { d, class: isColor ? "cells" : level });
      if (isColor) path.style.setProperty("fill", levelColor(level / LEVELS));
      return path;
    });
  }
  var levelColor = (share) => `color-mix(in oklab, var(${share < 0 ? "--fall" : "--rise"}) ${Math.round(100 * Math.abs(share))}%, var(--zero))`;
  function labels2(rows, columns, x, y, cell, height) {
    const text = ({ name, href }, attributes) => {
      const node = svgElement("text", { class: "tick", ...attributes }, name);
      return href ? svgElement("a", { href }, node) : node;
    };
    const longest = Math.max(0, ...(columns ?? []).map(({ name }) => name.length));
    const every = Math.ceil((longest * LETTER + 8) / cell);
    return [
      ...(rows ?? []).map(
        (row, i) => text(row, { x: x(0) - 6, y: y(i) + height / 2, dy: "0.35em", "text-anchor": "end" })
      ),
      ...(columns ?? []).flatMap(
        (column, j) => j % every ? [] : [text(column, { x: x(j) + cell / 2, y: y(0) - 6, "text-anchor": "middle" })]
      )
    ];
  }
  function nextCell(values, item, key) {
    if (item === null) {
      const row = values.findIndex((cells) => cells.some((value) => value !== void 0));
      return row < 0 ? null : [row, values[row].findIndex((value) => value !== void 0)];
    }
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1] }[key] ?? [0, 1];
    let [i, j] = [item[0] + down, item[1] + right];
    while (i >= 0 && i < values.length && j >= 0 && j < values[i].length) {
      if (values[i][j] !== void 0) return [i, j];
      [i, j] = [i + down, j + right];
    }
    return null;
  }
  var divergingLegend = (most) => element(
    "span",
    {
      class: "legend",
      role: "img",
      "aria-label": `Color scale from ${brief(-most)} to ${brief(most)}`
    },
    element("span", {}, brief(-most)),
    element("span", { class: "diverging" }),
    element("span", {}, brief(most))
  );

  // charts/scatter.js
  var HEIGHT = 260;
  var RADIUS = 3.5;
  function scatterPlot(points, titles, width, description) {
    const [low, high] = valueRange([points.map(([a]) => a), points.map(([, b]) => b)]);
    const right = width - CHART.right;
    const [top, bottom] = [CHART.top + 16, HEIGHT - CHART.bottom - 14];
    const x = (value) => CHART.left + (right - CHART.left) * (value - low) / (high - low);
    const y = (value) => bottom - (bottom - top) * (value - low) / (high - low);
    const svg = chartSvg(width, HEIGHT, description);
    addVerticalAxis(svg, low, high, y, right);
    for (const tick of ticks(low, high, Math.max(2, Math.floor(width / 120)))) {
      svg.append(
        svgElement("line", {
          class: tick === 0 ? "zero" : "grid",
          x1: x(tick),
          x2: x(tick),
          y1: top,
          y2: bottom
        }),
        svgElement(
          "text",
          { class: "tick", x: x(tick), y: bottom + 18, "text-anchor": "middle" },
          rounded(tick)
        )
      );
    }
    const corners = { x1: x(low), y1: y(low), x2: x(high), y2: y(high) };
    svg.append(
      svgElement("line", { class: "level", ...corners }),
      svgElement("text", { class: "tick", x: CHART.left, y: CHART.top + 4 }, titles[1]),
      svgElement(
        "text",
        { class: "tick", x: right, y: bottom + 36, "text-anchor": "end" },
        titles[0]
      ),
      ...points.map(
        ([a, b, name]) => svgElement(
          "circle",
          { class: "dot sample-0", cx: x(a), cy: y(b), r: RADIUS },
          svgElement("title", {}, name)
        )
      )
    );
    return svg;
  }

  // sections/traces/check.js
  var TRUSTED = 0.7;
  function agreementText({ place: place2, images, rank, signs }) {
    return [
      `${counted(place2.length, "site")}, evenly spread over the ranks of the absolute estimates, ${place2.length === 1 ? "was" : "were"} patched exactly, too, on ${counted(images, "image")}. `,
      element("b", {}, `Rank correlation ${rank === null ? "unknown" : hundredths(rank)}`),
      signs === null ? "." : `; ${percent(signs)} of signs agree.`
    ];
  }
  function checkNode(sweep, includesAll) {
    const { checks = [], diagnostics = [] } = sweep;
    const check = checks.find((each) => each.all === includesAll);
    if (!check && !diagnostics.length) return null;
    const nodes = [];
    if (check) {
      const { place: place2, estimated, exact } = check;
      const [value, low, high] = exact;
      const names = place2.map((site) => sweep.siteName(site));
      const range = (i) => low[i] === null ? "\u2013" : `${brief(low[i])} to ${brief(high[i])}`;
      const points = place2.map((_, i) => [
        estimated[i],
        value[i],
        `${names[i]}: ${brief(estimated[i])} estimated, ${brief(value[i])} exact`
      ]);
      nodes.push(
        element("p", {}, agreementText(check)),
        check.rank !== null && check.rank < TRUSTED ? element(
          "p",
          { class: "notice" },
          `A rank correlation under ${TRUSTED}: the largest estimates need not be the largest effects.`
        ) : null,
        chartFigure(
          (width) => scatterPlot(
            points,
            ["estimated effect", "exact effect"],
            width,
            "Exact over estimated effects of the sites that were patched; the table below has the values"
          ),
          "Each point is a site; on the line, both effects are equal."
        ),
        tableOf(
          "Estimated and exact effects",
          ["Site", "Estimated", "Exact", "95\xA0% CI"],
          () => names.map((name, i) => [name, brief(estimated[i]), brief(value[i]), range(i)])
        )
      );
    }
    if (diagnostics.length)
      nodes.push(
        element("p", {}, "Reasons to distrust the estimates:"),
        diagnostics.map((line2) => element("p", { class: "quiet" }, line2))
      );
    return element(
      "section",
      { "aria-label": "Check of the estimates" },
      element("h4", {}, "Check of the estimates"),
      nodes
    );
  }

  // sections/traces/section.js
  var ALL2 = "all";
  var KINDS = { family: "the family", class: "class" };
  var GROUPS = /* @__PURE__ */ new Set(["neuron", "latent"]);
  var HEIGHT2 = { average: 260, image: 170 };
  var distinct = (items) => [...new Set(items)];
  var interval = (low, high) => low === null ? "" : ` (${brief(low)} to ${brief(high)})`;
  function valueText2({ effect, share }, i) {
    const [estimate, low, high] = effect.map((column) => column[i] ?? null);
    const text = `${brief(estimate)}${interval(low, high)}`;
    if (!share) return text;
    const known2 = share[0][i] !== null;
    return `${text}, share ${known2 ? percent(share[0][i]) : "unknown"}`;
  }
  var unitWords = (site) => /^(mlp|neurons)/.test(site) ? ["mlp"] : ["attn.qk", "attn"];
  var Sweep = class {
    constructor(block, maps) {
      Object.assign(this, block);
      this.maps = maps;
      this.layers = distinct(this.sites.layer).sort((a, b) => a - b);
      this.windows = distinct(this.sites.window);
      this.tokenSets = distinct(this.sites.token);
      this.by = this.experiment.by;
    }
    layerHref(layer) {
      const { site } = this.experiment;
      return /embed$/.test(site) ? null : layerLink(layer, unitWords(site));
    }
    /** Indices of the sites for which a test of (layer, head, token, window) holds. */
    indices(test) {
      const { layer, head, token, window } = this.sites;
      return layer.flatMap(
        (_, i) => test({ layer: layer[i], head: head[i], token: token[i], window: window[i] }) ? [i] : []
      );
    }
    /** Name of a site by what varies among the sites. */
    siteName(i) {
      const { layer, head, token, window } = this.sites;
      return listed([
        `layer ${layer[i]}`,
        ...head[i] === ALL2 ? [] : [`${GROUPS.has(this.by) ? this.by : "head"} ${head[i]}`],
        ...token[i] === ALL2 ? [] : [/^\d+$/.test(token[i]) ? this.tokenName(token[i]) : token[i]],
        ...this.windows.length > 1 ? [`window of ${windowName(window[i])}`] : []
      ]);
    }
    tokenName(token) {
      const patch = Number(token) - this.prefix;
      if (patch < 0) return `token ${token}, before the patches`;
      if (!this.grid) return `token ${token}`;
      const columns = this.grid[1];
      return `token ${token}, patch in row ${Math.floor(patch / columns)}, column ${patch % columns}`;
    }
    siteHref(i) {
      const { layer, head } = this.sites;
      if (!/^\d+$/.test(head[i])) return null;
      if (/^sae\./.test(this.experiment.site)) return latentLink(this.experiment.site, head[i]);
      return this.by === "neuron" || this.experiment.site === "neurons" ? neuronLink(layer[i], head[i]) : headLink(layer[i], head[i], this.maps);
    }
    /** Nodes that draw the effects: curves by layer, or a map for each window. */
    figures(numbers, description) {
      const readout = element("output", { class: "quiet readout" });
      const parts = this.by === "layer" ? this.curves(numbers, description, readout) : this.windows.map((window) => [
        this.windows.length > 1 ? element("h5", {}, `Window of ${windowName(window)}`) : null,
        this.by === "token" && this.grid ? this.tokenMaps(numbers, window, description, readout) : this.map(numbers, window, description, readout)
      ]);
      const axes = this.by === "token" && this.grid ? "patches of each layer; class and register tokens are above" : `rows are layers, columns are ${this.by}s`;
      const isUnknown = numbers.effect[0].some((value) => value === null);
      const legend2 = this.by === "layer" ? null : [
        divergingLegend(this.most(numbers)),
        ` effect; ${axes}${isUnknown ? "; crossed cells are unknown" : ""}`
      ];
      return element(
        "figure",
        { class: "chart wide" },
        parts,
        element("figcaption", {}, legend2, readout)
      );
    }
    /** Largest absolute effect. */
    most({ effect }) {
      return Math.max(...effect[0].map((value) => Math.abs(value ?? 0)), 0);
    }
    curves(numbers, description, readout) {
      const lines = this.windows.flatMap(
        (window) => this.tokenSets.map((token) => {
          const at = this.layers.map(
            (layer) => this.indices(
              (one) => one.layer === layer && one.token === token && one.window === window
            )[0]
          );
          const column = (values) => at.map((i) => i === void 0 ? null : values?.[i] ?? null);
          const [estimate, low, high] = [0, 1, 2].map((k) => column(numbers.effect[k]));
          const name = listed([windowName(window), ...token === ALL2 ? [] : [token]]);
          return { name, at, estimate, low, high };
        })
      );
      const read = (k) => {
        const parts = lines.flatMap(
          ({ name, at }) => at[k] === void 0 ? [] : [`${lines.length > 1 ? `${name}: ` : ""}${valueText2(numbers, at[k])}`]
        );
        readout.textContent = listed([`layer ${this.layers[k]}`, ...parts]);
      };
      const categories = this.layers.map((layer) => ({
        name: String(layer),
        href: this.layerHref(layer)
      }));
      const level = numbers.total[0];
      const chart = responsive(
        (width) => intervalsPlot(
          {
            lines,
            categories,
            level,
            title: "layer",
            description,
            height: numbers.share ? HEIGHT2.average : HEIGHT2.image,
            read: (k) => k === null ? readout.replaceChildren() : read(k)
          },
          width
        ),
        "chart-container"
      );
      const legend2 = linesLegend(
        lines.map(({ name }) => name),
        level === null ? null : "total effect"
      );
      return [chart, legend2];
    }
    /** Heat map of layers by head, neuron or token. */
    map(numbers, window, description, readout) {
      const key = ({ head, token }) => this.by === "token" ? token : [head, ...this.tokenSets.length > 1 ? [token] : []].join(" ");
      const own = this.indices((one) => one.window === window);
      const site = (i) => ({ head: this.sites.head[i], token: this.sites.token[i] });
      const names = distinct(own.map((i) => key(site(i))));
      const places = new Map(own.map((i) => [`${this.sites.layer[i]} ${key(site(i))}`, i]));
      const at = this.layers.map((layer) => names.map((name) => places.get(`${layer} ${name}`)));
      return this.drawn(numbers, at, readout, description, {
        rows: this.layers.map((layer) => ({ name: String(layer), href: this.layerHref(layer) })),
        columns: names.map((name) => ({ name, href: null }))
      });
    }
    /** For each layer, a map of the patches with the tokens before them above. */
    tokenMaps(numbers, window, description, readout) {
      const [rows, columns] = this.grid;
      return element(
        "div",
        { class: "layer-maps" },
        this.layers.map((layer) => {
          const own = this.indices((one) => one.layer === layer && one.window === window);
          const tokens = new Map(own.map((i) => [Number(this.sites.token[i]), i]));
          const prefix = Array.from({ length: this.prefix }, (_, token) => tokens.get(token));
          const patches = Array.from(
            { length: rows },
            (_, row) => Array.from(
              { length: columns },
              (_2, column) => tokens.get(this.prefix + row * columns + column)
            )
          );
          const above = prefix.some((i) => i !== void 0) ? [prefix, [void 0]] : [];
          const href = this.layerHref(layer);
          return element(
            "div",
            {},
            element("h5", {}, href ? element("a", { href }, `layer ${layer}`) : `layer ${layer}`),
            this.drawn(numbers, [...above, ...patches], readout, `${description}, layer ${layer}`)
          );
        })
      );
    }
    /** Heat map of the sites whose indices are given. */
    drawn(numbers, at, readout, description, labels3 = {}) {
      const values = at.map(
        (row) => row.map((i) => i === void 0 ? void 0 : numbers.effect[0][i] ?? null)
      );
      const read = (item) => {
        const i = item && at[item[0]][item[1]];
        readout.textContent = item === null ? "" : listed([this.siteName(i), valueText2(numbers, i)]);
      };
      const linkOf = (row, column) => this.siteHref(at[row][column]);
      return responsive(
        (width) => heatMap({ values, most: this.most(numbers), ...labels3, description, linkOf, read }, width),
        "map-container"
      );
    }
    /** All values, as a table that unfolds. */
    table({ effect, share }) {
      const { layer, head, token, window } = this.sites;
      const varying = [
        ["Window", window, (i) => String(window[i])],
        ["Head", head, (i) => linked(head[i], this.siteHref(i))],
        ["Token", token, (i) => token[i]]
      ].filter(([, column]) => distinct(column).length > 1);
      const range = ([, low, high], i) => low[i] === null ? "\u2013" : `${brief(low[i])} to ${brief(high[i])}`;
      const shareRange = ([, low, high], i) => low[i] === null ? "\u2013" : `${percent(low[i])} to ${percent(high[i])}`;
      return tableOf(
        "Values",
        [
          "Layer",
          ...varying.map(([name]) => name),
          { text: "Effect", value: (i) => effect[0][i] },
          "95\xA0% CI",
          "Share",
          "95\xA0% CI"
        ],
        () => layer.map((each, i) => [
          linked(String(each), this.layerHref(each)),
          ...varying.map(([, , cell]) => cell(i)),
          brief(effect[0][i]),
          range(effect, i),
          share[0][i] === null ? "unknown" : percent(share[0][i]),
          shareRange(share, i)
        ]),
        this.by === "layer" || this.by === "token" ? null : 1 + varying.length
      );
    }
  };
  var linked = (text, href) => href ? element("a", { href }, text) : text;
  function selected({ averages, experiment }, { group, metric, images }) {
    const missing = [];
    let left = averages;
    const narrow = (what, value, test) => {
      const found = left.filter(test);
      if (found.length) left = found;
      else if (value !== void 0) missing.push(`no ${what} \u201C${value}\u201D`);
    };
    const first = experiment.metrics?.[0];
    narrow("averages over images", images, (each) => each[3] === (images === ALL2));
    narrow("metric", metric, ([, , name]) => name === (metric ?? first));
    const overall = left.find(([kind]) => kind === ALL2);
    if (group !== void 0)
      narrow("group of images", group, ([kind, name]) => kind !== ALL2 && name === group);
    const isFound = group !== void 0 && left[0][1] === group;
    return [isFound ? left[0] : overall ?? left[0], missing];
  }
  function averageText(sweep, [kind, group, metric, includesAll], { images, means, total }) {
    const data2 = sweep.experiment.data?.name;
    const which = kind === ALL2 || kind === "difference" ? "" : ` of ${KINDS[kind] ?? "the group"} ${group}`;
    const correct = includesAll || isOfEmbedding(metric) ? "" : " that the clean run classifies correctly";
    const [estimate, low, high] = total;
    const mean = kind === "difference" ? `Difference of the means of two groups, ${group},` : "Mean";
    return [
      `${mean} over ${counted(images, "image")}${which}${data2 ? ` of ${data2}` : ""}${correct}, with 95\xA0% confidence intervals from a bootstrap over images. `,
      `${metricName(metric).replace(/^[a-z]/, (letter) => letter.toUpperCase())}: ${brief(means[0])} clean, ${brief(means[1])} corrupted; total effect ${brief(estimate)}${interval(low, high)}.`,
      kind !== "difference" && total[0] !== null && numbersUnknown(total) ? " The total effect may be 0, so shares of it are unknown." : ""
    ];
  }
  var numbersUnknown = ([, low, high]) => low === null || !(low > 0 || high < 0);
  function imagesNode(sweep, metric) {
    const at = (sweep.experiment.metrics ?? []).indexOf(metric);
    if (at < 0 || !sweep.images.length) return null;
    return element(
      "section",
      { "aria-label": "Single images" },
      element("h4", {}, "Single images"),
      element(
        "p",
        { class: "quiet" },
        "Of each class with one of the largest total effects, the image nearest to the median of its class."
      ),
      sweep.images.map(({ image, label, pictures: pictures2, means, effect }) => {
        const [clean, corrupted] = means.map((values) => values[at]);
        const isDenoising = sweep.experiment.mode === "denoising";
        const total = clean === null || corrupted === null ? null : isDenoising ? clean - corrupted : corrupted - clean;
        const text = `${label}: ${brief(clean)} clean, ${brief(corrupted)} corrupted`;
        const sides = ["clean", "corrupted"];
        return element(
          "div",
          { class: "single-image" },
          element(
            "figure",
            {},
            element(
              "div",
              { class: "two" },
              pictures2.map(
                (picture, i) => enlargeable(
                  picture,
                  Math.min(128, shownWidth(picture[1])),
                  `${label}, ${sides[i]} image ${image}`,
                  () => [element("b", {}, label), listed(["", `${sides[i]} image ${image}`])]
                )
              )
            ),
            element("figcaption", {}, element("b", {}, label), text.slice(label.length))
          ),
          sweep.figures(
            { effect: [effect[at], [], []], total: [total] },
            `Effects on image ${image}, ${text}`
          )
        );
      })
    );
  }
  function sweepBlock(block, maps) {
    const sweep = new Sweep(block, maps);
    const container = element("div", {});
    let turn = 0;
    const update = async (options) => {
      turn += 1;
      const own = turn;
      const [average, missing] = selected(sweep, options);
      let numbers;
      try {
        numbers = await loadEntry("effects", average[4]);
      } catch (error) {
        container.replaceChildren(missingFile(error));
        return;
      }
      if (own !== turn) return;
      const [, group, metric] = average;
      const table = sweep.table(numbers);
      const isOpen = container.querySelector(":scope > details")?.open;
      const description = `Effects on the ${metricName(metric)}, ${group === ALL2 ? "all images" : group}; arrow keys read the values`;
      container.replaceChildren(
        element("p", { class: "summary" }, averageText(sweep, average, numbers)),
        ...missing.length ? [element("p", { class: "notice" }, `This sweep has ${missing.join(" and ")}.`)] : [],
        sweep.figures(numbers, description),
        table,
        ...[checkNode(sweep, average[3]), imagesNode(sweep, metric)].filter(Boolean)
      );
      if (isOpen) table.open = true;
    };
    const node = element(
      "section",
      { class: "sweep", "aria-label": sweepTitle(sweep.experiment) },
      element("h3", {}, sweepTitle(sweep.experiment)),
      element("p", { class: "quiet" }, sweepText(sweep.experiment, sweep.windows)),
      container,
      settingsTable(block.settings)
    );
    return [node, update];
  }
  function controls(sweeps) {
    const averages = sweeps.flatMap(({ averages: averages2 }) => averages2);
    const groupsOf = (kind) => distinct(averages.filter(([each]) => each === kind).map(([, g]) => g));
    const option = (value, text = value) => element("option", { value }, text);
    const kinds = [
      ["Families", groupsOf("family")],
      ["Classes", groupsOf("class")],
      ["Attributes", groupsOf("attribute")],
      ["Differences", groupsOf("difference")]
    ].filter(([, names2]) => names2.length);
    const selects = {
      group: [
        option("", "all"),
        kinds.map(
          ([label, names2]) => element(
            "optgroup",
            { label },
            names2.map((name) => option(name))
          )
        )
      ],
      metric: distinct(sweeps.flatMap(({ experiment }) => experiment.metrics ?? [])).map(
        (metric, i) => option(i ? metric : "", metric.replaceAll("_", " "))
      ),
      images: [option("", "classified correctly"), option(ALL2, "all, also misclassified")]
    };
    const names = { group: "Average over", metric: "Metric", images: "Images" };
    const hasBoth = distinct(averages.map((each) => each[3])).length > 1;
    const shown = ["group", "metric", ...hasBoth ? ["images"] : []];
    const nodes = new Map(shown.map((key) => [key, element("select", {}, selects[key])]));
    const node = element(
      "div",
      { class: "options" },
      shown.map((key) => element("label", {}, names[key], " ", nodes.get(key)))
    );
    node.addEventListener("change", () => {
      const chosen = [...nodes].filter(([, select]) => select.value);
      view.replace({
        options: Object.fromEntries(chosen.map(([key, select]) => [key, select.value]))
      });
    });
    const update = (options) => {
      for (const [key, select] of nodes) {
        select.value = options[key] ?? "";
        if (select.selectedIndex < 0) select.value = "";
      }
    };
    return [node, update];
  }
  function figureCaption(address) {
    const [name, rest = ""] = address.split(":");
    const [metric, images] = rest.split("@");
    return listed([name, metric.replaceAll("_", " "), images?.replaceAll("-", " ")].filter(Boolean));
  }
  function traceFigure([address, figure]) {
    const text = figureCaption(address);
    return element(
      "figure",
      { class: "labeled", tabindex: "-1" },
      enlargeable(figure, Math.min(figure[1], 1100), text, () => element("b", {}, text)),
      element("figcaption", {}, element("b", {}, text))
    );
  }
  function tracesView(section, data2) {
    const blocks = data2.sweeps.map((block) => sweepBlock(block, data2.attention));
    const [bar, updateBar] = data2.sweeps.length ? controls(data2.sweeps) : [null, () => {
    }];
    section.update = (options) => {
      updateBar(options);
      for (const [, update] of blocks) update(options);
    };
    return [
      sectionHead(
        "Activation patching",
        "Change of a metric when activations of one run are patched into another, one site at a time: which part of the model carries a cue. Point at a chart, or use the arrow keys, to read its values."
      ),
      bar,
      blocks.map(([node]) => node),
      blocksOf(data2.figures, (block) => layersOf(section, block, "figure", "figures", traceFigure))
    ];
  }

  // model/sections.js
  var SECTION_TITLES = {
    map: "Map",
    report: "Report",
    images: "Your images",
    heads: "Heads",
    filters: "Filters",
    attention: "Attention",
    grids: "Grids",
    gradients: "Gradients",
    tokens: "Positions",
    compare: "Comparison",
    traces: "Patching",
    circuits: "Circuits",
    autoencoders: "Autoencoders"
  };
  var VIEWS = {
    report: reportView,
    images: imagesView,
    heads: headsView,
    filters: filtersView,
    attention: attentionView,
    grids: gridsView,
    gradients: gradientsView,
    tokens: tokensView,
    compare: compareView,
    traces: tracesView,
    circuits: circuitsView,
    autoencoders: autoencodersView
  };
  var Section = class {
    constructor(name) {
      this.name = name;
      this.items = /* @__PURE__ */ new Map();
      this.node = null;
      this.update = () => {
      };
      this.units = { has: (address) => unitTable.find(address) >= 0 };
      this.hasAttention = model.sections.some(([other]) => other === "attention");
    }
    /** Whether the section has a data script. */
    get hasData() {
      return this.name !== "heads";
    }
    /** Build the nodes of the view. */
    build(data2) {
      return VIEWS[this.name](this, data2);
    }
    /** Register the node of an address as a link target. */
    register(address, node) {
      this.items.set(address, node);
      return node;
    }
  };
  function sectionCounts() {
    const heads = headRows().reduce((sum, row) => sum + row.heads.size, 0);
    const isReport = ([name]) => name === "report";
    return [
      ...model.sections.filter(isReport),
      ...heads ? [["heads", heads]] : [],
      ...model.sections.filter((section) => !isReport(section))
    ];
  }
  var sections = new Map(sectionCounts().map(([name]) => [name, new Section(name)]));

  // model/header.js
  function fillViews(model2, counts) {
    const views = document.getElementById("views");
    const units = unitTable.count || model2.failures.length ? [["", unitTable.count]] : [];
    const map = model2.map ? [[MAP, null]] : [];
    views.append(
      ...[...units, ...map, ...counts].map(
        ([name, count]) => element(
          "a",
          { href: `#${name}` },
          name ? SECTION_TITLES[name] : "Units",
          count === null ? null : [" ", element("span", { class: "quiet" }, count.toLocaleString("en"))]
        )
      ),
      element("a", { href: "#labels", class: "to-labels" }, "Labels and lists")
    );
  }
  function markView(name) {
    for (const link of document.querySelectorAll("#views a")) {
      if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const views = document.getElementById("views");
    const current = views.querySelector("[aria-current]");
    if (current)
      views.scrollLeft += current.getBoundingClientRect().left - views.getBoundingClientRect().left - (views.clientWidth - current.clientWidth) / 2;
    document.querySelector("#views .to-labels").setAttribute("href", view.link({ page: "labels" }));
  }
  function fillHeader(model2) {
    const samples = unitData.renders.flat().filter(([group]) => !model2.groups[group].natural).reduce((sum, [group, , count]) => sum + count * model2.groups[group].sides, 0);
    const facts = [
      model2.weights,
      ...unitTable.count ? [counted(unitTable.count, "unit")] : [],
      ...samples ? [counted(samples, "picture")] : []
    ];
    document.getElementById("name").append(model2.name);
    const line2 = document.getElementById("facts");
    line2.append(listed([...facts, ...model2.failures.length ? [""] : []]));
    if (model2.failures.length)
      line2.append(
        element(
          "a",
          { href: "#failed" },
          `${model2.failures.length.toLocaleString("en")}\xA0failed`
        )
      );
  }
  var FAILURES_SHOWN = 200;
  function failureSection(failures) {
    const hidden2 = failures.length - FAILURES_SHOWN;
    return element(
      "section",
      { id: "failed", class: "failures", "aria-label": "Failed" },
      element(
        "div",
        { class: "heading" },
        element("h2", { tabindex: "-1" }, "Failed"),
        element("p", {}, counted(failures.length, "unit"))
      ),
      element(
        "dl",
        {},
        failures.slice(0, FAILURES_SHOWN).map(([address, reason, group]) => [
          element("dt", {}, address),
          element(
            "dd",
            {},
            reason,
            group ? element("span", { class: "quiet" }, ` (${group})`) : null
          )
        ])
      ),
      hidden2 > 0 ? element(
        "p",
        { class: "quiet" },
        `and ${hidden2.toLocaleString("en")} more; run \u201Cfeatviz info\u201D for all of them`
      ) : null
    );
  }

  // model/keys.js
  var isPageShown = () => !pageContainer.hidden;
  var isUnitShown = () => isPageShown() && pageContainer.querySelector(".unit-tools .label-input") !== null;
  var click = (selector) => pageContainer.querySelector(selector)?.click();
  var focusedCell = () => cellAddress(document.activeElement);
  function chooseSample(rank) {
    pageContainer.querySelector(".choices")?.children[rank]?.click();
  }
  function addKeys(grid2, layers2, toolbar2, isShown3) {
    addUnitKeys();
    addMarkKeys();
    addListKeys(grid2, layers2, toolbar2, isShown3);
    leaveToolbar(toolbar2);
  }
  function addUnitKeys() {
    keys.add("Unit", "ArrowLeft", "Previous unit", () => click("a[rel=prev]"), isUnitShown);
    keys.add("Unit", "ArrowRight", "Next unit", () => click("a[rel=next]"), isUnitShown);
    keys.add("Unit", "Escape", "Back to the list", () => click("a.back"), isPageShown);
    keys.add("Unit", "f", "Add to or remove from favorites", () => click(".favorite"), isUnitShown);
    keys.add(
      "Unit",
      "l",
      "Edit label",
      () => pageContainer.querySelector(".label-input").select(),
      isUnitShown
    );
    keys.add("Unit", "p", "Pin or unpin", () => click(".unit-tools .pin"), isUnitShown);
    keys.add("Unit", "a", "Add to a named list", () => click(".unit-tools .to-list"), isUnitShown);
    keys.add("Unit", "y", "Copy link", () => click(".copy-link"), isPageShown);
    keys.add("Unit", "c", "Copy command", () => click(".copy-command"), isUnitShown);
    keys.add("Unit", "m", "Show or hide activation maps", () => click(".map-switch"), isUnitShown);
    keys.add("Unit", "e", "Embed code", () => click(".embed"), isUnitShown);
    keys.add("Unit", "d", "Download picture", () => click("a.download"), isUnitShown);
    for (let rank = 0; rank < 9; rank += 1)
      keys.add(
        "Unit",
        String(rank + 1),
        "Show sample by rank; 1 has the highest activation",
        () => chooseSample(rank),
        isUnitShown
      );
  }
  function addMarkKeys() {
    const inCell = () => focusedCell() !== null;
    keys.add(
      "List",
      "f",
      "Add to or remove from favorites",
      () => toggleFavorite(focusedCell()),
      inCell
    );
    keys.add("List", "p", "Pin or unpin", () => pins.toggle(focusedCell()), inCell);
    keys.add(
      "Anywhere",
      "b",
      "Compare pinned units",
      () => view.go({ pins: pins.list() }),
      () => pins.list().length > 0
    );
  }
  function addListKeys(grid2, layers2, toolbar2, isShown3) {
    const inGrid = () => grid2.focused() !== null;
    for (const key of ["/", "g"])
      keys.add(
        "List",
        key,
        "Search, or go to an address",
        () => toolbar2.search.select(),
        isShown3.tools
      );
    keys.add("List", "s", "Sort", () => toolbar2.sort.focus(), isShown3.units);
    keys.add("List", "n", "Filter", () => toolbar2.open(true), isShown3.tools);
    keys.add("List", "y", "Copy link", () => toolbar2.actions.copyLink(), isShown3.units);
    keys.add(
      "List",
      "a",
      "Add to a named list: the unit with the focus, or all",
      () => {
        const address = focusedCell();
        if (address) chooseList([address], address);
        else toolbar2.actions.add();
      },
      isShown3.units
    );
    keys.add("List", "r", "Random unit", () => toolbar2.random(), isShown3.tools);
    keys.add("List", "[", "Previous layer", () => layers2.step(-1), isShown3.units);
    keys.add("List", "]", "Next layer", () => layers2.step(1), isShown3.units);
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
      keys.add("List", key, "Move to the next unit in a direction", null, inGrid);
    for (const key of ["Home", "End"])
      keys.add("List", key, "First or last unit of the row; with Ctrl, of the list", null, inGrid);
    for (const key of ["PageUp", "PageDown"]) keys.add("List", key, "Page up or down", null, inGrid);
    keys.add("List", "Enter", "Open unit", null, inGrid);
    keys.add(
      "List",
      "l",
      "Edit label",
      () => {
        document.activeElement.click();
        pageContainer.querySelector(".label-input").select();
      },
      inGrid
    );
    keys.add("List", "Escape", "Clear filters", clearFilters, isShown3.lists);
  }
  function clearFilters() {
    const { q, where, layer, only, list, facets } = view.state();
    const isFiltered = q || where.length || layer !== null || only || list !== null || Object.keys(facets).length;
    view.go(NO_FILTERS);
    if (isFiltered)
      showMessage(
        "Filters cleared",
        buttonOf("Undo", "plain", () => history.back())
      );
  }
  function leaveToolbar(toolbar2) {
    toolbar2.container.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (!toolbar2.ranges.node.hidden && toolbar2.ranges.node.contains(event.target)) {
        toolbar2.open(false);
        toolbar2.toggle.focus();
      } else
        document.querySelector('#units:not([hidden]) a.cell[tabindex="0"], #unit-map:not([hidden]) canvas')?.focus();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // model/page.js
  var listsContainer = document.getElementById("lists");
  var unitsContainer = document.getElementById("units");
  var layersContainer = document.getElementById("sites");
  var mapContainer = document.getElementById("unit-map");
  var toolbarContainer = document.getElementById("tools");
  var failuresContainer = document.getElementById("failures");
  var sectionContainer = document.getElementById("section");
  var emptyNote = document.getElementById("empty");
  var problemNote = document.getElementById("problem");
  var PAGES = {
    unit: (container, text = "") => showUnit(container, unescapeHash(text)),
    pins: (container, text) => showPins(container, text, compareOrigin),
    labels: showLabels
  };
  var LIST_KINDS = /* @__PURE__ */ new Set([
    "",
    "units",
    "site",
    "failed",
    ...model.map ? [MAP] : [],
    ...Object.keys(PAGES)
  ]);
  var MOST_VALUES = 3;
  var MISSING_SHOWN = 10;
  var scrollPositions = /* @__PURE__ */ new Map();
  var grid = new Grid(unitsContainer);
  var layers = new Layers(layersContainer);
  var toolbar = new Toolbar(toolbarContainer);
  var unitMap = null;
  var listShown = null;
  var pageKind = null;
  var unitShown = null;
  var hashShown = null;
  var compareOrigin = null;
  var isOutdated = false;
  function keepScroll() {
    if (!listsContainer.hidden && listShown !== null) scrollPositions.set(listShown, scrollY);
  }
  var setTitle = (...parts) => {
    document.title = [...parts, model.name, "featviz gallery"].join(" \xB7 ");
  };
  function showPage({ kind, text, name }) {
    if (pageContainer.hidden || kind === "unit") compareOrigin = null;
    else if (kind === "pins" && pageKind === "unit") compareOrigin = unitShown;
    pageKind = kind;
    if (kind === "unit" && unitTable.find(name) >= 0) unitShown = name;
    listsContainer.hidden = true;
    pageContainer.hidden = false;
    scrollTo(0, 0);
    PAGES[kind](pageContainer, text);
  }
  function showList(section) {
    view.section = section;
    const isUnits = section === null;
    const isMap = section === MAP;
    const name = isUnits ? view.link({}) : section;
    const returning = listsContainer.hidden && unitShown !== null && (listShown === name || listShown === null);
    listShown = name;
    pageContainer.hidden = true;
    pageContainer.replaceChildren();
    listsContainer.hidden = false;
    listsContainer.classList.toggle("whole", !isUnits || !unitTable.count);
    layersContainer.hidden = !isUnits || !unitTable.count;
    toolbarContainer.hidden = !(isUnits || isMap) || !unitTable.count;
    mapContainer.hidden = !isMap;
    unitsContainer.hidden = failuresContainer.hidden = !isUnits;
    emptyNote.hidden = true;
    showProblems([]);
    sectionContainer.hidden = isUnits || isMap;
    markView(section ?? "");
    return returning;
  }
  function scrollToList() {
    const { top } = unitsContainer.getBoundingClientRect();
    if (top < stickyHeight()) scrollBy(0, top - stickyHeight() - 8);
  }
  function showProblems(problems, more = []) {
    problemNote.hidden = !problems.length && !more.length;
    problemNote.replaceChildren(
      ...problems.length ? [`This link cannot be followed in full: ${problems.join("; ")}. `] : [],
      ...more
    );
  }
  function unitProblems({ kind, problems, layer }) {
    const isKnown = layer === null || unitTable.sites.some(({ name }) => name === layer);
    return [
      ...LIST_KINDS.has(kind) ? [] : [`this gallery has no section \u201C${kind}\u201D`],
      ...isKnown ? [] : [`there is no layer \u201C${layer}\u201D`],
      ...problems
    ];
  }
  function missingUnits({ list }) {
    if (list === null) return [];
    const missing = unitLists.get(list).filter((address) => unitTable.find(address) < 0);
    if (!missing.length) return [];
    const others = missing.length - MISSING_SHOWN;
    return [
      `Not in this gallery, but kept in the list: ${missing.slice(0, MISSING_SHOWN).join(", ")}`,
      others > 0 ? `, and ${counted(others, "other unit")}.` : "."
    ];
  }
  function noMatches(state) {
    const elsewhere = state.layer === null ? 0 : unitTable.filtered({ ...state, layer: null }).length;
    return [
      "No units match. ",
      ...elsewhere ? [
        element(
          "a",
          { href: view.link({ layer: null }) },
          `Show ${counted(elsewhere, "unit")} of other layers that do`
        ),
        " "
      ] : [],
      element("a", { href: view.link(NO_FILTERS) }, `Show all ${counted(unitTable.count, "unit")}`)
    ];
  }
  function captioned(state) {
    const { sort, where } = state;
    const keys2 = [...sort ? [sort] : [], ...where.map(({ key }) => key)];
    return { headed: isByLayer(state), metrics: [...new Set(keys2)].slice(0, MOST_VALUES) };
  }
  function showUnits(state) {
    let oldPosition = -1;
    if (isOutdated) {
      if (grid.units) oldPosition = grid.positionOf(unitTable.find(unitShown));
      unitTable.invalidate();
      isOutdated = false;
    }
    const units = unitTable.order(state);
    const wasShown = !listsContainer.hidden && !unitsContainer.hidden;
    const returning = showList(null);
    setTitle();
    const changed = grid.units !== units || String(grid.metrics) !== String(captioned(state).metrics);
    if (changed) grid.fill(units, captioned(state));
    else grid.draw();
    layers.update();
    toolbar.update(state, units.length);
    emptyNote.hidden = units.length > 0 || !unitTable.count;
    if (!units.length) emptyNote.replaceChildren(...noMatches(state));
    showProblems(unitProblems(state), missingUnits(state));
    if (state.kind === "failed") document.getElementById("failed")?.scrollIntoView();
    else if (returning) restoreList(oldPosition);
    else if (!wasShown) {
      restoreScroll(listShown);
      if (state.kind === "site") unitsContainer.querySelector("h2")?.focus({ preventScroll: true });
    } else if (changed) scrollToList();
    grid.draw();
  }
  function restoreList(oldPosition) {
    restoreScroll(listShown);
    const position = grid.positionOf(unitTable.find(unitShown));
    const nearest = position < 0 ? Math.min(oldPosition, grid.units.length - 1) : position;
    if (nearest >= 0) grid.focus(nearest);
  }
  function restoreScroll(name) {
    scrollTo(0, scrollPositions.get(name) ?? 0);
  }
  async function showMap(state) {
    if (isOutdated) unitTable.invalidate();
    isOutdated = false;
    const returning = showList(MAP);
    setTitle(SECTION_TITLES.map);
    const units = unitTable.order(state);
    toolbar.update(state, units.length);
    emptyNote.hidden = units.length > 0;
    if (!units.length) emptyNote.replaceChildren(...noMatches(state));
    const isMissing = state.name !== void 0 && unitTable.find(state.name) < 0;
    showProblems([
      ...unitProblems(state),
      ...isMissing ? [`there is no unit \u201C${state.name}\u201D`] : [],
      ...state.color === null || Object.hasOwn(COLORINGS, state.color) ? [] : [`units have no color by \u201C${state.color}\u201D`],
      ...state.at === null || isPlace(state.at) ? [] : [`\u201Cat=${state.at}\u201D is no part of the map`]
    ]);
    if (!unitMap) {
      let content;
      try {
        content = await loadData("map/0");
      } catch (error) {
        if (listShown === MAP) mapContainer.replaceChildren(missingFile(error));
        return;
      }
      if (mapContainer.hidden || listsContainer.hidden) return;
      unitMap ??= new UnitMap(mapContainer, content);
      data.page.map = unitMap;
    }
    unitMap.show(state, units);
    if (returning) {
      restoreScroll(MAP);
      unitMap.focus(unitTable.find(unitShown));
    } else if (state.name !== void 0) unitMap.focus();
  }
  async function showSection(section, { name: address, options }) {
    const returning = showList(section.name);
    view.options = options;
    setTitle(SECTION_TITLES[section.name]);
    if (section.node === null || sectionContainer.firstChild !== section.node)
      sectionContainer.replaceChildren(...section.node ? [section.node] : []);
    if (!section.node) {
      let sectionData = null;
      try {
        if (section.hasData) sectionData = await loadData(`sections/${section.name}`);
      } catch (error) {
        if (listShown === section.name) sectionContainer.replaceChildren(missingFile(error));
        return;
      }
      section.node ??= element("div", {}, section.build(sectionData));
      if (listShown !== section.name || listsContainer.hidden) return;
      sectionContainer.replaceChildren(section.node);
    }
    section.update(view.options);
    const item = section.items.get(address);
    if (address !== void 0 && !item)
      showProblems(
        [`${SECTION_TITLES[section.name]} has no \u201C${address}\u201D`],
        [element("a", { href: `#${section.name}` }, "Show the whole section")]
      );
    if (item) {
      const scrollToItem = () => item.scrollIntoView({ block: "center" });
      scrollToItem();
      requestAnimationFrame(scrollToItem);
      (item.querySelector("button.zoom") ?? item).focus({ preventScroll: true });
      return;
    }
    restoreScroll(section.name);
    if (returning) {
      const links = [...sectionContainer.querySelectorAll("a")];
      links.find((link) => link.getAttribute("href") === unitHash(unitShown))?.focus({ preventScroll: true });
    }
  }
  function route() {
    hashShown = location.hash;
    enlargedDialog.close();
    const state = view.state();
    const isEmpty = !unitTable.count && !model.failures.length;
    if (Object.hasOwn(PAGES, state.kind) && (state.kind !== "unit" || state.text !== void 0))
      showPage(state);
    else if (state.kind === MAP && model.map) showMap(state);
    else if (sections.has(state.kind)) showSection(sections.get(state.kind), state);
    else if (isEmpty && sections.size) showSection(sections.values().next().value, { options: {} });
    else showUnits(state);
    document.dispatchEvent(new Event("view"));
  }
  function updateMarks({ type }) {
    if (type === "lists") view.forget();
    isOutdated = listsContainer.hidden || unitsContainer.hidden;
    if (isOutdated) return;
    const state = view.state();
    if (state.only || state.q || type === "lists") unitTable.invalidate();
    const focused = grid.focused();
    const units = unitTable.order(state);
    if (units === grid.units) {
      grid.refresh();
      return;
    }
    grid.fill(units, captioned(state));
    layers.update();
    toolbar.update(state, units.length);
    showProblems(unitProblems(state), missingUnits(state));
    emptyNote.hidden = units.length > 0;
    if (!units.length) emptyNote.replaceChildren(...noMatches(state));
    if (focused !== null && units.length) grid.focus(Math.min(focused, units.length - 1));
  }
  toolbar.onsize = () => grid.resizePictures();
  grid.onlayer = (name) => {
    if (view.state().layer === null) layers.mark(name);
  };
  fillHeader(model);
  fillViews(model, sectionCounts());
  if (model.failures.length) failuresContainer.append(failureSection(model.failures));
  addKeys(grid, layers, toolbar, {
    lists: () => !listsContainer.hidden,
    units: () => !listsContainer.hidden && !unitsContainer.hidden,
    tools: () => !listsContainer.hidden && !toolbarContainer.hidden
  });
  for (const change of ["labels", "pins", "lists"]) document.addEventListener(change, updateMarks);
  history.scrollRestoration = "manual";
  view.onleave = keepScroll;
  view.onchange = route;
  addEventListener("hashchange", () => {
    if (location.hash === hashShown) return;
    keepScroll();
    route();
  });
  addEventListener("click", (event) => {
    const hash = event.target.closest("a")?.getAttribute("href");
    if (!hash?.startsWith("#") || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey)
      return;
    event.preventDefault();
    view.open(hash);
  });
  function skipTarget() {
    if (!pageContainer.hidden) {
      const content = pageContainer.querySelector("header ~ *") ?? pageContainer;
      content.tabIndex = -1;
      return content;
    }
    const cell = unitsContainer.hidden ? null : unitsContainer.querySelector('a.cell[tabindex="0"]');
    return cell ?? document.getElementById("pictures");
  }
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    skipTarget().focus();
  });
  initTheme();
  data.page = { labels, unitLists, pins, unitTable, view, grid };
  route();
})();
