"""The computational graph of a vision transformer: components, their inputs, and edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from patching.vit.hook_points import group_count
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer

Input = Literal["q", "k", "v"]
INPUTS: tuple[Input, ...] = ("q", "k", "v")


@dataclass(frozen=True)
class Sender:
    """A component whose output is a term of the residual stream.

    Attributes
    ----------
    name : str
        ``embed``, the stream before the first block; ``blocks.3.attn:2``, a head; or
        ``blocks.3.mlp``.
    sublayer : int
        Index of its sublayer, -1 for the embedding.
    head : int or None
    """

    name: str
    sublayer: int
    head: int | None = None


@dataclass(frozen=True)
class Receiver:
    """An input of a component, which reads the residual stream.

    Attributes
    ----------
    name : str
        ``blocks.3.attn:2.q``, the queries of a head (also ``.k`` and ``.v``); ``blocks.3.mlp``; or
        ``logits``.
    sublayer : int
        Index of its sublayer; the number of sublayers for the logits.
    kind : str or None
        ``"q"``, ``"k"`` or ``"v"`` for an input of a head.
    head : int or None
        Of keys and values that several heads share, the index among the shared ones.
    """

    name: str
    sublayer: int
    kind: Input | None = None
    head: int | None = None


@dataclass(frozen=True)
class Graph:
    """Senders, receivers and groups of tokens of a vision transformer.

    An edge is a sender, a later receiver, and a group of tokens: what the receiver reads of the
    sender's output at these tokens. Sets of edges are boolean tensors of shape (S, R, G).

    Attributes
    ----------
    senders : tuple of Sender, length S
        In forward order; the embedding is the first.
    receivers : tuple of Receiver, length R
        In forward order; the logits are the last.
    groups : tuple of str, length G
        Names of the groups of tokens.
    group_of : tuple of int
        Index of the group of each token.
    """

    senders: tuple[Sender, ...]
    receivers: tuple[Receiver, ...]
    groups: tuple[str, ...]
    group_of: tuple[int, ...]

    @cached_property
    def edges(self) -> Tensor:
        """All edges, bool, (S, R, G)."""
        sent = torch.tensor([each.sublayer for each in self.senders])
        read = torch.tensor([each.sublayer for each in self.receivers])
        earlier = sent[:, None] < read[None]
        return earlier[:, :, None].repeat(1, 1, len(self.groups))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of senders, receivers and groups."""
        return len(self.senders), len(self.receivers), len(self.groups)

    def receivers_of(self, sublayer: int) -> range:
        """Return the indices of the receivers of a sublayer, or of the logits.

        Parameters
        ----------
        sublayer : int
            Index of the sublayer; their number for the logits.
        """
        found = [i for i, each in enumerate(self.receivers) if each.sublayer == sublayer]
        return range(found[0], found[-1] + 1)

    def tokens(self, group: int) -> Tensor:
        """Return the indices of the tokens of a group, int64.

        Parameters
        ----------
        group : int
        """
        return torch.tensor([t for t, each in enumerate(self.group_of) if each == group])

    def edge_name(self, sender: int, receiver: int, group: int) -> str:
        """Return the name of an edge, such as ``embed -> blocks.3.attn:2.q @ cls``.

        Parameters
        ----------
        sender, receiver, group : int
        """
        name = f"{self.senders[sender].name} -> {self.receivers[receiver].name}"
        return name if len(self.groups) == 1 else f"{name} @ {self.groups[group]}"

    @cached_property
    def sender_of(self) -> tuple[tuple[int, ...], ...]:
        """For each receiver, the senders that compute with it; empty for the logits."""
        places = {(each.sublayer, each.head): i for i, each in enumerate(self.senders)}
        heads = {
            sublayer: [head for other, head in places if other == sublayer and head is not None]
            for sublayer, _ in places
        }
        found: list[tuple[int, ...]] = []
        for each in self.receivers:
            if each.kind is None:
                own = places.get((each.sublayer, None))
                found.append(() if own is None else (own,))
                continue
            shared = len(heads[each.sublayer]) // self._count(each)
            assert each.head is not None
            readers = range(each.head * shared, (each.head + 1) * shared)
            found.append(tuple(places[each.sublayer, head] for head in readers))
        return tuple(found)

    def _count(self, receiver: Receiver) -> int:
        """Count the inputs of a receiver's kind in its sublayer."""
        own = (receiver.sublayer, receiver.kind)
        return sum((each.sublayer, each.kind) == own for each in self.receivers)


def graph_of(vit: ResidualViT, groups: dict[str, list[int]] | None = None) -> Graph:
    """Build the graph of a model.

    Parameters
    ----------
    vit : ResidualViT
    groups : dict of str to list of int, optional
        Tokens of each group; every token is in one. By default all tokens are one group, ``all``.

    Returns
    -------
    Graph

    Raises
    ------
    FeatvizError
        If a token is in no group, or in two.
    """
    groups = groups or {"all": list(range(vit.tokens))}
    group_of = [-1] * vit.tokens
    for index, (name, tokens) in enumerate(groups.items()):
        for token in tokens:
            if not 0 <= token < vit.tokens or group_of[token] >= 0:
                raise FeatvizError(
                    f"token {token} of group {name!r} is in another group, or not one of the "
                    f"{vit.tokens} tokens of {vit.model.name}"
                )
            group_of[token] = index
    if -1 in group_of:
        raise FeatvizError(f"token {group_of.index(-1)} is in none of the groups {list(groups)}")
    senders, receivers = [Sender("embed", -1)], list[Receiver]()
    for index, sublayer in enumerate(vit.sublayers):
        if index % 2:
            senders.append(Sender(sublayer.path, index))
            receivers.append(Receiver(sublayer.path, index))
            continue
        senders += [
            Sender(f"{sublayer.path}:{head}", index, head)
            for head in range(group_count(sublayer, "q"))
        ]
        receivers += [
            Receiver(f"{sublayer.path}:{head}.{kind}", index, kind, head)
            for kind in inputs_of(sublayer)
            for head in range(group_count(sublayer, kind))
        ]
    receivers.append(Receiver("logits", len(vit.sublayers)))
    return Graph(tuple(senders), tuple(receivers), tuple(groups), tuple(group_of))


def inputs_of(sublayer: Sublayer) -> tuple[Input, ...]:
    """Return those of queries, keys and values that an attention computes from its input.

    Parameters
    ----------
    sublayer : Sublayer
    """
    core = sublayer.core
    if hasattr(core, "qkv"):
        return INPUTS
    return tuple(kind for kind in INPUTS if hasattr(core, f"{kind}_proj"))
