"""Inputs of a module: images like its weights, and the error of a module that cannot take them."""

from __future__ import annotations

import re

from torch import Tensor, nn

from featviz.errors import FeatvizError


def like_weights(module: nn.Module, images: Tensor) -> Tensor:
    """Cast images to the dtype and device of a module's weights.

    Parameters
    ----------
    module : nn.Module
        Its first floating-point parameter counts; without one, the images stay as they are.
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
        Of the model.
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
