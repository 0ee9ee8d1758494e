"""How much of an effect a circuit keeps: faithfulness, completeness and minimality.

Source: the measures CPR and CMD are those of Mueller et al., "MIB: A Mechanistic Interpretability
Benchmark", 2025; completeness and minimality those of Wang et al., "Interpretability in the Wild",
2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patching.circuits.graph import Graph
from patching.circuits.graph_forward import GraphViT, Metric, Run
from patching.circuits.search import connected, greedy_circuits

Floats = NDArray[np.float64]

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Sizes of circuits in a curve, as shares of all edges; those of MIB."""


@dataclass(frozen=True)
class Curve:
    """Metrics of circuits of K sizes on N images.

    Attributes
    ----------
    counts : int64 array, shape (K,)
        Numbers of edges.
    edges : int
        Number of edges of the graph.
    kept : float64 array, shape (N, K)
        Metric of the run with only the circuit, minus that of the corrupted run.
    lost : float64 array, shape (N, K)
        Metric of the clean run, minus that of the run with everything except the circuit.
    total : float64 array, shape (N,)
        Metric of the clean run, minus that of the corrupted run.
    """

    counts: NDArray[np.int64]
    edges: int
    kept: Floats
    lost: Floats
    total: Floats

    @property
    def faithfulness(self) -> Floats:
        """Share of the total effect that each circuit keeps, (K,)."""
        return _ratio(self.kept, self.total)

    @property
    def completeness(self) -> Floats:
        """Share of the total effect that is lost without each circuit, (K,)."""
        return _ratio(self.lost, self.total)

    @property
    def cpr(self) -> float:
        """Area under the faithfulness over the share of edges; 1 if all circuits keep all of it."""
        return self._area(self.faithfulness)

    @property
    def cmd(self) -> float:
        """Area between the faithfulness and 1 over the share of edges; 0 is best."""
        return self._area(abs(1 - self.faithfulness))

    def size_at(self, share: float = 0.8) -> int | None:
        """Return the fewest edges that keep a share of the effect.

        Parameters
        ----------
        share : float
            Of the total effect.

        Returns
        -------
        int or None
            None if no circuit of the curve keeps it.
        """
        enough = np.flatnonzero(self.faithfulness >= share)
        return int(self.counts[enough[0]]) if len(enough) else None

    def _area(self, heights: Floats) -> float:
        shares = self.counts / self.edges
        return float(np.trapezoid(heights, shares) / (shares[-1] - shares[0]))


def faithfulness_curve(
    model: GraphViT,
    clean: Run,
    corrupted: Run,
    metric: Metric,
    circuits: Sequence[Tensor],
) -> Curve:
    """Run circuits alone, and the model without them.

    Parameters
    ----------
    model : GraphViT
    clean, corrupted : Run
        Of images that the circuits were not chosen on.
    metric : callable
    circuits : sequence of Tensor of bool, each of shape (S, R, G)
        In ascending size.

    Returns
    -------
    Curve
    """
    full, none = metric(clean.logits), metric(corrupted.logits)
    graph, kept, lost = model.graph, [], []
    for edges in circuits:
        without = graph.edges & ~edges
        alone = metric(model.run_with(connected(graph, edges), clean, corrupted))
        kept.append((alone - none).double().cpu().numpy())
        rest = metric(model.run_with(connected(graph, without), clean, corrupted))
        lost.append((full - rest).double().cpu().numpy())
    return Curve(
        np.array([int(edges.sum()) for edges in circuits]),
        int(graph.edges.sum()),
        np.stack(kept, 1),
        np.stack(lost, 1),
        (full - none).expand(len(full)).double().cpu().numpy(),
    )


def circuits_of_sizes(
    graph: Graph, scores: Tensor, shares: Sequence[float] = SHARES
) -> list[Tensor]:
    """Grow a circuit and return it at several sizes; see `patching.circuits.search.greedy_edges`.

    Parameters
    ----------
    graph : Graph
    scores : Tensor, shape (S, R, G)
    shares : sequence of float
        Shares of all edges, in (0, 1], in ascending order.

    Returns
    -------
    list of Tensor of bool, each of shape (S, R, G)
    """
    most = int(graph.edges.sum())
    return greedy_circuits(graph, scores, [max(1, round(share * most)) for share in shares])


def random_scores(graph: Graph, seed: int) -> Tensor:
    """Draw scores of a random circuit, uniform in [0, 1), (S, R, G).

    Parameters
    ----------
    graph : Graph
    seed : int
        Random seed.
    """
    return torch.rand(graph.shape, generator=torch.Generator().manual_seed(seed))


def node_scores(graph: Graph, scores: Tensor) -> Tensor:
    """Give every edge the score of its nodes, for circuits of whole components.

    The score of a component is the sum of the scores of its outgoing edges, which is the
    first-order effect of replacing its output. An edge has the smaller absolute score of its two
    components, so that the top edges are all edges between the top components.

    Parameters
    ----------
    graph : Graph
    scores : Tensor, shape (S, R, G)

    Returns
    -------
    Tensor, shape (S, R, G)
    """
    own = scores.sum((1, 2)).abs()
    of_receiver = torch.stack(
        [
            own[list(senders)].amax() if senders else own.new_tensor(torch.inf)
            for senders in graph.sender_of
        ]
    )
    smaller = torch.minimum(own[:, None], of_receiver[None])
    return smaller[..., None].expand(graph.shape).clone()


def minimality(
    model: GraphViT, clean: Run, corrupted: Run, metric: Metric, edges: Tensor
) -> Tensor:
    """Measure by how much the metric of a circuit falls without each of its edges.

    Parameters
    ----------
    model : GraphViT
    clean, corrupted : Run
    metric : callable
    edges : Tensor of bool, shape (S, R, G)
        The circuit.

    Returns
    -------
    Tensor, shape (E, N)
        In the order of ``edges.nonzero()``.
    """
    whole = metric(model.run_with(edges, clean, corrupted))
    found = []
    for edge in edges.nonzero().tolist():
        others = edges.clone()
        others[tuple(edge)] = False
        found.append(whole - metric(model.run_with(others, clean, corrupted)))
    return torch.stack(found)


def _ratio(values: Floats, total: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = values.mean(0) / total.mean()
    return found
