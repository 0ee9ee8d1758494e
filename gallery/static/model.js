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
  function buttonOf(text, className2, action, attributes = {}) {
    const button = element("button", { type: "button", class: className2, ...attributes }, text);
    button.addEventListener("click", () => action(button));
    return button;
  }

  // shared/icons.js
  var ICONS = {
    star: "M8 1.6 9.9 5.9 14.6 6.4 11.1 9.5 12.1 14.1 8 11.7 3.9 14.1 4.9 9.5 1.4 6.4 6.1 5.9Z",
    pin: "M5.2 1.8h5.6M6.2 1.8v4.4L3.9 9v.9h8.2V9L9.8 6.2V1.8M8 9.9v4.6",
    link: "M6.6 9.4 9.4 6.6M7.2 4.6 8.9 2.9a2.97 2.97 0 0 1 4.2 4.2L11.4 8.8M8.8 11.4 7.1 13.1a2.97 2.97 0 0 1-4.2-4.2L4.6 7.2",
    download: "M8 1.8v8.4M4.6 7 8 10.4 11.4 7M2.2 13.8h11.6",
    cross: "M3.8 3.8 12.2 12.2M12.2 3.8 3.8 12.2",
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
  function showMessage(text, button = null) {
    clearTimeout(hideTimer);
    line.replaceChildren(text, ...button ? [" ", button] : []);
    hideTimer = setTimeout(
      () => line.replaceChildren(),
      4e3 + 60 * text.length + (button ? 12e3 : 0)
    );
  }
  async function copyText(text, what, shown) {
    try {
      await navigator.clipboard.writeText(text);
      showMessage(`${what} copied`);
    } catch {
      shown.hidden = false;
      getSelection().selectAllChildren(shown);
      showMessage(`${what} selected; copy it with the keyboard`);
    }
  }
  var missingFile = (error) => element(
    "p",
    { class: "notice" },
    `A file of this gallery is missing or cannot be read: ${error.message}`
  );

  // shared/data.js
  globalThis.featviz ??= {};
  var data = globalThis.featviz;

  // state/model.js
  var { model, units: unitData } = data;
  var dataFolder = document.body.dataset.folder;

  // state/pins.js
  var MOST_PINS = 8;
  var Pins = class {
    /** `key` is where the pins lie in the storage. */
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
    /** Whether just these are pinned, in this order. */
    are(addresses) {
      return addresses.length === this.addresses.length && addresses.every((address, place) => address === this.addresses[place]);
    }
    /** Pin what is not pinned, and the other way round; tell of it. */
    toggle(address) {
      if (this.has(address)) {
        this.replace(this.addresses.filter((pinned) => pinned !== address));
        showMessage(`${address} is no longer pinned`);
      } else if (this.addresses.length >= MOST_PINS) {
        showMessage(`${MOST_PINS} units are pinned, which is the most; unpin one first`);
      } else {
        this.replace([...this.addresses, address]);
        showMessage(`${address} is pinned`);
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

  // shared/text.js
  function counted(count, noun) {
    return `${count.toLocaleString("en")}\xA0${noun}${count === 1 ? "" : "s"}`;
  }
  var listed = (facts) => facts.join("\xA0\xB7 ");
  function measured(value) {
    if (value === null) return "\u2013";
    return value.toPrecision(4).replace("-", "\u2212");
  }
  var rounded = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");
  var brief = (value) => value === null ? "\u2013" : rounded(Number(value.toPrecision(3)));
  var percent = (share) => share === null ? "\u2013" : `${(100 * share).toFixed(1).replace("-", "\u2212")}\xA0%`;
  var hundredths = (value) => value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212");
  var foldedText = (text) => text.normalize("NFKC").toLowerCase();

  // state/label-file.js
  var LABELS = {
    format: "featviz-labels",
    version: 1,
    longest: 500,
    // characters of a label
    model: model.name,
    weights: model.weights.split(" ").at(-1)
    // first digits of their fingerprint
  };
  function readLabels(text) {
    let file;
    try {
      file = JSON.parse(text);
    } catch {
      throw new Error("it is not JSON");
    }
    if (file?.format !== LABELS.format) throw new Error(`its "format" is not "${LABELS.format}"`);
    if (file.version !== LABELS.version)
      throw new Error(
        `its version is ${JSON.stringify(file.version) ?? "missing"}, and this gallery reads version ${LABELS.version}`
      );
    const { model: model2 = LABELS.model, weights = LABELS.weights, labels: entries } = file;
    if (typeof model2 !== "string" || typeof weights !== "string")
      throw new Error('its "model" and "weights" are not texts');
    if (typeof entries !== "object" || entries === null || Array.isArray(entries))
      throw new Error('its "labels" are not an object');
    return {
      model: model2,
      weights,
      entries: new Map(
        Object.entries(entries).map(([address, entry]) => [address, checkedLabel(address, entry)])
      )
    };
  }
  function checkedLabel(address, entry) {
    const { label = "", favourite = false } = entry ?? {};
    const named = `the entry of ${address.length > 60 ? `${address.slice(0, 60)}\u2026` : address}`;
    if (typeof entry !== "object" || entry === null || Array.isArray(entry))
      throw new Error(`${named} is not an object`);
    if (typeof label !== "string") throw new Error(`${named} has a label that is no text`);
    if (label.length > LABELS.longest)
      throw new Error(
        `${named} has a label of ${label.length.toLocaleString("en")} characters, more than ${LABELS.longest}`
      );
    if (typeof favourite !== "boolean")
      throw new Error(`${named} has a "favourite" that is neither true nor false`);
    return { label: label.trim(), favourite };
  }
  function writeLabels(entries) {
    const sorted = [...entries].sort(([one], [other]) => one < other ? -1 : 1);
    const { format, version, model: model2, weights } = LABELS;
    return `${JSON.stringify({ format, version, model: model2, weights, labels: Object.fromEntries(sorted) }, null, 1)}
`;
  }

  // state/labels.js
  var Labels = class {
    /** `baked` are the labels of the export; `key` is where the reader's lie in the storage. */
    constructor(baked, key) {
      this.baked = baked;
      this.key = key;
      this.own = /* @__PURE__ */ new Map();
      this.trouble = null;
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
        this.trouble = "This browser keeps nothing for this page: labels are lost when it is closed, unless you export them.";
        return;
      }
      try {
        this.own = text === null ? /* @__PURE__ */ new Map() : readLabels(text).entries;
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
        this.trouble = "This browser has no room for more labels: what you set now is lost when the page is closed, unless you export it.";
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
        favourite: entry.favourite
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
  };
  var labels = new Labels(
    new Map(model.labels.map(([address, label, favourite]) => [address, { label, favourite }])),
    `featviz-labels:${model.name}:${model.weights}`
  );

  // state/unit-filter.js
  var COMPARISONS = {
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b
  };
  var MARK_TESTS = {
    labeled: () => (address) => labels.get(address).label !== "",
    favourites: () => (address) => labels.get(address).favourite,
    pinned: () => (address) => pins.has(address)
  };
  function wordsTest(text) {
    const words = foldedText(text).split(/\s+/).filter(Boolean);
    const labeled = new Map(
      labels.entries().map(([address, { label }]) => [address, foldedText(label)])
    );
    return (address) => {
      const name = address.toLowerCase();
      const label = labeled.get(address) ?? "";
      return words.every((word) => name.includes(word) || label.includes(word));
    };
  }

  // state/unit-table.js
  var ROWS_A_SHEET = 48;
  var UnitTable = class {
    /** `model` and `units` are what the data files hold. */
    constructor(model2, units, folder) {
      this.count = units.tails.length;
      this.tails = units.tails;
      this.cell = model2.cell;
      this.columns = model2.columns;
      this.columnar = new Map(model2.numbers.map(({ key }) => [key, units.numbers[key]]));
      this.numbers = model2.numbers;
      this.groups = model2.groups;
      this.rendered = units.renders;
      let offset = 0;
      this.sites = model2.sites.map(({ name, count, wide }) => {
        offset += count;
        return { name, count, wide, offset: offset - count };
      });
      this.siteNumbers = new Map(this.sites.map(({ name }, number) => [name, number]));
      this.sheets = new URL(`${folder}/sheets/`, document.baseURI).href;
      this.places = null;
      this.ordered = null;
    }
    /** Number of the site of a unit. */
    siteNumber(i) {
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
      return this.sites[this.siteNumber(i)];
    }
    address(i) {
      return this.siteOf(i).name + this.tails[i];
    }
    /** Number of the unit with an address; -1 if there is none. */
    find(address) {
      this.places ??= new Map(
        this.sites.flatMap(
          ({ name, offset, count }) => this.tails.slice(offset, offset + count).map((tail, i) => [name + tail, offset + i])
        )
      );
      return this.places.get(address) ?? -1;
    }
    /** A stored number of a unit; null where it is not known. */
    number(key, i) {
      return this.columnar.get(key)?.[i] ?? null;
    }
    /** Smallest and largest known value of a number; null if none is known. */
    extent(key) {
      let [low, high] = [Infinity, -Infinity];
      for (const value of this.columnar.get(key)) {
        if (value === null) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      return low <= high ? [low, high] : null;
    }
    /** The pictures of a unit, one entry a configuration. */
    renders(i) {
      return this.rendered[i].map(([group, row, samples, best]) => ({
        group,
        row,
        samples,
        best,
        sides: this.groups[group].sides
      }));
    }
    /** Most samples that a unit has in one configuration. */
    samples(i) {
      return this.rendered[i].reduce((most, [, , samples]) => Math.max(most, samples), 0);
    }
    /** Where a unit's small picture lies: its sheet, the sheet's size, and place and size in it, in pixels. */
    sprite(i) {
      const number = this.siteNumber(i);
      const { offset, count, wide } = this.sites[number];
      const columns = wide ? this.columns / 2 : this.columns;
      const most = columns * ROWS_A_SHEET;
      const sheet = Math.floor((i - offset) / most);
      const place = (i - offset) % most;
      const held = Math.min(most, count - sheet * most);
      const width = wide ? 2 * this.cell : this.cell;
      return {
        file: `${this.sheets}${number}-${sheet}.webp`,
        x: place % columns * width,
        y: Math.floor(place / columns) * this.cell,
        width,
        height: this.cell,
        cell: this.cell,
        sheetWidth: Math.min(held, columns) * width,
        sheetHeight: Math.ceil(held / columns) * this.cell
      };
    }
    /** Numbers of the units of a view, in its order: filtered, searched and sorted. */
    order(state) {
      const { sort, down, where, q, layer, only } = state;
      const key = JSON.stringify([sort, down, where, q, layer, only]);
      if (this.ordered?.key !== key)
        this.ordered = { key, units: this.sorted(this.chosen(state), sort, down) };
      return this.ordered.units;
    }
    /** Forget the list: what it was made from has changed. */
    forget() {
      this.ordered = null;
    }
    chosen({ where, q, layer, only }) {
      const tests = where.map(({ key, op, value }) => [
        this.columnar.get(key),
        COMPARISONS[op],
        value
      ]);
      const matches = [only ? MARK_TESTS[only]() : null, q ? wordsTest(q) : null].filter(Boolean);
      const site = layer === null ? null : this.sites[this.siteNumbers.get(layer)];
      const from = site ? site.offset : 0;
      const to = site ? site.offset + site.count : layer === null ? this.count : 0;
      const chosen = new Int32Array(to - from);
      let size = 0;
      for (let i = from; i < to; i += 1) {
        if (!tests.every(([column, holds, value]) => column[i] !== null && holds(column[i], value)))
          continue;
        if (matches.length) {
          const address = this.address(i);
          if (!matches.every((match) => match(address))) continue;
        }
        chosen[size] = i;
        size += 1;
      }
      return chosen.subarray(0, size);
    }
    /** Sort by a number; what it is not known of comes last, and equals keep their order. */
    sorted(chosen, sort, down) {
      const column = this.columnar.get(sort);
      if (!column) return chosen;
      const sign = down ? -1 : 1;
      const known = chosen.filter((i) => column[i] !== null);
      const unknown = chosen.filter((i) => column[i] === null);
      known.sort((a, b) => sign * (column[a] - column[b]) || a - b);
      const all = new Int32Array(chosen.length);
      all.set(known);
      all.set(unknown, known.length);
      return all;
    }
  };
  var unitTable = new UnitTable(model, unitData, dataFolder);

  // state/small-pictures.js
  function smallPictureStyle(i, size) {
    const { file, x, y, width, cell, sheetWidth, sheetHeight } = unitTable.sprite(i);
    const scale = size / cell;
    return {
      "--sheet-file": `url("${file}")`,
      "--place": `${-x * scale}px ${-y * scale}px`,
      "--extent": `${sheetWidth * scale}px ${sheetHeight * scale}px`,
      "--width": `${width * scale}px`,
      "--height": `${size}px`
    };
  }
  function setStyle(node, style, inherited = {}) {
    for (const [name, value] of Object.entries(style))
      if (inherited[name] !== value) node.style.setProperty(name, value);
  }
  function smallPicture(i, size) {
    const node = element("span", {
      class: "sprite",
      role: "img",
      "aria-label": unitTable.address(i)
    });
    setStyle(node, smallPictureStyle(i, size));
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
  var pinsHash = (addresses) => `#pins=${addresses.map((address) => escapeForHash(address).replaceAll(",", "%2C")).join(",")}`;
  var pinsOf = (text) => [
    ...new Set(
      text.split(",").map(unescapeHash).filter((address) => address !== "")
    )
  ];

  // state/view.js
  var pagePlace = document.getElementById("unit");
  var View = class {
    constructor() {
      this.parsed = { hash: null };
      this.section = null;
      this.onleave = () => {
      };
      this.onchange = () => {
      };
    }
    /** The hash, read. `text` is what stands behind its word, and `name` the same unescaped. */
    state() {
      if (this.parsed.hash !== location.hash)
        this.parsed = { hash: location.hash, ...parseHash(location.hash) };
      return this.parsed;
    }
    /**
     * Hash of the present view with changes: to a `unit` or a `site` by its address, to the `pins` that are named, or to a
     * `page`; `unit: null` leads to the list one comes from. All of them carry what the list is narrowed and sorted by.
     */
    link(changes) {
      const { unit, site, pins: compared, page, ...rest } = changes;
      if (unit === null && this.section !== null) return `#${this.section}`;
      const state = { ...this.state(), ...rest };
      const words = listWords(state);
      const lead = unit ? unitHash(unit) : site ? siteHash(site) : compared ? pinsHash(compared) : `#${page ?? (words.length ? "units" : "")}`;
      return [lead, ...words].join("&");
    }
    /** Show what a hash says; at once, so that the next key or click acts on it and on nothing older. */
    open(hash) {
      this.onleave();
      location.hash = hash;
      this.onchange();
    }
    go(changes) {
      const hash = this.link(changes);
      if (!isShown(hash)) this.open(hash);
    }
    /** Change the view without a step in the history: while a text is typed. */
    replace(changes) {
      const hash = this.link(changes);
      if (isShown(hash)) return;
      this.onleave();
      location.replace(hash);
      this.onchange();
    }
  };
  var isShown = (hash) => (hash === "#" ? "" : hash) === location.hash;
  function listWords({ sort, down, where, q, layer, only }) {
    return [
      ...sort ? [`sort=${down ? "-" : ""}${escapeForHash(sort)}`] : [],
      ...where.length ? [
        `where=${where.map(({ key, op, value }) => escapeForHash(`${key}${op}${value}`)).join(",")}`
      ] : [],
      ...layer !== null ? [`layer=${escapeForHash(layer)}`] : [],
      ...only ? [`only=${only}`] : [],
      ...q ? [`q=${escapeForHash(q)}`] : []
    ];
  }
  function parseHash(hash) {
    const [lead, ...words] = hash.slice(1).split("&");
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
      only: null
    };
    for (const word of words) {
      const [, key, value] = /^([a-z]+)=(.*)$/s.exec(word) ?? [];
      if (Object.hasOwn(PARAMETERS, key ?? "")) PARAMETERS[key](state, unescapeHash(value));
    }
    return state;
  }
  var isNumber = (key) => unitTable.numbers.some((number) => number.key === key);
  var PARAMETERS = {
    sort(state, value) {
      const key = value.replace(/^-/, "");
      if (isNumber(key)) [state.sort, state.down] = [key, value.startsWith("-")];
    },
    where(state, value) {
      state.where = value.split(",").flatMap((part) => {
        const [, key, op, number] = /^(.+?)(>=|<=|>|<)(.+)$/s.exec(part) ?? [];
        return isNumber(key) && Number.isFinite(Number(number)) ? [{ key, op, value: Number(number) }] : [];
      });
    },
    q(state, value) {
      state.q = value;
    },
    layer(state, value) {
      state.layer = value;
    },
    only(state, value) {
      if (Object.hasOwn(MARK_TESTS, value)) state.only = value;
    }
  };
  var view = new View();
  function focusShown() {
    (document.querySelector("#unit h1") ?? document.getElementById("pictures")).focus({
      preventScroll: true
    });
  }

  // marks/pinned-bar.js
  var pinnedBar = element("aside", {
    class: "pinned-bar",
    "aria-label": "Pinned units",
    hidden: ""
  });
  function fillBar() {
    const addresses = pins.list();
    const asked = document.activeElement?.closest(".pinned-bar button[data-place]")?.dataset.place;
    pinnedBar.hidden = addresses.length === 0;
    document.body.classList.toggle("has-pins", addresses.length > 0);
    pinnedBar.replaceChildren(
      element(
        "ul",
        { tabindex: "-1" },
        addresses.map(
          (address, place) => element(
            "li",
            {},
            pinnedLink(address),
            buttonOf(icon("cross"), "pin-remove", () => pins.toggle(address), {
              "aria-label": `Unpin ${address}`,
              "data-place": place
            })
          )
        )
      ),
      element(
        "div",
        { class: "pin-actions" },
        addresses.length > 1 ? element("a", { class: "button" }, `Compare ${addresses.length}`) : element("span", { class: "quiet" }, "Pin another to compare"),
        buttonOf("Unpin all", "plain", () => {
          pins.replace([]);
          showMessage("Nothing is pinned");
          focusShown();
        })
      )
    );
    updateLinks();
    if (asked === void 0) return;
    const next = pinnedBar.querySelectorAll("button[data-place]")[Math.min(asked, addresses.length - 1)];
    if (next) next.focus();
    else focusShown();
  }
  function updateLinks() {
    for (const link of pinnedBar.querySelectorAll("a"))
      link.setAttribute("href", view.link(link.title ? { unit: link.title } : { pins: pins.list() }));
  }
  function pinnedLink(address) {
    const number = unitTable.find(address);
    return element(
      "a",
      { title: address, "aria-label": address },
      number < 0 ? element("span", { class: "pin-none" }, "?") : smallPicture(number, 48)
    );
  }
  document.body.append(pinnedBar);
  document.addEventListener("pins", fillBar);
  document.addEventListener("view", updateLinks);
  fillBar();

  // list/arrow-keys.js
  var PLAIN_KEYS = {
    ArrowLeft: (place) => place - 1,
    ArrowRight: (place) => place + 1,
    ArrowUp: (place, { layout }) => layout.vertical(place, -1),
    ArrowDown: (place, { layout }) => layout.vertical(place, 1),
    Home: (place, { layout }) => place - layout.at(place).column,
    End: (place, { layout }) => {
      const { band, column } = layout.at(place);
      return Math.min(place - column + band.columns, band.start + band.count) - 1;
    },
    PageUp: (place, grid2) => screenful(place, grid2, -1),
    PageDown: (place, grid2) => screenful(place, grid2, 1)
  };
  var CTRL_KEYS = { Home: () => 0, End: (_, { units }) => units.length - 1 };
  function screenful(place, { layout }, by) {
    let at = place;
    for (let rows = Math.max(1, Math.floor(0.8 * innerHeight / layout.rowHeight)); rows > 0; rows -= 1)
      at = layout.vertical(at, by);
    return at;
  }

  // list/layout.js
  var GAP = 10;
  var LEAD = 44;
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
        const head = site ? LEAD : 0;
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
    /** The band at a height, or the nearest. */
    bandAt(y) {
      let found = 0;
      for (let i = 1; i < this.bands.length && this.bands[i].top <= y; i += 1) found = i;
      return this.bands[found];
    }
    /** Rows that reach into a stretch of heights: {band, index, top}; index -1 is the heading. */
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
    /** The row and the column of a place in the list. */
    at(place) {
      const band = this.bands.findLast(({ start }) => start <= place);
      const index = Math.floor((place - band.start) / band.columns);
      return { ...this.row(band, index), column: (place - band.start) % band.columns };
    }
    /** Place one row further up or down (`by` is -1 or 1), across layers too; the same place at the ends. */
    vertical(place, by) {
      const { band, index, column } = this.at(place);
      const within = place + by * band.columns;
      if (index + by >= 0 && index + by < band.rows)
        return Math.min(within, band.start + band.count - 1);
      const other = this.bands[this.bands.indexOf(band) + by];
      if (!other) return place;
      const row = by > 0 ? 0 : other.rows - 1;
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
  function fitted({ size, pitch, caption }, width) {
    const columns = Math.max(1, Math.floor((width + GAP) / (pitch + GAP)));
    if (columns >= FEW) return { size, pitch, height: size + caption };
    const wide = Math.floor((width + GAP) / columns - GAP);
    const grown = Math.max(size, Math.min(wide, Math.round(1.5 * size)));
    return { size: grown, pitch: wide, height: grown + caption };
  }

  // list/rows.js
  function unitRow(grid2, { band, index }) {
    const from = band.start + index * band.columns;
    const to = Math.min(from + band.columns, band.start + band.count);
    const { "--place": _, ...shared } = smallPictureStyle(
      grid2.units[from],
      shownHeight(grid2, grid2.units[from])
    );
    const cells = [];
    for (let place = from; place < to; place += 1)
      cells.push(element("div", { role: "gridcell" }, unitCell(grid2, place, shared)));
    const row = element(
      "div",
      {
        class: band.columns < FEW || band.site?.wide ? "row few" : "row",
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
  function shownHeight(grid2, i) {
    return unitTable.siteOf(i).wide && !grid2.headed ? grid2.shape.size / 2 : grid2.shape.size;
  }
  function unitCell(grid2, place, shared) {
    const i = grid2.units[place];
    const { sort } = grid2;
    const address = unitTable.address(i);
    const { label, favourite } = labels.get(address);
    const isPinned = pins.has(address);
    const value = sort ? unitTable.number(sort, i) : null;
    const facts = [
      ...label ? [label] : [],
      ...favourite ? ["favourite"] : [],
      ...isPinned ? ["pinned"] : [],
      ...sort ? [numberText(sort, value)] : []
    ];
    const link = element("a", {
      class: `cell${favourite ? " favourite" : ""}${isPinned ? " pinned" : ""}`,
      href: view.link({ unit: address }),
      "aria-label": address,
      ...facts.length ? { "aria-description": facts.join(", ") } : {},
      "data-caption": captionOf(grid2, i, label, value),
      "data-place": place,
      tabindex: "-1",
      title: [address, ...facts].join("\n")
    });
    setStyle(link, smallPictureStyle(i, shownHeight(grid2, i)), shared);
    return link;
  }
  function captionOf({ headed, sort }, i, label, value) {
    const samples = unitTable.samples(i);
    const tail = `${unitTable.tails[i]}${samples > 1 ? ` \xD7${samples}` : ""}`;
    if (headed) return label || tail;
    const site = label || unitTable.siteOf(i).name.replace(/^blocks\./, "");
    return [site, tail, ...sort ? [measured(value)] : []].join("\n");
  }
  function headRow({ band }) {
    const heading = element(
      "h2",
      { tabindex: "-1" },
      element("a", { href: view.link({ site: band.site.name }), tabindex: "-1" }, band.site.name)
    );
    const shown = band.count < band.site.count ? `${band.count.toLocaleString("en")} of ${counted(band.site.count, "unit")}` : counted(band.count, "unit");
    return element(
      "div",
      { class: "row head", role: "row", "aria-rowindex": band.row + 1 },
      element("div", { role: "gridcell", class: "heading" }, heading, element("p", {}, shown))
    );
  }
  function numberText(key, value) {
    const { name } = unitTable.numbers.find((number) => number.key === key);
    return `${name} ${value === null ? "unknown" : measured(value)}`;
  }

  // list/grid.js
  var AHEAD = 400;
  var Grid = class {
    constructor(place) {
      this.place = place;
      this.rows = /* @__PURE__ */ new Map();
      this.current = 0;
      this.layout = null;
      this.onlayer = () => {
      };
      this.asked = 0;
      addEventListener("scroll", () => this.ask(), { passive: true });
      addEventListener("resize", () => this.ask());
      new ResizeObserver(() => this.resize()).observe(place);
      place.addEventListener("keydown", (event) => this.press(event));
      place.addEventListener("focusin", (event) => this.take(event.target.closest("a.cell")));
    }
    /** Show a list; `headed` puts a heading over each layer, `sort` is the number told below pictures. */
    fill(units, { headed, sort }) {
      const { cell } = unitTable;
      const pitch = headed ? cell : Math.max(cell, 84);
      this.units = units;
      this.headed = headed;
      this.sort = sort;
      this.wanted = { size: cell, pitch, caption: headed ? 30 : sort ? 58 : 44 };
      this.places = null;
      this.current = 0;
      this.arrange();
    }
    /** Lay the list out anew for the width that there is. */
    arrange() {
      this.width = this.place.clientWidth;
      this.shape = fitted(this.wanted, this.width);
      this.layout = new Layout(
        this.units,
        this.headed ? unitTable.sites : null,
        this.width,
        this.shape
      );
      this.place.style.setProperty("height", `${this.layout.height}px`);
      this.place.setAttribute("aria-rowcount", this.layout.rows);
      for (const node of this.rows.values()) node.remove();
      this.rows.clear();
      this.draw();
    }
    /** Keep what is at the top of the window there when the width changes. */
    resize() {
      if (!this.layout || !this.place.clientWidth || this.place.clientWidth === this.width) return;
      const [top] = this.window();
      const first = this.firstIn(top);
      const shift = first === null ? 0 : top - this.layout.at(first).top;
      const focused = this.focused();
      const heading = document.activeElement?.closest("#units h2")?.textContent;
      this.arrange();
      if (first !== null && top > 0)
        scrollBy(0, this.layout.at(first).top + shift - this.window()[0]);
      this.draw();
      if (focused !== null) this.focus(focused);
      if (heading)
        [...this.place.querySelectorAll("h2")].find((other) => other.textContent === heading)?.focus({ preventScroll: true });
    }
    /** Draw once in the next frame, however often it is asked for. */
    ask() {
      if (this.asked || !this.layout || this.place.offsetParent === null) return;
      this.asked = requestAnimationFrame(() => {
        this.asked = 0;
        this.draw();
      });
    }
    /** Heights of the list between which it is seen. */
    window() {
      const top = -this.place.getBoundingClientRect().top;
      return [top, top + innerHeight];
    }
    /** Put the rows near the window into the document, and take the others out. */
    draw() {
      if (!this.layout || this.place.offsetParent === null) return;
      const [top, bottom] = this.window();
      const wanted = new Map(
        [...this.layout.between(top - AHEAD, bottom + AHEAD)].map((row) => [row.top, row])
      );
      const focused = document.activeElement?.closest("#units [role=row]");
      for (const [at, node] of this.rows) {
        if (wanted.has(at) || node === focused) continue;
        node.remove();
        this.rows.delete(at);
      }
      const fresh = [...wanted.values()].filter((row) => !this.rows.has(row.top));
      for (const row of fresh) this.insert(row);
      this.mark();
      if (this.units.length) this.onlayer(this.layerAt(top + covered()));
    }
    /** Name of the layer at a height, or a little below; null in a list without layers. */
    layerAt(top) {
      return this.headed ? this.layout.bandAt(top + LEAD).site.name : null;
    }
    /** Put a row among its neighbours, so that the order of reading is that of the list. */
    insert(row) {
      const node = row.index < 0 ? headRow(row) : unitRow(this, row);
      node.style.setProperty("top", `${row.top}px`);
      node.dataset.top = row.top;
      const after = [...this.rows.keys()].filter((top) => top > row.top);
      this.place.insertBefore(node, after.length ? this.rows.get(Math.min(...after)) : null);
      this.rows.set(row.top, node);
    }
    /** Make the cells anew that are in the document: what is told of them has changed. */
    refresh() {
      if (!this.layout) return;
      const focused = this.focused();
      for (const node of this.rows.values()) node.remove();
      this.rows.clear();
      this.draw();
      if (focused !== null) this.focus(Math.min(focused, this.units.length - 1));
    }
    /** Make one cell the stop of the Tab key: the current one, or the first that is seen. */
    mark() {
      const cells = [...this.place.querySelectorAll("a.cell")];
      const current = cells.find((cell) => Number(cell.dataset.place) === this.current) ?? cells[0];
      if (current?.tabIndex === 0) return;
      for (const cell of cells) if (cell.tabIndex === 0) cell.tabIndex = -1;
      if (current) current.tabIndex = 0;
    }
    take(cell) {
      if (!cell) return;
      this.current = Number(cell.dataset.place);
      this.mark();
    }
    /** Place of the cell that has the keyboard; null elsewhere. */
    focused() {
      const cell = document.activeElement?.closest("#units a.cell");
      return cell ? Number(cell.dataset.place) : null;
    }
    /** Place of the first unit whose row starts below a height; null in an empty list. */
    firstIn(top) {
      for (const { band, index } of this.layout.between(top, top + innerHeight))
        if (index >= 0) return band.start + index * band.columns;
      return null;
    }
    /** Place of a unit in the list; -1 if it is not there. */
    placeOf(i) {
      this.places ??= new Map([...this.units].map((unit, place) => [unit, place]));
      return this.places.get(i) ?? -1;
    }
    /** Bring a height into the window: to its top if `top`, else no further than needed. */
    reveal(from, height, toTop = false) {
      const bars = covered();
      const [top, end] = this.window();
      const bottom = end - pinnedBar.offsetHeight - 16;
      if (toTop || from < top + bars) scrollBy(0, from - top - bars);
      else if (from + height > bottom) scrollBy(0, from + height - bottom);
      this.draw();
    }
    /** Give a place of the list the keyboard, and bring it into the window. */
    focus(place) {
      const row = this.layout.at(place);
      this.current = place;
      this.reveal(row.top, this.layout.rowHeight);
      if (!this.rows.has(row.top)) this.insert(row);
      this.mark();
      this.place.querySelector(`a.cell[data-place="${place}"]`).focus({ preventScroll: true });
    }
    /** Bring the heading of a layer to the top; tell whether the list has it. */
    showLayer(name) {
      const band = this.layout.bands.find(({ site }) => site?.name === name);
      if (!band) return false;
      this.reveal(band.top, LEAD, true);
      this.current = band.start;
      this.mark();
      this.rows.get(band.top).querySelector("h2").focus({ preventScroll: true });
      return true;
    }
    press(event) {
      const place = this.focused();
      if (place === null || event.altKey || event.metaKey || event.shiftKey) return;
      const to = (event.ctrlKey ? CTRL_KEYS : PLAIN_KEYS)[event.key]?.(place, this);
      if (to === void 0) return;
      event.preventDefault();
      this.focus(Math.max(0, Math.min(this.units.length - 1, to)));
    }
  };
  function covered() {
    const { left } = document.getElementById("units").getBoundingClientRect();
    const bars = ["sites", "tools"].map((name) => document.getElementById(name)).filter((bar) => getComputedStyle(bar).position === "sticky");
    const boxes = bars.map((bar) => bar.getBoundingClientRect()).filter((box) => box.right > left);
    return boxes.reduce((height, box) => height + box.height, 0);
  }

  // list/layers.js
  var Layers = class {
    constructor(place) {
      this.links = new Map(
        unitTable.sites.map(({ name, count }) => [
          name,
          element(
            "a",
            {},
            name,
            " ",
            element("span", { class: "quiet" }, count.toLocaleString("en"))
          )
        ])
      );
      this.choice = element(
        "select",
        { id: "layer", "aria-label": "Layer" },
        unitTable.sites.map(
          ({ name, count }) => element("option", { value: name }, `${name} (${count.toLocaleString("en")})`)
        )
      );
      this.choice.addEventListener("change", () => this.go(this.choice.value));
      this.all = element("option", { value: "" }, "All layers");
      place.append(
        element(
          "ol",
          {},
          [...this.links.values()].map((link) => element("li", {}, link))
        ),
        this.choice
      );
      this.seen = null;
      this.update();
    }
    /** Where a layer is seen: from its heading on, or alone where a list has no headings. */
    hash(name) {
      return view.state().sort ? view.link({ layer: name }) : view.link({ site: name, layer: null });
    }
    go(name) {
      view.open(name ? this.hash(name) : view.link({ layer: null }));
    }
    /** Let the links lead on from the present view; that of a layer alone leads back to all. */
    update() {
      const { sort, layer } = view.state();
      for (const [name, link] of this.links)
        link.setAttribute(
          "href",
          sort && layer === name ? view.link({ layer: null }) : this.hash(name)
        );
      if (sort) this.choice.prepend(this.all);
      else this.all.remove();
      if (sort) this.mark(layer);
    }
    /** Mark the layer that is seen; null for none. */
    mark(name) {
      if (this.seen === name && this.choice.value === (name ?? "")) return;
      this.links.get(this.seen)?.removeAttribute("aria-current");
      this.seen = name;
      this.choice.value = name ?? "";
      const link = this.links.get(name);
      if (!link) return;
      link.setAttribute("aria-current", "true");
      const { parentElement: list } = link.closest("ol");
      const [top, bottom] = [link.offsetTop - 40, link.offsetTop + 60];
      if (top < list.scrollTop) list.scrollTop = top;
      else if (bottom > list.scrollTop + list.clientHeight)
        list.scrollTop = bottom - list.clientHeight;
    }
    /** Go to the layer before or after the one that is seen. */
    step(by) {
      const at = unitTable.sites.findIndex(({ name }) => name === this.seen);
      const next = unitTable.sites[Math.max(0, at + by)];
      if (!next || next.name === this.seen) return;
      this.go(next.name);
      this.mark(next.name);
    }
  };

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
    /** Name a key; `action` runs when it is pressed while `when` holds. Without one the browser acts. */
    add(group, key, description, action = null, when = () => true) {
      this.entries.push({ group, key, description, action, when });
    }
    press(event) {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target))
        return;
      if (document.querySelector("dialog[open]")) return;
      const entry = this.entries.find(
        ({ key, action, when }) => key === event.key && action && when()
      );
      if (!entry) return;
      event.preventDefault();
      entry.action(event);
    }
    /** Show every key, by group. */
    show() {
      const groups = Map.groupBy(this.entries, ({ group }) => group);
      const shown = [...KEY_GROUPS, ...groups.keys()].filter(
        (group, place, all) => groups.has(group) && all.indexOf(group) === place
      );
      const close = element("button", { type: "button" }, "Close");
      close.addEventListener("click", () => this.dialog.close());
      this.dialog.replaceChildren(
        element("h2", { id: "keys-title" }, "Keys"),
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
  keys.add("Anywhere", "?", "Show the keys", () => keys.show());

  // list/address-box.js
  var SUGGESTED = 8;
  function nearestUnits(text) {
    const wanted = text.trim().toLowerCase();
    const parts = wanted.split(/\s+/).filter(Boolean);
    if (!parts.length) return [];
    const ranked = [[], [], [], []];
    let longest = 1;
    for (let i = 0; i < unitTable.count; i += 1) {
      const address = unitTable.address(i).toLowerCase();
      if (address === wanted) ranked[0].push(i);
      else if (address.startsWith(wanted)) ranked[1].push(i);
      else if (parts.every((part) => address.includes(part))) ranked[2].push(i);
      else {
        const shared = sharedStart(address, wanted);
        if (shared < longest) continue;
        if (shared > longest) ranked[3].length = 0;
        longest = shared;
        ranked[3].push(i);
      }
    }
    return ranked.flatMap((units) => units.slice(0, SUGGESTED)).slice(0, SUGGESTED);
  }
  function sharedStart(one, other) {
    let length = 0;
    while (length < one.length && one[length] === other[length]) length += 1;
    return length;
  }
  var AddressBox = class {
    constructor() {
      this.list = element("ul", { id: "found", role: "listbox", "aria-label": "Units", hidden: "" });
      this.input = element("input", {
        id: "find",
        type: "text",
        role: "combobox",
        placeholder: "Go to an address",
        "aria-label": "Go to an address",
        "aria-controls": "found",
        "aria-expanded": "false",
        "aria-autocomplete": "list",
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false"
      });
      this.node = element("div", { class: "find" }, this.input, this.list);
      this.input.addEventListener("input", () => this.suggest());
      this.input.addEventListener("keydown", (event) => this.press(event));
      this.input.addEventListener("blur", () => this.close());
      this.list.addEventListener("pointerdown", (event) => event.preventDefault());
      this.list.addEventListener(
        "click",
        (event) => this.go(event.target.closest("[role=option]")?.dataset.address)
      );
    }
    suggest() {
      const units = nearestUnits(this.input.value);
      this.list.replaceChildren(
        ...units.map((i, place) => {
          const address = unitTable.address(i);
          const { label } = labels.get(address);
          const node = smallPicture(i, 32);
          node.setAttribute("aria-hidden", "true");
          return element(
            "li",
            {
              role: "option",
              id: `found-${place}`,
              "aria-selected": "false",
              "data-address": address
            },
            node,
            element(
              "span",
              {},
              address,
              label ? element("span", { class: "quiet" }, ` ${label}`) : null
            )
          );
        })
      );
      this.list.hidden = !units.length;
      this.input.setAttribute("aria-expanded", String(units.length > 0));
      this.choose(units.length ? 0 : -1);
    }
    choose(place) {
      this.chosen = place;
      for (const [i, node] of [...this.list.children].entries())
        node.setAttribute("aria-selected", String(i === place));
      if (place < 0) this.input.removeAttribute("aria-activedescendant");
      else this.input.setAttribute("aria-activedescendant", `found-${place}`);
    }
    press(event) {
      const { length } = this.list.children;
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by && length && !this.list.hidden) this.choose((this.chosen + by + length) % length);
      else if (event.key === "Enter")
        this.go(this.list.hidden ? void 0 : this.list.children[this.chosen]?.dataset.address);
      else if (event.key === "Escape" && !this.list.hidden) this.close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }
    go(address) {
      if (address === void 0) return;
      this.input.value = "";
      this.close();
      view.go({ unit: address });
    }
    close() {
      this.list.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.choose(-1);
    }
  };

  // list/filter-panel.js
  var MARK_NAMES = { labeled: "labeled", favourites: "favourites", pinned: "pinned" };
  var FilterPanel = class {
    constructor() {
      this.layer = element(
        "select",
        { id: "only-layer" },
        element("option", { value: "" }, "all"),
        unitTable.sites.map(({ name }) => element("option", { value: name }, name))
      );
      this.layer.addEventListener("change", () => view.go({ layer: this.layer.value || null }));
      this.only = element(
        "select",
        { id: "only" },
        element("option", { value: "" }, "all"),
        Object.entries(MARK_NAMES).map(([value, name]) => element("option", { value }, name))
      );
      this.only.addEventListener("change", () => view.go({ only: this.only.value || null }));
      this.bounds = [];
      this.node = element(
        "div",
        { id: "ranges", class: "ranges", role: "group", "aria-label": "Filter", hidden: "" },
        element("label", {}, element("span", {}, "Layer"), this.layer),
        element("label", {}, element("span", {}, "Units"), this.only),
        unitTable.numbers.map((number) => this.range(number))
      );
    }
    /** Two boxes, for the least and the greatest value; the range that there is stands in them in grey. */
    range({ key, name }) {
      const extent = unitTable.extent(key);
      if (extent === null) return null;
      const bound = (op, word, value) => {
        const input = element("input", {
          type: "text",
          inputmode: "decimal",
          placeholder: rounded(value),
          "aria-label": `${name}, ${word}`,
          autocomplete: "off",
          size: 6
        });
        input.addEventListener("change", () => this.read());
        this.bounds.push({ key, op, input });
        return input;
      };
      return element(
        "div",
        { class: "range", role: "group", "aria-label": name },
        element("span", {}, name),
        bound(">=", "at least", extent[0]),
        "\u2013",
        bound("<=", "at most", extent[1])
      );
    }
    /** Take what is typed; what is no number is marked, and counts for nothing. */
    read() {
      const where = this.bounds.flatMap(({ key, op, input }) => {
        const text = input.value.trim().replace("\u2212", "-").replace(/^(-?\d+),(\d+)$/, "$1.$2");
        const value = Number(text);
        input.setAttribute("aria-invalid", String(text !== "" && !Number.isFinite(value)));
        return text !== "" && Number.isFinite(value) ? [{ key, op, value }] : [];
      });
      const strict = view.state().where.filter(({ op }) => op === ">" || op === "<");
      view.go({ where: [...strict, ...where] });
    }
    update({ layer, only, where }) {
      this.layer.value = layer ?? "";
      this.only.value = only ?? "";
      for (const { key, op, input } of this.bounds) {
        const found = where.find((one) => one.key === key && one.op === op);
        if (document.activeElement === input && !found) continue;
        input.value = found ? String(found.value) : "";
        input.setAttribute("aria-invalid", "false");
      }
    }
  };

  // list/toolbar.js
  var Toolbar = class {
    constructor(place) {
      this.place = place;
      this.search = element("input", {
        id: "search",
        type: "search",
        placeholder: "Search",
        "aria-label": "Search addresses and labels",
        autocomplete: "off",
        spellcheck: "false"
      });
      this.search.addEventListener("input", () => view.replace({ q: this.search.value }));
      this.find = new AddressBox();
      this.sort = element(
        "select",
        { id: "sort", "aria-label": "Sort" },
        element("option", { value: "" }, "In layer order"),
        unitTable.numbers.map(({ key, name }) => element("option", { value: key }, `By ${name}`))
      );
      this.sort.addEventListener("change", () => this.sortBy(this.sort.value));
      this.turn = buttonOf("", "turn", () => view.go({ down: !view.state().down }));
      this.ranges = new FilterPanel();
      this.toggle = buttonOf("Filter", "", () => this.open(this.ranges.node.hidden), {
        id: "filter",
        "aria-expanded": "false",
        "aria-controls": "ranges"
      });
      const random = buttonOf("Random", "", () => this.random());
      const help = buttonOf("?", "help", () => keys.show(), { "aria-label": "Keys", title: "Keys" });
      this.count = element("span", { role: "status" });
      this.chips = element("span", { class: "chips" });
      place.append(
        element(
          "div",
          { class: "bar-row" },
          this.search,
          this.find.node,
          element("span", { class: "sorting" }, this.sort, this.turn),
          this.toggle,
          random,
          help
        ),
        this.ranges.node,
        element("div", { class: "found" }, this.count, this.chips)
      );
    }
    /** Sort by a number, the better values first; by none, in the order of the layers. */
    sortBy(key) {
      const number = unitTable.numbers.find((one) => one.key === key);
      view.go({ sort: number ? key : null, down: number ? number.higher !== false : false });
    }
    open(open) {
      this.ranges.node.hidden = !open;
      this.toggle.setAttribute("aria-expanded", String(open));
      if (open) this.ranges.node.querySelector("select, input").focus();
    }
    /** Open a unit of the list by chance. */
    random() {
      const units = unitTable.order(view.state());
      if (units.length)
        view.go({ unit: unitTable.address(units[Math.floor(Math.random() * units.length)]) });
    }
    /** Show what the hash says. */
    update(state, shown) {
      if (document.activeElement !== this.search || this.search.value.trim() !== state.q.trim())
        this.search.value = state.q;
      this.sort.value = state.sort ?? "";
      this.turn.hidden = !state.sort;
      this.turn.replaceChildren(state.down ? "\u2193" : "\u2191");
      this.turn.setAttribute(
        "aria-label",
        state.down ? "Highest first; turn round" : "Lowest first; turn round"
      );
      this.turn.title = state.down ? "Highest first" : "Lowest first";
      this.ranges.update(state);
      const all = counted(unitTable.count, "unit");
      this.count.replaceChildren(
        shown < unitTable.count ? `${shown.toLocaleString("en")} of ${all}` : all
      );
      const asked = [...this.chips.children].indexOf(document.activeElement);
      const chips = chipsOf(state);
      this.chips.replaceChildren(
        ...chips,
        ...chips.length ? [
          element(
            "a",
            { href: view.link({ where: [], q: "", layer: null, only: null }), class: "clear" },
            "Clear"
          )
        ] : []
      );
      if (asked >= 0)
        (this.chips.children[Math.min(asked, this.chips.children.length - 1)] ?? this.toggle).focus();
    }
  };
  function chipsOf({ q, layer, only, where }) {
    const chip2 = (text, changes) => element(
      "a",
      { class: "chip-off", href: view.link(changes), "aria-label": `Remove: ${text}` },
      text,
      element("span", { "aria-hidden": "true" }, " \xD7")
    );
    return [
      ...q.trim() ? [chip2(`\u201C${q.trim()}\u201D`, { q: "" })] : [],
      ...layer !== null ? [chip2(layer, { layer: null })] : [],
      ...only ? [chip2(MARK_NAMES[only], { only: null })] : [],
      ...where.map(
        (one) => chip2(conditionText(one), { where: where.filter((other) => other !== one) })
      )
    ];
  }
  function conditionText({ key, op, value }) {
    const words = { ">": "above", ">=": "at least", "<": "below", "<=": "at most" };
    return `${unitTable.numbers.find((number) => number.key === key).name} ${words[op]} ${rounded(value)}`;
  }

  // state/load.js
  var ENTRIES_A_SHARD = 32;
  var scripts = /* @__PURE__ */ new Map();
  function loadData(name) {
    if (!scripts.has(name)) {
      scripts.set(
        name,
        new Promise((resolve, reject) => {
          const script = element("script", { src: `${dataFolder}/${name}.js` });
          const refuse = () => reject(new Error(script.src));
          script.addEventListener(
            "load",
            () => data[name] === void 0 ? refuse() : resolve(data[name])
          );
          script.addEventListener("error", refuse);
          document.head.append(script);
        })
      );
    }
    return scripts.get(name);
  }
  async function loadEntry(list, number) {
    const shard = await loadData(`${list}/${Math.floor(number / ENTRIES_A_SHARD)}`);
    return shard[number % ENTRIES_A_SHARD];
  }

  // unit/details.js
  function unitAt(number) {
    return {
      number,
      address: unitTable.address(number),
      site: unitTable.siteOf(number).name,
      renders: unitTable.renders(number)
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

  // unit/evidence-names.js
  var NUMBER_TEXTS = [
    [
      "ratio",
      "Ratio to the best natural image",
      "How far its value lies from that of the median natural image (0) to that of the best one (1). Above 1 it excites the unit more than every image of the data."
    ],
    ["percentile", "Percentile", "Percentage of the natural images with lower values."],
    [
      "held_out",
      "Held-out value",
      "Mean value over shifts, scales and sizes that the optimisation did not use."
    ],
    [
      "kept",
      "Kept on held-out views",
      "What these views keep of the way from the median natural image to the picture: 1 is all of it."
    ],
    [
      "fine",
      "Fine energy",
      "Share of its energy in high frequencies: much of it is noise to people."
    ],
    [
      "grid",
      "Grid energy",
      "Share of its energy on the grid of the patches: a trace of the model\u2019s cutting up of images."
    ],
    [
      "spectrum",
      "Distance to natural spectra",
      "How far its power spectrum is from that of natural images; 0 is the same."
    ],
    [
      "rise",
      "Rise at the end",
      "By how much its value still rose late in the optimisation, in parts of the whole rise; below 0.1 it had converged."
    ],
    [
      "agreement",
      "Agreement of seeds",
      "Likeness of the pictures that two random starts lead to, from 0 to 1."
    ],
    ["diversity", "Diversity reached", "How unlike the samples of the unit are: 0 is all alike."],
    [
      "path",
      "Path agreement",
      "Whether it travels through the layers as the natural images do that excite the unit (1), or as images of other classes (0)."
    ]
  ];
  var CHECK_TEXTS = {
    beats_natural: [
      "excites the unit at least as much as the best natural image",
      "excites the unit less than the best natural image"
    ],
    converged: ["its optimisation had converged", "its optimisation had not converged"],
    follows_natural: [
      "travels through the network as natural images do",
      "does not travel through the network as natural images do"
    ]
  };
  var CLAIM_TEXTS = {
    necessary: "necessary",
    sufficient: "sufficient",
    pictured: "own picture does more than another\u2019s"
  };
  var className = (name) => element("bdi", { class: "class-name" }, name);
  function chip(holds, text) {
    return element(
      "li",
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
  function statementsList({ evidence }) {
    const { claims = {}, label } = evidence?.verdict ?? {};
    const made = Object.entries(claims).filter(([, { holds }]) => holds);
    return chipList(made.map(([name]) => chip(true, [CLAIM_TEXTS[name], " for ", className(label)])));
  }
  function chipList(chips) {
    return chips.length ? element("ul", { class: "verdicts stacked" }, chips) : null;
  }

  // charts/scales.js
  var COLOURS = 8;
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
  var sampleColour = (number) => `sample-${number % COLOURS}`;

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
  function barList(caption, rows, most, tell = brief) {
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
            element("td", {}, tell(value))
          )
        )
      )
    );
  }
  function shareBar(parts) {
    const bar = element("div", { class: "bar", "aria-hidden": "true" });
    for (const [i, [, size]] of parts.entries()) {
      const part = element("span", { class: sampleColour(i) });
      part.style.flexGrow = Math.max(0, size ?? 0);
      bar.append(part);
    }
    const items = parts.map(
      ([name, , text], i) => element(
        "li",
        {},
        element("span", { class: `swatch ${sampleColour(i)}`, "aria-hidden": "true" }),
        name,
        " ",
        element("b", {}, text)
      )
    );
    return [bar, element("ul", { class: "shares" }, items)];
  }

  // charts/frame.js
  var CHART = { left: 44, right: 14, top: 10, bottom: 34, height: 170 };
  function chartFigure(draw, caption, ...rest) {
    const place = element("div", { class: "chart-place" });
    new ResizeObserver(() => {
      if (place.clientWidth) place.replaceChildren(draw(place.clientWidth));
    }).observe(place);
    return element("figure", { class: "chart" }, place, element("figcaption", {}, caption), rest);
  }
  var chartSvg = (width, height, description) => svgElement("svg", {
    class: "plot chart-plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": description
  });
  function chartScale(svg, low, high, y, right) {
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
      ([name, colour]) => element(
        "li",
        {},
        element("span", { class: `swatch ${colour}`, "aria-hidden": "true" }),
        name
      )
    )
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
      const edge = (place) => x(low + (high - low) * place / counts.length);
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
    for (const [value, name, colour] of marks) {
      const anchor = x(value) > width / 2 ? "end" : "start";
      svg.append(
        svgElement("line", {
          class: `mark ${colour}`,
          x1: x(value),
          x2: x(value),
          y1: CHART.top + 4,
          y2: bottom
        }),
        svgElement(
          "text",
          {
            class: `end ${colour}`,
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
  function smallHistogram({ histogram, edges, count }, name) {
    const most = Math.max(1, ...histogram);
    const [width, height] = [120, 32];
    const bar = width / histogram.length;
    const description = `${name}: ${counted(count, "picture")} from ${brief(edges[0])} to ${brief(edges.at(-1))}`;
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

  // unit/examples.js
  var PATCH = 1e3;
  var PATCH_NAMES = ["query", "key"];
  var exampleFile = (number) => `${dataFolder}/examples/${number}.webp`;
  var patchName = (patches, i) => patches.length > 1 ? `${PATCH_NAMES[i]} patch` : "strongest patch";
  function patchFrame([left, top, right, bottom], colour) {
    const frame = element("span", { class: `frame ${colour}`, "aria-hidden": "true" });
    const share = (part) => `${100 * part / PATCH}%`;
    Object.assign(frame.style, {
      left: share(left),
      top: share(top),
      width: share(right - left),
      height: share(bottom - top)
    });
    return frame;
  }
  function patchCrop(number, [left, top, right, bottom], colour, alt) {
    const crop = element("span", { class: `crop ${colour}`, role: "img", "aria-label": alt });
    const [wide, high] = [(right - left) / PATCH, (bottom - top) / PATCH];
    const at = (start, size) => `${size < 1 ? 100 * start / PATCH / (1 - size) : 0}%`;
    crop.style.setProperty("background-image", `url("${exampleFile(number)}")`);
    crop.style.setProperty("background-size", `${100 / wide}% ${100 / high}%`);
    crop.style.setProperty("background-position", `${at(left, wide)} ${at(top, high)}`);
    return crop;
  }
  function exampleFigure([number, value, label, patches], lead) {
    const name = `Natural image ${number}${label === null ? "" : `, ${label}`}, value ${brief(value)}`;
    const image = element("img", {
      src: exampleFile(number),
      alt: name,
      loading: "lazy",
      decoding: "async"
    });
    image.addEventListener(
      "error",
      () => image.replaceWith(
        element("span", { class: "no-image" }, "This image is missing or cannot be read")
      )
    );
    const marked = patches.map((patch, i) => [patch, i]).filter(([patch]) => patch !== null);
    return element(
      "figure",
      { class: "example" },
      element(
        "div",
        { class: "framed" },
        image,
        marked.map(([patch, i]) => patchFrame(patch, `patch-${i}`))
      ),
      marked.length ? element(
        "div",
        { class: "crops" },
        marked.map(
          ([patch, i]) => patchCrop(
            number,
            patch,
            `patch-${i}`,
            `${patchName(patches, i)} of natural image ${number}`
          )
        )
      ) : null,
      element(
        "figcaption",
        {},
        lead ? element("span", { class: "quantile" }, lead) : null,
        element("b", {}, brief(value)),
        label === null ? null : element("bdi", { class: "label-of" }, label)
      )
    );
  }
  function exampleRow(heading, lead, entries, tell = () => null) {
    if (!entries.length) return null;
    return element(
      "section",
      { "aria-label": heading },
      element("h3", {}, heading),
      lead ? element("p", { class: "quiet" }, lead) : null,
      element(
        "div",
        { class: "examples" },
        entries.map((entry, i) => exampleFigure(entry, tell(i)))
      )
    );
  }
  function frameLegend(entries) {
    const patches = entries.map(([, , , found]) => found);
    const most = Math.max(0, ...patches.map((found) => found.length));
    if (!most) return null;
    const lost = patches.some((found) => found.includes(null)) ? " A token that is no patch has no frame." : "";
    if (most === 1)
      return element(
        "p",
        { class: "quiet" },
        element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
        "The frame is around the patch where the unit is strongest; it stands enlarged below the image.",
        lost
      );
    return element(
      "p",
      { class: "quiet" },
      element("span", { class: "swatch patch-0", "aria-hidden": "true" }),
      "Solid frame: the query\u2019s patch. ",
      element("span", { class: "swatch patch-1", "aria-hidden": "true" }),
      "Dashed frame: the key\u2019s patch, the one that is attended to. Both stand enlarged below the image.",
      lost
    );
  }
  function valuesFigure(found, activation) {
    const marks = [
      [found.median, "median", "sample-7"],
      ...activation === null ? [] : [[activation, "this picture", "sample-1"]]
    ];
    const where = activation === null ? "" : activation > found.high ? "beyond the best natural image" : activation < found.low ? "below every natural image" : "within their range";
    const description = `Values on natural images from ${brief(found.low)} to ${brief(found.high)}, median ${brief(found.median)}.${activation === null ? "" : ` The picture reaches ${brief(activation)}, ${where}.`}`;
    return chartFigure(
      (width) => histogramPlot(found.histogram, found.low, found.high, marks, width, description),
      `How many of ${counted(found.images, "natural image")} give the unit which value.${activation === null ? "" : ` Its picture reaches ${brief(activation)}, ${where}.`}`
    );
  }
  function valuesList({ mean, deviation, sparsity, active }) {
    const entry = (name, value, description) => [
      element("dt", {}, name),
      element(
        "dd",
        {},
        element("b", {}, value),
        " ",
        element("span", { class: "quiet" }, description)
      )
    ];
    return element(
      "dl",
      { class: "value-list" },
      entry("Mean", brief(mean), "over all natural images"),
      entry("Deviation", brief(deviation), "standard deviation over them"),
      entry("Sparsity", brief(sparsity), "from 0, alike on all images, to 1, all of it on one"),
      entry("Active", percent(active), "of the images give a value above 0")
    );
  }
  function classMeans({ classes, mean, deviation }) {
    if (!deviation || !classes.up.length) return null;
    const scaled = (pairs) => pairs.map(([name, value]) => [name, value === null ? null : (value - mean) / deviation]);
    const [up, down] = [scaled(classes.up), scaled(classes.down)];
    const most = Math.max(...[...up, ...down].map(([, value]) => Math.abs(value)));
    return element(
      "section",
      { "aria-label": "Classes by mean value" },
      element("h3", {}, "Classes by mean value"),
      element(
        "p",
        { class: "quiet" },
        "How far the mean over a class is from the mean over all images, in standard deviations."
      ),
      element(
        "div",
        { class: "sided" },
        barList("Highest", up, most),
        down.length ? barList("Lowest", down, most) : null
      )
    );
  }
  function examplesBlock({ evidence }) {
    const found = evidence?.examples;
    if (!found) return null;
    const activation = evidence.pictures[evidence.best].activation;
    const ordinal = (i) => i < found.quantiles.length ? `${rounded(100 * found.quantiles[i])}\xA0%` : null;
    const all = [...found.top, ...found.spread, ...found.bottom];
    return element(
      "section",
      { class: "evidence natural", "aria-label": "Natural images" },
      element("h2", {}, "Natural images"),
      element(
        "p",
        { class: "quiet" },
        `Of ${counted(found.images, "image")} of `,
        element("bdi", {}, found.data),
        ". Each with the unit\u2019s value and the class of the image."
      ),
      frameLegend(all),
      exampleRow("Highest values", null, found.top),
      element("div", { class: "sided" }, valuesFigure(found, activation), valuesList(found)),
      classMeans(found),
      exampleRow(
        "Along the range",
        "The image at each quantile of the values: that share of the images has lower ones.",
        found.spread,
        ordinal
      ),
      exampleRow("Lowest values", null, found.bottom)
    );
  }
  function fewExamples({ evidence }) {
    if (!evidence?.examples?.top.length) return null;
    const figures = evidence.examples.top.slice(0, 4).map((entry) => exampleFigure(entry, null));
    return element("div", { class: "examples few" }, figures);
  }

  // unit/navigation.js
  function breadcrumbs(...links) {
    return element(
      "nav",
      { class: "breadcrumbs", "aria-label": "Where this is" },
      element("a", { href: "index.html" }, "All models"),
      element("a", { href: view.link({ unit: null }), class: "back" }, model.name),
      links
    );
  }
  function step(number, name, rel, key, arrow) {
    if (number === void 0)
      return element("span", { class: "step", "aria-hidden": "true" }, icon(arrow));
    const address = unitTable.address(number);
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
  function neighbours(number) {
    const order = unitTable.order(view.state());
    const at = order.indexOf(number);
    return { at, order, before: at < 0 ? void 0 : order[at - 1], after: order[at + 1] };
  }
  function steps(unit) {
    const { at, order, before, after } = neighbours(unit.number);
    const place = at < 0 ? "not in the list" : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
    return element(
      "nav",
      { class: "steps", "aria-label": "Units" },
      step(before, "Previous", "prev", "ArrowLeft", "left"),
      element("span", { class: "quiet" }, place),
      step(after, "Next", "next", "ArrowRight", "right")
    );
  }

  // shared/picture-size.js
  var wholeWidth = (pixels, wish) => pixels * Math.max(1, Math.round(wish / pixels));
  function fittingWidth([, width, height], across, down) {
    const scale = Math.min(across / width, down / height);
    return width * (scale > 1 ? Math.floor(scale) : scale);
  }

  // unit/pictures.js
  var SIDES = ["query", "key"];
  var LARGE = 448;
  var HALF = 320;
  var pictureFile = (render, sample, side) => `${dataFolder}/pictures/${render.row}-${sample}${side === null ? "" : `-${side}`}.${model.pictures}`;
  function samplePicture(unit, render, size, sample, side, wish) {
    const [width, height] = size;
    const shown = wish >= width ? wholeWidth(width, wish) : wish;
    const names = [
      unit.address,
      ...render.samples > 1 ? [`sample ${sample + 1}`] : [],
      ...side === null ? [] : [`${SIDES[side]} side`]
    ];
    const src = pictureFile(render, sample, side);
    const image = element("img", {
      src,
      alt: names.join(", "),
      width: shown,
      height: Math.round(shown * height / width),
      class: width < 64 ? "pixels" : "smooth"
    });
    image.addEventListener(
      "error",
      () => image.replaceWith(
        element("p", { class: "notice" }, `This picture is missing or cannot be read: ${src}`)
      )
    );
    return image;
  }
  function largePicture(unit, render, detail, sample) {
    if (render.sides === 1) return samplePicture(unit, render, detail.size, sample, null, LARGE);
    return element(
      "div",
      { class: "two" },
      SIDES.map(
        (name, side) => element(
          "div",
          {},
          samplePicture(unit, render, detail.size, sample, side, HALF),
          element("span", { class: "side" }, name)
        )
      )
    );
  }
  function bestFirst(activation) {
    return activation.map((_, sample) => sample).sort(
      (one, other) => (activation[other] ?? -Infinity) - (activation[one] ?? -Infinity) || one - other
    );
  }
  var sampleNumber = (sample) => element("span", { class: `number ${sampleColour(sample)}` }, String(sample + 1));
  function downloadLink(side) {
    const hint = location.protocol === "file:" ? { title: "If the picture opens instead, save it from there" } : {};
    return element(
      "a",
      { class: "button download", target: "_blank", ...hint },
      icon("download"),
      side ? `Download picture, ${side}` : "Download picture"
    );
  }
  function fileName(unit, render, sample, side) {
    const plain = unit.address.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^[.-]+|[.-]+$/g, "").slice(0, 80);
    const parts = [
      plain || "unit",
      ...render.samples > 1 ? [sample + 1] : [],
      ...render.sides > 1 ? [SIDES[side]] : []
    ];
    return `${parts.join("-")}.${model.pictures}`;
  }
  function samplesFigure(unit, render, detail) {
    const several = render.samples > 1;
    const shown = element("div", { class: "large" });
    const caption = element("figcaption", { "aria-live": "polite" });
    const downloads = Array.from(
      { length: render.sides },
      (_, side) => downloadLink(render.sides > 1 ? SIDES[side] : "")
    );
    const choices = several ? bestFirst(detail.activation).map(
      (sample) => sampleButton(unit, render, detail, sample, () => show(sample))
    ) : [];
    const show = (sample) => {
      shown.replaceChildren(largePicture(unit, render, detail, sample));
      caption.replaceChildren(
        ...several ? [sampleNumber(sample)] : [],
        "activation ",
        element("b", {}, measured(detail.activation[sample]))
      );
      downloads.forEach((link, side) => {
        link.href = pictureFile(render, sample, render.sides > 1 ? side : null);
        link.download = fileName(unit, render, sample, side);
      });
      for (const button of choices)
        button.setAttribute("aria-pressed", String(button.dataset.sample === String(sample)));
    };
    show(several ? bestFirst(detail.activation)[0] : 0);
    return element(
      "div",
      { class: "samples" },
      element("figure", {}, shown, caption),
      several ? element(
        "div",
        { class: "choices", role: "group", "aria-label": "Samples, the most active first" },
        choices
      ) : null,
      element("p", { class: "picture-actions" }, downloads)
    );
  }
  function sampleButton(unit, render, detail, sample, show) {
    const side = render.sides > 1 ? 0 : null;
    const picture = samplePicture(unit, render, detail.size, sample, side, 72);
    picture.alt = "";
    return buttonOf(
      [picture, element("span", {}, sampleNumber(sample), measured(detail.activation[sample]))],
      "choice",
      show,
      {
        "data-sample": sample,
        "aria-label": `Sample ${sample + 1}, activation ${measured(detail.activation[sample])}`
      }
    );
  }
  function smallPictureFigure(unit) {
    return element(
      "div",
      { class: "samples" },
      element(
        "figure",
        {},
        smallPicture(unit.number, 288),
        element(
          "figcaption",
          {},
          "This gallery was exported with small pictures only; this is one of them, enlarged."
        )
      )
    );
  }

  // marks/compare-page.js
  var DETAIL_ROWS = [
    ["natural images", fewExamples],
    ["checks", checksList],
    ["statements", statementsList]
  ];
  var refocus = null;
  function changeCompared(shown, changed, focus) {
    refocus = focus;
    if (pins.are(shown)) pins.replace(changed);
    view.replace({ pins: changed });
  }
  function columnTools(addresses, place) {
    const address = addresses[place];
    const moved = (by) => {
      const changed = [...addresses];
      [changed[place], changed[place + by]] = [changed[place + by], changed[place]];
      changeCompared(addresses, changed, [address, by < 0 ? "left" : "right"]);
    };
    const button = (name, label, action, allowed) => buttonOf(icon(name), "plain", action, {
      "aria-label": `${label} ${address}`,
      "data-action": name,
      ...allowed ? {} : { disabled: "" }
    });
    return element(
      "div",
      { class: "column-tools", "data-address": address },
      button("left", "Move left", () => moved(-1), place > 0),
      button("right", "Move right", () => moved(1), place < addresses.length - 1),
      button(
        "cross",
        "Remove",
        () => {
          const changed = addresses.filter((other) => other !== address);
          changeCompared(addresses, changed, [changed[Math.min(place, changed.length - 1)], "cross"]);
        },
        true
      )
    );
  }
  function comparedPicture(unit, detail) {
    const [render] = unit.renders;
    if (model.thumbnailsOnly || !detail) return smallPicture(unit.number, 192);
    if (render.sides === 1) return samplePicture(unit, render, detail.size, render.best, null, 224);
    return element(
      "div",
      { class: "two" },
      SIDES.map((_, side) => samplePicture(unit, render, detail.size, render.best, side, 160))
    );
  }
  function comparedRows(units, details) {
    const label = (unit) => element("bdi", {}, labels.get(unit.address).label);
    const rows = [["Picture", units.map((unit, i) => comparedPicture(unit, details[i]))]];
    if (units.some((unit) => labels.get(unit.address).label)) rows.push(["Label", units.map(label)]);
    for (const { key, name, higher } of unitTable.numbers) {
      const values = units.map((unit) => unitTable.number(key, unit.number));
      const known = values.filter((value) => value !== null);
      if (!known.length) continue;
      const best = higher === null || known.length < 2 ? null : Math[higher ? "max" : "min"](...known);
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
      (unit, place) => element(
        "th",
        { scope: "col" },
        element("a", { href: view.link({ unit: unit.address }) }, unit.address),
        columnTools(addresses, place)
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
      { class: "compared", tabindex: "0", role: "region", "aria-label": "Units side by side" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, element("td"), head)),
        element("tbody", {}, body)
      )
    );
  }
  function comparedNotes(asked, found) {
    const missing = asked.filter((address) => unitTable.find(address) < 0);
    const over = asked.length - missing.length - found.length;
    return [
      ...missing.map(
        (address) => element(
          "p",
          { class: "notice" },
          "This gallery holds no unit ",
          element("b", {}, address),
          "."
        )
      ),
      ...over > 0 ? [
        element(
          "p",
          { class: "notice" },
          `The link names more units than the ${MOST_PINS} that are shown.`
        )
      ] : []
    ];
  }
  async function showPins(place, text) {
    document.title = `Side by side \xB7 ${model.name} \xB7 featviz gallery`;
    const asked = text === void 0 ? pins.list() : pinsOf(text);
    const addresses = asked.filter((address) => unitTable.find(address) >= 0).slice(0, MOST_PINS);
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
      breadcrumbs(),
      element("h1", { tabindex: "-1", class: "plain-title" }, "Side by side"),
      units.length ? tools : null
    );
    place.replaceChildren(header, ...comparedNotes(asked, addresses));
    if (!units.length)
      place.append(
        element(
          "p",
          { class: "lead" },
          "Nothing is pinned. Pin units in the list or on their pages (key p), and compare them here."
        )
      );
    const focus = refocus;
    refocus = null;
    if (!focus || !units.length) focusShown();
    if (!units.length) return;
    const details = await Promise.all(units.map(firstDetail));
    if (header.parentNode !== place) return;
    place.append(comparison(addresses, units, details));
    if (focus) focusTool(place, ...focus);
  }
  function focusTool(place, address, action) {
    const tools = [...place.querySelectorAll(".column-tools")].find(
      (node) => node.dataset.address === address
    );
    const button = tools?.querySelector(`[data-action=${action}]:enabled`) ?? tools?.querySelector("button:enabled");
    (button ?? place.querySelector("h1")).focus();
  }
  function keepButton(addresses) {
    const button = buttonOf([icon("pin"), "Pin these"], "button keep", () => {
      pins.replace(addresses);
      showMessage(`${counted(addresses.length, "unit")} pinned`);
      focusShown();
    });
    button.refill = () => {
      button.hidden = pins.are(addresses);
    };
    button.refill();
    return button;
  }
  document.addEventListener("pins", () => pagePlace.querySelector(".keep")?.refill());

  // marks/labels-page.js
  function labeledUnit([address, { label, favourite }]) {
    const number = unitTable.find(address);
    const name = element("b", {}, address);
    return element(
      "li",
      { class: "labeled-unit" },
      number < 0 ? element("span", { class: "pin-none" }, "?") : smallPicture(number, 64),
      element(
        "p",
        {},
        number < 0 ? [name, element("span", { class: "quiet" }, " not in this gallery")] : element("a", { href: view.link({ unit: address }) }, name),
        element("br"),
        element("bdi", {}, label)
      ),
      favourite ? element("span", { class: "favoured", role: "img", "aria-label": "Favourite" }, icon("star")) : null,
      buttonOf(icon("cross"), "plain forget", () => forget(address, { label, favourite }), {
        "aria-label": `Remove label and favourite of ${address}`
      })
    );
  }
  function forget(address, entry) {
    labels.set(address, { label: "", favourite: false });
    pagePlace.querySelector(".label-file button")?.focus();
    showMessage(
      `The label of ${address} is removed`,
      buttonOf("Undo", "plain undo", () => restore(() => labels.set(address, entry)))
    );
  }
  function restore(undo) {
    undo();
    showMessage("Taken back");
    focusShown();
  }
  function exportLabels() {
    const url = URL.createObjectURL(new Blob([labels.toText()], { type: "application/json" }));
    element("a", { href: url, download: "featviz-labels.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 6e4);
    showMessage(`${counted(labels.size, "unit")} exported to featviz-labels.json`);
  }
  async function importLabels(file) {
    let found;
    try {
      found = readLabels(await file.text());
    } catch (error) {
      showMessage(`${file.name} was not imported: ${error.message}`);
      return;
    }
    const { model: model2, weights, entries } = found;
    if (model2 === LABELS.model && weights.startsWith(LABELS.weights)) {
      takeLabels(entries);
      return;
    }
    const known = entries.size - unknownOf(entries);
    const anyway = buttonOf("Import anyway", "plain", () => {
      takeLabels(entries);
      focusShown();
    });
    showMessage(
      `${file.name} holds labels of another model, ${model2.slice(0, 60)} with weights ${weights.slice(0, 8)}; this gallery has ${known} of its ${counted(entries.size, "unit")}.`,
      anyway
    );
  }
  var unknownOf = (entries) => [...entries.keys()].filter((address) => unitTable.find(address) < 0).length;
  function takeLabels(entries) {
    const result = labels.add(entries);
    const unknown = unknownOf(entries);
    const facts = [
      `${result.added} new`,
      `${result.changed} changed`,
      `${result.same} the same`,
      ...unknown ? [`${unknown} of units that this gallery does not hold`] : []
    ];
    showMessage(
      `Imported: ${facts.join(", ")}.`,
      result.added + result.changed ? buttonOf("Undo", "plain undo", () => restore(result.undo)) : null
    );
  }
  function labelsBody() {
    const entries = labels.entries();
    const places = new Map(entries.map(([address]) => [address, unitTable.find(address)]));
    const last = (address) => places.get(address) < 0 ? Infinity : places.get(address);
    entries.sort(([one], [other]) => last(one) - last(other) || (one < other ? -1 : 1));
    return [
      element(
        "p",
        { class: "lead" },
        entries.length ? `${counted(entries.length, "unit")} with a label or a star, kept in this browser.` : "No unit has a label or a star yet. Give them on a unit\u2019s page, or import a file."
      ),
      labels.trouble ? element("p", { class: "notice label-trouble" }, labels.trouble) : null,
      element("ul", { class: "labeled" }, entries.map(labeledUnit))
    ].filter((node) => node !== null);
  }
  function showLabels(place) {
    document.title = `Labels \xB7 ${model.name} \xB7 featviz gallery`;
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
    place.replaceChildren(
      element(
        "header",
        {},
        breadcrumbs(),
        element("h1", { tabindex: "-1", class: "plain-title" }, "Labels and favourites")
      ),
      element(
        "div",
        { class: "label-file" },
        buttonOf("Export as a file", "button", exportLabels),
        buttonOf("Import a file", "button", () => input.click()),
        input,
        element(
          "p",
          { class: "quiet" },
          "What an imported file says of a unit replaces what is here; units that it does not name stay as they are."
        )
      ),
      body
    );
    place.querySelector("h1").focus({ preventScroll: true });
  }
  document.addEventListener(
    "labels",
    () => pagePlace.querySelector(".label-list")?.replaceChildren(...labelsBody())
  );

  // sections/figures.js
  function pictureOf([number, width, height], shown, alt, loading = "lazy") {
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
  function legend(scale, low, high) {
    return element(
      "span",
      { class: "legend" },
      element("span", {}, rounded(low)),
      element("img", {
        src: `${dataFolder}/figures/${scale[0]}.webp`,
        alt: "to",
        width: 96,
        height: 8
      }),
      element("span", {}, rounded(high))
    );
  }
  var beyond = (scale, low, high, most) => [
    legend(scale, low, high),
    most > high ? element("span", {}, ` up to ${rounded(most)}`) : null
  ];
  var shownWidth = (width) => width < 160 ? wholeWidth(width, 160) : 160;

  // sections/enlarge.js
  var enlargedDialog = document.getElementById("zoom");
  var enlarged = /* @__PURE__ */ new WeakMap();
  function enlargeable(figure, width, alt, caption) {
    const button = element(
      "button",
      { type: "button", class: "zoom", "aria-haspopup": "dialog" },
      pictureOf(figure, width, alt)
    );
    enlarged.set(button, { figure, alt, caption });
    button.addEventListener("click", () => openEnlarged(button));
    return button;
  }
  function openEnlarged(button) {
    const { figure, alt, caption } = enlarged.get(button);
    const width = fittingWidth(figure, innerWidth * 0.92, innerHeight * 0.74);
    const all = [...button.closest("#section").querySelectorAll("button.zoom")];
    const at = all.indexOf(button);
    const go = (by, label, arrow) => {
      const other = all[at + by];
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
      element(
        "figure",
        {},
        pictureOf(figure, width, alt, "eager"),
        element("figcaption", {}, caption())
      ),
      element(
        "div",
        { class: "steps" },
        go(-1, "Previous picture", "\u2190"),
        go(1, "Next picture", "\u2192"),
        close
      )
    );
    if (!enlargedDialog.open) enlargedDialog.showModal();
    close.focus();
    enlargedDialog.onclose = () => button.focus({ preventScroll: true });
    enlargedDialog.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && all[at + by]) openEnlarged(all[at + by]);
    };
  }
  enlargedDialog.addEventListener("click", (event) => {
    if (event.target === enlargedDialog) enlargedDialog.close();
  });

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
      if (!finite.length) return `sample ${i + 1} has no finite value`;
      return `sample ${i + 1} goes from ${measured(finite[0])} to ${measured(finite.at(-1))}`;
    });
    return `Activation over ${lines[0].length} steps: ${parts.join("; ")}.`;
  }
  function activationPlot(lines, width) {
    const range = valueRange(lines);
    const steps2 = Math.max(...lines.map((line2) => line2.length));
    if (range === null || steps2 === 0)
      return element("p", { class: "notice" }, "No finite value was recorded.");
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
      const colour = sampleColour(i);
      svg.append(svgElement("path", { class: `line ${colour}`, d: linePath(line2, x, y) }));
      if (lines.length > 1) {
        svg.append(
          svgElement(
            "text",
            { class: `end ${colour}`, x: right + 7, y: heights[i] + 4 },
            String(i + 1)
          )
        );
      }
    });
    return svg;
  }
  function activationFigure(lines) {
    const place = element("div", { class: "place" });
    new ResizeObserver(() => {
      if (place.clientWidth) place.replaceChildren(activationPlot(lines, place.clientWidth));
    }).observe(place);
    return element(
      "figure",
      { class: "trajectory" },
      place,
      element(
        "figcaption",
        {},
        "Activation at each step of the optimisation, on the randomly transformed view of that step. The value given with a picture is measured on the finished picture itself."
      )
    );
  }

  // shared/tables.js
  function settingsTable(settings) {
    return element(
      "details",
      {},
      element("summary", {}, "Settings"),
      element(
        "dl",
        { class: "settings" },
        settings.map(([key, value]) => [element("dt", {}, key), element("dd", {}, value)])
      )
    );
  }
  function tableOf(summary, heads, rows) {
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
                cells.map(
                  ([first, ...rest]) => element(
                    "tr",
                    {},
                    element("th", { scope: "row" }, first),
                    rest.map((cell) => element("td", {}, cell))
                  )
                )
              )
            )
          )
        );
      },
      { once: true }
    );
    return details;
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
    const favourite = buttonOf(
      [icon("star"), "Favourite"],
      "button favourite",
      () => setFavourite(address)
    );
    const pin = buttonOf([icon("pin"), "Pin"], "button pin", () => pins.toggle(address));
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
      favourite,
      pin,
      link,
      shown,
      element("p", { class: "label-trouble quiet", hidden: "" })
    );
    const fill = () => {
      const entry = labels.get(address);
      if (document.activeElement !== input) input.value = entry.label;
      favourite.setAttribute("aria-pressed", entry.favourite);
      pin.setAttribute("aria-pressed", pins.has(address));
      bar.lastChild.hidden = !labels.trouble;
      bar.lastChild.textContent = labels.trouble ?? "";
    };
    input.addEventListener("blur", () => setLabel(address, input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") input.value = labels.get(address).label;
      if (event.key === "Enter" || event.key === "Escape") {
        event.stopPropagation();
        input.blur();
        pagePlace.querySelector("h1").focus({ preventScroll: true });
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
  function setFavourite(address) {
    const favourite = !labels.get(address).favourite;
    labels.set(address, { favourite });
    showMessage(favourite ? `${address} is a favourite` : `${address} is no longer a favourite`);
  }
  for (const change of ["labels", "pins"])
    document.addEventListener(change, () => pagePlace.querySelector(".unit-tools.of-one")?.refill());

  // unit/command.js
  function commandBlock(command) {
    if (command === null) {
      return element(
        "p",
        { class: "notice" },
        "No command is offered: a name in this store is not safe to paste into a shell."
      );
    }
    const words = command.split(" ").flatMap((word) => [" ", element("span", {}, word)]);
    const code = element("code", {}, words.slice(1));
    const copy = buttonOf("Copy command", "copy-command", () => copyText(command, "Command", code));
    return element(
      "div",
      { class: "command" },
      element("h3", {}, "Reproduce"),
      element("pre", { tabindex: "0", role: "region", "aria-label": "Command" }, code),
      copy
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
    chartScale(svg, low, high, y, right);
    const step2 = (right - CHART.left) / rows.length;
    rows.forEach(([name, below, effect], i) => {
      const at = CHART.left + step2 * (i + 0.5);
      svg.append(
        svgElement(
          "text",
          { class: "tick strong", x: at, y: bottom + 20, "text-anchor": "middle" },
          name
        ),
        svgElement("text", { class: "tick", x: at, y: bottom + 37, "text-anchor": "middle" }, below)
      );
      if (effect.estimate === null) return;
      const colour = i < rows.length - 2 ? "sample-0" : `sample-${i - rows.length + 3}`;
      if (effect.low !== null)
        svg.append(
          svgElement("line", {
            class: `whisker ${colour}`,
            x1: at,
            x2: at,
            y1: y(effect.low),
            y2: y(effect.high)
          })
        );
      svg.append(
        svgElement("circle", { class: `dot ${colour}`, cx: at, cy: y(effect.estimate), r: 4.5 })
      );
    });
    return svg;
  }

  // unit/interventions.js
  var DOSE_NAMES = { picture: ["own picture", "own"], other: ["another\u2019s picture", "other"] };
  function doseFigure({ doses, label, neutral }) {
    const rows = Object.entries(doses).filter(([, { effect }]) => effect.estimate !== null);
    if (!rows.length) return null;
    const name = (dose, short = 0) => DOSE_NAMES[dose]?.[short] ?? `${dose}th`;
    const description = `Change of the margin of ${label} by the activation that is put in: ${rows.map(([dose, { effect }]) => `${name(dose)} ${brief(effect.estimate)}`).join("; ")}.`;
    const interval = ({ low, high }) => low === null ? "\u2013" : `${hundredths(low)} to ${hundredths(high)}`;
    return element(
      "section",
      { "aria-label": "Dose and response" },
      element("h3", {}, "Dose and response"),
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
          ` in ${counted(neutral, "neutral image")}, with 95\xA0% intervals, when the activation below is put in: that on the natural images at these percentiles, on the neuron\u2019s own picture, and on another\u2019s.`
        ],
        tableOf(
          "Values",
          ["Dose", "activation", "effect", "95 % interval", "images of the class then"],
          () => rows.map(([dose, { activation, effect, converted }]) => [
            name(dose),
            brief(activation),
            hundredths(effect.estimate),
            interval(effect),
            percent(converted)
          ])
        )
      )
    );
  }
  function profileBars({ profile, agreement }) {
    const total = profile.total ?? [];
    if (!total.length) return null;
    const direct = new Map(profile.direct);
    const up = total.filter(([, value]) => value > 0);
    const down = total.filter(([, value]) => value <= 0).sort(([, one], [, other]) => one - other);
    const most = Math.max(...total.map(([, value]) => Math.abs(value ?? 0)));
    const ranks = Object.entries(agreement).filter(([, value]) => value !== null);
    const bars = (caption, rows) => rows.length ? barList(caption, rows, most) : null;
    return element(
      "section",
      { "aria-label": "Effect by class" },
      element("h3", {}, "Effect by class"),
      element(
        "p",
        { class: "quiet" },
        "What is lost of each class\u2019s logit when the neuron is kept at its mean: the strongest at either end. These effects were not tested."
      ),
      element("div", { class: "sided" }, bars("Supports", up), bars("Opposes", down)),
      tableOf(
        "Total and direct effects",
        ["Class", "total", "straight to the head"],
        () => total.map(([name, value]) => [
          className(name),
          brief(value),
          brief(direct.get(name) ?? null)
        ])
      ),
      ranks.length ? element(
        "dl",
        { class: "value-list" },
        element("dt", {}, "Rankings"),
        element(
          "dd",
          {},
          "Rank correlation over all classes of ",
          ranks.map(([pair, value], i) => [
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
  function mediationBlock({ mediation, mediation_control: control, label }) {
    if (mediation === null) return null;
    const row = (name, share) => [name, share];
    const rows = [
      row("this neuron", mediation),
      ...control === null ? [] : [row("others of its layer and level, median", control)]
    ];
    return element(
      "section",
      { "aria-label": "Mediation" },
      element("h3", {}, "Mediation"),
      element(
        "p",
        { class: "quiet" },
        "Share of the margin that its picture gives ",
        className(label),
        " which is gone with a neuron kept at its mean."
      ),
      barList(
        "Share that is gone",
        rows,
        Math.max(1, ...rows.map(([, share]) => Math.abs(share))),
        (share) => percent(Math.round(1e3 * share) / 1e3 || 0)
      )
    );
  }
  function interventionsBlock({ evidence }) {
    const verdict = evidence?.verdict;
    if (!verdict) return null;
    const claims = verdict.silent ? [] : Object.entries(verdict.claims).filter(([name]) => Object.hasOwn(CLAIM_TEXTS, name));
    const made = claims.filter(([, claim]) => claim.holds);
    const tested = claims.filter(([, claim]) => !claim.holds);
    return element(
      "section",
      { class: "evidence", "aria-label": "What interventions measured" },
      element("h2", {}, "What interventions measured"),
      claims.length ? element(
        "ul",
        { class: "verdicts", "aria-label": "Statements" },
        made.map(
          ([name]) => chip(true, [
            CLAIM_TEXTS[name],
            ...verdict.label === null ? [] : [" for ", className(verdict.label)]
          ])
        ),
        tested.map(
          ([name, { p }]) => element(
            "li",
            { class: "not-shown" },
            p === null ? "not tested: " : "not shown: ",
            CLAIM_TEXTS[name]
          )
        )
      ) : null,
      element(
        "ul",
        { class: "sentences" },
        evidence.sentences.map((sentence) => element("li", {}, sentence))
      ),
      verdict.silent ? null : element("div", { class: "sided" }, doseFigure(verdict), mediationBlock(verdict)),
      verdict.silent ? null : profileBars(verdict)
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
    chartScale(svg, low, high, y, right);
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
    for (const [, values, colour] of lines) {
      svg.append(svgElement("path", { class: `line ${colour}`, d: linePath(values, x, y) }));
      if (values.length === 1 && values[0] !== null)
        svg.append(
          svgElement("circle", { class: `dot ${colour}`, cx: x(0), cy: y(values[0]), r: 3 })
        );
    }
    return svg;
  }

  // unit/numbers.js
  function standing(key, number) {
    const column = unitTable.numbers.find((one) => one.key === key);
    const own = unitTable.number(key, number);
    if (!column || column.higher === null || own === null) return null;
    let [worse, others] = [0, 0];
    for (const value of unitTable.columnar.get(key)) {
      if (value === null) continue;
      others += 1;
      if (value === own) worse += 0.5;
      else if (value < own === column.higher) worse += 1;
    }
    return others > 1 ? { share: (worse - 0.5) / (others - 1), others: others - 1 } : null;
  }
  function numberRow(unit, [key, name, meaning]) {
    const value = unitTable.number(key, unit.number);
    if (value === null) return null;
    const stands = standing(key, unit.number);
    const place = stands ? [
      shareTrack(stands.share),
      element(
        "span",
        { class: "quiet" },
        `better than ${Math.round(100 * stands.share)}\xA0% of ${stands.others.toLocaleString("en")}`
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
      element("td", { class: "value" }, brief(value)),
      element("td", { class: "place-among" }, place)
    );
  }
  function numbersBlock(unit, { evidence }) {
    if (!evidence) return null;
    const rows = NUMBER_TEXTS.map((entry) => numberRow(unit, entry)).filter(Boolean);
    const checks = knownChecks(evidence);
    if (!rows.length && !checks.length) return null;
    return element(
      "section",
      { class: "evidence", "aria-label": "How far to trust the picture" },
      element("h2", {}, "How far to trust the picture"),
      checks.length ? element("ul", { class: "verdicts", "aria-label": "Checks" }, checks.map(checkChip)) : null,
      rows.length ? element(
        "div",
        {
          class: "numbers",
          tabindex: "0",
          role: "region",
          "aria-label": "Numbers of the picture"
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
              ["Number", "Picture", "Among the units of this page"].map(
                (head) => element("th", { scope: "col" }, head)
              )
            )
          ),
          element("tbody", {}, rows)
        )
      ) : null,
      routeFigure(evidence.route)
    );
  }
  var shortLayer = (name) => name.replace(/^(blocks|layers|stages)\./, "").replace(/^patch_embed$/, "in");
  function routeFigure(route2) {
    if (!route2) return null;
    const lines = [
      ["this picture", route2.picture, "sample-1"],
      ["natural images that excite the unit, to each other", route2.natural, "sample-0"],
      ["other images of their classes", route2.same, "sample-2"],
      ["images of other classes", route2.different, "sample-7"]
    ];
    const last = (values) => brief(values.findLast((value) => value !== null) ?? null);
    const description = `Similarity over ${route2.layers.length} layers to the natural images that excite the unit. At the last: ${lines.map(([name, values]) => `${name} ${last(values)}`).join("; ")}.`;
    const rows = () => route2.layers.map((layer, i) => [layer, ...lines.map(([, values]) => brief(values[i]))]);
    return element(
      "section",
      { "aria-label": "Path through the layers" },
      element("h3", {}, "Path through the layers"),
      chartFigure(
        (width) => linesPlot(lines, route2.layers.map(shortLayer), width, description),
        "Similarity, layer by layer, to the natural images that excite the unit.",
        chartLegend(lines.map(([name, , colour]) => [name, colour])),
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
          ([number, text]) => element(
            "li",
            {},
            element(
              "a",
              {
                href: view.link({ unit: unitTable.address(number) }),
                title: unitTable.address(number)
              },
              smallPicture(number, 96),
              element("span", { class: "caption" }, text)
            )
          )
        )
      )
    );
  }
  function otherTokens(unit) {
    const whole = unit.address.split("@")[0];
    const { offset, count } = unitTable.siteOf(unit.number);
    const found = [];
    for (let i = offset; i < offset + count; i += 1) {
      const address = unitTable.address(i);
      if (address === whole || address.startsWith(`${whole}@`)) found.push(i);
    }
    if (found.length < 2) return null;
    const first = Math.max(
      0,
      Math.min(found.indexOf(unit.number) - STRIP_MOST / 2, found.length - STRIP_MOST)
    );
    const shown = found.slice(first, first + STRIP_MOST);
    const lead = shown.length < found.length ? `${shown.length} of ${counted(found.length, "picture")}, those around this one.` : "";
    const strip = unitStrip(
      whole.includes(".qk:") ? "The same head at other tokens" : "The same unit at other tokens",
      lead,
      shown.map((i) => [i, unitTable.address(i).slice(whole.length) || "all patches"])
    );
    strip.querySelectorAll("a")[shown.indexOf(unit.number)].setAttribute("aria-current", "page");
    return strip;
  }
  function similarUnits(similar) {
    const strip = (heading, lead, found) => unitStrip(
      heading,
      lead,
      (found ?? []).map(([number, likeness]) => [
        number,
        [unitTable.address(number), element("b", {}, hundredths(likeness))]
      ])
    );
    return [
      strip(
        "Pictures most like this one",
        "Likeness of the pictures, from 0 to 1.",
        similar?.picture
      ),
      strip(
        "Units active on the same images",
        "Share of the images that excite this unit most which excite the other most, too.",
        similar?.activation
      )
    ];
  }

  // unit/page.js
  var ALSO = {
    filters: "the filter itself",
    attention: "where the head looks",
    grids: "grid of the head",
    gradients: "gradients on images",
    tokens: "token by token",
    compare: "its match in another model"
  };
  function alsoAbout(links) {
    if (!links.length) return null;
    const items = links.map(
      ([section, address]) => element("a", { href: `#${section}=${escapeForHash(address)}` }, ALSO[section])
    );
    return element("nav", { class: "also", "aria-label": "Also about this unit" }, "Also: ", items);
  }
  function renderBlock(unit, render, detail) {
    const group = model.groups[render.group];
    return element(
      "section",
      {
        class: `render ${render.sides > 1 ? "sides" : "whole"}`,
        "aria-label": unit.renders.length > 1 ? group.label : "Pictures"
      },
      unit.renders.length > 1 ? element("h2", {}, group.label) : null,
      model.thumbnailsOnly ? smallPictureFigure(unit) : samplesFigure(unit, render, detail),
      element(
        "div",
        { class: "beside" },
        activationFigure(detail.trajectory),
        commandBlock(detail.command),
        settingsTable(group.settings)
      )
    );
  }
  function missingUnit(address) {
    return [
      element("header", {}, breadcrumbs(), element("h1", { tabindex: "-1" }, address)),
      element(
        "p",
        { class: "notice" },
        "This gallery holds no such unit. ",
        element("a", { href: "#" }, "All units")
      )
    ];
  }
  async function showUnit(place, address) {
    const number = unitTable.find(address);
    document.title = `${address} \xB7 ${model.name} \xB7 featviz gallery`;
    if (number < 0) {
      place.replaceChildren(...missingUnit(address));
      place.querySelector("h1").focus({ preventScroll: true });
      return;
    }
    const unit = unitAt(number);
    const header = element(
      "header",
      {},
      breadcrumbs(element("a", { href: siteHash(unit.site) }, unit.site)),
      element("h1", { tabindex: "-1" }, unit.address),
      steps(unit),
      unitActions(unit)
    );
    place.replaceChildren(header);
    header.querySelector("h1").focus({ preventScroll: true });
    let details;
    try {
      details = (await Promise.all(unit.renders.map((render) => loadEntry("details", render.row)))).map(detailOf);
    } catch (error) {
      if (header.parentNode === place) place.append(missingFile(error));
      return;
    }
    if (header.parentNode !== place) return;
    const evident = details.find(({ evidence }) => evidence) ?? details[0];
    const blocks = [
      alsoAbout(details[0].links),
      ...unit.renders.map((render, i) => renderBlock(unit, render, details[i])),
      examplesBlock(evident),
      numbersBlock(unit, evident),
      interventionsBlock(evident),
      otherTokens(unit),
      ...similarUnits(details[0].similar)
    ];
    place.append(...blocks.filter((block) => block !== null));
  }

  // sections/blocks.js
  var sectionHead = (title, ...lead) => [
    element("h2", { class: "title", tabindex: "-1" }, title),
    element("p", { class: "lead" }, lead)
  ];
  function blockHead(title, fact) {
    return element("div", { class: "heading" }, element("h3", {}, title), element("p", {}, fact));
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
        blockHead(site, counted(entries.length, noun)),
        element(
          "div",
          { class: className2 },
          entries.map((entry) => section.keep(entry[0], build(entry, site)))
        )
      )
    );
  }
  function addressLink(section, address, text = address) {
    return section.units.has(address) ? element("a", { href: unitHash(address) }, text) : element("span", {}, text);
  }

  // sections/attention.js
  var HEAD = 160;
  function heatFigure(scale, [figure, low, high, most = high], address, text) {
    const ends = () => beyond(scale, low, high, most);
    const caption = () => [element("b", {}, address), listed(["", text]), " ", ends()];
    return element(
      "figure",
      {},
      enlargeable(figure, wholeWidth(figure[1], HEAD), `${address}, ${text}`, caption),
      element("figcaption", {}, element("span", {}, text), ends())
    );
  }
  function attentionCard(scale, [address, displacement, pattern, [prefix, self, local], entropy, most], site) {
    const known = [prefix, self, local].every((share) => share !== null);
    const rest = known ? Math.max(0, 1 - prefix - self - local) : null;
    const parts = [
      ["class and registers", prefix],
      ["the patch itself", self],
      ["its neighbours", local],
      ["elsewhere", rest]
    ];
    return element(
      "article",
      { class: "card-head", tabindex: "-1", "aria-label": address },
      element("h4", {}, `head ${address.slice(site.length + 1)}`),
      element(
        "div",
        { class: "maps" },
        heatFigure(scale, displacement, address, "by displacement of the key"),
        heatFigure(scale, pattern, address, "queries (rows) to keys")
      ),
      shareBar(parts.map(([name, share]) => [name, share, percent(share)])),
      element(
        "p",
        { class: "quiet" },
        `entropy ${hundredths(entropy)} of at most ${hundredths(most)} nats`
      )
    );
  }
  function attentionView(section, data2) {
    return [
      sectionHead(
        "Attention",
        "Where the heads look, on average over a dataset. In the map by displacement the middle is the patch itself. Each map has its own scale; a few pairs of the second may lie beyond its end."
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

  // sections/filters.js
  var FILTER = 48;
  function filterCell(section, [address, figure, name, [energy, spatial, colour], cluster]) {
    const caption = () => [
      element("b", {}, addressLink(section, address)),
      listed([
        "",
        name,
        `energy ${measured(energy)}`,
        `spatial ${measured(spatial)}`,
        `colour ${measured(colour)}`,
        `cluster ${cluster}`
      ])
    ];
    return section.keep(
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
      return section.keep(
        address,
        element("div", { class: "chip" }, picture, element("span", {}, percent(variance)))
      );
    };
    return element("div", { class: "chips" }, rows.map(cell));
  }
  function positionBlock(scale, { map: [figure, low, high], count }) {
    const alt = "For each patch a map of the likeness of its position embedding to that of every patch";
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
        "The weights of the first layer as pictures, sorted into classes. Within a class, filters that look alike are neighbours."
      ) : sectionHead("First layer"),
      blocksOf(data2.filters, (block) => classBlock(section, block)),
      data2.components.length ? [
        blockHead("Principal components", "of the filters, with their shares of the variance"),
        blocksOf(data2.components, (block) => componentBlock(section, block))
      ] : null,
      data2.positions.length ? [
        blockHead(
          "Position embeddings",
          "each small map stands at the place of its patch: the cosine of that position\u2019s embedding with every other\u2019s"
        ),
        blocksOf(data2.positions, (block) => positionBlock(data2.scale, block))
      ] : null
    ];
  }

  // sections/gradients.js
  function gradientArticle(section, scale, [address, samples]) {
    const heads = ["the image", "through the query", "through the key"];
    const ends = (range) => range.length ? beyond(scale, 0, ...range) : null;
    const caption = (text, range) => () => [
      element("b", {}, address),
      listed(["", text]),
      " ",
      ends(range)
    ];
    const triple = ([image, query, key, value], i) => {
      const pictures = [[image], query, key];
      return element(
        "figure",
        { class: "triple" },
        element(
          "div",
          { class: "three" },
          pictures.map(
            ([figure, ...range], j) => element(
              "div",
              {},
              enlargeable(
                figure,
                shownWidth(figure[1]),
                `${address}, image ${i + 1}, ${heads[j]}`,
                caption(`image ${i + 1}, ${heads[j]}`, range)
              ),
              element("span", { class: "quiet" }, heads[j], ends(range))
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
        "Which pixels raise or lower a logit: how long its gradient is at each pixel, when it may flow through the query only, and through the key only. The image is dim where the gradient is small."
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

  // sections/grids.js
  function gridFigure(section, [address, figure, queries, keys2, activation]) {
    const head = address.split("@")[0];
    const caption = () => element("b", {}, address);
    const rows = () => queries.map((query, i) => [
      `q${query}`,
      ...keys2.map(
        (key, j) => addressLink(section, `${head}@q${query}.k${key}`, measured(activation[i][j]))
      )
    ]);
    return element(
      "figure",
      { class: "labeled", tabindex: "-1" },
      enlargeable(figure, Math.min(figure[1], 1100), address, caption),
      element("figcaption", {}, element("b", {}, address)),
      tableOf("Values", ["query \\ key", ...keys2.map((key) => `k${key}`)], rows)
    );
  }
  function gridsView(section, data2) {
    return [
      sectionHead(
        "Grids",
        "What a head compares: a picture for each pair of a query token (rows) and a key token (columns). A click enlarges."
      ),
      blocksOf(
        data2.grids,
        (block) => layersOf(section, block, "grid", "figures", (entry) => gridFigure(section, entry))
      )
    ];
  }

  // sections/heads.js
  var HEAD_SITE = /^blocks\.(\d+)\.attn\.qk$/;
  function headRows() {
    return unitTable.sites.flatMap((site) => {
      const [, layer] = HEAD_SITE.exec(site.name) ?? [];
      if (layer === void 0) return [];
      const heads = /* @__PURE__ */ new Map();
      for (let i = site.offset; i < site.offset + site.count; i += 1) {
        const [, head] = /^:(\d+)(?=@|$)/.exec(unitTable.tails[i]) ?? [];
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
        "Heads by layer",
        "A row a layer, a column a head: the first unit of each that was rendered. The numbers beside a picture lead to all units of the head, and to where it looks."
      ),
      element(
        "div",
        { class: "overview", tabindex: "0", role: "region", "aria-label": "Heads by layer" },
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
    const many = element(
      "a",
      {
        href: view.link({ layer: site.name, q: `:${head}@`, sort: null, where: [], only: null }),
        "aria-label": `${units.length} units of ${site.name}:${head}`
      },
      `\xD7${units.length}`
    );
    const looks = element(
      "a",
      {
        href: `#attention=${escapeForHash(`${site.name}:${head}`)}`,
        "aria-label": `Where ${site.name}:${head} looks`
      },
      "looks"
    );
    const picture = element(
      "a",
      { href: unitHash(address), title: address },
      smallPicture(units[0], 48)
    );
    return element(
      "td",
      {},
      section.keep(address, picture),
      element(
        "span",
        { class: "more" },
        units.length > 1 ? many : null,
        section.looks ? looks : null
      )
    );
  }

  // sections/other-model.js
  var LAYERS = { text: 11, letter: 6.7, gap: 6, least: 6, most: 30 };
  var cut = (text, room) => text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}\u2026`;
  function layerPlot({ rows, columns, map: [figure], values }, other, own, width, readout) {
    const room = Math.floor(width * 0.34 / LAYERS.letter);
    const letters = (labels2) => Math.min(room, Math.max(...labels2.map((label2) => label2.length)));
    const left = letters(rows) * LAYERS.letter + LAYERS.gap + 20;
    const top = letters(columns) * LAYERS.letter + LAYERS.gap + 22;
    const side = Math.min(LAYERS.most, Math.max(LAYERS.least, (width - left - 2) / columns.length));
    const [across, down] = [side * columns.length, side * rows.length];
    const step2 = Math.ceil((LAYERS.text + 2) / side);
    const label = (i, text, transform, anchor) => i % step2 ? null : svgElement(
      "text",
      { class: "tick", transform, "text-anchor": anchor, dy: "0.35em" },
      cut(text, room),
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
        "aria-label": `Likeness of ${rows.length} layers of ${own} to ${columns.length} of ${other}`
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
    const place = element("div", { class: "layers-place" });
    const readout = element("output", { class: "quiet" });
    new ResizeObserver(() => {
      if (place.clientWidth)
        place.replaceChildren(layerPlot(block, block.other, model.name, place.clientWidth, readout));
    }).observe(place);
    const rows = () => block.rows.map((layer, i) => [layer, ...block.values[i].map(hundredths)]);
    return [
      element(
        "figure",
        { class: "cka" },
        place,
        element("figcaption", {}, legend(scale, 0, 1), " linear CKA ", readout)
      ),
      tableOf("Values", ["layer", ...block.columns], rows)
    ];
  }
  var otherName = ({ other, page }) => page === null ? element("span", {}, other) : element("a", { href: page }, other);
  function matchFigure(section, block, [address, match, correlation, pair, activation, shown]) {
    const link = block.page !== null && shown ? element("a", { href: `${block.page}${unitHash(match)}` }, match) : element("span", {}, match);
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
  function otherModelView(section, data2) {
    return [
      sectionHead(
        "Beside another model",
        "How alike the layers of two models represent the same images, and for units of this model the unit of the other that answers most alike."
      ),
      data2.cka.map((block) => [
        element("h3", { class: "label" }, "Layers beside ", otherName(block)),
        block.label ? element("p", { class: "quiet" }, block.label) : null,
        layersBlock(data2.scale, block),
        settingsTable(block.settings)
      ]),
      data2.matches.map((block) => [
        element("h3", { class: "label" }, "Units matched in ", otherName(block)),
        block.label ? element("p", { class: "quiet" }, block.label) : null,
        layersOf(section, block, "unit", "matches", (entry) => matchFigure(section, block, entry)),
        settingsTable(block.settings)
      ])
    ];
  }

  // sections/report.js
  var REPORT_NUMBERS = { route: "path" };
  var PASS_TEXTS = {
    beats_natural: "excite the unit at least as much as the best natural image",
    converged: "had converged",
    follows_natural: "travel as natural images do",
    necessary: "necessary for a class",
    sufficient: "sufficient for a class",
    pictured: "own picture does more than another\u2019s"
  };
  var EFFECTS = { necessary: "necessity", sufficient: "sufficiency" };
  var CLASS_MOST = 24;
  var reportKey = (name) => REPORT_NUMBERS[name] ?? name;
  function reportPicture(address, text, size = 56) {
    const i = unitTable.find(address);
    if (i < 0) return null;
    return element(
      "a",
      { href: unitHash(address), title: address, class: "report-picture" },
      smallPicture(i, size),
      element("span", {}, text)
    );
  }
  function reportRow(name, found) {
    const [, title, meaning] = NUMBER_TEXTS.find(([key]) => key === reportKey(name)) ?? [
      name,
      name,
      ""
    ];
    const pictures = (entries) => element(
      "div",
      { class: "report-pictures" },
      entries.map(([address, value]) => reportPicture(address, brief(value), 52))
    );
    const known = unitTable.numbers.some(({ key }) => key === reportKey(name));
    const heading = known ? element(
      "a",
      {
        href: view.link({ sort: reportKey(name), down: found.higher_is_better }),
        title: "Sort the units by it"
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
      element("td", {}, pictures(found.best)),
      element("td", {}, pictures(found.worst))
    );
  }
  function reportNumbers({ numbers }) {
    const rows = Object.entries(numbers).map(([name, found]) => reportRow(name, found));
    if (!rows.length) return null;
    return element(
      "section",
      { "aria-label": "Numbers" },
      blockHead("Numbers", "of each unit\u2019s best picture"),
      element(
        "div",
        {
          class: "report-table",
          tabindex: "0",
          role: "region",
          "aria-label": "Numbers over all pictures"
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
              ["Number", "5\xA0% \u2026 median \u2026 95\xA0%", "Best", "Worst"].map(
                (head) => element("th", { scope: "col" }, head)
              )
            )
          ),
          element("tbody", {}, rows)
        )
      )
    );
  }
  function reportRanks({ by_rank: ranks }, passes) {
    if (!passes.some((name) => ranks[name])) return [];
    const cells = passes.map(
      (name) => element("td", { class: "quiet" }, ranks[name] ? brief(ranks[name]) : "")
    );
    return [element("tr", {}, element("th", { scope: "row" }, "expected by rank"), cells)];
  }
  function reportPasses({ overall, layers: layers2, passes }) {
    if (!passes.length) return null;
    const cell = ({ passed, known }) => known ? element(
      "td",
      {},
      shareTrack(passed / known),
      element("span", {}, `${Math.round(100 * passed / known)}\xA0%`),
      element(
        "span",
        { class: "quiet" },
        ` ${passed.toLocaleString("en")} of ${known.toLocaleString("en")}`
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
      { "aria-label": "What passes" },
      blockHead(
        "What passes",
        "of the units of which it is known; neurons that do not vary count, and pass no statement"
      ),
      element(
        "div",
        {
          class: "report-table",
          tabindex: "0",
          role: "region",
          "aria-label": "Shares that pass, by layer"
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
              passes.map((name) => element("th", { scope: "col" }, PASS_TEXTS[name] ?? name))
            )
          ),
          element(
            "tbody",
            {},
            row("all", overall, "overall"),
            ...reportRanks(overall, passes),
            Object.entries(layers2).map(
              ([site, group]) => row(element("a", { href: siteHash(site) }, site), group)
            )
          )
        )
      )
    );
  }
  function effectOf(name, address) {
    const value = unitTable.number(EFFECTS[name], unitTable.find(address));
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
              addresses.length > CLASS_MOST ? `, ${CLASS_MOST} of them` : ""
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
      { "aria-label": "Statements by class" },
      blockHead(
        "Statements by class",
        "neurons by falling effect; each was tested for one class only"
      ),
      element("div", { class: "report-classes" }, blocks)
    );
  }
  function reportView(_section, data2) {
    return [
      sectionHead(
        "Report",
        `How the pictures of ${counted(data2.units, "unit")} do beside natural images, and what interventions say of their neurons. Statements are made up to a false discovery rate of 5\xA0% over the neurons of a store. That is about images: one neuron in twenty stands above its controls by rank alone, so that the number expected is beside the number found. \u201CNot shown\u201D is no proof of the contrary.`
      ),
      reportPasses(data2),
      reportNumbers(data2.overall),
      reportClasses(data2)
    ];
  }

  // sections/tokens.js
  function tokenCard(section, [address, [figure], share, likeness, count, detail], site) {
    const caption = () => [
      element("b", {}, addressLink(section, address)),
      listed(["", `median ${percent(share)}`, `likeness ${hundredths(likeness)}`])
    ];
    const rows = async () => {
      const [tokens, optimum, reached, shares, similarity] = await loadEntry("tokens", detail);
      return tokens.map((token, i) => [
        addressLink(section, `${address}@${token}`, String(token)),
        measured(optimum[i]),
        measured(reached[i]),
        percent(shares[i]),
        hundredths(similarity[i])
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
        element("span", { class: "quiet" }, `likeness ${hundredths(likeness)}`)
      ),
      tableOf(counted(count, "token"), ["token", "optimum", "reached", "share", "likeness"], rows)
    );
  }
  function tokensView(section, data2) {
    return [
      sectionHead(
        "Token by token",
        "How far the picture over all patches sums up what a unit looks for at each of them: by how much it raises the value at a token above that on grey, as a share of what the picture made for that token does. ",
        legend(data2.scale, 0, 1),
        " A patch is grey where no picture was made for it, or that one does no better than grey."
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

  // sections/traces.js
  function tracedText(address) {
    const [name, rest = ""] = address.split(":");
    const [metric, images] = rest.split("@");
    return listed([name, metric.replaceAll("_", " "), images?.replaceAll("-", " ")].filter(Boolean));
  }
  function traceFigure([address, figure]) {
    const text = tracedText(address);
    return element(
      "figure",
      { class: "labeled", tabindex: "-1" },
      enlargeable(figure, Math.min(figure[1], 1100), text, () => element("b", {}, text)),
      element("figcaption", {}, element("b", {}, text))
    );
  }
  function tracesView(section, data2) {
    return [
      sectionHead(
        "Effects of patching",
        "Which part of the model carries a cue: activations of one run were put into another, one site after the other. A click enlarges."
      ),
      blocksOf(data2.figures, (block) => layersOf(section, block, "figure", "figures", traceFigure))
    ];
  }

  // model/sections.js
  var SECTION_NAMES = {
    report: "Report",
    heads: "Heads",
    filters: "Filters",
    attention: "Attention",
    grids: "Grids",
    gradients: "Gradients",
    tokens: "Token by token",
    compare: "Compared",
    traces: "Effects of patching"
  };
  var VIEWS = {
    report: reportView,
    heads: headsView,
    filters: filtersView,
    attention: attentionView,
    grids: gridsView,
    gradients: gradientsView,
    tokens: tokensView,
    compare: otherModelView,
    traces: tracesView
  };
  var Section = class {
    constructor(name) {
      this.name = name;
      this.items = /* @__PURE__ */ new Map();
      this.node = null;
      this.units = { has: (address) => unitTable.find(address) >= 0 };
      this.looks = model.sections.some(([other]) => other === "attention");
    }
    /** Whether the section is built from a data script of its own. */
    get hasData() {
      return this.name !== "heads";
    }
    /** Nodes of the view. */
    build(data2) {
      return VIEWS[this.name](this, data2);
    }
    /** Remember the node of an address, for links that lead to it. */
    keep(address, node) {
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
    views.append(
      ...[...units, ...counts].map(
        ([name, count]) => element(
          "a",
          { href: `#${name}` },
          name ? SECTION_NAMES[name] : "Units",
          " ",
          element("span", { class: "quiet" }, count.toLocaleString("en"))
        )
      ),
      element("a", { href: "#labels", class: "to-labels" }, "Labels")
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
    const samples = unitData.renders.flat().reduce((sum, [group, , count]) => sum + count * model2.groups[group].sides, 0);
    const facts = [
      model2.weights,
      ...unitTable.count ? [counted(unitTable.count, "unit"), counted(samples, "picture")] : []
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
    const left = failures.length - FAILURES_SHOWN;
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
      left > 0 ? element(
        "p",
        { class: "quiet" },
        `and ${left.toLocaleString("en")} more, which \u201Cfeatviz info\u201D lists`
      ) : null
    );
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
    const { favourite } = labels.get(address);
    const pinned = pins.has(address);
    cellButtons.replaceChildren(
      buttonOf(icon("star"), "cell-tool", () => labels.set(address, { favourite: !favourite }), {
        tabindex: "-1",
        "aria-pressed": favourite,
        "aria-label": `Favourite ${address}`,
        title: "Favourite (f)"
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

  // model/keys.js
  var isPageShown = () => !pagePlace.hidden;
  var isUnitShown = () => isPageShown() && pagePlace.querySelector(".unit-tools .label-input") !== null;
  var click = (selector) => pagePlace.querySelector(selector)?.click();
  var focusedCell = () => cellAddress(document.activeElement);
  function chooseSample(place) {
    pagePlace.querySelector(".choices")?.children[place]?.click();
  }
  function addKeys(grid2, layers2, toolbar2, shown) {
    addUnitKeys();
    addMarkKeys();
    addListKeys(grid2, layers2, toolbar2, shown);
    leaveBoxes(grid2, toolbar2);
  }
  function addUnitKeys() {
    keys.add("Unit", "ArrowLeft", "Previous unit", () => click("a[rel=prev]"), isUnitShown);
    keys.add("Unit", "ArrowRight", "Next unit", () => click("a[rel=next]"), isUnitShown);
    keys.add("Unit", "Escape", "Back to the list", () => click("a.back"), isPageShown);
    keys.add("Unit", "f", "Favourite, or no longer", () => click(".favourite"), isUnitShown);
    keys.add(
      "Unit",
      "l",
      "Write a label",
      () => pagePlace.querySelector(".label-input").select(),
      isUnitShown
    );
    keys.add("Unit", "p", "Pin, or unpin", () => click(".unit-tools .pin"), isUnitShown);
    keys.add("Unit", "y", "Copy the link", () => click(".copy-link"), isPageShown);
    keys.add("Unit", "c", "Copy the command", () => click(".copy-command"), isUnitShown);
    keys.add("Unit", "d", "Download the picture", () => click("a.download"), isUnitShown);
    for (let place = 0; place < 9; place += 1)
      keys.add(
        "Unit",
        String(place + 1),
        "Choose a sample: 1 is the most active",
        () => chooseSample(place),
        isUnitShown
      );
  }
  function addMarkKeys() {
    const inCell = () => focusedCell() !== null;
    keys.add("List", "f", "Favourite, or no longer", () => setFavourite(focusedCell()), inCell);
    keys.add("List", "p", "Pin, or unpin", () => pins.toggle(focusedCell()), inCell);
    keys.add(
      "Anywhere",
      "b",
      "Compare what is pinned, side by side",
      () => view.go({ pins: pins.list() }),
      () => pins.list().length > 0
    );
  }
  function addListKeys(grid2, layers2, toolbar2, shown) {
    const inGrid = () => grid2.focused() !== null;
    keys.add("List", "/", "Search addresses and labels", () => toolbar2.search.select(), shown.units);
    keys.add("List", "g", "Go to an address", () => toolbar2.find.input.select(), shown.units);
    keys.add("List", "s", "Sort", () => toolbar2.sort.focus(), shown.units);
    keys.add("List", "n", "Filter by numbers", () => toolbar2.open(true), shown.units);
    keys.add("List", "r", "A unit by chance", () => toolbar2.random(), shown.units);
    keys.add("List", "[", "Layer before", () => layers2.step(-1), shown.units);
    keys.add("List", "]", "Layer after", () => layers2.step(1), shown.units);
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"])
      keys.add("List", key, "Unit beside, above or below", null, inGrid);
    for (const key of ["Home", "End"])
      keys.add("List", key, "First or last unit of the row; with Ctrl, of the list", null, inGrid);
    for (const key of ["PageUp", "PageDown"])
      keys.add("List", key, "A screenful up or down", null, inGrid);
    keys.add("List", "Enter", "Open the unit", null, inGrid);
    keys.add(
      "List",
      "l",
      "Write a label",
      () => {
        document.activeElement.click();
        pagePlace.querySelector(".label-input").select();
      },
      inGrid
    );
    keys.add(
      "List",
      "Escape",
      "All units, without filter",
      () => view.go({ q: "", where: [], layer: null, only: null }),
      shown.lists
    );
  }
  function leaveBoxes(grid2, toolbar2) {
    toolbar2.place.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (!toolbar2.ranges.node.hidden && toolbar2.ranges.node.contains(event.target)) {
        toolbar2.open(false);
        toolbar2.toggle.focus();
      } else grid2.place.querySelector('a.cell[tabindex="0"]')?.focus();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // model/page.js
  var listsPlace = document.getElementById("lists");
  var unitsPlace = document.getElementById("units");
  var layersPlace = document.getElementById("sites");
  var toolbarPlace = document.getElementById("tools");
  var failuresPlace = document.getElementById("failures");
  var sectionPlace = document.getElementById("section");
  var emptyNote = document.getElementById("empty");
  var scrollPlaces = /* @__PURE__ */ new Map();
  var grid = new Grid(unitsPlace);
  var layers = new Layers(layersPlace);
  var toolbar = new Toolbar(toolbarPlace);
  var listShown = null;
  var unitShown = null;
  var hashShown = null;
  var isOutdated = false;
  var PAGES = {
    unit: (place, text = "") => showUnit(place, unescapeHash(text)),
    pins: showPins,
    labels: showLabels
  };
  function keepScroll() {
    if (!listsPlace.hidden && listShown !== null) scrollPlaces.set(listShown, scrollY);
  }
  var setTitle = (...parts) => {
    document.title = [...parts, model.name, "featviz gallery"].join(" \xB7 ");
  };
  function showPage({ kind, text, name }) {
    if (kind === "unit" && unitTable.find(name) >= 0) unitShown = name;
    listsPlace.hidden = true;
    pagePlace.hidden = false;
    scrollTo(0, 0);
    PAGES[kind](pagePlace, text);
  }
  function showList(name, isUnits) {
    const returning = listsPlace.hidden && unitShown !== null && (listShown === name || listShown === null);
    listShown = name;
    view.section = isUnits ? null : name;
    pagePlace.hidden = true;
    pagePlace.replaceChildren();
    listsPlace.hidden = false;
    listsPlace.classList.toggle("whole", !isUnits || !unitTable.count);
    for (const node of [layersPlace, toolbarPlace]) node.hidden = !isUnits || !unitTable.count;
    unitsPlace.hidden = failuresPlace.hidden = !isUnits;
    emptyNote.hidden = true;
    sectionPlace.hidden = isUnits;
    markView(isUnits ? "" : name);
    return returning;
  }
  function scrollToList() {
    const { top } = unitsPlace.getBoundingClientRect();
    if (top < covered()) scrollBy(0, top - covered() - 8);
  }
  function showUnits(state) {
    let left = -1;
    if (isOutdated) {
      if (grid.units) left = grid.placeOf(unitTable.find(unitShown));
      unitTable.forget();
      isOutdated = false;
    }
    const units = unitTable.order(state);
    const wasShown = !listsPlace.hidden && !unitsPlace.hidden;
    const returning = showList(view.link({}), true);
    setTitle();
    const changed = grid.units !== units || grid.sort !== state.sort;
    if (changed) grid.fill(units, { headed: state.sort === null, sort: state.sort });
    else grid.draw();
    layers.update();
    toolbar.update(state, units.length);
    emptyNote.hidden = units.length > 0 || !unitTable.count;
    if (state.kind === "failed") document.getElementById("failed")?.scrollIntoView();
    else if (state.kind === "site" && grid.showLayer(state.name)) return;
    else if (returning) showAgain(left);
    else if (!wasShown) returnTo(listShown);
    else if (changed) scrollToList();
    grid.draw();
  }
  function showAgain(left) {
    returnTo(listShown);
    const place = grid.placeOf(unitTable.find(unitShown));
    const nearest = place < 0 ? Math.min(left, grid.units.length - 1) : place;
    if (nearest >= 0) grid.focus(nearest);
  }
  function returnTo(name) {
    scrollTo(0, scrollPlaces.get(name) ?? 0);
  }
  async function showSection(section, address) {
    const returning = showList(section.name, false);
    setTitle(SECTION_NAMES[section.name]);
    sectionPlace.replaceChildren(...section.node ? [section.node] : []);
    if (!section.node) {
      let sectionData = null;
      try {
        if (section.hasData) sectionData = await loadData(`sections/${section.name}`);
      } catch (error) {
        if (listShown === section.name) sectionPlace.replaceChildren(missingFile(error));
        return;
      }
      section.node ??= element("div", {}, section.build(sectionData));
      if (listShown !== section.name || listsPlace.hidden) return;
      sectionPlace.replaceChildren(section.node);
    }
    const item = section.items.get(address);
    if (item) {
      const centre = () => item.scrollIntoView({ block: "center" });
      centre();
      requestAnimationFrame(centre);
      (item.querySelector("button.zoom") ?? item).focus({ preventScroll: true });
      return;
    }
    returnTo(section.name);
    if (returning) {
      const links = [...sectionPlace.querySelectorAll("a")];
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
    else if (sections.has(state.kind)) showSection(sections.get(state.kind), state.name);
    else if (isEmpty && sections.size) showSection(sections.values().next().value);
    else showUnits(state);
    document.dispatchEvent(new Event("view"));
  }
  function updateMarks() {
    isOutdated = listsPlace.hidden || unitsPlace.hidden;
    if (isOutdated) return;
    const state = view.state();
    if (state.only || state.q) unitTable.forget();
    const focused = grid.focused();
    const units = unitTable.order(state);
    if (units === grid.units) {
      grid.refresh();
      return;
    }
    grid.fill(units, { headed: state.sort === null, sort: state.sort });
    toolbar.update(state, units.length);
    emptyNote.hidden = units.length > 0;
    if (focused !== null && units.length) grid.focus(Math.min(focused, units.length - 1));
  }
  grid.onlayer = (name) => {
    if (name !== null) layers.mark(name);
  };
  fillHeader(model);
  fillViews(model, sectionCounts());
  if (model.failures.length) failuresPlace.append(failureSection(model.failures));
  addKeys(grid, layers, toolbar, {
    lists: () => !listsPlace.hidden,
    units: () => !listsPlace.hidden && !unitsPlace.hidden
  });
  for (const change of ["labels", "pins"]) document.addEventListener(change, updateMarks);
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
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("pictures").focus();
  });
  data.page = { labels, pins, unitTable, view, grid };
  route();
})();
