"""Which positions of a layer's output are places of the image, and how they are ordered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


Grid = tuple[int, int]

# Parts whose layers have other positions than the rows and columns of the image, by the name of
# the class and the attribute that holds them. Nothing in the shape of their output tells.
WITHOUT_GRID = {
    # The axes are swapped: positions are channels.
    ("MixerBlock", "mlp_tokens"),
    ("ResBlock", "linear_tokens"),
    ("SpatialGatingUnit", "proj"),
    ("CoaT", "aggregate"),
    # Positions are pairs of a query and a key.
    ("TalkingHeadAttn", "proj_l"),
    ("TalkingHeadAttn", "proj_w"),
    ("GPSA", "pos_proj"),
    # Positions are sorted by window, block or mask unit.
    ("Hiera", "blocks"),
    ("NestLevel", "transformer_encoder"),
    ("PartitionAttentionLayer", "attn_layer"),
    ("PartitionAttentionLayer", "mlp_layer"),
    ("MobileVitV2Block", "transformer"),
}
# Pooling by attention puts the mean of all places in front of them, as CLIP's ResNets do.
POOLS = {"AttentionPool2d", "RotAttentionPool2d"}


def layout(
    module: nn.Module, owner: str, places: tuple[int, ...], prefix_tokens: int
) -> tuple[Grid | None, int]:
    """Tell how the positions of a layer's output are arranged.

    Parameters
    ----------
    module : nn.Module
        The whole model, for square images.
    owner : str
        Path of a convolution or linear layer in it.
    places : tuple of int
        Shape of the output without the first axis (images) and the channels.
    prefix_tokens : int
        Class, distillation and register tokens of the model.

    Returns
    -------
    grid : (int, int) or None
        Rows and columns of the places, which stand row by row; None if positions are something
        else or in another order.
    prefix : int
        How many positions come before them.
    """
    ancestry = list(_ancestry(module, owner))
    if any(step in WITHOUT_GRID for step in ancestry):
        return None, 0
    if len(places) == 2:
        # The grid of a convolution may be anything; a linear layer on no square of places sees
        # windows and the places in them.
        is_map = isinstance(module.get_submodule(owner), nn.Conv2d) or places[0] == places[1]
        return ((places[0], places[1]) if is_map else None), 0
    if len(places) != 1:
        return None, 0
    pooled = any(name in POOLS for name, _ in ancestry)
    # Images are square, and so is the grid of a sequence of patches, behind the prefix tokens if
    # they are in it. What is no square has no grid.
    for prefix in (1 if pooled else prefix_tokens, 0):
        side = math.isqrt(max(0, places[0] - prefix))
        if side and places[0] == prefix + side**2:
            return (side, side), prefix
    return None, 0


def _ancestry(module: nn.Module, path: str) -> Iterator[tuple[str, str]]:
    """List the class of every module on the way to a path, with the attribute that leads on."""
    part = module
    for name in path.split("."):
        yield type(part).__name__, name
        part = part.get_submodule(name)


def square_grid(tokens: Tensor, prefix_tokens: int) -> Tensor | None:
    """Cut off prefix tokens, if they have embeddings, so that a square grid is left."""
    for prefix in (prefix_tokens, 0):
        side = math.isqrt(max(0, len(tokens) - prefix))
        if side and len(tokens) == prefix + side**2:
            return tokens[prefix:].reshape(side, side, -1)
    return None


Box = tuple[int, int, int, int]


def patch_box(token: int, grid: Sequence[int], prefix: int, side: int) -> Box | None:
    """Find the pixels of a patch.

    Of a convolution the patch is a cell of its feature map, which sees more of the image than
    itself.

    Parameters
    ----------
    token : int
        Prefix tokens first.
    grid : (int, int)
        Rows and columns; (-1, -1) where there are none.
    prefix : int
        How many tokens come before the patches.
    side : int
        Of the picture in pixels.

    Returns
    -------
    (left, top, right, bottom) or None
        Right and bottom are the first pixels that are outside. None of a token that is no patch.
    """
    rows, columns = (int(each) for each in grid)
    if rows < 1 or columns < 1 or not prefix <= token < prefix + rows * columns:
        return None
    row, column = divmod(token - prefix, columns)
    horizontal = _span(column, columns, side)
    vertical = _span(row, rows, side)
    return horizontal[0], vertical[0], horizontal[1], vertical[1]


def _span(number: int, count: int, side: int) -> tuple[int, int]:
    start = number * side // count
    return start, max(start + 1, (number + 1) * side // count)


def patch_size(model: VisionModel) -> int:
    """Return how many pixels lie between neighboring patches of a model; 1 if it has none.

    That is the side of patches that neither overlap nor leave gaps.
    """
    grid = patch_grid(model)
    return 1 if grid is None else model.image_size // max(grid)


def patch_grid(model: VisionModel) -> Grid | None:
    """Find the grid on which patches first stand; None if a model does not cut images into patches.

    The part that reads the pixels cuts them if it is called an embedding; so does whatever comes
    before a layer that sees prefix tokens.
    """
    sites = list(model.sites.values())
    for path, part in model.module.named_modules():
        if "Embed" in type(part).__name__ and sites and sites[0].owner.startswith(f"{path}."):
            inside = [site.grid for site in sites if site.owner.startswith(f"{path}.")]
            return inside[-1]
    behind = (site.grid for site in sites if site.prefix)
    return next(behind, None) if model.prefix_tokens else None
