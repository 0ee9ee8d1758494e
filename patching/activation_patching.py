"""Patching everywhere: the effect of each site on each image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.effects.metrics import METRICS, Reference, measure
from patching.effects.table import ALL, Mode, Table, joined
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.donors import ABLATIONS, check_alike, mean_run, repeated, zeros
from patching.interventions.selection import Places, Where, places
from patching.vit.residual_vit import ResidualViT, residual_vit
from patching.vit.stream_norms import frozen_norms

BATCH = {"cpu": 16, "cuda": 128}
"""Images whose unpatched runs are kept at once."""

MODES: tuple[Mode, ...] = ("denoising", "noising")


@dataclass(frozen=True)
class Experiment:
    """What is patched, and with what.

    Attributes
    ----------
    vit : ResidualViT
        Of the model that is patched.
    source : ResidualViT
        Of the model whose run gives the activations; most often the same.
    places : Places
    mode : str
        ``"denoising"`` puts clean activations into the corrupted run, ``"noising"`` the other way.
    metrics : tuple of str
        See `patching.effects.metrics.measure`.
    frozen : bool
        Whether the stream's norms keep the scale of the run that is patched.
    ablated : ActivationCache or None
        Of 1 image, or None: what stands in for the corrupted run's activations.
    """

    vit: ResidualViT
    source: ResidualViT
    places: Places
    mode: Mode
    metrics: tuple[str, ...] = METRICS
    frozen: bool = False
    ablated: ActivationCache | None = None

    @property
    def of_clean(self) -> ResidualViT:
        """Whose run is the clean one."""
        return self.source if self.mode == "denoising" else self.vit

    @property
    def of_corrupted(self) -> ResidualViT:
        """Whose run is the corrupted one."""
        return self.vit if self.mode == "denoising" else self.source

    def measure(
        self, clean: Tensor, corrupted: Tensor | None, labels: Tensor, numbers: Sequence[int]
    ) -> Table:
        """Run a batch without and with every patch.

        Parameters
        ----------
        clean, corrupted : Tensor, shape (N, T, C)
            Residual streams before the first block, of `of_clean` and `of_corrupted`; there is no
            corrupted one if activations are ablated.
        labels : Tensor, shape (N,), int64
        numbers : sequence of int
            Of the images in their dataset.

        Raises
        ------
        FeatvizError
            If an image has no label that is a class of the model.
        """
        patches = self.places.patches
        if corrupted is None:
            base = run_with_cache(self.vit, clean, patches)
            assert self.ablated is not None
            donor = repeated(self.ablated, len(clean))
        else:
            starts = (corrupted, clean) if self.mode == "denoising" else (clean, corrupted)
            base = run_with_cache(self.vit, starts[0], patches)
            donor = run_with_cache(self.source, starts[1], patches)
        unpatched = (donor, base) if self.mode == "denoising" else (base, donor)
        labels = labels.to(base.logits.device)
        reference = Reference(labels, unpatched[0].logits, unpatched[1].logits)
        with frozen_norms(self.vit, base) if self.frozen else nullcontext():
            logits = patched_logits(self.vit, base, donor, patches)
        return Table(
            self.mode,
            self.metrics,
            self.places.sites,
            np.array(numbers, np.int64),
            labels.cpu().numpy(),
            reference.right.cpu().numpy(),
            self._measured(reference.clean, reference),
            self._measured(reference.corrupted, reference),
            self._measured(logits, reference),
        )

    def _measured(self, logits: Tensor, reference: Reference) -> NDArray[np.float64]:
        found = measure(logits, reference, self.metrics)
        return np.stack([values.cpu().numpy() for values in found.values()])


def experiment(
    vit: ResidualViT,
    where: Where,
    mode: Mode = "denoising",
    donor: ResidualViT | None = None,
    frozen: bool = False,
) -> Experiment:
    """Prepare an experiment; for zero and mean ablation, add what is `ablated`.

    Raises
    ------
    FeatvizError
        If there is no such mode or place, or the donor's activations do not fit.
    """
    if mode not in MODES:
        hint = did_you_mean(mode, MODES)
        raise FeatvizError(f"patching is {' or '.join(MODES)}, not {mode!r}{hint}")
    if donor is not None:
        check_alike(vit, donor)
    return Experiment(vit, donor or vit, places(vit, where), mode, frozen=frozen)


def with_ablation(made: Experiment, ablate: str, starts: Iterable[Tensor]) -> Experiment:
    """Let activations be ablated.

    Parameters
    ----------
    ablate : str
        ``"zero"`` or ``"mean"``.
    starts : iterable of Tensors, shape (N, T, C)
        Clean residual streams before the first block: of all images, which are averaged over, or
        for zeros of any.
    """
    patches = made.places.patches
    if ablate == "mean":
        return replace(made, ablated=mean_run(made.vit, starts, patches))
    start = next(iter(starts))[:1]
    return replace(made, ablated=zeros(made.vit, run_with_cache(made.vit, start, patches)))


def mode_of(direction: Mode, crossed: bool, ablate: str | None, corrupts: bool) -> Mode:
    """Choose the direction, and refuse what contradicts itself.

    Parameters
    ----------
    crossed : bool
        Whether the activations are another model's.
    ablate : str or None
        One of `ABLATIONS`, all of which put something into the clean run.
    corrupts : bool
        Whether there are corrupted images.

    Raises
    ------
    FeatvizError
    """
    if ablate is None:
        if not corrupts and not crossed:
            raise FeatvizError("nothing is patched: there is no corruption, donor or ablation")
        return direction
    if ablate not in ABLATIONS:
        hint = did_you_mean(ablate, ABLATIONS) or f"; there are {', '.join(ABLATIONS)}"
        raise FeatvizError(f"there is no ablation {ablate!r}{hint}")
    if crossed:
        raise FeatvizError("activations are a donor's or are ablated, not both")
    if corrupts != (ablate == "resample"):
        needs = "other images" if ablate == "resample" else "clean images alone"
        raise FeatvizError(f"{ablate} ablation takes {needs}")
    return "noising"


def sweep(  # noqa: PLR0913  one call with every choice of an experiment
    model: VisionModel,
    clean: Tensor,
    corrupted: Tensor | None,
    labels: Tensor,
    *,
    site: str = "attn",
    window: int | Sequence[int] = 1,
    by: str | None = None,
    layers: str = ALL,
    heads: str = ALL,
    tokens: str | Sequence[str] = ALL,
    direction: Mode = "denoising",
    donor: VisionModel | None = None,
    ablate: str | None = None,
    frozen: bool = False,
) -> Table:
    """Patch one site after the other, and measure what each does to every image.

    The indirect effect of a site is the metric with its activations replaced, less the metric of
    the run that they are put into.

    Parameters
    ----------
    model : VisionModel
        A vision transformer; it is left as found.
    clean, corrupted : Tensor, shape (N, 3, H, W)
        RGB in [0, 1], of the model's size. Without corrupted images, give a donor, whose clean run
        is put into the model's own, or an ablation.
    labels : Tensor, shape (N,), int64
        Indices of logits.
    site, by, layers, heads : str
        See `patching.interventions.selection.Where`.
    window : int, or sequence of int
        How many blocks are patched together; of several, each in turn.
    tokens : str, or sequence of str
        Names of `patching.interventions.token_names.tokens_of`; of several, each in turn.
    direction : str
        ``"denoising"``: clean activations into the corrupted run; ``"noising"``: the other way.
    donor : VisionModel, optional
        Of the same shape: the activations are those of its run.
    ablate : str, optional
        Put into the clean run, instead of the corrupted run's activations, ``"zero"`` or
        ``"mean"``, the mean over the clean images, token by token; or ``"resample"``, the
        activations of the images given as corrupted ones.
    frozen : bool
        Let the norms of the stream keep the scale of the run that is patched; see
        `patching.vit.stream_norms.frozen_norms`.

    Returns
    -------
    Table
        With every metric of `patching.effects.metrics.METRICS`. All images are in it;
        `Table.only_right` leaves out those that the clean run gets wrong.

    Raises
    ------
    FeatvizError
        If there is no such site, the images or a label are none of the model's, or choices
        contradict each other.
    """
    mode = mode_of(direction, donor is not None, ablate, corrupted is not None)
    _check_images(model, clean, corrupted, labels)
    with eval_mode(model.module), torch.no_grad():
        windows = (window,) if isinstance(window, int) else tuple(window)
        named = (tokens,) if isinstance(tokens, str) else tuple(tokens)
        where = Where(site, windows, by, layers, heads, named)
        source = None if donor is None else residual_vit(donor)
        made = experiment(residual_vit(model), where, mode, source, frozen)
        with eval_mode(made.source.model.module):
            size = BATCH.get(model.device.type, BATCH["cpu"])
            parts = [range(i, min(i + size, len(clean))) for i in range(0, len(clean), size)]

            def start(vit: ResidualViT, images: Tensor, part: range) -> Tensor:
                return vit.embed(images[part.start : part.stop].to(model.device))

            if ablate in {"zero", "mean"}:
                starts = (start(made.vit, clean, part) for part in parts)
                made = with_ablation(made, str(ablate), starts)
            other = clean if corrupted is None and made.ablated is None else corrupted
            tables = []
            for part in parts:
                ours = start(made.of_clean, clean, part)
                theirs = None if other is None else start(made.of_corrupted, other, part)
                chosen = labels[part.start : part.stop]
                tables.append(made.measure(ours, theirs, chosen, part))
            return joined(tables)


def _check_images(
    model: VisionModel, clean: Tensor, corrupted: Tensor | None, labels: Tensor
) -> None:
    shape = (len(clean), 3, model.image_size, model.image_size)
    if not len(clean):
        raise FeatvizError("there are no images to patch")
    for name, images in (("clean", clean), ("corrupted", corrupted)):
        if images is not None and tuple(images.shape) != shape:
            raise FeatvizError(
                f"{name} images are of shape {tuple(images.shape)}, and {model.name} takes {shape}"
            )
    if tuple(labels.shape) != shape[:1]:
        raise FeatvizError(f"there are {len(clean)} images, and labels of {tuple(labels.shape)}")
