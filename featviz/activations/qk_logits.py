"""From the input of an attention module to some of its query-key logits, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.qk_modes import modes_of
from featviz.addressing.address import Mode, Unit
from featviz.addressing.tokens import token_pairs
from featviz.models.attention import require_heads
from featviz.models.hooks import Context
from featviz.models.sites import Site


@dataclass(frozen=True)
class _Group:
    """U units whose logits are means, or maxima, over the same number L of token pairs.

    Attributes
    ----------
    columns : Tensor, shape (U,)
        Indices of these units among all.
    heads : Tensor, shape (U,)
        Head of each unit.
    queries, keys : Tensor, shape (U, L)
        Query and key tokens of the pairs of each unit.
    largest : bool
        Whether the largest logit is read, in place of their mean.
    """

    columns: Tensor
    heads: Tensor
    queries: Tensor
    keys: Tensor
    largest: bool

    def reduce(self, logits: Tensor) -> Tensor:
        """Reduce the logits of the pairs of each unit, (U, L), to its value, (U,)."""
        return logits.max(1).values if self.largest else logits.mean(1)


class QKLogitReader:
    """Reads pre-softmax logits of heads, or their parts along single query-key modes.

    Only the required tokens are projected, by the required heads. A
    `featviz.activations.layer_readers.LayerReader`.

    Parameters
    ----------
    attention : nn.Module
        The module at ``site.owner``.
    site : Site
        Its ``qk`` or ``qk_mode`` site.
    units : sequence of Unit
        Units of the site.
    norm : nn.Module or None
        The normalization at ``site.norm``; only modes depend on it.
    """

    def __init__(
        self, attention: nn.Module, site: Site, units: Sequence[Unit], norm: nn.Module | None
    ) -> None:
        heads = require_heads(attention, site.owner)
        self.heads = heads
        self._groups = _grouped(site, units, heads.query.weight.device)
        self._count, self._units = len(units), list(units)
        self._modes: tuple[Tensor, Tensor] | None = None
        if site.kind == "qk_mode":
            modes = modes_of(heads, norm)
            chosen = [unit.index for unit in units if isinstance(unit.index, Mode)]
            head, mode = [each.head for each in chosen], [each.mode for each in chosen]
            along_query = modes.from_query[head, mode] * modes.strength[head, mode, None]
            self._modes = along_query.float(), modes.from_key[head, mode].float()

    def read_all(self, inputs: Tensor, context: Context) -> Tensor:
        """See `featviz.activations.layer_readers.LayerReader.read_all`."""
        values = inputs.new_empty(len(inputs), self._count)
        for column, logits in self.read_token_pairs(inputs, context):
            largest = self._units[column].token == "max"
            value = logits.max(1).values if largest else logits.mean(1)
            values[:, column] = value.to(values)  # of another dtype inside the caller's autocast
        return values

    def read_token_pairs(self, inputs: Tensor, context: Context) -> Iterator[tuple[int, Tensor]]:
        """Read the logits that each unit is the mean of, on every image.

        Parameters
        ----------
        inputs : Tensor, shape (N, ..., channels)
            Input of the attention module.
        context : mapping
            Keyword arguments of its call.

        Yields
        ------
        column : int
            Index of the unit.
        logits : Tensor, shape (N, L)
            Of its L pairs, see `featviz.addressing.tokens.token_pairs`.
        """
        sequence = self.features(inputs)
        for group in self._groups:
            for row, column in enumerate(group.columns.tolist()):
                rows = torch.full((len(sequence),), row, device=sequence.device)
                repeated = _Group(
                    group.columns[rows],
                    group.heads[rows],
                    group.queries[rows],
                    group.keys[rows],
                    group.largest,
                )
                yield column, self._logits(sequence, sequence, repeated, context)

    def read_paired(self, inputs: Tensor, context: Context) -> Tensor:
        """See `featviz.activations.layer_readers.LayerReader.read_paired`."""
        return self.read_split(inputs, inputs, context)

    def read_split(self, query_inputs: Tensor, key_inputs: Tensor, context: Context) -> Tensor:
        """Read unit i with its query on one image and its key on another.

        Parameters
        ----------
        query_inputs, key_inputs : Tensor, shape (units, ..., channels)
            Inputs of the attention module, one image for each unit.
        context : mapping
            Keyword arguments of its call.

        Returns
        -------
        Tensor, shape (units,)
        """
        queries, keys = self.features(query_inputs), self.features(key_inputs)
        values = queries.new_empty(self._count)
        for group in self._groups:
            own = queries[group.columns], keys[group.columns]
            values[group.columns] = group.reduce(self._logits(*own, group, context)).to(values)
        return values

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """See `featviz.activations.layer_readers.LayerReader.cosines`."""
        sequence = self.features(inputs)
        values = sequence.new_empty(self._count)
        for group in self._groups:
            own = sequence[group.columns]
            query, key = self._vectors(own, own, group, context)
            cosines = F.cosine_similarity(query, key, -1)
            if group.largest:
                best = self._logits(own, own, group, context).argmax(1, keepdim=True)
                cosines = cosines.gather(1, best)
            values[group.columns] = cosines.mean(1).to(values)
        return values

    def features(self, inputs: Tensor) -> Tensor:
        """See `featviz.activations.layer_readers.LayerReader.features`."""
        return inputs.flatten(1, -2)

    def _logits(self, queries: Tensor, keys: Tensor, group: _Group, context: Context) -> Tensor:
        """Compute the logits of the pairs of a group, shape (U, L), from tokens (U, T, C)."""
        query, key = self._vectors(queries, keys, group, context)
        if self._modes is not None:
            along_query, along_key = (side[group.columns, :, None] for side in self._modes)
            return ((query @ along_query.to(query)) * (key @ along_key.to(key)))[..., 0]
        logits = (query * key).sum(-1) * self.heads.scale
        bias = self.heads.bias(context)
        if bias is not None:
            logits = logits + bias[group.heads[:, None], group.queries, group.keys].to(logits)
        return logits

    def _vectors(
        self, queries: Tensor, keys: Tensor, group: _Group, context: Context
    ) -> tuple[Tensor, Tensor]:
        """Compute query and key of each pair, shape (U, L, head_dim), from tokens (U, T, C)."""
        rotation = self.heads.rotation(context)
        vectors = []
        for sequence, projection, tokens in (
            (queries, self.heads.query, group.queries),
            (keys, self.heads.key, group.keys),
        ):
            rows = torch.arange(len(sequence), device=sequence.device)[:, None]
            vector = projection.project(sequence[rows, tokens], group.heads)
            if rotation is not None:
                head = group.heads[:, None] if len(rotation) > 1 else 0
                vector = self.heads.rotate(vector, rotation[head, tokens])
            vectors.append(vector)
        return vectors[0], vectors[1]


def _grouped(site: Site, units: Sequence[Unit], device: torch.device) -> list[_Group]:
    groups: dict[tuple[int, bool], list[tuple[int, int, list[int], list[int]]]] = {}
    for column, unit in enumerate(units):
        head = unit.index.head if isinstance(unit.index, Mode) else unit.index
        if not isinstance(head, int):
            raise TypeError(f"{unit} names no head")
        queries, keys = token_pairs(site, unit.token)
        key = len(queries), unit.token == "max"
        groups.setdefault(key, []).append((column, head, queries, keys))
    found = []
    for (_, largest), members in groups.items():
        columns, heads, queries_of_all, keys_of_all = (
            torch.tensor(list(part), device=device) for part in zip(*members, strict=True)
        )
        found.append(_Group(columns, heads, queries_of_all, keys_of_all, largest))
    return found
