"""Activation patching: the effect of replacing each selected activation, on each image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.arguments import described, instance, sequence, whole_number
from featviz._util.progress import Progress, as_progress
from featviz.addressing.directions import Direction
from featviz.errors import FeatvizError, did_you_mean
from featviz.models.hooks import eval_mode
from featviz.models.input_checks import check_images
from featviz.models.vision_model import VisionModel, check_model
from patching.effects.metrics import Reference, measure
from patching.effects.table import Mode, Table, concatenate
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.donors import check_compatible, mean_run, repeated, zeros
from patching.forward.memory import batches
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import Patch
from patching.interventions.selection import ALL, Selection, TargetTable, target_table
from patching.settings import ABLATIONS, EMBEDDING_METRICS, METRICS
from patching.vit.residual_vit import ResidualViT, residual_vit

MODES: tuple[Mode, ...] = ("denoising", "noising")


@dataclass(frozen=True)
class Experiment:
    """What is patched, and with what.

    Attributes
    ----------
    vit : ResidualViT
        Of the model that is patched.
    source : ResidualViT
        Of the model that activations are taken from; the same unless there is a donor.
    targets : TargetTable
        The P patches.
    mode : str
        ``"denoising"`` patches clean activations into the corrupted run, ``"noising"`` corrupted
        activations into the clean run.
    metrics : tuple of str, length M
        See `patching.effects.metrics.measure`.
    direction : Direction or None
        For the metric ``projection``.
    frozen : bool
        Whether the norms of the stream keep the scale of the run that is patched.
    ablated : ActivationCache or None
        Activations of 1 image that replace those of the corrupted run, for zero and mean ablation.
    """

    vit: ResidualViT
    source: ResidualViT
    targets: TargetTable
    mode: Mode
    metrics: tuple[str, ...] = METRICS
    frozen: bool = False
    ablated: ActivationCache | None = None
    direction: Direction | None = None

    @property
    def clean_vit(self) -> ResidualViT:
        """The model of the clean run."""
        return self.source if self.mode == "denoising" else self.vit

    @property
    def corrupted_vit(self) -> ResidualViT:
        """The model of the corrupted run."""
        return self.vit if self.mode == "denoising" else self.source

    def measure(
        self, clean: Tensor, corrupted: Tensor | None, labels: Tensor, indices: Sequence[int]
    ) -> Table:
        """Run a batch of images unpatched and with every patch.

        Parameters
        ----------
        clean : Tensor, shape (N, T, C)
            Residual stream of `clean_vit` before the first block.
        corrupted : Tensor, shape (N, T, C), or None
            Residual stream of `corrupted_vit` before the first block; None if activations are
            ablated.
        labels : Tensor, shape (N,), int64
            Indices of logits; any for metrics of embeddings.
        indices : sequence of int, length N
            Indices of the images in their dataset.

        Returns
        -------
        Table

        Raises
        ------
        FeatvizError
            If the label of an image is not a class of the model.
        """
        base, donor, reference = self._runs(clean, corrupted, labels)
        return Table(
            self.mode,
            self.metrics,
            self.targets.sites,
            np.array(indices, np.int64),
            labels.cpu().numpy(),
            reference.right.cpu().numpy(),
            self._measured(reference.clean, reference),
            self._measured(reference.corrupted, reference),
            self._restored(base, donor, reference),
        )

    def _runs(
        self, clean: Tensor, corrupted: Tensor | None, labels: Tensor
    ) -> tuple[ActivationCache, ActivationCache, Reference]:
        """Run the base and the donor; see `measure`."""
        kept = self._kept()
        if corrupted is None:
            base = run_with_cache(self.vit, clean, kept)
            assert self.ablated is not None
            donor = repeated(self.ablated, len(clean))
        else:
            base_start, donor_start = (
                (corrupted, clean) if self.mode == "denoising" else (clean, corrupted)
            )
            base = run_with_cache(self.vit, base_start, kept)
            donor = run_with_cache(self.source, donor_start, kept)
        clean_run, corrupted_run = (donor, base) if self.mode == "denoising" else (base, donor)
        labels = labels.to(base.logits.device)
        used = None if self.metrics[0] in EMBEDDING_METRICS else labels
        reference = Reference(used, clean_run.logits, corrupted_run.logits, self.direction)
        return base, donor, reference

    def _kept(self) -> Sequence[Patch]:
        """List the activations that runs keep."""
        return self.targets.patches

    def _restored(
        self, base: ActivationCache, donor: ActivationCache, reference: Reference
    ) -> NDArray[np.float64]:
        """Measure the patched runs, (M, P, N)."""
        with frozen_norms(self.vit, base) if self.frozen else nullcontext():
            patched = patched_logits(self.vit, base, donor, self.targets.patches)
        return self._measured(patched, reference)

    def _measured(self, logits: Tensor, reference: Reference) -> NDArray[np.float64]:
        """Compute all metrics, (M, N) or (M, P, N)."""
        found = measure(logits, reference, self.metrics)
        return np.stack([values.cpu().numpy() for values in found.values()])


def make_experiment(
    vit: ResidualViT,
    selection: Selection,
    mode: Mode = "denoising",
    donor: ResidualViT | None = None,
    frozen: bool = False,
) -> Experiment:
    """Prepare an experiment; `with_ablation` adds zero or mean ablation.

    Parameters
    ----------
    vit : ResidualViT
        Of the model that is patched.
    selection : Selection
        Which activations are patched.
    mode : str
        ``"denoising"`` or ``"noising"``.
    donor : ResidualViT, optional
        Of another model, whose activations are used.
    frozen : bool
        Whether the norms of the stream keep the scale of the run that is patched.

    Returns
    -------
    Experiment

    Raises
    ------
    FeatvizError
        If the mode is unknown, the model lacks what is selected, or the donor has another shape.
    """
    if mode not in MODES:
        hint = did_you_mean(mode, MODES)
        raise FeatvizError(f"direction must be {' or '.join(MODES)}, got {mode!r}{hint}")
    if donor is not None:
        check_compatible(vit, donor)
    return Experiment(vit, donor or vit, target_table(vit, selection), mode, frozen=frozen)


def with_ablation(experiment: Experiment, ablate: str, starts: Iterable[Tensor]) -> Experiment:
    """Replace the activations of the corrupted run by zeros or means.

    Parameters
    ----------
    experiment : Experiment
    ablate : str
        ``"zero"`` or ``"mean"``.
    starts : iterable of Tensor, each of shape (N, T, C)
        Residual streams of clean images before the first block: of all images, which are averaged,
        or for zeros of any image.

    Returns
    -------
    Experiment
        With `ablated` set.
    """
    patches = experiment.targets.patches
    if ablate == "mean":
        return replace(experiment, ablated=mean_run(experiment.vit, starts, patches))
    start = next(iter(starts))[:1]
    like = run_with_cache(experiment.vit, start, patches)
    return replace(experiment, ablated=zeros(experiment.vit, like))


def mode_of(direction: Mode, crossed: bool, ablate: str | None, corrupts: bool) -> Mode:
    """Choose between denoising and noising, and reject contradicting settings.

    Parameters
    ----------
    direction : str
        ``"denoising"`` or ``"noising"``; ignored with ablation, which is noising.
    crossed : bool
        Whether the activations are those of another model.
    ablate : str or None
        One of `patching.settings.ABLATIONS`.
    corrupts : bool
        Whether there are corrupted images.

    Returns
    -------
    str

    Raises
    ------
    FeatvizError
        If the settings contradict each other.
    """
    if ablate is None:
        if not corrupts and not crossed:
            raise FeatvizError("nothing to patch with: give a corruption, a donor or an ablation")
        return direction
    instance("ablate", ablate, str, "the name of an ablation")
    if ablate not in ABLATIONS:
        hint = did_you_mean(ablate, ABLATIONS) or f"; choose from {', '.join(ABLATIONS)}"
        raise FeatvizError(f"unknown ablation {ablate!r}{hint}")
    if crossed:
        raise FeatvizError("a donor and an ablation cannot be combined")
    if corrupts != (ablate == "resample"):
        needs = "needs other images" if ablate == "resample" else "takes clean images only"
        raise FeatvizError(f"{ablate} ablation {needs}")
    return "noising"


def sweep(  # noqa: PLR0913  one call with every choice of an experiment
    model: VisionModel,
    clean: Tensor,
    corrupted: Tensor | None,
    labels: Tensor | Sequence[int] | None,
    *,
    site: str = "attn_out",
    window: int | Sequence[int] = 1,
    by: str | None = None,
    layers: str | int = ALL,
    heads: str | int = ALL,
    tokens: str | int | Sequence[str | int] = ALL,
    direction: Mode = "denoising",
    donor: VisionModel | None = None,
    ablate: str | None = None,
    frozen: bool = False,
    progress: Progress | bool = False,
) -> Table:
    """Patch one site after another, and measure the effect of each on every image.

    The indirect effect of a site is the metric of the patched run minus that of the same run
    without the patch.

    Parameters
    ----------
    model : VisionModel
        A vision transformer. Its mode, gradients and hooks are restored.
    clean : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.
    corrupted : Tensor, shape (N, 3, H, W), or None
        RGB in [0, 1]. None with a donor, whose clean run is patched into the model's, or with an
        ablation.
    labels : Tensor, shape (N,), int64, or sequence of int, or None
        Indices of logits. None takes the output for an embedding, and measures its ``cosine``.
    site, by : str
        See `patching.interventions.selection.Selection`.
    layers, heads : str or int
        Likewise; a number is the index of one layer or head.
    window : int or sequence of int
        Number of blocks that are patched together; a sequence measures each window size.
    tokens : str, int, or sequence of these
        Names or indices of tokens, see `patching.interventions.token_names.tokens_of`; a sequence
        measures each entry.
    direction : str
        ``"denoising"`` patches clean activations into the corrupted run, ``"noising"`` corrupted
        activations into the clean run.
    donor : VisionModel, optional
        Another model of the same shape, whose activations are used.
    ablate : str, optional
        Patches the clean run with ``"zero"``, with ``"mean"`` (the mean over the clean images, for
        each token) or with ``"resample"`` (the activations of the images given as `corrupted`).
    frozen : bool
        Whether the norms of the stream keep the scale of the run that is patched; see
        `patching.forward.stream_norms.frozen_norms`.
    progress : callable or bool
        True shows a progress bar. A function is called after each batch with the number of images
        finished and in all.

    Returns
    -------
    Table
        All metrics of `patching.settings.METRICS`, or ``cosine``, for all images.
        `Table.only_right` removes images that the clean run misclassifies.

    Raises
    ------
    FeatvizError
        If an argument is of the wrong type, the model lacks the site, images or labels do not fit
        the model, or settings contradict each other.
    """
    progress = as_progress(progress)
    instance("site", site, str, "the name of a site, such as 'attn_out'")
    instance("direction", direction, str, "the name of a direction")
    layers, heads = _as_ranges("layers", layers), _as_ranges("heads", heads)
    mode = mode_of(direction, donor is not None, ablate, corrupted is not None)
    if donor is not None:
        check_model(donor, "donor")
    chosen_labels = _check_images(model, clean, corrupted, labels)
    windows = tuple(
        whole_number("window", each, 1)
        for each in (window if isinstance(window, Sequence) else [window])
    )
    several = [tokens] if isinstance(tokens, str | int) else sequence("tokens", tokens, "names")
    names = tuple(_as_ranges("tokens", each) for each in several)
    selection = Selection(site, windows, by, layers, heads, names)
    parts = batches(model, range(len(clean)))

    def start(vit: ResidualViT, images: Tensor, part: Sequence[int]) -> Tensor:
        return vit.embed(images[part[0] : part[-1] + 1].to(model.device))

    with eval_mode(model.module), torch.no_grad():
        source = None if donor is None else residual_vit(donor)
        experiment = make_experiment(residual_vit(model), selection, mode, source, frozen)
        if labels is None:
            experiment = replace(experiment, metrics=EMBEDDING_METRICS[:1])
        with eval_mode(experiment.source.model.module):
            if ablate in {"zero", "mean"}:
                starts = (start(experiment.vit, clean, part) for part in parts)
                experiment = with_ablation(experiment, str(ablate), starts)
            # With a donor and no corrupted images, both models run on the clean images.
            other = clean if corrupted is None and experiment.ablated is None else corrupted
            tables = []
            for part in parts:
                clean_start = start(experiment.clean_vit, clean, part)
                corrupted_start = (
                    None if other is None else start(experiment.corrupted_vit, other, part)
                )
                own = chosen_labels[part[0] : part[-1] + 1]
                tables.append(experiment.measure(clean_start, corrupted_start, own, part))
                progress(part[-1] + 1, len(clean))
            return concatenate(tables)


def _as_ranges(name: str, given: object) -> str:
    """Return the text of indices or names; a single index may be given as a number."""
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    return instance(name, given, str, "a text such as '0-3,7' or 'all'")


def _check_images(
    model: VisionModel,
    clean: Tensor,
    corrupted: Tensor | None,
    labels: Tensor | Sequence[int] | None,
) -> Tensor:
    """Check that images and labels fit the model and each other; return the labels as a tensor."""
    check_model(model)
    for name, images in (("clean", clean), ("corrupted", corrupted)):
        if images is not None:
            check_images(model, images, f"{name} images")
    if not len(clean):
        raise FeatvizError("there are no images to patch")
    if corrupted is not None and corrupted.shape != clean.shape:
        raise FeatvizError(
            f"{model.name} needs corrupted images of shape {tuple(clean.shape)}, "
            f"got {tuple(corrupted.shape)}"
        )
    if labels is None:
        return torch.full((len(clean),), -1)
    try:
        found = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError):
        raise FeatvizError(f"labels must be indices of classes, got {described(labels)}") from None
    if tuple(found.shape) != (len(clean),):
        raise FeatvizError(f"labels need shape ({len(clean)},), got {tuple(found.shape)}")
    if found.is_floating_point() or found.dtype == torch.bool:
        kind = str(found.dtype).removeprefix("torch.")
        raise FeatvizError(f"labels must be whole numbers, indices of classes, got {kind}")
    return found.long()
