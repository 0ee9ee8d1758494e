"""Sizes that weights were trained at: of the inputs, by their positions, and of the patches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from featviz.models.loading.checkpoints.state_dict import State
from featviz.models.vision_model import VisionModel

# Position embeddings as timm, OpenAI CLIP and torchvision name them; filters of timm resample them.
_POSITIONS = ("pos_embed", "positional_embedding", "encoder.pos_embedding")
_TABLE = "relative_position_bias_table"
_PATCHES = ("patch_embed.proj.weight", "visual.conv1.weight", "conv_proj.weight")


def trained_size(state: State, model: VisionModel) -> int | None:
    """Return the input size that weights were trained at.

    Parameters
    ----------
    state : dict of str to Tensor
        Before its conversion to the names of timm.
    model : VisionModel
        Of the architecture, at any input size.

    Returns
    -------
    int or None
        Side in pixels, None if the weights do not depend on it, or not as the architecture does.
    """
    sides = {*_of_positions(state, model), *_of_tables(state, model)}
    return sides.pop() if len(sides) == 1 else None


def is_resampled(state: State, model: VisionModel) -> bool:
    """Return whether timm would resample weights for a model.

    Parameters
    ----------
    state : dict of str to Tensor
        Before its conversion to the names of timm.
    model : VisionModel

    Returns
    -------
    bool
        True if they were trained at another input size, with other windows or other patches.
    """
    own = model.module.state_dict()
    tables = [name for name in state if name.endswith(_TABLE) and name in own]
    return (
        trained_size(state, model) not in (None, model.image_size)
        or any(state[name].shape[0] != own[name].shape[0] for name in tables)
        or other_patches(state, model) is not None
    )


def other_patches(state: State, model: VisionModel) -> str | None:
    """Return the size of the patches of weights if it is not that of a model.

    Parameters
    ----------
    state : dict of str to Tensor
        Before its conversion to the names of timm.
    model : VisionModel

    Returns
    -------
    str or None
        Such as ``"16 x 16"``.
    """
    found, own = _patch_size(state), _patch_size(model.module.state_dict())
    return None if None in (found, own) or found == own else " x ".join(map(str, found or ()))


def other_tokens(state: State, model: VisionModel) -> str | None:
    """Describe position embeddings of more or fewer tokens than a square grid of patches has.

    Parameters
    ----------
    state : dict of str to Tensor
        Before its conversion to the names of timm.
    model : VisionModel
        Of the architecture, at any input size.

    Returns
    -------
    str or None
        Such as ``"1371 tokens, 1 more than those of 37 x 37 patches and 1 prefix token"``, with the
        nearest square. None if there is no difference, or there are no such positions.
    """
    own = next(_absolute(model.module.state_dict()), None)
    found = next(_absolute(state), None)
    patch = _patch_size(model.module.state_dict())
    if own is None or found is None or patch is None or patch[0] != patch[1]:
        return None
    prefix = own.shape[-2] - (model.image_size // patch[0]) ** 2
    if "register_tokens" in state:
        prefix = 1
    count = found.shape[-2]
    side = round(max(count - prefix, 1) ** 0.5)
    others = count - prefix - side**2
    if not others:
        return None
    tokens = f" and {prefix} prefix token{'s' if prefix > 1 else ''}" if prefix else ""
    return (
        f"{count} tokens, {abs(others)} {'more' if others > 0 else 'fewer'} than those of "
        f"{side} x {side} patches{tokens}"
    )


def _patch_size(state: State) -> tuple[int, ...] | None:
    for name in _PATCHES:
        if name in state and state[name].ndim == 4:
            return tuple(state[name].shape[2:])
    return None


def _of_positions(state: State, model: VisionModel) -> Iterator[int]:
    own = next(_absolute(model.module.state_dict()), None)
    patch = _patch_size(model.module.state_dict())
    if own is None or patch is None or patch[0] != patch[1]:
        return
    cells = (model.image_size // patch[0]) ** 2
    prefix = own.shape[-2] - cells
    for part in _absolute(state):
        if "register_tokens" in state:
            # DINOv2 has a position for the class token, timm adds it to that token.
            prefix = 1
        side = math.isqrt(max(part.shape[-2] - prefix, 0))
        if side and side**2 == part.shape[-2] - prefix:
            yield side * patch[0]


def _absolute(state: Mapping[str, Any]) -> Iterator[Any]:
    """Yield position embeddings of images."""
    towers = "visual.conv1.weight" in state
    for name, part in state.items():
        if towers and not name.startswith("visual."):
            # Of the text tower.
            continue
        if name.removeprefix("visual.") in _POSITIONS and part.ndim in (2, 3):
            yield part


def _of_tables(state: State, model: VisionModel) -> Iterator[int]:
    """Scale the input size by the side of the windows.

    A table has ``(2 * side - 1) ** 2`` rows, and 3 more with a class token.
    """
    own = model.module.state_dict()
    for name, part in state.items():
        if name.endswith(_TABLE) and name in own and own[name].ndim == part.ndim == 2:
            ours, theirs = ((math.isqrt(table.shape[0]) + 1) // 2 for table in (own[name], part))
            size, rest = divmod(model.image_size * theirs, ours)
            if not rest:
                yield size
