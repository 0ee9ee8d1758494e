/* Made by `make scripts` from gallery/browser. */ "use strict";
(() => {
  // shared/data.js
  globalThis.featviz ??= {};
  var data = globalThis.featviz;

  // shared/dom.js
  function element(tag, attributes = {}, ...children) {
    return filled(document.createElement(tag), attributes, children);
  }
  function filled(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.flat(Infinity).filter((child) => child !== null));
    return node;
  }

  // shared/text.js
  function counted(count, noun) {
    return `${count.toLocaleString("en")}\xA0${noun}${count === 1 ? "" : "s"}`;
  }
  var listed = (items) => items.join("\xA0\xB7 ");

  // index/cards.js
  var NOUNS = {
    filters: "filter",
    attention: "attention head",
    grids: "token grid",
    gradients: "gradient map",
    tokens: "position map",
    compare: "comparison",
    traces: "patching figure"
  };
  var sectionCount = (name, count) => Object.hasOwn(NOUNS, name) ? counted(count, NOUNS[name]) : name;
  function modelCard(model) {
    const strip = model.strip.map(
      (path) => element("img", {
        src: `${model.folder}/${path}.webp`,
        alt: "",
        width: 96,
        height: 96,
        loading: "lazy",
        class: path.startsWith("figures") ? "pixels" : "smooth"
      })
    );
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
      element("h2", {}, element("a", { href: model.page, class: "card-link" }, model.name)),
      element("p", {}, listed(facts)),
      element("div", { class: "strip" }, strip),
      sections.length ? element(
        "nav",
        { class: "card-sections", "aria-label": `Sections of ${model.name}` },
        sections
      ) : null
    );
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

  // shared/address-links.js
  function escapeForHash(text) {
    return encodeURIComponent(text.toWellFormed()).replace(/%(3A|40|2B|2C)/g, decodeURIComponent);
  }
  var unitHash = (address) => `#unit=${escapeForHash(address)}`;

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
          return { sites: data.model.sites, suffixes: data.units.suffixes };
        })()
      );
    }
    return unitLists.get(page);
  }
  function hasUnit({ sites, suffixes }, address) {
    let offset = 0;
    return sites.some(({ name, count }) => {
      offset += count;
      return address.startsWith(name) && suffixes.slice(offset - count, offset).includes(address.slice(name.length));
    });
  }
  async function modelsWith(address) {
    const found = [];
    for (const model of data.models) {
      if (model.units && hasUnit(await unitsOf(model), address)) found.push(model);
    }
    return found;
  }
  var addressInput = document.getElementById("find-unit-address");
  var result = document.getElementById("find-unit-result");
  async function findUnit() {
    const address = addressInput.value.trim();
    if (!address) return;
    result.replaceChildren("Searching\u2026");
    try {
      const links = (await modelsWith(address)).map(
        ({ page, name }) => element("a", { href: `${page}${unitHash(address)}` }, name)
      );
      if (links.length === 1) links[0].click();
      result.replaceChildren(
        ...links.length ? [`${counted(links.length, "model")}: `, ...links.flatMap((link) => [link, " "])] : ["No model has a unit ", element("bdi", {}, address), "."]
      );
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
  document.getElementById("models").append(...data.models.map(modelCard));
  var filtered = data.models.filter((model) => model.filters !== null);
  if (filtered.length > 1) {
    document.getElementById("filters").hidden = false;
    document.getElementById("strips").append(...filtered.map(filterStrip));
    if (location.hash === "#filters") document.getElementById("filters").scrollIntoView();
  }
  initUnitSearch();
})();
