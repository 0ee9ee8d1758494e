"""Selection of the activations that a sweep patches: site, window, layers, heads and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.addressing.ranges import expand
from featviz.errors import FeatvizError, did_you_mean
from patching.interventions.patch_targets import (
    EMBEDDINGS,
    INSIDE,
    INSIDE_ATTENTION,
    KINDS,
    Patch,
    PatchTarget,
    check_targets,
)
from patching.interventions.token_names import tokens_of
from patching.settings import BY, SITES
from patching.vit.hook_points import group_count, hook_point
from patching.vit.residual_vit import ResidualViT

ALL = "all"
"""Name of all heads, or of all tokens."""

ALIASES = {
    "mlp_act": "neurons",
    "attn": "attn_out",
    "mlp": "mlp_out",
    "resid": "resid_post",
    "head": "z",
    **{f"attn.{name}": name for name in ("q", "k", "v", "z", "pattern")},
}
"""Other names of kinds of activations: older ones, and those in addresses of units.

Stores record ``mlp_act`` as ``neurons``.
"""


@dataclass(frozen=True)
class Selection:
    """The activations that a sweep replaces, and which of them together.

    Attributes
    ----------
    site : str
        One of `patching.settings.SITES`, or of `ALIASES`.
    windows : tuple of int
        Numbers of blocks that are patched together. A window of W blocks around block L spans
        blocks ``L - (W - 1) // 2`` to ``L + W // 2``, cut off at the first and the last block.
    by : str or None
        What has a patch of its own, one of `patching.settings.BY`. By default ``"head"`` for the
        site ``"head"``, and ``"layer"`` for all others.
    layers : str
        Blocks that windows are centered on: ``0-3,7`` or ``all``.
    heads : str
        Heads, or neurons, in the same form.
    tokens : tuple of str
        Names of tokens; see `patching.interventions.token_names.tokens_of`. With ``by="token"``
        each token has a patch of its own; otherwise each entry has one.
    """

    site: str = "attn_out"
    windows: tuple[int, ...] = (1,)
    by: str | None = None
    layers: str = ALL
    heads: str = ALL
    tokens: tuple[str, ...] = (ALL,)

    @property
    def kind(self) -> str:
        """The kind of activation at the site; see `patching.interventions.patch_targets.KINDS`."""
        return ALIASES.get(self.site, self.site)

    @property
    def each(self) -> str:
        """What has a patch of its own, one of `patching.settings.BY`."""
        return self.by or ("head" if self.site == "head" else "layer")


@dataclass(frozen=True)
class Sites:
    """Descriptions of S patches; each attribute has shape (S,).

    Attributes
    ----------
    site : array of str
        A kind of activation; see `patching.interventions.patch_targets.KINDS`.
    layer : array of int64
        Index of the block, or of the center of a window.
    head, token : arrays of str
        An index, a name such as ``class`` or ``patches``, or ``all``. Neurons are in `head`.
    window : array of int64
        Number of blocks that are patched together.
    """

    site: NDArray[np.str_]
    layer: NDArray[np.int64]
    head: NDArray[np.str_]
    token: NDArray[np.str_]
    window: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.site)

    def __iter__(self) -> Iterator[tuple[str, int, str, str, int]]:
        """Iterate over the sites, each a tuple of its attributes."""
        return zip(
            self.site.tolist(),
            self.layer.tolist(),
            self.head.tolist(),
            self.token.tolist(),
            self.window.tolist(),
            strict=True,
        )


@dataclass(frozen=True)
class TargetTable:
    """The patches of a sweep, and their description.

    Attributes
    ----------
    patches : list of Patch
        P patches.
    sites : Sites
        One row for each patch.
    """

    patches: list[Patch]
    sites: Sites


def target_table(vit: ResidualViT, selection: Selection) -> TargetTable:
    """List the patches of a sweep, ordered by window, then layer, then head or token.

    Parameters
    ----------
    vit : ResidualViT
    selection : Selection

    Returns
    -------
    TargetTable

    Raises
    ------
    FeatvizError
        If the model has no such site, block, head, neuron or token, or the settings do not apply
        to this site.
    """
    _check(selection)
    depth = 1 if selection.kind in EMBEDDINGS else vit.depth
    layers = expand(selection.layers, range(depth), f"{vit.model.name} has blocks")
    rows: list[tuple[Any, ...]] = []
    patches: list[Patch] = []
    for window in dict.fromkeys(selection.windows):
        for layer in dict.fromkeys(layers):
            blocks = range(max(0, layer - (window - 1) // 2), min(depth, layer + window // 2 + 1))
            for head, token, groups, tokens in _parts(vit, selection, layer):
                patches.append(
                    tuple(PatchTarget(selection.kind, block, tokens, groups) for block in blocks)
                )
                rows.append((selection.kind, layer, head, token, window))
    check_targets(vit, [target for patch in patches for target in patch])
    kinds, layers_, heads, tokens_, windows = zip(*rows, strict=True)
    sites = Sites(
        np.array(kinds),
        np.array(layers_, np.int64),
        np.array(heads),
        np.array(tokens_),
        np.array(windows, np.int64),
    )
    return TargetTable(patches, sites)


_Part = tuple[str, str, tuple[int, ...] | None, tuple[int, ...] | None]
"""Names of heads and tokens, then their indices."""


def _parts(vit: ResidualViT, selection: Selection, layer: int) -> Iterator[_Part]:
    """List the parts of a layer that have a patch each."""
    heads = selection.heads
    groups = None if heads == ALL else tuple(sorted(set(_groups(vit, selection, layer))))
    named = [(name, tokens_of(vit, name)) for name in dict.fromkeys(selection.tokens)]
    if selection.each in {"head", "neuron"}:
        for name, tokens in named:
            for index in dict.fromkeys(_groups(vit, selection, layer)):
                yield str(index), name, (index,), tokens
    elif selection.each == "token":
        indices = (index for _, tokens in named for index in (tokens or range(vit.tokens)))
        for index in dict.fromkeys(indices):
            yield heads, str(index), groups, (index,)
    else:
        for name, tokens in named:
            yield heads, name, groups, tokens


def _groups(vit: ResidualViT, selection: Selection, layer: int) -> list[int]:
    """Expand the selected heads or neurons of a layer to indices."""
    kind = selection.kind
    sublayer = vit.sublayers[PatchTarget(kind, layer).sublayer]
    hook_point(sublayer, kind)
    what = "heads" if kind in INSIDE_ATTENTION else "neurons"
    count = group_count(sublayer, kind)
    return expand(selection.heads, range(count), f"{sublayer.path} has {what}")


def _check(selection: Selection) -> None:
    """Check what does not depend on the model."""
    site, kind, each = selection.site, selection.kind, selection.each
    if kind not in KINDS:
        hint = did_you_mean(site, (*SITES, *ALIASES)) or f"; choose from {', '.join(SITES)}"
        raise FeatvizError(f"unknown site {site!r}{hint}")
    if each not in BY:
        hint = did_you_mean(each, BY)
        raise FeatvizError(f"by must be one of {', '.join(BY)}, got {each!r}{hint}")
    if not selection.windows or min(selection.windows) < 1:
        raise FeatvizError(f"a window is 1 block or more, got {selection.windows}")
    if not selection.tokens:
        raise FeatvizError("no tokens are selected; use 'all' for all tokens")
    groups = "heads" if kind in INSIDE_ATTENTION else "neurons" if kind in INSIDE else ""
    if each in {"head", "neuron"}:
        if f"{each}s" != groups:
            others = ", ".join(INSIDE_ATTENTION) if each == "head" else "mlp_act"
            raise FeatvizError(f"{site} has no {each}s; sites with {each}s: {others}")
        if set(selection.windows) != {1}:
            raise FeatvizError(f"by {each}, the window must be 1: blocks do not share {each}s")
    if selection.heads != ALL and not groups:
        raise FeatvizError(f"{site} has no heads or neurons to select")
    if kind in EMBEDDINGS and set(selection.windows) != {1}:
        raise FeatvizError(f"{site} comes before all blocks, so the window must be 1")


def windows_of(text: str) -> tuple[int, ...]:
    """Parse window sizes.

    Parameters
    ----------
    text : str
        Positive integers separated by commas, such as ``1,3``.

    Returns
    -------
    tuple of int

    Raises
    ------
    FeatvizError
        If `text` has another form.
    """
    pieces: Sequence[str] = text.split(",")
    if not all(re.fullmatch("[1-9][0-9]{0,5}", piece) for piece in pieces):
        raise FeatvizError(f"windows are integers >= 1, such as 1,3, got {text!r}")
    return tuple(int(piece) for piece in pieces)
