"""Checks of models and images that public functions are called with; see `_util.arguments`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from featviz._util.arguments import described
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel

LOWEST, HIGHEST = -1.0, 2.0
"""Range of pixels that is not refused: augmentations may leave [0, 1]."""
CONVERSIONS = {
    "ndarray": "; torch.from_numpy makes a tensor",
    "list": "; torch.stack makes a batch of tensors",
    "Image": "; torchvision.transforms.functional.to_tensor makes a tensor (3, H, W) in [0, 1]",
}
"""What makes a tensor of other types, by the name of the type."""


def check_model(model: Any, name: str = "model") -> VisionModel:
    """Check that an argument is a model of featviz.

    Parameters
    ----------
    model : object
    name : str
        Of the argument.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If it is something else, such as a module.
    """
    if isinstance(model, VisionModel):
        return model
    if isinstance(model, nn.Module):
        raise FeatvizError(
            f"{name} must be a VisionModel, got a module ({type(model).__name__}); "
            "featviz.wrap(module, image_size=..., mean=..., std=...) makes one"
        )
    raise FeatvizError(
        f"{name} must be a VisionModel, as featviz.load returns it, got {described(model)}"
    )


def check_shape(model: VisionModel, images: Any, name: str = "images") -> Tensor:
    """Check that an argument is a batch of floating-point images of a model's input size.

    Parameters
    ----------
    model : VisionModel
    images : object
        Should be a tensor (N, 3, H, W).
    name : str
        Of the argument.

    Returns
    -------
    Tensor

    Raises
    ------
    FeatvizError
        If it is not, with what would make it so.
    """
    side = model.image_size
    wanted = f"{model.name} reads floating-point {name} (N, 3, {side}, {side})"
    if not isinstance(images, Tensor):
        hint = CONVERSIONS.get(type(images).__name__, "")
        raise FeatvizError(f"{wanted}, not {described(images)}{hint}")
    if images.shape[1:] != (3, side, side) or not images.is_floating_point():
        dtype = str(images.dtype).removeprefix("torch.")
        raise FeatvizError(f"{wanted}, not {dtype} {tuple(images.shape)}{_hint(images, side)}")
    return images


def check_images(model: VisionModel, images: Any, name: str = "images") -> Tensor:
    """Check that an argument is a batch of images that a model takes, also their range.

    Reading the range of the pixels waits for a GPU: not for loops.

    Parameters
    ----------
    model : VisionModel
    images : object
        Should be a tensor (N, 3, H, W), RGB in [0, 1], floating-point.
    name : str
        Of the argument.

    Returns
    -------
    Tensor

    Raises
    ------
    FeatvizError
        If it is not, with what would make it so.
    """
    check_shape(model, images, name)
    if images.numel():
        try:
            low, high = (float(each) for each in torch.aminmax(images.detach()))
        except RuntimeError:  # inside `torch.func.vmap`, values cannot be read
            low, high = 0.0, 1.0
        if not (low >= LOWEST and high <= HIGHEST):
            hint = "; divide them by 255" if low >= 0 and high > HIGHEST else ""
            raise FeatvizError(
                f"{model.name} reads {name} in [0, 1], before its own normalization, "
                f"not in [{low:g}, {high:g}]{hint}"
            )
    checked: Tensor = images
    return checked


def _hint(images: Tensor, side: int) -> str:
    """Return what turns images of another shape or type into the right ones."""
    shape = tuple(images.shape)
    steps = []
    if len(shape) == 3:
        steps.append("[None] adds the batch axis")
    if len(shape) in (3, 4) and shape[-1] == 3 and shape[-3] != 3:
        steps.append(".permute(0, 3, 1, 2) puts the channels second")
    elif len(shape) == 4 and shape[1] == 1:
        steps.append(".expand(-1, 3, -1, -1) makes a gray image RGB")
    elif len(shape) == 4 and shape[1] == 3 and shape[2:] != (side, side):
        steps.append(f"resize them to {side} x {side}")
    if not images.is_floating_point():
        steps.append(".float() / 255 if they are bytes")
    return f"; {', then '.join(steps)}" if steps else ""
