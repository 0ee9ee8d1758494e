"""Layers whose values depend on more than the image: on chance, or on the rest of the batch.

Examples are dropout that is on in evaluation mode, and batch normalization without running
statistics. A picture of such a unit could not be reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from featviz.models.hooks import Call, record

SAMPLED = 4096
"""About the number of values of a layer that are compared."""
TOLERANCE = 1e-3
"""Largest difference that counts as rounding, relative to the largest value."""


def sample(values: Any) -> Tensor:
    """Take evenly spaced values of the second of two images.

    Parameters
    ----------
    values : Tensor, shape (2, ...)
        Of anything else, no values are taken.

    Returns
    -------
    Tensor, shape (count,)
        A copy; about 4096 values.
    """
    if not isinstance(values, Tensor) or not values.is_floating_point():
        return torch.empty(0)
    if values.ndim == 0 or len(values) != 2:
        return torch.empty(0)
    row = values[1].detach().flatten()
    return row[:: max(1, row.numel() // SAMPLED)].clone()


def irreproducible(
    module: nn.Module,
    images: Tensor,
    first: Mapping[str, Tensor],
    run: Callable[[Tensor], Mapping[str, Tensor]],
) -> dict[str, str]:
    """Find layers whose values for an image change while the image does not.

    It takes one forward pass, and three more if it finds one.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode.
    images : Tensor, shape (2, 3, H, W)
        Inputs of the module. The second one is noise, and stays the same.
    first : dict of str to Tensor
        What `run` returned for these images.
    run : callable
        Runs the module on inputs, and returns the `sample` of each layer by path.

    Returns
    -------
    dict of str to str
        The reason for each such layer, by path.
    """
    # Of other statistics than both images.
    others = torch.stack([-2 * images[1].flip(-1), images[1]])
    second = run(others)
    if not _changed(first, second, TOLERANCE):
        return {}
    # In such a model, small differences are not rounding either.
    by_chance = _changed(first, run(images), 0)
    reasons = dict.fromkeys(
        _changed(first, second, 0), "its value for an image depends on the rest of the batch"
    ) | dict.fromkeys(by_chance, "two forward passes give it different values")
    source = _source(module, images, others)
    return {path: f"{reason}; first changed layer: {source}" for path, reason in reasons.items()}


def _changed(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], tolerance: float
) -> list[str]:
    return [
        path for path in first if path in second and _differ(first[path], second[path], tolerance)
    ]


def _differ(first: Tensor, second: Tensor, tolerance: float) -> bool:
    if first.shape != second.shape:
        return True
    if not first.numel():
        return False
    if tolerance:
        # Half precision rounds more coarsely.
        tolerance = max(tolerance, torch.finfo(first.dtype).eps ** 0.5)
    return bool((first - second).abs().max() > tolerance * first.abs().max())


def _source(module: nn.Module, images: Tensor, others: Tensor) -> str:
    """Name the first submodule whose output changes."""
    parts = {path: part for path, part in module.named_modules() if path}

    def outputs(inputs: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def take(call: Call) -> None:
            found.setdefault(call.path, sample(call.output))

        with record(module, parts, take):
            module(inputs)
        return found

    path = next(iter(_changed(outputs(images), outputs(others), TOLERANCE)), "")
    return f"{path} ({type(parts[path]).__name__})" if path else "the model itself"
