"""Patch targets: the activations that a patch replaces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError, did_you_mean
from patching.vit.hook_points import group_count, hook_point
from patching.vit.latent_layer import LatentLayer
from patching.vit.residual_vit import ResidualViT

EMBEDDINGS = ("patch_embed", "pos_embed")
"""Terms of the stream before block 0; the learned prefix tokens are the third term."""
STREAM = ("resid_pre", "resid_mid", "resid_post")
"""The residual stream before a block, between its sublayers, and after it."""
BETWEEN = (*EMBEDDINGS, *STREAM)
"""Activations that are replaced between sublayers."""
OUTPUTS = ("attn_out", "mlp_out")
"""What attention and MLP add to the stream."""
INSIDE_ATTENTION = ("q", "k", "v", "z", "pattern")
INSIDE = (*INSIDE_ATTENTION, "neurons")
"""Activations inside a sublayer, which have heads or neurons."""
KINDS = (*BETWEEN, *OUTPUTS, *INSIDE)

ActivationKey = tuple[str, int]
"""Kind of activation, or path of the site of latents, and index of the block."""


@dataclass(frozen=True)
class PatchTarget:
    """One activation of one block, or a part of it.

    With a sparse autoencoder, the part is what its latents write: `kind` is the activation that it
    reads, and the latents change while its error, the activation minus the reconstruction, stays.

    Attributes
    ----------
    kind : str
        One of `KINDS`, named as in TransformerLens. ``z`` is the input of attention's output
        projection; ``pattern`` is attention after the softmax, and its tokens are the queries;
        ``neurons`` are the MLP's activations after the nonlinearity.
    layer : int
        Index of the block; 0 for embeddings.
    tokens : tuple of int or None
        Indices of tokens, where prefix tokens come first; None for all tokens.
    groups : tuple of int or None
        Indices of heads, neurons or latents; None for all. Embeddings, streams and outputs have
        none.
    latents : LatentLayer or None
        The autoencoder whose latents are replaced, of the same kind and layer.
    """

    kind: str
    layer: int
    tokens: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None
    latents: LatentLayer | None = None

    @property
    def key(self) -> ActivationKey:
        """Identifies the whole activation, or all latents, of which the target is a part."""
        return (self.kind if self.latents is None else self.latents.path), self.layer

    @property
    def whole(self) -> PatchTarget:
        """The whole activation; for latents, that which the autoencoder reads."""
        return PatchTarget(self.kind, self.layer)

    @property
    def sublayer(self) -> int:
        """Index of the sublayer in which the activation is, or before which.

        A block has two sublayers. The stream after the last block comes before the sublayer of the
        index after the last.
        """
        offsets = {"resid_mid": 1, "resid_post": 2, "mlp_out": 1, "neurons": 1}
        return 2 * self.layer + offsets.get(self.kind, 0)

    def replace(self, own: Tensor, other: Tensor) -> Tensor:
        """Replace the activation at the target's tokens and groups.

        Parameters
        ----------
        own : Tensor, shape (N, T, G, D)
            The activation that is patched.
        other : Tensor, shape (N, T, G, D)
            The activation to take values from.

        Returns
        -------
        Tensor, shape (N, T, G, D)
        """
        if self.tokens is None and self.groups is None:
            return other
        tokens = _mask(own.shape[1], self.tokens, own.device)
        groups = _mask(own.shape[2], self.groups, own.device)
        return torch.where((tokens[:, None] & groups)[..., None], other, own)

    def replace_latents(self, own: Tensor, latents: Tensor, other: Tensor) -> Tensor:
        """Replace latents at the target's tokens and groups, and keep the reconstruction error.

        Parameters
        ----------
        own : Tensor, shape (N, T, 1, D)
            The activation that is patched.
        latents : Tensor, shape (N, T, G, 1)
            Its latents.
        other : Tensor, shape (N, T, G, 1)
            The latents to take values from.

        Returns
        -------
        Tensor, shape (N, T, 1, D)
        """
        assert self.latents is not None
        sae = self.latents.sae
        groups = None if self.groups is None else sorted(set(self.groups))
        change = (other - latents)[..., 0]
        change = change if groups is None else change[..., groups]
        tokens = _mask(own.shape[1], self.tokens, own.device)
        change = torch.where(tokens[:, None], change, 0).to(sae.decoder)
        return own + sae.decode_change(change, own[:, :, 0], groups).to(own)[:, :, None]


Patch = tuple[PatchTarget, ...]
"""Targets that are replaced together, such as a window of layers."""


def _mask(count: int, chosen: tuple[int, ...] | None, device: torch.device) -> Tensor:
    """Mark the chosen indices, slice by slice: a list would be copied to the device."""
    mask = torch.full((count,), chosen is None, device=device)
    indices = sorted(set(chosen or ()))
    starts = [index for index in indices if index - 1 not in indices]
    ends = [index + 1 for index in indices if index + 1 not in indices]
    for start, end in zip(starts, ends, strict=True):
        mask[start:end] = True
    return mask


def check_targets(vit: ResidualViT, targets: Iterable[PatchTarget]) -> None:
    """Check that a model has the kind, block, tokens, and heads or neurons of each target.

    Parameters
    ----------
    vit : ResidualViT
    targets : iterable of PatchTarget

    Raises
    ------
    FeatvizError
        Naming the first target that the model lacks, and the valid values.
    """
    for target in set(targets):
        _check_kind(vit, target)
        name = f"{target.kind} of block {target.layer} of {vit.model.name}"
        _check_indices(name, "tokens", target.tokens, vit.tokens)
        if target.groups is None:
            continue
        if target.latents is not None:
            _check_indices(name, "latents", target.groups, target.latents.sae.latents)
            continue
        if target.kind not in INSIDE:
            raise FeatvizError(f"{name} has no heads or neurons to select")
        groups = "heads" if target.kind in INSIDE_ATTENTION else "neurons"
        count = group_count(vit.sublayers[target.sublayer], target.kind)
        _check_indices(name, groups, target.groups, count)


def _check_kind(vit: ResidualViT, target: PatchTarget) -> None:
    name = vit.model.name
    if target.kind not in KINDS:
        hint = did_you_mean(target.kind, KINDS) or f"; choose from {', '.join(KINDS)}"
        raise FeatvizError(f"unknown kind of activation {target.kind!r}{hint}")
    if not 0 <= target.layer < vit.depth:
        raise FeatvizError(f"{name} has blocks 0-{vit.depth - 1}, not {target.layer}")
    if target.kind in INSIDE:
        hook_point(vit.sublayers[target.sublayer], target.kind)
    if target.kind not in EMBEDDINGS:
        return
    if target.layer:
        raise FeatvizError(f"{target.kind} comes before block 0, not before block {target.layer}")
    if vit.embedding is None:
        raise FeatvizError(
            f"{name} normalizes its tokens after adding embeddings, so {target.kind} cannot be "
            "patched on its own"
        )
    if target.kind == "pos_embed" and vit.embedding.positions is None:
        raise FeatvizError(f"{name} adds no position embedding to its patch tokens")


def _check_indices(name: str, what: str, indices: tuple[int, ...] | None, count: int) -> None:
    if indices is None:
        return
    if not indices:
        raise FeatvizError(f"{name}: no {what} are selected")
    wrong = [index for index in indices if not 0 <= index < count]
    if wrong:
        raise FeatvizError(f"{name} has {what} 0-{count - 1}, not {wrong[0]}")
