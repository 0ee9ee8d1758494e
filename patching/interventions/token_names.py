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
    """Expand a name to numbers of tokens.

    Parameters
    ----------
    text : str
        ``all``; ``class`` (or ``cls``); ``registers``; ``prefix``, all tokens before the patches;
        ``patches``; a rectangle of patches as ``0-3x2,5`` (rows, then columns, from 0 at the top
        left); or numbers, as in addresses of units: ``0-4,9``. Several are joined by ``+``.

    Returns
    -------
    tuple of int or None
        In order; None for all.

    Raises
    ------
    FeatvizError
        If the model has no such tokens.
    """
    chosen: set[int] = set()
    for name in text.split("+"):
        numbers = _named(vit, name.strip())
        if not numbers:
            kinds = ", ".join(NAMES)
            raise FeatvizError(f"{vit.model.name} has no tokens {name}; there may be {kinds}")
        chosen.update(numbers)
    return None if len(chosen) == vit.tokens else tuple(sorted(chosen))


def tokens_under(vit: ResidualViT, mask: Tensor, share: float = 0.5) -> tuple[int, ...]:
    """Find the patches that a mask covers.

    Parameters
    ----------
    mask : Tensor, shape (H, W)
        From 0 to 1, or bool; H and W are multiples of the grid's rows and columns.
    share : float
        Of a patch's area that must be covered at least.

    Returns
    -------
    tuple of int
        May be empty.

    Raises
    ------
    FeatvizError
        If the mask cannot be cut into the model's patches.
    """
    rows, columns = grid_of(vit)
    height, width = mask.shape
    if height % rows or width % columns:
        raise FeatvizError(
            f"a mask of {height} x {width} cannot be cut into the {rows} x {columns} patches of "
            f"{vit.model.name}"
        )
    parts = mask.double().reshape(rows, height // rows, columns, width // columns)
    covered = parts.mean((1, 3)).flatten() >= share
    return tuple((torch.nonzero(covered).flatten() + vit.model.prefix_tokens).tolist())


def grid_of(vit: ResidualViT) -> tuple[int, int]:
    """Return rows and columns of the patches.

    Raises
    ------
    FeatvizError
        If they are not a square, as images are.
    """
    patches = vit.tokens - vit.model.prefix_tokens
    side = math.isqrt(patches)
    if side**2 != patches:
        raise FeatvizError(f"the {patches} patches of {vit.model.name} are not a square")
    return side, side


def _named(vit: ResidualViT, name: str) -> list[int]:
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
