"""Names of tokens, such as the class token, the registers or a region of the image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from featviz.addressing.ranges import expand
from featviz.errors import FeatvizError
from patching.vit.residual_vit import ResidualViT

NAMES = ("all", "class", "registers", "prefix", "patches", "ROWSxCOLUMNS")


def tokens_of(vit: ResidualViT, text: str) -> tuple[int, ...] | None:
    """Convert names of tokens to indices.

    Parameters
    ----------
    vit : ResidualViT
    text : str
        ``all``; ``class`` (or ``cls``); ``registers``; ``prefix``, all tokens before the patches;
        ``patches``; a rectangle of patches as ``0-3x2,5`` (rows, then columns, counted from 0 at
        the top left); or indices, as in addresses of units: ``0-4,9``. Join several with ``+``.

    Returns
    -------
    tuple of int or None
        Sorted indices; None for all tokens.

    Raises
    ------
    FeatvizError
        If the model has no such tokens.
    """
    chosen: set[int] = set()
    for name in text.split("+"):
        indices = _indices(vit, name.strip())
        if not indices:
            raise FeatvizError(
                f"{vit.model.name} has no tokens {name!r}; choose from {', '.join(NAMES)}"
            )
        chosen.update(indices)
    return None if len(chosen) == vit.tokens else tuple(sorted(chosen))


def tokens_under(vit: ResidualViT, mask: Tensor, share: float = 0.5) -> tuple[int, ...]:
    """Find the patch tokens that a mask covers.

    Parameters
    ----------
    vit : ResidualViT
    mask : Tensor, shape (H, W)
        In [0, 1], or bool; H and W are multiples of the rows and columns of the patch grid.
    share : float
        Minimum fraction of a patch's area that the mask must cover.

    Returns
    -------
    tuple of int
        Sorted indices; may be empty.

    Raises
    ------
    FeatvizError
        If the size of the mask is not a multiple of the patch grid.
    """
    rows, columns = grid_of(vit)
    height, width = mask.shape
    if height % rows or width % columns:
        raise FeatvizError(
            f"a mask of {height} x {width} pixels cannot be divided into the {rows} x {columns} "
            f"patches of {vit.model.name}"
        )
    parts = mask.double().reshape(rows, height // rows, columns, width // columns)
    covered = parts.mean((1, 3)).flatten() >= share
    return tuple((torch.nonzero(covered).flatten() + vit.model.prefix_tokens).tolist())


def grid_of(vit: ResidualViT) -> tuple[int, int]:
    """Return the rows and columns of the patch grid of `vit`.

    Raises
    ------
    FeatvizError
        If the patches do not form a square.
    """
    patches = vit.tokens - vit.model.prefix_tokens
    side = math.isqrt(patches)
    if side**2 != patches:
        raise FeatvizError(f"the {patches} patches of {vit.model.name} do not form a square")
    return side, side


def _indices(vit: ResidualViT, name: str) -> list[int]:
    model = vit.model
    prefix = model.prefix_tokens
    registers = getattr(model.module, "reg_token", None)
    if name in {"class", "cls"}:
        return [0] if model.has_class_token else []
    if name == "registers":
        count = registers.shape[1] if isinstance(registers, Tensor) else 0
        return list(range(prefix - count, prefix))
    if name == "prefix":
        return list(range(prefix))
    if name == "patches":
        return list(range(prefix, vit.tokens))
    if "x" in name:
        rows, columns = grid_of(vit)
        down, _, right = name.partition("x")
        return [
            prefix + row * columns + column
            for row in expand(down, range(rows), f"{model.name} has rows")
            for column in expand(right, range(columns), f"{model.name} has columns")
        ]
    return expand(name, range(vit.tokens), f"{model.name} has tokens")
