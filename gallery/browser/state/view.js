// What is shown is what the hash says, so that every view is a link:
// #KIND[=TEXT][&sort=-KEY][&where=KEY>=NUMBER,...][&q=TEXT][&layer=SITE][&only=WHAT]

import {
  escapeForHash,
  pinsHash,
  siteHash,
  unescapeHash,
  unitHash,
} from "../shared/address-links.js";
import { MARK_TESTS } from "./unit-filter.js";
import { unitTable } from "./unit-table.js";

/** Place of the pages that take the whole window. */
export const pagePlace = document.getElementById("unit");

class View {
  constructor() {
    this.parsed = { hash: null };
    this.section = null; // name of the section that the reader comes from; null from the units
    this.onleave = () => {}; // before another hash is set
    this.onchange = () => {}; // when it is
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
    const lead = unit
      ? unitHash(unit)
      : site
        ? siteHash(site)
        : compared
          ? pinsHash(compared)
          : `#${page ?? (words.length ? "units" : "")}`;
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
}

/** Whether a hash is the page's; an empty one is told as no hash. */
const isShown = (hash) => (hash === "#" ? "" : hash) === location.hash;

/** Words of a hash that say which units a list shows, and how. */
function listWords({ sort, down, where, q, layer, only }) {
  return [
    ...(sort ? [`sort=${down ? "-" : ""}${escapeForHash(sort)}`] : []),
    ...(where.length
      ? [
          `where=${where.map(({ key, op, value }) => escapeForHash(`${key}${op}${value}`)).join(",")}`,
        ]
      : []),
    ...(layer !== null ? [`layer=${escapeForHash(layer)}`] : []),
    ...(only ? [`only=${only}`] : []),
    ...(q ? [`q=${escapeForHash(q)}`] : []),
  ];
}

/** Read a hash; what it says that this page does not know is left out. */
function parseHash(hash) {
  const [lead, ...words] = hash.slice(1).split("&");
  const [, kind, , text] = /^([a-z]*)(=(.*))?$/s.exec(lead) ?? [];
  const state = {
    kind: kind ?? "",
    text,
    name: text === undefined ? undefined : unescapeHash(text),
    sort: null,
    down: false,
    where: [],
    q: "",
    layer: null,
    only: null,
  };
  for (const word of words) {
    const [, key, value] = /^([a-z]+)=(.*)$/s.exec(word) ?? [];
    if (Object.hasOwn(PARAMETERS, key ?? "")) PARAMETERS[key](state, unescapeHash(value));
  }
  return state;
}

const isNumber = (key) => unitTable.numbers.some((number) => number.key === key);

const PARAMETERS = {
  sort(state, value) {
    const key = value.replace(/^-/, "");
    if (isNumber(key)) [state.sort, state.down] = [key, value.startsWith("-")];
  },
  where(state, value) {
    state.where = value.split(",").flatMap((part) => {
      const [, key, op, number] = /^(.+?)(>=|<=|>|<)(.+)$/s.exec(part) ?? [];
      return isNumber(key) && Number.isFinite(Number(number))
        ? [{ key, op, value: Number(number) }]
        : [];
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
  },
};

/** The view of the page. */
export const view = new View();

/** Give the keyboard to what is shown, where the node that had it is gone. */
export function focusShown() {
  (document.querySelector("#unit h1") ?? document.getElementById("pictures")).focus({
    preventScroll: true,
  });
}
