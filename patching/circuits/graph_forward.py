"""Forward passes of a graph in which each receiver reads a residual stream of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from patching.circuits.components import Attention, attention_of
from patching.circuits.graph import Graph, graph_of
from patching.vit.residual_vit import ResidualViT


@dataclass(frozen=True)
class Run:
    """A run of N images without changes.

    Attributes
    ----------
    outputs : Tensor, shape (S, N, T, C)
        Of each sender.
    streams : list of Tensor, each of shape (N, T, C)
        The residual stream before each sublayer, and after the last.
    logits : Tensor, shape (N, K)
    """

    outputs: Tensor
    streams: list[Tensor]
    logits: Tensor


@dataclass(frozen=True)
class GraphViT:
    """A model whose heads and MLPs are computed as the nodes of a graph.

    Attributes
    ----------
    vit : ResidualViT
        In evaluation mode; see `featviz.models.hooks.eval_mode`.
    graph : Graph
    attentions : tuple of Attention
        Of each block.
    """

    vit: ResidualViT
    graph: Graph
    attentions: tuple[Attention, ...]

    def run(self, start: Tensor) -> Run:
        """Run the model without changes.

        Parameters
        ----------
        start : Tensor, shape (N, T, C)
            The residual stream before the first block.

        Returns
        -------
        Run
        """
        outputs, streams = [start[None]], [start]
        for index in range(len(self.vit.sublayers)):
            stream = streams[-1]
            own = self.compute(index, stream[None])
            outputs.append(own)
            streams.append(stream + own.sum(0) + self.constant(index))
        return Run(torch.cat(outputs), streams, self.vit.finish(streams[-1]))

    def run_with(self, edges: Tensor, clean: Run, corrupted: Run) -> Tensor:
        """Run the model with some edges; along all others, receivers read the corrupted output.

        Parameters
        ----------
        edges : Tensor of bool, shape (S, R, G)
        clean : Run
            Of the images.
        corrupted : Run
            Of as many corrupted images, or of one, such as a mean over images.

        Returns
        -------
        Tensor, shape (N, K)
            Logits.
        """
        graph, last = self.graph, len(self.vit.sublayers)
        missing = (graph.edges & ~edges.to(graph.edges.device)).any(0).any(-1)
        # Senders before the first receiver that lacks an edge are those of the clean run.
        first = min((graph.receivers[i].sublayer for i in missing.nonzero()), default=None)
        if first is None:
            return clean.logits
        known = sum(each.sublayer < first for each in graph.senders)
        changes = torch.zeros_like(clean.outputs)
        changes[:known] = clean.outputs[:known] - corrupted.outputs[:known]
        weights = edges.to(clean.outputs)
        for index in range(first, last + 1):
            rows = graph.receivers_of(index)
            stream = corrupted.streams[index]
            read = self._read(weights[:known, rows.start : rows.stop], changes[:known])
            if index == last:
                return self.vit.finish(stream + read[0])
            own = self.compute(index, stream + read)
            changes[known : known + len(own)] = own - corrupted.outputs[known : known + len(own)]
            known += len(own)
        raise AssertionError("the logits are the last receiver")

    def compute(self, index: int, streams: Tensor) -> Tensor:
        """Compute the outputs of a sublayer's components.

        Parameters
        ----------
        index : int
            Of the sublayer.
        streams : Tensor, shape (R, N, T, C)
            The residual stream that each of its receivers reads; of shape (1, N, T, C) if all read
            the same.

        Returns
        -------
        Tensor, shape (S, N, T, C)
            One for each head, or one for an MLP.
        """
        if index % 2:
            return self.vit.sublayers[index].branch(streams[0])[None]
        return self.attentions[index // 2](streams)

    def constant(self, index: int) -> Tensor | float:
        """Return what a sublayer adds to the stream in addition to its senders, (C,).

        Parameters
        ----------
        index : int
        """
        return 0.0 if index % 2 else self.attentions[index // 2].constant

    def _read(self, weights: Tensor, changes: Tensor) -> Tensor:
        """Sum changes of senders (S, N, T, C) over edges (S, R, G), to (R, N, T, C)."""
        if weights.shape[-1] == 1:
            return torch.einsum("sr,sntc->rntc", weights[..., 0], changes)
        found = changes.new_empty(weights.shape[1], *changes.shape[1:])
        for group in range(weights.shape[-1]):
            tokens = self.graph.tokens(group).to(changes.device)
            part = torch.einsum("sr,sntc->rntc", weights[..., group], changes[:, :, tokens])
            found[:, :, tokens] = part
        return found


def graph_vit(vit: ResidualViT, groups: dict[str, list[int]] | None = None) -> GraphViT:
    """Split a model into the components of a graph.

    Parameters
    ----------
    vit : ResidualViT
    groups : dict of str to list of int, optional
        See `patching.circuits.graph.graph_of`.

    Returns
    -------
    GraphViT

    Raises
    ------
    FeatvizError
        If an attention is not a sum of heads; see `patching.circuits.components.attention_of`.
    """
    stream = torch.linspace(0, 1, 3 * vit.model.image_size**2)
    images = stream.view(1, 3, vit.model.image_size, vit.model.image_size)
    images = images.to(next(vit.model.module.parameters()))
    with torch.no_grad():
        stream = vit.embed(images)
        attentions = tuple(attention_of(vit, each, stream) for each in vit.sublayers[::2])
    return GraphViT(vit, graph_of(vit, groups), attentions)


Metric = Callable[[Tensor], Tensor]
"""From logits (N, K) to one number for each image, (N,); differentiable."""
