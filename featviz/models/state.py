"""Running a model without leaving a trace on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, with no gradient to its weights, and leave it as found.

    The `training` flag of every submodule and `requires_grad` of every parameter are restored,
    also after an exception.
    """
    training = [part for part in module.modules() if part.training]
    learning = [weight for weight in module.parameters() if weight.requires_grad]
    try:
        for part in training:
            part.training = False
        for weight in learning:
            weight.requires_grad_(False)
        yield
    finally:
        for part in training:
            part.training = True
        for weight in learning:
            weight.requires_grad_(True)
