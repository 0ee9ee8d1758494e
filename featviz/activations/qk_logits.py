"""From the input of an attention module to a few of its logits, and to no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz.activations.qk_modes import modes_of
from featviz.addressing.address import Mode, Unit
from featviz.addressing.tokens import token_pairs
from featviz.models.attention import heads_of
from featviz.models.hooks import Context
from featviz.models.sites import Site


@dataclass(frozen=True)
class _Group:
    """Units whose logits are means over equally many token pairs.

    Attributes
    ----------
    columns, heads : Tensor, shape (U,)
        Which of all units they are, and the head of each.
    queries, keys : Tensor, shape (U, L)
        Tokens of the L pairs of each.
    """

    columns: Tensor
    heads: Tensor
    queries: Tensor
    keys: Tensor


class QKLogitReader:
    """Pre-softmax logits of heads, or the parts of these along one mode.

    Only the wanted tokens are projected, for the wanted heads.
    """

    def __init__(
        self, attention: nn.Module, site: Site, units: Sequence[Unit], norm: nn.Module | None
    ) -> None:
        heads = heads_of(attention)
        if heads is None:
            raise ValueError(f"{site.owner} has no heads that are known")
        self.heads = heads
        self._groups = _grouped(site, units, heads.query.weight.device)
        self._count = len(units)
        self._modes: tuple[Tensor, Tensor] | None = None
        if site.kind == "qk_mode":
            modes = modes_of(heads, norm)
            chosen = [unit.index for unit in units if isinstance(unit.index, Mode)]
            head, mode = [each.head for each in chosen], [each.mode for each in chosen]
            along_query = modes.from_query[head, mode] * modes.strength[head, mode, None]
            self._modes = along_query.float(), modes.from_key[head, mode].float()

    def every(self, inputs: Tensor, context: Context) -> Tensor:
        """Read every unit on every image, shape (N, units)."""
        values = inputs.new_empty(len(inputs), self._count)
        for column, logits in self.each(inputs, context):
            values[:, column] = logits.mean(1)
        return values

    def each(self, inputs: Tensor, context: Context) -> Iterator[tuple[int, Tensor]]:
        """Read the logits that each unit is the mean of, on every image.

        Yields
        ------
        column : int
            Which unit.
        logits : Tensor, shape (N, L)
            Of the L pairs of `featviz.addressing.tokens.token_pairs`.
        """
        sequence = self.features(inputs)
        for group in self._groups:
            for number, column in enumerate(group.columns.tolist()):
                one = torch.full((len(sequence),), number, device=sequence.device)
                alone = _Group(
                    group.columns[one], group.heads[one], group.queries[one], group.keys[one]
                )
                yield column, self._logits(sequence, sequence, alone, context)

    def paired(self, inputs: Tensor, context: Context) -> Tensor:
        """Read unit i on image i, shape (units,)."""
        return self.between(inputs, inputs, context)

    def between(self, query_inputs: Tensor, key_inputs: Tensor, context: Context) -> Tensor:
        """Read unit i with its query on one image and its key on another, shape (units,)."""
        queries, keys = self.features(query_inputs), self.features(key_inputs)
        values = queries.new_empty(self._count)
        for group in self._groups:
            there = queries[group.columns], keys[group.columns]
            values[group.columns] = self._logits(*there, group, context).mean(1).to(values)
        return values

    def cosines(self, inputs: Tensor, context: Context) -> Tensor:
        """Read the cosine of query and key of unit i on image i, shape (units,)."""
        sequence = self.features(inputs)
        values = sequence.new_empty(self._count)
        for group in self._groups:
            there = sequence[group.columns]
            query, key = self._vectors(there, there, group, context)
            values[group.columns] = F.cosine_similarity(query, key, -1).mean(1).to(values)
        return values

    def features(self, inputs: Tensor) -> Tensor:
        """Arrange the attention's input as (N, positions, channels)."""
        return inputs.flatten(1, -2)

    def _logits(self, queries: Tensor, keys: Tensor, group: _Group, context: Context) -> Tensor:
        """Compute the logits of the pairs of a group, shape (U, L)."""
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
        """Compute query and key of each pair, shape (U, L, head_dim), of tokens (U, T, C)."""
        rotation = self.heads.rotation(context)
        vectors = []
        for sequence, projection, tokens in (
            (queries, self.heads.query, group.queries),
            (keys, self.heads.key, group.keys),
        ):
            rows = torch.arange(len(sequence), device=sequence.device)[:, None]
            vector = projection.of(sequence[rows, tokens], group.heads)
            if rotation is not None:
                head = group.heads[:, None] if len(rotation) > 1 else 0
                vector = self.heads.rotate(vector, rotation[head, tokens])
            vectors.append(vector)
        return vectors[0], vectors[1]


def _grouped(site: Site, units: Sequence[Unit], device: torch.device) -> list[_Group]:
    by_length: dict[int, list[tuple[int, int, list[int], list[int]]]] = {}
    for column, unit in enumerate(units):
        head = unit.index.head if isinstance(unit.index, Mode) else unit.index
        if not isinstance(head, int):
            raise TypeError(f"{unit} names no head")
        queries, keys = token_pairs(site, unit.token)
        by_length.setdefault(len(queries), []).append((column, head, queries, keys))
    return [
        _Group(*(torch.tensor(list(part), device=device) for part in zip(*members, strict=True)))
        for members in by_length.values()
    ]
