"""Edge attribution patching: first-order estimates of the effects of all edges.

To first order, replacing what a receiver reads of a sender by the corrupted output changes the
metric by the difference of the outputs times the gradient at the receiver. One backward pass gives
the gradients of all receivers. Averaged over inputs between the corrupted and the clean run, the
gradients are integrated gradients (EAP-IG).

Source: Syed et al., "Attribution Patching Outperforms Automated Circuit Discovery", 2023; Hanna et
al., "Have Faith in Faithfulness: Going Beyond Circuit Overlap When Finding Model Mechanisms", 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor

from patching.circuits.graph_forward import GraphViT, Metric, Run


def edge_scores(
    model: GraphViT, clean: Run, corrupted: Run, metric: Metric, steps: int = 0
) -> Tensor:
    """Estimate by how much the metric falls when an edge carries the corrupted output.

    Parameters
    ----------
    model : GraphViT
    clean : Run
        Of N images.
    corrupted : Run
        Of their corrupted versions, or of one image.
    metric : callable
        The value of an image must depend on that image only.
    steps : int
        0 uses the gradient of the clean run (EAP). A positive number averages the gradient over
        that many inputs between the corrupted and the clean stream before the first block, the
        midpoints of equal intervals (EAP-IG).

    Returns
    -------
    Tensor, shape (N, S, R, G)
        0 where there is no edge.

    Raises
    ------
    ValueError
        If `steps` is negative.
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    graph = model.graph
    differences = (clean.outputs - corrupted.outputs).detach()
    parts = [_flat(differences, graph.tokens(group)) for group in range(len(graph.groups))]
    start, change = clean.streams[0], clean.streams[0] - corrupted.streams[0]
    shares = [(step + 0.5) / steps for step in range(steps)] or [1.0]
    total = start.new_zeros(len(start), *graph.shape)
    for share in shares:
        gradients = _gradients(model, (start - change * (1 - share)).detach(), metric)
        for index, gradient in enumerate(gradients):
            rows = graph.receivers_of(index)
            count = sum(each.sublayer < index for each in graph.senders)
            for group, part in enumerate(parts):
                found = part[:, :count] @ _flat(gradient, graph.tokens(group)).mT
                total[:, :count, rows.start : rows.stop, group] += found
    return total / len(shares)


def _flat(tensor: Tensor, tokens: Tensor) -> Tensor:
    """Rearrange some tokens of a tensor (K, N, T, C) to (N, K, T C)."""
    return tensor.transpose(0, 1)[:, :, tokens.to(tensor.device)].flatten(2)


def _gradients(model: GraphViT, start: Tensor, metric: Metric) -> list[Tensor]:
    """Return the gradients of the metric at what the receivers of each sublayer read."""
    with torch.inference_mode(False), torch.enable_grad():
        stream, streams, read = start.clone().requires_grad_(), list[Tensor](), list[list[Tensor]]()
        for index, sublayer in enumerate(model.vit.sublayers):
            streams.append(stream.detach())
            if index % 2:
                read.append([stream[None]])
                output = sublayer.branch(read[-1][0][0])
            else:
                output, projected = model.attentions[index // 2].branch(stream)
                read.append(projected)
            stream = stream + output
        read.append([stream[None]])
        value = metric(model.vit.finish(read[-1][0][0])).sum()
        gradients = iter(torch.autograd.grad(value, [each for part in read for each in part]))
    found = [[next(gradients) for _ in part] for part in read]
    heads = zip(model.attentions, streams[::2], found[::2], strict=False)  # without the logits
    found[:-1:2] = [[each.gradients(stream, part)] for each, stream, part in heads]
    return [part[0] for part in found]
