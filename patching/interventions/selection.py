"""Selection of the activations that a sweep patches: site, window, layers, heads and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.addressing.ranges import expand
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.loading.sae_files import LATENTS
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
from patching.vit.latent_layer import LatentLayer, latent_layer
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
        One of `patching.settings.SITES`, or of `ALIASES`; or latents of a sparse autoencoder as in
        addresses, ``sae.NAME:0-15`` or ``sae.NAME`` for all, whose reconstruction error is kept.
    windows : tuple of int
        Numbers of blocks that are patched together. A window of W blocks around block L spans
        blocks ``L - (W - 1) // 2`` to ``L + W // 2``, cut off at the first and the last block.
    by : str or None
        What has a patch of its own, one of `patching.settings.BY`. By default ``"head"`` for the
        site ``"head"``, ``"latent"`` for latents, and ``"layer"`` for all others.
    layers : str
        Blocks that windows are centered on: ``0-3,7`` or ``all``.
    heads : str
        Heads, or neurons, in the same form; latents are part of `site`.
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
        """The kind of activation at the site, one of `patching.interventions.patch_targets.KINDS`.

        For latents it is the path of their site, ``sae.NAME``.
        """
        if self.has_latents:
            return self.site.partition(":")[0]
        return ALIASES.get(self.site, self.site)

    @property
    def has_latents(self) -> bool:
        """Whether latents of a sparse autoencoder are patched."""
        return self.site.startswith(LATENTS)

    @property
    def groups(self) -> str:
        """The selected heads, neurons or latents: ``0-3,7`` or ``all``."""
        return (self.site.partition(":")[2] or ALL) if self.has_latents else self.heads

    @property
    def each(self) -> str:
        """What has a patch of its own, one of `patching.settings.BY`."""
        if self.by is None and self.has_latents:
            return "latent"
        return self.by or ("head" if self.site == "head" else "layer")


@dataclass(frozen=True)
class Sites:
    """Descriptions of S patches; each attribute has shape (S,).

    Attributes
    ----------
    site : array of str
        A kind of activation; see `Selection.kind`.
    layer : array of int64
        Index of the block, or of the center of a window.
    head, token : arrays of str
        An index, a name such as ``class`` or ``patches``, or ``all``. Neurons and latents are in
        `head`.
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
        If the model has no such site, block, head, neuron, latent or token, or the settings do not
        apply to this site.
    """
    _check(selection)
    if selection.has_latents:
        return _latent_table(vit, selection)
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
    return TargetTable(patches, _sites(rows))


def _latent_table(vit: ResidualViT, selection: Selection) -> TargetTable:
    """List the patches of latents, which are in one block."""
    latents = latent_layer(vit.model, selection.kind)
    layer = latents.layer
    parts = list(_parts(vit, selection, layer, latents))
    patches: list[Patch] = [
        (PatchTarget(latents.kind, layer, tokens, groups, latents),)
        for _, _, groups, tokens in parts
    ]
    check_targets(vit, [target for patch in patches for target in patch])
    rows = [(selection.kind, layer, latent, token, 1) for latent, token, _, _ in parts]
    return TargetTable(patches, _sites(rows))


def _sites(rows: Sequence[tuple[Any, ...]]) -> Sites:
    kinds, layers, heads, tokens, windows = zip(*rows, strict=True)
    return Sites(
        np.array(kinds),
        np.array(layers, np.int64),
        np.array(heads),
        np.array(tokens),
        np.array(windows, np.int64),
    )


_Part = tuple[str, str, tuple[int, ...] | None, tuple[int, ...] | None]
"""Names of heads and tokens, then their indices."""


def _parts(
    vit: ResidualViT, selection: Selection, layer: int, latents: LatentLayer | None = None
) -> Iterator[_Part]:
    """List the parts of a layer that have a patch each."""
    heads, chosen = selection.groups, partial(_groups, vit, selection, layer, latents)
    groups = None if heads == ALL else tuple(sorted(set(chosen())))
    named = [(name, tokens_of(vit, name)) for name in dict.fromkeys(selection.tokens)]
    if selection.each in {"head", "neuron", "latent"}:
        for name, tokens in named:
            for index in dict.fromkeys(chosen()):
                yield str(index), name, (index,), tokens
    elif selection.each == "token":
        indices = (index for _, tokens in named for index in (tokens or range(vit.tokens)))
        for index in dict.fromkeys(indices):
            yield heads, str(index), groups, (index,)
    else:
        for name, tokens in named:
            yield heads, name, groups, tokens


def _groups(
    vit: ResidualViT, selection: Selection, layer: int, latents: LatentLayer | None
) -> list[int]:
    """Expand the selected heads, neurons or latents of a layer to indices."""
    kind = selection.kind
    if latents is not None:
        return expand(selection.groups, range(latents.sae.latents), f"{kind} has latents")
    sublayer = vit.sublayers[PatchTarget(kind, layer).sublayer]
    hook_point(sublayer, kind)
    what = "heads" if kind in INSIDE_ATTENTION else "neurons"
    count = group_count(sublayer, kind)
    return expand(selection.heads, range(count), f"{sublayer.path} has {what}")


def _check(selection: Selection) -> None:
    """Check what does not depend on the model."""
    site, kind, each = selection.site, selection.kind, selection.each
    if kind not in KINDS and not selection.has_latents:
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
    groups = "latents" if selection.has_latents else groups
    if each in {"head", "neuron", "latent"}:
        if f"{each}s" != groups:
            sites = {"head": ", ".join(INSIDE_ATTENTION), "neuron": "mlp_act", "latent": "sae.NAME"}
            raise FeatvizError(f"{site} has no {each}s; sites with {each}s: {sites[each]}")
        if set(selection.windows) != {1}:
            raise FeatvizError(f"by {each}, the window must be 1: blocks do not share {each}s")
    if selection.heads != ALL and (selection.has_latents or not groups):
        what = f"; latents are selected as {kind}:0-15" if selection.has_latents else " to select"
        raise FeatvizError(f"{site} has no heads or neurons{what}")
    if selection.has_latents and (selection.layers != ALL or set(selection.windows) != {1}):
        raise FeatvizError(f"{kind} reads one activation; layers and windows do not apply to it")
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
