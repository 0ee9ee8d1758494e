"""Exact effects of single edges: path patching from a sender to an input of a receiver.

Source: Goldowsky-Dill et al., "Localizing Model Behavior with Path Patching", 2023.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from patching.circuits.graph_forward import GraphViT, Metric, Run

Edge = tuple[int, int, int]
"""Indices of sender, receiver and group of tokens."""


def edge_effects(
    model: GraphViT, clean: Run, corrupted: Run, metric: Metric, edges: Iterable[Edge]
) -> Tensor:
    """Measure by how much the metric falls when one edge carries the corrupted output.

    Only what the receiver reads of the sender is replaced; everything after it is computed anew.
    Costs one forward pass for each edge, from its receiver on.

    Parameters
    ----------
    model : GraphViT
    clean, corrupted : Run
    metric : callable
    edges : iterable of (int, int, int)

    Returns
    -------
    Tensor, shape (E, N)
    """
    full = metric(clean.logits)
    found = []
    for edge in edges:
        others = model.graph.edges.clone()
        others[edge] = False
        found.append(full - metric(model.run_with(others, clean, corrupted)))
    return torch.stack(found) if found else full.new_zeros(0, len(full))
