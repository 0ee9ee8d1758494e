"""Choice of the edges of a circuit, from their scores or by exact pruning."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.circuits.graph import Graph
from patching.circuits.graph_forward import GraphViT, Metric, Run


def top_edges(graph: Graph, scores: Tensor, count: int) -> Tensor:
    """Choose the edges with the largest absolute scores.

    Parameters
    ----------
    graph : Graph
    scores : Tensor, shape (S, R, G)
    count : int
        Number of edges, at most all.

    Returns
    -------
    Tensor of bool, shape (S, R, G)
        Edges that no path from the embedding to the logits uses are not removed; see `connected`.

    Raises
    ------
    FeatvizError
        If there are fewer edges.
    """
    _check(graph, count)
    chosen = torch.zeros_like(graph.edges)
    order = scores[graph.edges].abs().argsort(descending=True, stable=True)[:count]
    chosen[tuple(graph.edges.nonzero()[order.cpu()].T)] = True
    return chosen


def greedy_edges(graph: Graph, scores: Tensor, count: int) -> Tensor:
    """Grow a circuit from the logits, by the edge with the largest absolute score at a time.

    Only edges into the logits or into components that are in the circuit are candidates, so every
    edge has a path to the logits.

    Parameters
    ----------
    graph : Graph
    scores : Tensor, shape (S, R, G)
    count : int
        Number of edges, at most all.

    Returns
    -------
    Tensor of bool, shape (S, R, G)

    Raises
    ------
    FeatvizError
        If there are fewer edges.

    Source: Hanna et al., "Have Faith in Faithfulness", 2024.
    """
    return greedy_circuits(graph, scores, [count])[0]


def greedy_circuits(graph: Graph, scores: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Grow a circuit as `greedy_edges` does, and return it at several sizes.

    Parameters
    ----------
    graph : Graph
    scores : Tensor, shape (S, R, G)
    counts : sequence of int
        Numbers of edges, at most all, in ascending order.

    Returns
    -------
    list of Tensor of bool, each of shape (S, R, G)
        Each includes the one before.

    Raises
    ------
    FeatvizError
        If there are fewer edges.
    """
    _check(graph, counts[-1])
    chosen, sizes = torch.zeros_like(graph.edges), scores.abs().tolist()
    receivers_of: dict[int, list[int]] = {}
    for receiver, senders in enumerate(graph.sender_of):
        for sender in senders:
            receivers_of.setdefault(sender, []).append(receiver)
    queue: list[tuple[float, int, int, int]] = []
    seen: set[int] = set()

    def open_receiver(receiver: int) -> None:
        if receiver not in seen:
            seen.add(receiver)
            for sender, group in graph.edges[:, receiver].nonzero().tolist():
                size = -sizes[sender][receiver][group]
                heapq.heappush(queue, (size, sender, receiver, group))

    open_receiver(len(graph.receivers) - 1)
    found = []
    for start, stop in itertools.pairwise([0, *counts]):
        for _ in range(start, stop):
            _, sender, receiver, group = heapq.heappop(queue)
            chosen[sender, receiver, group] = True
            for each in receivers_of.get(sender, ()):
                open_receiver(each)
        found.append(chosen.clone())
    return found


def connected(graph: Graph, edges: Tensor) -> Tensor:
    """Remove edges that are on no path from the embedding to the logits.

    A run with the remaining edges has the same logits: along the others, receivers read what they
    would read without them, or nothing reads their component.

    Parameters
    ----------
    graph : Graph
    edges : Tensor of bool, shape (S, R, G)

    Returns
    -------
    Tensor of bool, shape (S, R, G)
    """
    any_group = (edges & graph.edges).any(-1)
    reached = {0}
    for receiver, senders in enumerate(graph.sender_of):  # in forward order
        if any(any_group[sender, receiver] for sender in reached):
            reached.update(senders)
    used: set[int] = set()
    for receiver in reversed(range(len(graph.receivers))):
        senders = graph.sender_of[receiver]
        if not senders or used & set(senders):
            used.update(any_group[:, receiver].nonzero().flatten().tolist())
    keep = torch.zeros_like(any_group)
    for receiver, senders in enumerate(graph.sender_of):
        if not senders or used & set(senders):
            keep[sorted(reached), receiver] = True
    return edges & graph.edges & keep[..., None]


def pruned_edges(
    model: GraphViT,
    clean: Run,
    corrupted: Run,
    metric: Metric,
    tolerance: float,
    edges: Tensor | None = None,
) -> Tensor:
    """Remove edges one after the other, as long as the mean of the metric changes little.

    Receivers are visited from the logits back; of each, the senders from the last to the first. An
    edge is removed if the absolute change of the mean metric is below the tolerance. Costs one
    forward pass for each edge, from the first receiver that lacks an edge on.

    Parameters
    ----------
    model : GraphViT
    clean, corrupted : Run
    metric : callable
    tolerance : float
        In units of the metric, >= 0.
    edges : Tensor of bool, shape (S, R, G), optional
        The circuit to prune; by default all edges.

    Returns
    -------
    Tensor of bool, shape (S, R, G)

    Raises
    ------
    ValueError
        If the tolerance is negative.

    Source: Conmy et al., "Towards Automated Circuit Discovery for Mechanistic Interpretability",
    NeurIPS 2023.
    """
    if tolerance < 0:
        raise ValueError(f"tolerance must be >= 0, got {tolerance}")
    kept = connected(model.graph, model.graph.edges if edges is None else edges)
    value = metric(model.run_with(kept, clean, corrupted)).mean()
    for receiver in reversed(range(kept.shape[1])):
        for sender, group in reversed(kept[:, receiver].nonzero().tolist()):
            if not kept[sender, receiver, group]:
                continue  # it was on no path any more
            trial = kept.clone()
            trial[sender, receiver, group] = False
            trial = connected(model.graph, trial)
            without = metric(model.run_with(trial, clean, corrupted)).mean()
            if (value - without).abs() < tolerance:
                kept, value = trial, without
    return kept


def _check(graph: Graph, count: int) -> None:
    most = int(graph.edges.sum())
    if not 0 <= count <= most:
        raise FeatvizError(f"a circuit of this model has 0 to {most} edges, got {count}")
