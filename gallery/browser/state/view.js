// The current view. It is stored in the URL hash, so that every view can be linked:
// #SECTION[&group=NAME][&metric=NAME][&images=all][&edges=COUNT], or
// #KIND[=TEXT][&sort=-KEY][&where=KEY>=NUMBER,...][&q=TEXT][&layer=SITE][&only=WHAT][&list=NAME][&FACET=VALUE]
// [&color=WHAT][&at=X,Y,SCALE], where the last two are of the map.
// The list of one layer is #site=SITE; `layer` is its name in the hashes of other views.

import {
  escapeForHash,
  pinsHash,
  siteHash,
  unescapeHash,
  unitHash,
} from "../shared/address-links.js";
import { unitLists } from "./saved/unit-lists.js";
import { ANY, MARK_FILTERS } from "./unit-filter.js";
import { unitTable } from "./unit-table.js";

/** Changes that clear all filters. */
export const NO_FILTERS = { q: "", where: [], layer: null, only: null, list: null, facets: {} };

/** Whether a list is in the order of the layers, each with a heading. */
export const isByLayer = ({ sort, list }) => sort === null && list === null;

/** Name of the section that shows the units as a map; it has the filters of the list. */
export const MAP = "map";

/** Container of the pages that replace the lists. */
export const pageContainer = document.getElementById("unit");

class View {
  constructor() {
    this.parsed = { hash: null };
    this.section = null; // name of the last section shown; null for the units
    this.options = {}; // of that section
    this.onleave = () => {}; // called before the hash changes
    this.onchange = () => {}; // called after the hash has changed
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
    const list =
      state.layer !== null ? siteHash(state.layer) : `#${parameters.length ? "units" : ""}`;
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
}

/** Whether a hash is the current one; `location.hash` is empty for "#". */
const isShown = (hash) => (hash === "#" ? "" : hash) === location.hash;

const sectionHash = (name, options) =>
  [
    `#${name}`,
    ...Object.entries(options).map(([key, value]) => `${key}=${escapeForHash(value)}`),
  ].join("&");

/** Parameters of a hash that filter and sort the list. */
function listParameters({ sort, down, where, q, layer, only, list, facets, color, at }) {
  return [
    ...(sort ? [`sort=${down ? "-" : ""}${escapeForHash(sort)}`] : []),
    ...(where.length
      ? [
          `where=${where.map(({ key, op, value }) => escapeForHash(`${key}${op}${value}`)).join(",")}`,
        ]
      : []),
    ...(layer !== null ? [`layer=${escapeForHash(layer)}`] : []),
    ...(only ? [`only=${only}`] : []),
    ...(list !== null ? [`list=${escapeForHash(list)}`] : []),
    ...Object.entries(facets).map(([key, value]) => `${key}=${escapeForHash(value)}`),
    ...(q ? [`q=${escapeForHash(q)}`] : []),
    ...(color ? [`color=${escapeForHash(color)}`] : []),
    ...(at ? [`at=${escapeForHash(at)}`] : []),
  ];
}

/** Parse a hash. Parts that this page does not know are left out, and named in `problems`. */
function parseHash(hash) {
  const [lead, ...parameters] = hash.slice(1).split("&");
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
    list: null,
    facets: {},
    options: {},
    color: null,
    at: null,
    problems: [],
  };
  for (const parameter of parameters) {
    const [, key, value] = /^([a-z]+)=(.*)$/s.exec(parameter) ?? [];
    if (OPTIONS.has(key)) state.options[key] = unescapeHash(value);
    else if (Object.hasOwn(PARAMETERS, key ?? "")) PARAMETERS[key](state, unescapeHash(value));
    else if (unitTable.facets.has(key)) readFacet(state, key, unescapeHash(value));
    else if (parameter) state.problems.push(`\u201c${unescapeHash(parameter)}\u201d is unknown`);
  }
  if (state.kind === "site" && state.name !== undefined) state.layer = state.name;
  return state;
}

function readFacet(state, key, value) {
  const { values } = unitTable.facets.get(key);
  if (value === ANY || values.includes(value)) state.facets[key] = value;
  else state.problems.push(`no unit has \u201c${key}\u201d \u201c${value}\u201d`);
}

/** Parameters of the sections of activation patching and of circuits. */
const OPTIONS = new Set(["group", "metric", "images", "edges"]);

const isMetric = (key) => unitTable.metrics.some((metric) => metric.key === key);

const PARAMETERS = {
  sort(state, value) {
    const key = value.replace(/^-/, "");
    if (isMetric(key)) [state.sort, state.down] = [key, value.startsWith("-")];
    else state.problems.push(`units have no metric \u201c${key}\u201d`);
  },
  where(state, value) {
    state.where = value.split(",").flatMap((part) => {
      const [, key, op, number] = /^(.+?)(>=|<=|>|<)(.+)$/s.exec(part) ?? [];
      if (isMetric(key) && Number.isFinite(Number(number)))
        return [{ key, op, value: Number(number) }];
      state.problems.push(`\u201c${part}\u201d is no bound of a metric`);
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
    const name = value === "favourites" ? "favorites" : value; // spelling of older links
    if (Object.hasOwn(MARK_FILTERS, name)) state.only = name;
    else state.problems.push(`\u201conly=${value}\u201d is unknown`);
  },
  list(state, value) {
    if (unitLists.has(value)) state.list = value;
    else
      state.problems.push(
        `there is no list \u201c${value}\u201d here; if somebody sent you its file, import it under Labels`,
      );
  },
  color(state, value) {
    state.color = value;
  },
  at(state, value) {
    state.at = value;
  },
};

/** The view of the page. */
export const view = new View();

/** Focus the current view, after the node with the focus was removed. */
export function focusShown() {
  (document.querySelector("#unit h1") ?? document.getElementById("pictures")).focus({
    preventScroll: true,
  });
}
