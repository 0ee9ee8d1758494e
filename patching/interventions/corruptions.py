"""What takes a cue away: from images, or from what the model makes of their patches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from featviz._util.seeding import generator_for
from featviz.cueworld import blur, grayscale, silhouette
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.token_grid import patch_size
from featviz.models.vision_model import VisionModel
from patching.interventions.perturbations import (
    add_noise,
    noise,
    occlude_patches,
    partners,
    shuffle_patches,
)
from patching.vit.residual_vit import ResidualViT

FORMS = {
    "grayscale": "grayscale",
    "blur": "blur[:SIGMA]",
    "noise": "noise:AMOUNT",
    "embedding": "embedding:AMOUNT",
    "silhouette": "silhouette",
    "shuffle": "shuffle",
    "occlude": "occlude:SHARE",
    "swap": "swap",
}
"""How each corruption is written."""


@dataclass(frozen=True)
class Corruption:
    """A corruption by name; `str` writes it as `corruption` reads it.

    Attributes
    ----------
    name : str
        One of `FORMS`.
    amount : float or None
        None where there is none to choose, or the usual one is meant.
    """

    name: str
    amount: float | None = None

    def __str__(self) -> str:
        """Write it as the command line takes it."""
        return self.name if self.amount is None else f"{self.name}:{self.amount:.12g}"

    def bind(
        self, model: VisionModel, data: Dataset, numbers: Sequence[int], seed: int = 0
    ) -> Corruptor:
        """Make ready to corrupt certain images for a model.

        Parameters
        ----------
        numbers : sequence of int
            Of all images of an experiment: among them partners are sought.
        seed : int
            Names the random streams.

        Raises
        ------
        FeatvizError
            If the dataset has no masks, the images cannot be paired, or the model has no patch
            embedding, and the corruption needs them.
        """
        if self.name == "silhouette" and numbers:
            data.masks(numbers[:1], model.image_size)
        if self.name == "embedding":
            _patch_embedding(model)
        found: dict[int, int] = {}
        if self.name == "swap":
            places = partners(data.labels(numbers), generator_for("swap", seed))
            found = {one: numbers[place] for one, place in zip(numbers, places, strict=True)}
        return Corruptor(self, model, data, seed, found)


def corruption(text: str) -> Corruption:
    """Read a corruption.

    ====================  ==========================================================================
    ``grayscale``         every channel becomes the luminance
    ``blur[:SIGMA]``      a Gaussian of SIGMA pixels, 1/24 of the width if not given
    ``noise:AMOUNT``      Gaussian noise on pixels of standard deviation AMOUNT, where white is 1;
                          clipped to [0, 1]
    ``embedding:AMOUNT``  Gaussian noise on the patch embeddings before positions are added, of
                          AMOUNT times the standard deviation of all numbers in the image's own
    ``silhouette``        the object filled with its mean color, where the dataset has masks
    ``shuffle``           the model's patches in random order
    ``occlude:SHARE``     a random share of the model's patches filled with the image's mean color
    ``swap``              another image, of another class, which is swapped for this one in turn
    ====================  ==========================================================================

    Random numbers depend on the seed, the corruption's name and the image's number alone. So all
    sites see the same noise, and a larger AMOUNT is more of the same.

    Raises
    ------
    FeatvizError
        If there is none of this name, or the amount is missing, out of range or one too many.

    Source: noise in units of the embeddings' deviation is that of Meng et al., "Locating and
    Editing Factual Associations in GPT", NeurIPS 2022, who take it from a dataset; swapped inputs
    are the symmetric replacement of Zhang and Nanda, "Towards Best Practices of Activation
    Patching in Language Models", ICLR 2024.
    """
    name, colon, rest = text.partition(":")
    form = FORMS.get(name)
    if form is None:
        hint = did_you_mean(name, FORMS) or f"; there are {', '.join(FORMS.values())}"
        raise FeatvizError(f"there is no corruption {text!r}{hint}")
    if not colon and (":" not in form or "[" in form):
        return Corruption(name)
    highest = 1.0 if name == "occlude" else math.inf
    try:
        amount = float(rest)
    except ValueError:
        amount = math.nan
    if ":" not in form or not 0 < amount <= highest or amount == math.inf:
        limit = "a number above 0" + (" and at most 1" if name == "occlude" else "")
        what = f" with {limit}" if ":" in form else ""
        raise FeatvizError(f"{text} is not {form}{what}")
    return Corruption(name, amount)


@dataclass(frozen=True)
class Corruptor:
    """A corruption of the images of one dataset for one model; see `Corruption.bind`."""

    corruption: Corruption
    model: VisionModel
    data: Dataset
    seed: int
    partners: dict[int, int] = field(repr=False)

    def images(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        """Corrupt images; noise on embeddings leaves them as they are.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        numbers : sequence of int
            Their numbers in the dataset, of those that were bound.

        Returns
        -------
        Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        """
        if len(images) != len(numbers):
            raise ValueError(f"{len(images)} images cannot have {len(numbers)} numbers")
        return self._changes[self.corruption.name](images, numbers)

    def start(self, vit: ResidualViT, images: Tensor, numbers: Sequence[int]) -> Tensor:
        """Embed corrupted images: the residual generator_for before the first block, (N, T, C).

        Parameters
        ----------
        vit : ResidualViT
            Of the model, or of another that patches are taken from.
        images, numbers
            Clean images, as `images` takes them.
        """
        corrupted = self.images(images, numbers)
        if self.corruption.name != "embedding":
            return vit.embed(corrupted)
        with self._noisy_embedding(vit, numbers):
            return vit.embed(corrupted)

    @property
    def _amount(self) -> float:
        return self.corruption.amount or 0.0

    @property
    def _changes(self) -> dict[str, Callable[[Tensor, Sequence[int]], Tensor]]:
        side = partial(patch_size, self.model)
        return {
            "grayscale": lambda images, _: grayscale(images),
            "blur": lambda images, _: blur(images, self.corruption.amount),
            "noise": lambda images, numbers: add_noise(
                images, self._amount, self._streams(numbers)
            ),
            "embedding": lambda images, _: images,
            "silhouette": lambda images, numbers: silhouette(
                images, self.data.masks(numbers, images.shape[-1]).to(images)
            ),
            "shuffle": lambda images, numbers: shuffle_patches(
                images, side(), self._streams(numbers)
            ),
            "occlude": lambda images, numbers: occlude_patches(
                images, self._amount, side(), self._streams(numbers)
            ),
            "swap": self._swapped,
        }

    def _swapped(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        # In ascending order, in which neighbors are read together where images are drawn.
        others = sorted({self.partners[number] for number in numbers})
        read = {number: self.data.image(number, images.shape[-1]) for number in others}
        return torch.stack([read[self.partners[number]] for number in numbers]).to(images)

    def _streams(self, numbers: Sequence[int]) -> list[torch.Generator]:
        return [generator_for(self.corruption.name, self.seed, number) for number in numbers]

    @contextmanager
    def _noisy_embedding(self, vit: ResidualViT, numbers: Sequence[int]) -> Iterator[None]:
        def disturb(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            drawn = noise(output.shape[1:], output, self._streams(numbers))
            unit = output.flatten(1).std(1).view(-1, *[1] * (output.ndim - 1))
            return output + self._amount * unit * drawn

        hook = _patch_embedding(vit.model).register_forward_hook(disturb)
        try:
            yield
        finally:
            hook.remove()


def _patch_embedding(model: VisionModel) -> nn.Module:
    layer = getattr(model.module, "patch_embed", None)
    if not isinstance(layer, nn.Module):
        raise FeatvizError(f"{model.name} has no patch embedding to add noise to")
    return layer
