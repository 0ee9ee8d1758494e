"""Prefix tokens and token grids: which positions of a layer are patches, and in which order.

Prefix tokens are class, distillation and register tokens, which come before the patch tokens.

Importing this module does not import PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from featviz.models.vision_model import VisionModel

Grid = tuple[int, int]
"""Rows and columns."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are exclusive."""

CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
"""Usual names of a learned class token."""
TOKENS = (*CLASS_TOKENS, "dist_token", "distillation_token", "reg_token", "register_tokens")
"""Usual names of all learned tokens."""

# Submodules whose layers have positions other than the rows and columns of the image, by class name
# of the parent and attribute. The shape of their output does not show it.
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
# Attention pooling prepends the mean over all positions, as in CLIP's ResNets.
POOLS = {"AttentionPool2d", "RotAttentionPool2d"}


def count_prefix_tokens(module: nn.Module) -> int:
    """Count the prefix tokens of a module.

    Parameters
    ----------
    module : nn.Module
        A vision model. Its ``num_prefix_tokens`` counts, as timm's modules have it, else its
        learned tokens with the usual names; of a wrapper, those of the module inside.

    Returns
    -------
    int

    Raises
    ------
    FeatvizError
        If modules inside a wrapper differ.
    """
    found = {_own_count(part): type(part).__name__ for part in _owners(module)}
    if len(found) > 1:
        each = ", ".join(f"{name} has {count}" for count, name in found.items())
        raise FeatvizError(
            f"the parts of {type(module).__name__} have different numbers of prefix tokens "
            f"({each}); set `prefix_tokens` of the model"
        )
    return next(iter(found), 0)


def has_class_token(module: nn.Module) -> bool:
    """Return whether a `module`, or the module inside a wrapper, has a learned class token."""
    return any(not _tokens(part).keys().isdisjoint(CLASS_TOKENS) for part in _owners(module))


def _owners(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost modules that have prefix tokens, or state how many."""
    if isinstance(getattr(module, "num_prefix_tokens", None), int) or _tokens(module):
        yield module
    else:
        for child in module.children():
            yield from _owners(child)


def _own_count(module: nn.Module) -> int:
    count = getattr(module, "num_prefix_tokens", None)
    return count if isinstance(count, int) else sum(_tokens(module).values())


def _tokens(module: nn.Module) -> dict[str, int]:
    """Return the number of learned tokens of a module itself under each usual name."""
    counts: dict[str, int] = {}
    own = module.named_parameters(recurse=False), module.named_buffers(recurse=False)
    for path, token in chain(*own):
        # Branches and stages have their own tokens, as in ``cls_token_0``.
        name = path.rstrip("0123456789").removesuffix("_")
        if name in TOKENS and 1 <= token.ndim <= 3:
            # The class embedding of CLIP has only the axis of channels.
            count = 1 if token.ndim == 1 else token.shape[-2]
            counts[name] = max(counts.get(name, 0), count)
    return counts


def layout(
    module: nn.Module,
    owner: str,
    positions: tuple[int, ...],
    prefix_tokens: int,
    is_map: bool = False,
) -> tuple[Grid | None, int]:
    """Find how the positions of a layer's output are arranged.

    Parameters
    ----------
    module : nn.Module
        The whole model, for square images.
    owner : str
        Path of the layer in it.
    positions : tuple of int
        Shape of the output without the batch axis and the channel axis.
    prefix_tokens : int
        Number of class, distillation and register tokens of the model.
    is_map : bool
        Whether the output is a feature map, as of a convolution, whose grid may be rectangular. A
        linear layer on a rectangle of positions sees windows and the positions in them.

    Returns
    -------
    grid : (int, int) or None
        Rows and columns of the patches, which are in row-major order; None if positions are
        something else or in another order.
    prefix : int
        Number of positions before the patches.
    """
    ancestry = list(_ancestry(module, owner))
    if any(step in WITHOUT_GRID for step in ancestry):
        return None, 0
    if len(positions) == 2:
        rows, columns = positions
        return ((rows, columns) if is_map or rows == columns else None), 0
    if len(positions) != 1:
        return None, 0
    is_pooled = any(name in POOLS for name, _ in ancestry)
    # Images are square, and so is the grid of a sequence of patches, with or without prefix tokens.
    square = _square(positions[0], 1 if is_pooled else prefix_tokens)
    return (None, 0) if square is None else ((square[0], square[0]), square[1])


def _square(count: int, prefix_tokens: int) -> tuple[int, int] | None:
    """Split tokens into a square grid and a prefix, which may be absent: its side and prefix."""
    for prefix in (prefix_tokens, 0):
        side = math.isqrt(max(0, count - prefix))
        if side and count == prefix + side**2:
            return side, prefix
    return None


def _ancestry(module: nn.Module, path: str) -> Iterator[tuple[str, str]]:
    """Yield the class name of every module on a path, with the attribute that leads on."""
    part = module
    for name in path.split("."):
        yield type(part).__name__, name
        part = part.get_submodule(name)


def square_grid(tokens: Tensor, prefix_tokens: int) -> Tensor | None:
    """Reshape tokens to a square grid, without prefix tokens if there are any.

    Parameters
    ----------
    tokens : Tensor, shape (T, channels)
        With or without prefix tokens.
    prefix_tokens : int
        Number of prefix tokens of the model.

    Returns
    -------
    Tensor, shape (side, side, channels), or None
        None if the patches do not form a square.
    """
    square = _square(len(tokens), prefix_tokens)
    if square is None:
        return None
    side, prefix = square
    return tokens[prefix:].reshape(side, side, -1)


def patch_box(token: int, grid: Sequence[int], prefix: int, side: int) -> Box | None:
    """Find the pixels of a patch.

    For a convolution, the patch is a cell of its feature map, whose receptive field is larger.

    Parameters
    ----------
    token : int
        Index of the token; prefix tokens come first.
    grid : (int, int)
        Rows and columns; (-1, -1) if there is no grid.
    prefix : int
        Number of tokens before the patches.
    side : int
        Side of the image in pixels.

    Returns
    -------
    (left, top, right, bottom) or None
        In pixels; right and bottom are exclusive. None for a token that is not a patch.
    """
    rows, columns = (int(each) for each in grid)
    if rows < 1 or columns < 1 or not prefix <= token < prefix + rows * columns:
        return None
    row, column = divmod(token - prefix, columns)
    left, right = _span(column, columns, side)
    top, bottom = _span(row, rows, side)
    return left, top, right, bottom


def _span(index: int, count: int, side: int) -> tuple[int, int]:
    start = index * side // count
    return start, max(start + 1, (index + 1) * side // count)


def patch_size(model: VisionModel) -> int:
    """Return the distance between neighboring patches of a `model` in pixels; 1 without patches.

    This is the side of patches that neither overlap nor leave gaps.
    """
    grid = patch_grid(model)
    return 1 if grid is None else model.image_size // max(grid)


def patch_grid(model: VisionModel) -> Grid | None:
    """Find the grid of the patches into which a `model` cuts images.

    The module that reads the pixels cuts them if its class is called an embedding; so does
    anything before a layer that sees prefix tokens.

    Returns
    -------
    (int, int) or None
        Rows and columns; None if the model does not cut images into patches.
    """
    sites = list(model.sites.values())
    for path, part in model.module.named_modules():
        if "Embed" in type(part).__name__ and sites and sites[0].owner.startswith(f"{path}."):
            inside = [site.grid for site in sites if site.owner.startswith(f"{path}.")]
            return inside[-1]
    with_prefix = (site.grid for site in sites if site.prefix)
    return next(with_prefix, None) if model.prefix_tokens else None
