"""Inputs of a model: checks of images, and the error of a module that cannot take them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from featviz._util.arguments import described
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

PIXEL_MIN, PIXEL_MAX = -1.0, 2.0
"""Range of pixels that is not refused: augmentations may leave [0, 1]."""
CONVERSIONS = {
    "ndarray": "; torch.from_numpy makes a tensor",
    "list": "; torch.stack makes a batch of tensors",
    "Image": "; torchvision.transforms.functional.to_tensor makes a tensor (3, H, W) in [0, 1]",
}
"""What makes a tensor of other types, by the name of the type."""


def like_weights(module: nn.Module, images: Tensor) -> Tensor:
    """Cast images to the dtype and device of a module's weights.

    Parameters
    ----------
    module : nn.Module
        Its first floating-point parameter determines dtype and device; without one, the images
        stay as they are.
    images : Tensor

    Returns
    -------
    Tensor
    """
    weights = (weight for weight in module.parameters() if weight.is_floating_point())
    return images.to(next(weights, images))


def input_error(name: str, image_size: int, error: Exception) -> FeatvizError:
    """Describe why a module could not run on RGB images.

    Parameters
    ----------
    name : str
        Name of the model.
    image_size : int
        Side of the images in pixels.
    error : Exception
        What the module raised.

    Returns
    -------
    FeatvizError
        With the first line of that error, or the number of channels that the module takes.
    """
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    own = re.search(rf"input\[\d+, 3, {image_size}, {image_size}\] to have (\d+) channels", reason)
    if own:
        count = int(own[1])
        needed = (
            f"takes images of {count} channel{'s' * (count != 1)}; featviz needs RGB, 3 channels"
        )
        return FeatvizError(f"{name} {needed}")
    return FeatvizError(
        f"{name} cannot run on RGB images of {image_size} x {image_size} pixels: {reason}"
    )


def check_shape(model: VisionModel, images: Any, name: str = "images") -> Tensor:
    """Check that an argument is a batch of floating-point images of a model's input size.

    Parameters
    ----------
    model : VisionModel
    images : object
        Should be a tensor (N, 3, H, W).
    name : str
        Name of the argument, for error messages.

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
        Name of the argument, for error messages.

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
        if not (low >= PIXEL_MIN and high <= PIXEL_MAX):
            hint = "; divide them by 255" if low >= 0 and high > PIXEL_MAX else ""
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
        steps.append(".permute(0, 3, 1, 2) moves the channels to axis 1")
    elif len(shape) == 4 and shape[1] == 1:
        steps.append(".expand(-1, 3, -1, -1) makes a gray image RGB")
    elif len(shape) == 4 and shape[1] == 3 and shape[2:] != (side, side):
        steps.append(f"resize them to {side} x {side}")
    if not images.is_floating_point():
        steps.append(".float() / 255 if they are bytes")
    return f"; {', then '.join(steps)}" if steps else ""
