// The circuits of one search, by number of edges, and the names of their components.

import { brief } from "../../shared/text.js";

export const EMBEDDING = "embed";
export const LOGITS = "logits";

/** The component that has an input: "blocks.3.attn:2" of "blocks.3.attn:2.q". */
const componentOf = (receiver) => receiver.replace(/(?<=:\d+)\.[qkv]$/, "");

/** The input of a head, "q", "k" or "v"; null of other receivers. */
const inputOf = (receiver) => /:\d+\.([qkv])$/.exec(receiver)?.[1] ?? null;

/** Block, head and kind of a component by its name; block and head are null if it has none. */
export function partsOf(name) {
  const [, block, head] = /^blocks\.(\d+)\.[^:]*(?::(\d+))?$/.exec(name) ?? [];
  return {
    name,
    block: block === undefined ? null : Number(block),
    head: head === undefined ? null : Number(head),
  };
}

/** A component in words. */
export function componentText(name) {
  const { block, head } = partsOf(name);
  if (head !== null) return `head ${head} of block ${block}`;
  if (block !== null) return `MLP of block ${block}`;
  return { [EMBEDDING]: "embedding", [LOGITS]: "logits" }[name] ?? name;
}

/** A search for circuits. */
export class Search {
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
      effect,
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
    const [count, listed] = this.circuits[index];
    const [estimate, low, high] = this.curve.faithfulness.map((column) => column[index]);
    return { count, edges: listed.map((i) => this.edges[i]), kept: { estimate, low, high } };
  }
}

/** An estimate with its interval. */
export const intervalText = ([estimate, low, high]) =>
  low === null ? brief(estimate) : `${brief(estimate)} (${brief(low)} to ${brief(high)})`;

/** The input and the tokens of an edge. */
export const inputText = ({ input, group }) =>
  [input, group && `at ${group === "prefix" ? "prefix tokens" : group}`].filter(Boolean).join(" ");

/** Score of an edge, and its exact effect if it was measured. */
export const scoreText = ({ score, effect }) =>
  `score ${brief(score)}${effect ? `, exact effect ${intervalText(effect)}` : ""}`;

/** An edge with its numbers. */
export const edgeText = (edge) =>
  `${edge.from} \u2192 ${[edge.to, inputText(edge)].filter(Boolean).join(" ")}: ${scoreText(edge)}`;
