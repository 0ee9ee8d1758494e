"""Where a sweep patches: names of sites -> patches, and what each of them is called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from featviz.addressing.ranges import expand
from featviz.errors import FeatvizError, did_you_mean
from patching.effects.table import ALL, Sites
from patching.interventions.targets import (
    EMBEDDINGS,
    INSIDE,
    INSIDE_ATTENTION,
    KINDS,
    Patch,
    PatchTarget,
    check_targets,
)
from patching.interventions.token_names import tokens_of
from patching.vit.hook_points import group_count, hook_point
from patching.vit.residual_vit import ResidualViT

SHORT = {
    "attn": "attn_out",
    "mlp": "mlp_out",
    "resid": "resid_post",
    "head": "z",
}
"""Short names of kinds; every kind of `patching.interventions.targets.KINDS` is known by its own name too."""

BY = ("layer", "head", "neuron", "token")
"""What has a patch of its own."""


@dataclass(frozen=True)
class Where:
    """Which activations a sweep replaces, and which of them together.

    Attributes
    ----------
    site : str
        ``attn``, ``mlp`` (what attention and MLP add to the stream), ``resid`` (the stream behind
        a block), ``head`` (z of each head), or a kind of `patching.interventions.targets.KINDS`.
    windows : tuple of int
        How many blocks are patched together. A window of W around block L is from
        ``L - (W - 1) // 2`` to ``L + W // 2``, cut off at the first and the last block.
    by : str or None
        Whether each layer, head, neuron or token has a patch of its own; ``head`` for the site
        ``head`` and ``layer`` for all others, if absent.
    layers : str
        Blocks around which windows lie: ``0-3,7`` or ``all``.
    heads : str
        Heads, or neurons, in the same form.
    tokens : tuple of str
        Names of `patching.interventions.token_names.tokens_of`; by layer, each has a patch of its own.
    """

    site: str = "attn"
    windows: tuple[int, ...] = (1,)
    by: str | None = None
    layers: str = ALL
    heads: str = ALL
    tokens: tuple[str, ...] = (ALL,)

    @property
    def kind(self) -> str:
        """The kind of target that the site is."""
        return SHORT.get(self.site, self.site)

    @property
    def each(self) -> str:
        """What has a patch of its own."""
        return self.by or ("head" if self.site == "head" else "layer")


@dataclass(frozen=True)
class Places:
    """P patches, and what to call them in a table."""

    patches: list[Patch]
    sites: Sites


def places(vit: ResidualViT, where: Where) -> Places:
    """Find the patches of a sweep, in the order of windows, layers, then heads or tokens.

    Raises
    ------
    FeatvizError
        If the model has no such site, block, head, neuron or token, or what is asked for has no
        sense at this site.
    """
    _check(where)
    depth = 1 if where.kind in EMBEDDINGS else vit.depth
    layers = expand(where.layers, range(depth), f"{vit.model.name} has blocks")
    rows: list[tuple[Any, ...]] = []
    patches: list[Patch] = []
    for window in dict.fromkeys(where.windows):
        for layer in dict.fromkeys(layers):
            blocks = range(max(0, layer - (window - 1) // 2), min(depth, layer + window // 2 + 1))
            for head, token, groups, tokens in _parts(vit, where, layer):
                patches.append(
                    tuple(PatchTarget(where.kind, one, tokens, groups) for one in blocks)
                )
                rows.append((where.kind, layer, head, token, window))
    check_targets(vit, [target for patch in patches for target in patch])
    site, layer_, head_, token_, window_ = zip(*rows, strict=True)
    return Places(
        patches,
        Sites(
            np.array(site),
            np.array(layer_, np.int64),
            np.array(head_),
            np.array(token_),
            np.array(window_, np.int64),
        ),
    )


_Part = tuple[str, str, tuple[int, ...] | None, tuple[int, ...] | None]


def _parts(vit: ResidualViT, where: Where, layer: int) -> Iterator[_Part]:
    """List what has a patch of its own in a layer: names of heads and tokens, and their numbers."""
    groups = None if where.heads == ALL else tuple(sorted(set(_groups(vit, where, layer))))
    named = [(name, tokens_of(vit, name)) for name in dict.fromkeys(where.tokens)]
    if where.each in {"head", "neuron"}:
        for name, tokens in named:
            for number in dict.fromkeys(_groups(vit, where, layer)):
                yield str(number), name, (number,), tokens
    elif where.each == "token":
        numbers = (n for _, tokens in named for n in (tokens or range(vit.tokens)))
        for number in dict.fromkeys(numbers):
            yield where.heads, str(number), groups, (number,)
    else:
        for name, tokens in named:
            yield where.heads, name, groups, tokens


def _groups(vit: ResidualViT, where: Where, layer: int) -> list[int]:
    sublayer = vit.sublayers[PatchTarget(where.kind, layer).sublayer]
    hook_point(sublayer, where.kind)
    what = "heads" if where.kind in INSIDE_ATTENTION else "neurons"
    return expand(
        where.heads, range(group_count(sublayer, where.kind)), f"{sublayer.path} has {what}"
    )


def _check(where: Where) -> None:
    """Refuse what cannot be at any model."""
    if where.kind not in KINDS:
        known = (*SHORT, *KINDS)
        hint = did_you_mean(where.site, known) or f"; there are {', '.join(known)}"
        raise FeatvizError(f"there is no site {where.site!r}{hint}")
    if where.each not in BY:
        hint = did_you_mean(where.each, BY)
        raise FeatvizError(f"effects are by {', '.join(BY)}, not by {where.each!r}{hint}")
    if not where.windows or min(where.windows) < 1:
        raise FeatvizError("a window holds at least 1 block")
    if not where.tokens:
        raise FeatvizError("no tokens are named")
    has = "heads" if where.kind in INSIDE_ATTENTION else "neurons" if where.kind in INSIDE else ""
    if where.each in {"head", "neuron"}:
        if f"{where.each}s" != has:
            raise FeatvizError(f"{where.kind} has no {where.each}s; {_sites_with(where.each)}")
        if set(where.windows) != {1}:
            raise FeatvizError(
                f"a {where.each} of one block is no {where.each} of the next, so a window by "
                f"{where.each} is 1 block"
            )
    if where.heads != ALL and not has:
        raise FeatvizError(f"{where.kind} has neither heads nor neurons to choose from")
    if where.kind in EMBEDDINGS and set(where.windows) != {1}:
        raise FeatvizError(f"{where.kind} comes before all blocks, so its window is 1")


def _sites_with(what: str) -> str:
    sites = INSIDE_ATTENTION if what == "head" else ("neurons",)
    return f"{', '.join(sites)} {'has' if len(sites) == 1 else 'have'}"


def windows_of(text: str) -> tuple[int, ...]:
    """Read window sizes, such as ``1,3``.

    Raises
    ------
    FeatvizError
        If they are not whole numbers from 1 up.
    """
    pieces: Sequence[str] = text.split(",")
    if not all(re.fullmatch("[1-9][0-9]{0,5}", piece) for piece in pieces):
        raise FeatvizError(f"windows are whole numbers from 1 up, such as 1,3, not {text!r}")
    return tuple(int(piece) for piece in pieces)
