"""From the input of an attention module to some of its query-key logits, and no others."""

from __future__ import annotations

from collections.abc import Sequence
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

    def take(self, rows: Tensor) -> _Group:
        """Return a group of the units at `rows`, each as often as it occurs there."""
        return _Group(
            self.columns[rows],
            self.heads[rows],
            self.queries[rows],
            self.keys[rows],
            self.largest,
        )


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
    pairs : sequence of (list of int, list of int), optional
        Query and key tokens at which each unit is read; by default those of its own token, see
        `featviz.addressing.tokens.token_pairs`.
    """

    def __init__(
        self,
        attention: nn.Module,
        site: Site,
        units: Sequence[Unit],
        norm: nn.Module | None,
        pairs: Sequence[tuple[list[int], list[int]]] | None = None,
    ) -> None:
        heads = require_heads(attention, site.owner)
        self.heads = heads
        if pairs is None:
            pairs = [token_pairs(site, unit.token) for unit in units]
        self._groups, self._columns = _grouped(units, pairs, heads.query.weight.device)
        self._count = len(units)
        self._group_of = {
            column: index for index, columns in enumerate(self._columns) for column in columns
        }
        self._modes: tuple[Tensor, Tensor] | None = None
        if site.kind == "qk_mode":
            modes = modes_of(heads, norm)
            chosen = [unit.index for unit in units if isinstance(unit.index, Mode)]
            head, mode = [each.head for each in chosen], [each.mode for each in chosen]
            along_query = modes.from_query[head, mode] * modes.strength[head, mode, None]
            self._modes = along_query.float(), modes.from_key[head, mode].float()

    def read_all(self, inputs: Tensor, context: Context) -> Tensor:
        """See `featviz.activations.layer_readers.LayerReader.read_all`."""
        sequence = self.features(inputs)
        values = inputs.new_empty(len(inputs), self._count)
        images = torch.arange(len(inputs), device=inputs.device)
        for group, columns in zip(self._groups, self._columns, strict=True):
            for row, column in enumerate(columns):
                own = group.take(torch.full_like(images, row))
                value = group.reduce(self._logits(sequence, sequence, own, context))
                values[:, column] = value.to(values)  # of another dtype inside autocast
        return values

    def read_rows(self, inputs: Tensor, context: Context, images: Tensor, units: Tensor) -> Tensor:
        """Read the logits of some units, each on one image.

        Parameters
        ----------
        inputs : Tensor, shape (N, ..., channels)
            Input of the attention module.
        context : mapping
            Keyword arguments of its call.
        images, units : Tensor of int64, shape (R,)
            Indices of an image and a unit, at least one. All units have the same number L of token
            pairs, and all or none of them is a maximum.

        Returns
        -------
        Tensor, shape (R, L)
            Of the token pairs of each unit.
        """
        sequence = self.features(inputs)
        group = self._groups[self._group_of[int(units[0])]]
        own = group.take(torch.searchsorted(group.columns, units))
        return self._logits(sequence, sequence, own, context, images)

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

    def _logits(
        self,
        queries: Tensor,
        keys: Tensor,
        group: _Group,
        context: Context,
        images: Tensor | None = None,
    ) -> Tensor:
        """Compute the logits of the pairs of a group, shape (U, L), from tokens (N, T, C).

        Unit i is read on image ``images[i]``, by default image i.
        """
        query, key = self._vectors(queries, keys, group, context, images)
        if self._modes is not None:
            along_query, along_key = (side[group.columns, :, None] for side in self._modes)
            return ((query @ along_query.to(query)) * (key @ along_key.to(key)))[..., 0]
        logits = (query * key).sum(-1) * self.heads.scale
        bias = self.heads.bias(context)
        if bias is not None:
            logits = logits + bias[group.heads[:, None], group.queries, group.keys].to(logits)
        return logits

    def _vectors(
        self,
        queries: Tensor,
        keys: Tensor,
        group: _Group,
        context: Context,
        images: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute query and key of each pair, shape (U, L, head_dim), as in `_logits`."""
        if images is None:
            images = torch.arange(len(queries), device=queries.device)
        rotation = self.heads.rotation(context)
        vectors = []
        for sequence, projection, tokens in (
            (queries, self.heads.query, group.queries),
            (keys, self.heads.key, group.keys),
        ):
            vector = projection.project(sequence[images[:, None], tokens], group.heads)
            if rotation is not None:
                head = group.heads[:, None] if len(rotation) > 1 else 0
                vector = self.heads.rotate(vector, rotation[head, tokens])
            vectors.append(vector)
        return vectors[0], vectors[1]


def _grouped(
    units: Sequence[Unit], pairs: Sequence[tuple[list[int], list[int]]], device: torch.device
) -> tuple[list[_Group], list[list[int]]]:
    """Return groups of units, and the columns of each as integers, which need no device."""
    groups: dict[tuple[int, bool], list[tuple[int, int, list[int], list[int]]]] = {}
    for column, (unit, (queries, keys)) in enumerate(zip(units, pairs, strict=True)):
        head = unit.index.head if isinstance(unit.index, Mode) else unit.index
        if not isinstance(head, int):
            raise TypeError(f"{unit} names no head")
        key = len(queries), unit.token == "max"
        groups.setdefault(key, []).append((column, head, queries, keys))
    found = []
    for (_, largest), members in groups.items():
        columns, heads, queries_of_all, keys_of_all = (
            torch.tensor(list(part), device=device) for part in zip(*members, strict=True)
        )
        found.append(_Group(columns, heads, queries_of_all, keys_of_all, largest))
    return found, [[column for column, *_ in members] for members in groups.values()]
