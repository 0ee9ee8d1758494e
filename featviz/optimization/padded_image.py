"""A picture with the padding that its shifted views need."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz._util.images import resize
from featviz._util.seeding import generator_for
from featviz.errors import FeatvizError
from featviz.optimization.augmentations import center_crop
from featviz.optimization.recipe import Recipe
from featviz.parametrization.base import Encoder, Parametrization


class PaddedImage:
    """A picture with the padding that its shifted views need.

    Parameters
    ----------
    recipe : Recipe
        Its `size` is the side of the stored picture.
    image_size : int
        Side of the model's input in pixels.
    """

    def __init__(self, recipe: Recipe, image_size: int) -> None:
        self.recipe = recipe
        self.padding = -(-recipe.augmentation.padding * recipe.size // image_size)
        side = recipe.size + 2 * self.padding
        self.parametrization = recipe.parametrization(side)
        if callable(recipe.param):
            _check_parametrization(self.parametrization, recipe, side)
        self.input_side = round(side * image_size / recipe.size)

    def start(self, generator: torch.Generator) -> Tensor:
        """Return the parameters of one picture before the first step, on the CPU.

        Parameters
        ----------
        generator : torch.Generator
            Draws them, unless the recipe has a start image.

        Returns
        -------
        Tensor
            Of the shape of one image's parameters.
        """
        if self.recipe.start is None:
            return self.parametrization.initial(generator)
        image = resize(self.recipe.start.detach().cpu().float()[None], self.recipe.size)
        padded = F.pad(image, [self.padding] * 4, mode="replicate")
        return cast("Encoder", self.parametrization).encode(padded)[0]

    def frequencies(self, parameters: Tensor) -> Tensor:
        """Return the frequency of each parameter of a picture, in cycles per pixel.

        Parameters
        ----------
        parameters : Tensor, shape (N, ...)

        Returns
        -------
        Tensor, shape (...)
            0 if the parametrization has no frequencies.
        """
        found = getattr(self.parametrization, "frequencies", lambda: parameters.new_zeros(()))()
        # Contiguous: broadcasting along short axes takes longer than the rest of a step of Adam.
        return found.to(parameters.device).expand_as(parameters[0]).contiguous()

    def decode(self, parameters: Tensor) -> Tensor:
        """Decode padded images at the scale of the model's input.

        Parameters
        ----------
        parameters : Tensor, shape (N, ...)

        Returns
        -------
        Tensor, shape (N, 3, H, H)
            In [0, 1].
        """
        return resize(self.parametrization.decode(parameters), self.input_side)

    def picture(self, parameters: Tensor) -> Tensor:
        """Decode the pictures without padding, (N, 3, size, size) in [0, 1]; see `decode`."""
        return center_crop(self.parametrization.decode(parameters), self.recipe.size)


def _check_parametrization(made: Parametrization, recipe: Recipe, side: int) -> None:
    """Refuse a parametrization of the user's own that cannot be optimized."""
    kind = type(made).__name__
    missing = [name for name in ("initial", "decode") if not hasattr(made, name)]
    missing += ["encode"] if recipe.start is not None and not hasattr(made, "encode") else []
    missing += (
        ["frequencies"] if recipe.frequency_schedule and not hasattr(made, "frequencies") else []
    )
    if missing:
        raise FeatvizError(f"parametrization {kind} has no method {missing[0]!r}, which is needed")
    with torch.no_grad():
        shape = tuple(made.decode(made.initial(generator_for(0))[None]).shape)
    if shape != (1, 3, side, side):
        raise FeatvizError(f"{kind}.decode must return (N, 3, {side}, {side}), got {shape}")
