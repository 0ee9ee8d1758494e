"""Corruptions that remove a cue, from images or from their patch embeddings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from featviz._util.arguments import instance
from featviz._util.seeding import generator_for
from featviz.cueworld import CUES, blur, grayscale, silhouette
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.hooks import Call, replace
from featviz.models.token_grid import patch_size
from featviz.models.vision_model import VisionModel
from patching.interventions.object_masks import ObjectMasks
from patching.interventions.perturbations import (
    add_noise,
    noise,
    occlude_patches,
    partners,
    shuffle_patches,
)
from patching.interventions.words import draw_word
from patching.settings import CORRUPTIONS
from patching.vit.residual_vit import ResidualViT

FORMS = {re.split(r"[:\[]", form)[0]: form for form in CORRUPTIONS}
"""Syntax of each corruption, by its name."""

MASKED = ("mask", "background")
TEXTUAL = (*MASKED, "cue", "word")
"""Corruptions whose argument is a text."""


@dataclass(frozen=True)
class Corruption:
    """A corruption and its amount; ``str()`` of it is the text that `corruption` parses.

    Attributes
    ----------
    name : str
        A key of `FORMS`.
    amount : float or None
        None if the corruption has no amount, or for its default.
    text : str
        What follows the name, for a corruption with a text instead of an amount.
    """

    name: str
    amount: float | None = None
    text: str = ""

    def __str__(self) -> str:
        """Return the text that `corruption` parses."""
        rest = self.text if self.amount is None else f"{self.amount:.12g}"
        return f"{self.name}:{rest}" if rest else self.name

    def bind(
        self, model: VisionModel, data: Dataset, indices: Sequence[int], seed: int = 0
    ) -> Corruptor:
        """Prepare to corrupt images of a dataset for a model.

        Parameters
        ----------
        model : VisionModel
        data : Dataset
        indices : sequence of int
            Indices of all images of the experiment in the dataset. ``swap`` pairs these.
        seed : int
            Random seed.

        Returns
        -------
        Corruptor

        Raises
        ------
        FeatvizError
            If the corruption needs what is missing: masks of the images, cues, images that can be
            paired, or a patch embedding in the model; or if a word does not fit into the images.
        """
        size, masks, files = model.image_size, None, ""
        if self.name == "silhouette" and indices:
            data.masks(indices[:1], size)
        if self.name in MASKED:
            masks = ObjectMasks.parse(self.text, self.name == "background")
            files = masks.check(data, indices, size)
        if self.name == "cue":
            data.with_other_cue(indices[:1], size, self.text)
        if self.name == "word":
            draw_word(torch.zeros(1, 3, size, size), self.text)
        if self.name == "embedding":
            _patch_embedding(model)
        found: dict[int, int] = {}
        if self.name == "swap":
            chosen = partners(data.labels(indices), generator_for("swap", seed))
            found = {own: indices[other] for own, other in zip(indices, chosen, strict=True)}
        return Corruptor(self, model, data, seed, found, masks, files)


def corruption(text: str) -> Corruption:
    """Parse a corruption.

    ====================  ==========================================================================
    ``grayscale``         replaces every channel by the luminance
    ``blur[:SIGMA]``      Gaussian blur with a standard deviation of SIGMA pixels; 1/24 of the image
                          width by default
    ``noise:AMOUNT``      adds Gaussian noise of standard deviation AMOUNT to pixels in [0, 1], and
                          clips them to [0, 1]
    ``embedding:AMOUNT``  adds Gaussian noise to the patch embeddings before the position embedding,
                          of AMOUNT times the standard deviation of the image's patch embeddings
    ``silhouette``        fills the object with its mean color; needs a dataset with masks
    ``mask[:DIR[:FILL]]`` fills the object; DIR has a mask of every image, white where the object
                          is. FILL is ``mean`` (of the image, the default), ``blur``, or a folder
                          of inpainted images. Without DIR, the dataset must have masks
    ``background[...]``   fills everything but the object, likewise
    ``shuffle``           permutes the model's patches at random
    ``occlude:SHARE``     fills a random fraction of the model's patches with the image's mean color
    ``cue:NAME``          swaps the color, shape or texture, and nothing else; only for cueworld
    ``word:TEXT``         draws a word in black on a white label
    ``swap``              replaces the image by one of another class; the two replace each other
    ====================  ==========================================================================

    Random draws depend only on the seed, the corruption's name and the index of the image. All
    sites therefore see the same noise, and a larger AMOUNT scales the same noise.

    Parameters
    ----------
    text : str
        As in the table, such as ``blur:2.5``.

    Returns
    -------
    Corruption

    Raises
    ------
    FeatvizError
        If the name is unknown, the amount is missing, out of range or not allowed, or a folder does
        not exist.

    Source: noise in units of the embeddings' standard deviation is that of Meng et al., "Locating
    and Editing Factual Associations in GPT", NeurIPS 2022, who measure it on a dataset; swapped
    inputs are the symmetric token replacement of Zhang and Nanda, "Towards Best Practices of
    Activation Patching in Language Models", ICLR 2024.
    """
    instance("corruption", text, str, "a text such as 'grayscale' or 'blur:2'")
    name, colon, rest = text.partition(":")
    form = FORMS.get(name)
    if form is None:
        hint = did_you_mean(name, FORMS) or f"; choose from {', '.join(FORMS.values())}"
        raise FeatvizError(f"unknown corruption {text!r}{hint}")
    if not colon and (":" not in form or "[" in form):
        return Corruption(name)
    if name in MASKED:
        ObjectMasks.parse(rest, name == "background")
    if name == "cue" and rest not in CUES:
        raise FeatvizError(f"expected cue:NAME with {', '.join(CUES)}, got {text!r}")
    if name == "word" and not rest.strip():
        raise FeatvizError(f"expected word:TEXT, got {text!r}")
    if name in TEXTUAL:
        return Corruption(name, text=rest)
    highest = 1.0 if name == "occlude" else math.inf
    try:
        amount = float(rest)
    except ValueError:
        amount = math.nan
    if ":" not in form or not 0 < amount <= highest or amount == math.inf:
        limit = "a number > 0" + (" and <= 1" if name == "occlude" else "")
        what = f" with {limit}" if ":" in form else ""
        raise FeatvizError(f"expected {form}{what}, got {text!r}")
    return Corruption(name, amount)


@dataclass(frozen=True)
class Corruptor:
    """A corruption of the images of one dataset for one model; see `Corruption.bind`.

    Attributes
    ----------
    corruption : Corruption
    model : VisionModel
    data : Dataset
    seed : int
    partners : dict of int to int
        From the index of an image to that of the image it is swapped with; empty unless the
        corruption is ``swap``.
    masks : ObjectMasks or None
    files : str
        Digest of the files that the corruption reads; empty without any.
    """

    corruption: Corruption
    model: VisionModel
    data: Dataset
    seed: int
    partners: dict[int, int] = field(repr=False)
    masks: ObjectMasks | None = None
    files: str = ""

    @property
    def configuration(self) -> dict[str, str]:
        """What a job records about the corruption."""
        masks = {"masks": self.files} if self.files else {}
        return {"corrupt": str(self.corruption), **masks}

    def images(self, images: Tensor, indices: Sequence[int]) -> Tensor:
        """Corrupt images; noise on embeddings returns them unchanged.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        indices : sequence of int, length N
            Their indices in the dataset, among those given to `Corruption.bind`.

        Returns
        -------
        Tensor, shape (N, 3, H, W)
            RGB in [0, 1].
        """
        if len(images) != len(indices):
            raise ValueError(f"got {len(images)} images and {len(indices)} indices")
        return self._changes[self.corruption.name](images, indices)

    def start(self, vit: ResidualViT, images: Tensor, indices: Sequence[int]) -> Tensor:
        """Compute the residual stream of corrupted images before the first block.

        Parameters
        ----------
        vit : ResidualViT
            Of the corruptor's model or of a donor.
        images : Tensor, shape (N, 3, H, W)
            Clean images, RGB in [0, 1].
        indices : sequence of int, length N
            As for `images`.

        Returns
        -------
        Tensor, shape (N, T, C)
        """
        corrupted = self.images(images, indices)
        if self.corruption.name != "embedding":
            return vit.embed(corrupted)
        with self._noisy_embedding(vit, indices):
            return vit.embed(corrupted)

    @property
    def _amount(self) -> float:
        return self.corruption.amount or 0.0

    @property
    def _changes(self) -> dict[str, Callable[[Tensor, Sequence[int]], Tensor]]:
        side = partial(patch_size, self.model)
        return {
            "grayscale": lambda images, _: grayscale(images),
            "blur": lambda images, _: self._blurred(images),
            "noise": lambda images, indices: add_noise(
                images, self._amount, self._generators(indices)
            ),
            "embedding": lambda images, _: images,
            "silhouette": lambda images, indices: silhouette(
                images, self.data.masks(indices, images.shape[-1]).to(images)
            ),
            "shuffle": lambda images, indices: shuffle_patches(
                images, side(), self._generators(indices)
            ),
            "occlude": lambda images, indices: occlude_patches(
                images, self._amount, side(), self._generators(indices)
            ),
            "mask": self._filled,
            "background": self._filled,
            "cue": lambda images, indices: self.data.with_other_cue(
                indices, images.shape[-1], self.corruption.text, self.seed
            ).to(images),
            "word": lambda images, _: draw_word(images, self.corruption.text),
            "swap": self._swapped,
        }

    def _filled(self, images: Tensor, indices: Sequence[int]) -> Tensor:
        assert self.masks is not None
        return self.masks.fill_in(images, self.data, indices)

    def _blurred(self, images: Tensor) -> Tensor:
        try:
            return blur(images, self.corruption.amount)
        except ValueError as error:
            raise FeatvizError(str(error)) from error

    def _swapped(self, images: Tensor, indices: Sequence[int]) -> Tensor:
        # Sorted, because generated datasets read neighboring images together.
        others = sorted({self.partners[index] for index in indices})
        read = {index: self.data.image(index, images.shape[-1]) for index in others}
        return torch.stack([read[self.partners[index]] for index in indices]).to(images)

    def _generators(self, indices: Sequence[int]) -> list[torch.Generator]:
        return [generator_for(self.corruption.name, self.seed, index) for index in indices]

    def _noisy_embedding(
        self, vit: ResidualViT, indices: Sequence[int]
    ) -> AbstractContextManager[None]:
        def add(call: Call) -> Tensor:
            output: Tensor = call.output
            drawn = noise(output.shape[1:], output, self._generators(indices))
            unit = output.flatten(1).std(1).view(-1, *[1] * (output.ndim - 1))
            return output + self._amount * unit * drawn

        return replace(_patch_embedding(vit.model), add)


def _patch_embedding(model: VisionModel) -> nn.Module:
    layer = getattr(model.module, "patch_embed", None)
    if not isinstance(layer, nn.Module):
        raise FeatvizError(f"{model.name} has no patch embedding to add noise to")
    return layer
