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
  function buttonOf(content, className, action, attributes = {}) {
    const button = element("button", { type: "button", class: className, ...attributes }, content);
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

  // shared/theme.js
  var KEY = "featviz-theme";
  var root = document.documentElement;
  var systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  var isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
  function storedTheme() {
    try {
      return localStorage.getItem(KEY);
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
      if (isDefault) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
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
        show();
      },
      { "aria-label": "Dark theme", title: "Light or dark theme" }
    );
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    systemIsDark.addEventListener("change", show);
    show();
    document.body.append(button);
  }

  // state/data.js
  globalThis.featviz ??= {};
  var data = globalThis.featviz;

  // shared/address-links.js
  function escapeForHash(text) {
    return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
  }
  var unitHash = (address) => `#unit=${escapeForHash(address)}`;

  // shared/text.js
  function counted(count, noun) {
    return `${count.toLocaleString("en")}\xA0${noun}${count === 1 ? "" : "s"}`;
  }
  var listed = (items) => items.join("\xA0\xB7 ");
  var foldedText = (text) => text.normalize("NFKC").toLowerCase();
  var isShortAddress = (text) => /^\d+:\d+$/.test(text);
  function addressHas(address, word) {
    if (!isShortAddress(word)) return address.includes(word);
    const [block, unit] = word.split(":");
    const [, site, index] = /^([^:]*):(\d+)(@.*)?$/s.exec(address) ?? [];
    return index === unit && /\d+/.exec(site)?.[0] === block;
  }

  // index/cards.js
  var NOUNS = {
    images: "own image",
    filters: "filter",
    attention: "attention head",
    grids: "token grid",
    gradients: "gradient map",
    tokens: "position map",
    compare: "comparison",
    traces: "patching result",
    circuits: "circuit"
  };
  var sectionCount = (name, count) => Object.hasOwn(NOUNS, name) ? counted(count, NOUNS[name]) : name;
  var MEASUREMENTS = [
    ["examples", "Natural images", "featviz examples MODEL --data DATA -o STORE"],
    ["scores", "Picture quality", "featviz score STORE"],
    ["validations", "Causal tests", "featviz validate STORE --data DATA"]
  ];
  function measuredList({ measured, units }) {
    return element(
      "ul",
      { class: "measured", "aria-label": "Measurements" },
      MEASUREMENTS.map(([kind, name, command]) => {
        const count = measured[kind];
        return element(
          "li",
          { class: count ? "" : "quiet" },
          element("span", { "aria-hidden": "true" }, count ? "\u2713 " : "\u2013 "),
          count === units ? [name, ": all"] : `${name}: ${count.toLocaleString("en")}`,
          count === units ? "" : ` of ${units.toLocaleString("en")}`,
          count ? null : [", add them with ", element("code", {}, command)]
        );
      })
    );
  }
  function stripPicture(model, [path, address, headline]) {
    const image = element("img", {
      src: `${model.folder}/${path}.webp`,
      alt: "",
      width: 96,
      height: 96,
      loading: "lazy",
      class: path.startsWith("figures") ? "pixels" : "smooth"
    });
    if (address === null) return image;
    const [first] = headline.split(" \xB7 ");
    return element(
      "a",
      {
        href: `${model.page}${unitHash(address)}`,
        title: headline ? `${address}
${headline}` : address
      },
      image,
      shortAddress(address),
      first ? element("b", {}, first) : null
    );
  }
  function modelCard(model) {
    const facts = [
      model.weights,
      ...model.units ? [
        counted(model.units, "unit"),
        counted(model.pictures, "picture"),
        counted(model.sites, "layer")
      ] : [],
      ...model.failures ? [`${model.failures.toLocaleString("en")}\xA0failed`] : []
    ];
    const sections = model.sections.map(
      ([name, count]) => element("a", { href: `${model.page}#${name}` }, sectionCount(name, count))
    );
    return element(
      "li",
      { class: "card" },
      element(
        "div",
        { class: "card-head" },
        element("h2", {}, element("a", { href: model.page, class: "card-link" }, model.name)),
        model.units ? element(
          "a",
          { href: model.page, class: "button primary" },
          `Open ${counted(model.units, "unit")}`
        ) : null
      ),
      element("p", {}, listed(facts)),
      element(
        "div",
        { class: "strip" },
        model.strip.map((entry) => stripPicture(model, entry))
      ),
      model.units ? measuredList(model) : null,
      sections.length ? element(
        "nav",
        { class: "card-sections", "aria-label": `Sections of ${model.name}` },
        sections
      ) : null
    );
  }
  function totals(models) {
    const sum = (key) => models.reduce((total, model) => total + model[key], 0);
    return listed([counted(models.length, "model"), counted(sum("units"), "unit")]);
  }

  // index/filter-strips.js
  function filterStrip(model) {
    const { count, classes, shown } = model.filters;
    const facts = [
      shown.length < count ? `${shown.length} of ${counted(count, "filter")}` : counted(count, "filter"),
      ...classes.map(([name, size]) => `${name} ${size.toLocaleString("en")}`)
    ];
    const pictures = shown.map(
      ([address, [number], name]) => element("img", {
        src: `${model.folder}/figures/${number}.webp`,
        alt: `${address}, ${name}`,
        title: `${address}, ${name}`,
        width: 32,
        height: 32,
        loading: "lazy",
        class: "pixels"
      })
    );
    return element(
      "li",
      {},
      element("h3", {}, element("a", { href: `${model.page}#filters` }, model.name)),
      element("p", {}, listed(facts)),
      element("div", { class: "filter-strip" }, pictures)
    );
  }

  // index/find-unit.js
  var unitLists = /* @__PURE__ */ new Map();
  function loadScript(src) {
    return new Promise((resolve, reject) => {
      const script = element("script", { src });
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error(script.src)));
      document.head.append(script);
    });
  }
  function unitsOf({ page, folder }) {
    if (!unitLists.has(page)) {
      unitLists.set(
        page,
        (async () => {
          await loadScript(`${folder}/model.js`);
          await loadScript(`${folder}/units.js`);
          return { sites: data.model.sites, ...data.units };
        })()
      );
    }
    return unitLists.get(page);
  }
  function matcher(text) {
    const words = foldedText(text).split(/\s+/);
    return (address, headline) => {
      const [name, line] = [address.toLowerCase(), foldedText(headline)];
      return words.every((word) => addressHas(name, word) || line.includes(word));
    };
  }
  function matches({ sites, suffixes, headlines }, text) {
    const isMatch = matcher(text);
    const found = [];
    let index = 0;
    for (const { name, count } of sites) {
      for (const end = index + count; index < end; index += 1) {
        const address = name + suffixes[index];
        if (address === text) return [address];
        if (isMatch(address, headlines[index] ?? "")) found.push(address);
      }
    }
    return found;
  }
  var addressInput = document.getElementById("find-unit-address");
  var result = document.getElementById("find-unit-result");
  var SHOWN = 8;
  function foundUnits({ page, name }, found) {
    if (!found.length) return null;
    const rest = found.length - SHOWN;
    return element(
      "li",
      {},
      element("b", {}, name),
      `: ${counted(found.length, "unit")} `,
      found.slice(0, SHOWN).map((address) => [element("a", { href: `${page}${unitHash(address)}` }, address), " "]),
      rest > 0 ? `and ${rest.toLocaleString("en")} more` : null
    );
  }
  async function findUnit() {
    const text = addressInput.value.trim();
    if (!text) return;
    result.replaceChildren("Searching\u2026");
    try {
      const found = [];
      for (const model of data.models)
        if (model.units) found.push([model, matches(await unitsOf(model), text)]);
      const items = found.map(([model, units]) => foundUnits(model, units)).filter(Boolean);
      const links = items.flatMap((item) => [...item.querySelectorAll("a")]);
      result.replaceChildren(
        ...items.length ? [element("ul", {}, items)] : ["No unit of any model matches ", element("bdi", {}, text), "."]
      );
      if (links.length === 1) links[0].click();
    } catch (error) {
      result.replaceChildren(`A file of this gallery is missing: ${error.message}`);
    }
  }
  function initUnitSearch() {
    document.getElementById("find-unit-button").addEventListener("click", findUnit);
    addressInput.addEventListener("keydown", (event) => {
      if (event.key === "Enter") findUnit();
    });
    document.getElementById("find-unit").hidden = !data.models.some((model) => model.units);
  }

  // index/page.js
  document.getElementById("totals").append(totals(data.models));
  document.getElementById("models").append(...data.models.map(modelCard));
  var filtered = data.models.filter((model) => model.filters !== null);
  if (filtered.length > 1) {
    document.getElementById("filters").hidden = false;
    document.getElementById("strips").append(...filtered.map(filterStrip));
    if (location.hash === "#filters") document.getElementById("filters").scrollIntoView();
  }
  initUnitSearch();
  initTheme();
})();
