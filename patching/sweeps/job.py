"""Sweeps over a dataset into a store, image by image, resuming where an earlier call stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from featviz._util.arguments import instance
from featviz._util.images import resize, to_uint8
from featviz._util.progress import Progress, as_progress
from featviz.addressing.directions import Direction
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel, check_model
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer, store_batches, stored_configuration
from featviz.store.reader import Store
from patching.effects.accuracy import check_accuracy
from patching.effects.averages import check_difference
from patching.effects.image_groups import Grouping
from patching.effects.labels import Labels, labels_for
from patching.effects.stored_averages import Pixels, ReadImage, store_averages
from patching.effects.table import SITES, TRACES, Mode, Table
from patching.forward.memory import batches
from patching.interventions.corruptions import Corruption, Corruptor
from patching.interventions.selection import Selection, Sites
from patching.interventions.token_names import grid_of
from patching.settings import EMBEDDING_METRICS, METRICS
from patching.sweeps.activation_patching import Experiment, make_experiment, mode_of, with_ablation
from patching.sweeps.estimated_patching import Estimate, EstimatedExperiment, estimated
from patching.sweeps.exact_check import (
    EXACT,
    store_diagnostics,
    store_exact_effects,
    store_fidelity,
)
from patching.vit.residual_vit import ResidualViT, residual_vit

SIDE = 224
"""Maximum side of a stored image, in pixels."""


@dataclass(frozen=True)
class Settings:
    """Settings of a sweep over a dataset.

    Attributes
    ----------
    selection : Selection
        Which activations are patched.
    corruption : Corruption or None
    mode : str
        ``"denoising"`` or ``"noising"``; ablations are noising.
    ablate : str or None
        One of `patching.settings.ABLATIONS`. ``resample`` uses the images of the
        corruption ``swap``: each image has a partner of another class, and the pairs are mutual.
    frozen : bool
        See `patching.sweeps.activation_patching.sweep`.
    metrics : tuple of str
        `patching.settings.METRICS`, or some of `EMBEDDING_METRICS` there, which need no labels.
    direction : Direction or None
        For the metric ``projection``.
    estimate : Estimate or None
        Estimate effects by attribution patching, in place of patching.
    """

    selection: Selection
    corruption: Corruption | None = None
    mode: Mode = "denoising"
    ablate: str | None = None
    frozen: bool = False
    metrics: tuple[str, ...] = METRICS
    direction: Direction | None = None
    estimate: Estimate | None = None


def trace_to_store(
    model: VisionModel,
    dataset: Dataset,
    settings: Settings,
    store: str | Path,
    count: int | None = None,
    donor: VisionModel | None = None,
    force: bool = False,
    progress: Progress | bool = False,
    all_images: bool = False,
    grouping: Grouping | None = None,
) -> JobSummary:
    """Store the effects of a sweep on each image, skipping images that are in the store already.

    At the end, averages over images are stored, and a few images with their effects; see
    `patching.effects.stored_averages.store_averages`. Each batch is stored as soon as it is
    measured, and is kept if a later batch fails. The first call refuses a clean run that
    misclassifies most images, see `patching.effects.accuracy.check_accuracy`. Estimates are checked
    by exact patching of some sites; see `patching.sweeps.exact_check`.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    settings : Settings
    store : str or Path
        Folder of the store; created if missing.
    count : int, optional
        Number of images, see `featviz.data.datasets.Dataset.indices`.
    donor : VisionModel, optional
        See `patching.sweeps.activation_patching.sweep`.
    force : bool
        See `featviz.rendering.job.render_to_store`.
    progress : callable or bool
        True shows a progress bar. A function is called before the first batch and after each with
        the number of images finished and in all.
    all_images : bool
        Whether averages include misclassified images. A low accuracy is then a warning.
    grouping : Grouping, optional
        Further groups of images to average over. They are added to a store that has the effects.

    Returns
    -------
    JobSummary
        Counts of images.

    Raises
    ------
    FeatvizError
        If the settings contradict each other or do not fit the model or the dataset, an image
        cannot be read or has no label, the clean run misclassifies most images, or the store is of
        another model or configuration, damaged, or cannot be written.
    """
    progress = as_progress(progress)
    check_model(model)
    instance("dataset", dataset, Dataset, "a dataset, as featviz.data.datasets.open_data opens it")
    instance("settings", settings, Settings, "patching.sweeps.job.Settings")
    recorded = None if force else stored_configuration(store, TRACES)
    dataset = dataset.readable(dataset.indices(count), recorded)
    indices = dataset.indices(count)
    left_out = tuple(dataset.left_out.values())
    settings, corruptor = _resolved(model, dataset, indices, settings, donor)
    with eval_mode(model.module), torch.no_grad():
        source = None if donor is None else residual_vit(donor)
        experiment = make_experiment(
            residual_vit(model), settings.selection, settings.mode, source, settings.frozen
        )
        experiment = replace(experiment, metrics=settings.metrics, direction=settings.direction)
        if settings.estimate is not None:
            experiment = estimated(experiment, settings.estimate)
        embeds = settings.metrics[0] in EMBEDDING_METRICS
        found = (
            Labels(dataset.labels(indices), tuple(dataset.classes))
            if embeds
            else labels_for(model, dataset, indices)
        )
        labels = dict(zip(indices, found.logits, strict=True))
        more = [] if grouping is None else grouping.groups(found.names)
        for each in more:
            if each.parts:
                check_difference(each, np.array(found.logits), np.array(indices))
        if recorded is None and not embeds:  # before `force` renames a store
            advice = "; --all-images includes the misclassified images"
            clean_model = experiment.clean_vit.model
            check_accuracy(clean_model, dataset, indices, found, not all_images, advice)
        configuration = _configuration(dataset, settings, found.names, len(indices), donor)
        if corruptor is not None and settings.ablate is None:
            configuration |= corruptor.configuration
        writer = open_writer(model, store, TRACES, configuration, force)
        missing = [index for index in indices if _address(index) not in writer.done]
        if missing and SITES not in Store(store).kinds:
            writer.add(_site_columns(experiment.targets.sites), SITES)

        def read(part: Sequence[int]) -> Tensor:
            return dataset.images(part, model.image_size).to(model.device)

        with eval_mode(experiment.source.model.module):
            if missing and settings.ablate in {"zero", "mean"}:
                starts = (experiment.vit.embed(read(part)) for part in batches(model, indices))
                experiment = with_ablation(experiment, str(settings.ablate), starts)

            def inputs(part: Sequence[int]) -> tuple[Tensor, Tensor | None, Tensor]:
                clean, corrupted = _starts(experiment, read(part), corruptor, part)
                return clean, corrupted, torch.tensor([labels[index] for index in part])

            def compute(part: Sequence[int]) -> Columns:
                return _columns(experiment.measure(*inputs(part), part))

            stored = store_batches(writer, batches(model, missing), compute, progress)
            if isinstance(experiment, EstimatedExperiment):
                store_diagnostics(experiment, writer, indices, inputs)
                exact = open_writer(model, store, EXACT, configuration)
                left = [index for index in indices if _address(index) not in exact.done]
                parts = batches(model, left)
                store_exact_effects(experiment, exact, parts, inputs, progress)
                store_fidelity(writer, experiment.estimate.exact, all_images)
        store_averages(
            writer,
            found.names,
            _grid(experiment.vit),
            model.prefix_tokens,
            _reader(model, dataset, corruptor),
            all_images,
            more,
        )
    return JobSummary(stored, len(indices) - stored, unreadable=left_out)


def _resolved(
    model: VisionModel,
    dataset: Dataset,
    indices: Sequence[int],
    settings: Settings,
    donor: VisionModel | None,
) -> tuple[Settings, Corruptor | None]:
    """Resolve mode and corruption, and reject contradicting settings."""
    corruption = settings.corruption
    if settings.estimate is not None and settings.ablate is not None:
        raise FeatvizError("effects of an ablation cannot be estimated; remove the estimate")
    if settings.ablate is not None and corruption is not None:
        raise FeatvizError("an ablation patches the clean run; remove the corruption")
    if settings.ablate == "resample":
        corruption = Corruption("swap")
    mode = mode_of(settings.mode, donor is not None, settings.ablate, corruption is not None)
    corruptor = None if corruption is None else corruption.bind(model, dataset, indices)
    return replace(settings, mode=mode), corruptor


def _starts(
    experiment: Experiment, images: Tensor, corruptor: Corruptor | None, indices: Sequence[int]
) -> tuple[Tensor, Tensor | None]:
    """Compute the streams of clean and of corrupted images before the first block."""
    clean = experiment.clean_vit.embed(images)
    if experiment.ablated is not None:
        return clean, None
    if corruptor is None:
        return clean, experiment.corrupted_vit.embed(images)
    return clean, corruptor.start(experiment.corrupted_vit, images, indices)


def _reader(model: VisionModel, dataset: Dataset, corruptor: Corruptor | None) -> ReadImage:
    """Make the function that reads an image, and its corrupted copy if its pixels are corrupted."""

    def read(index: int) -> list[Pixels]:
        images = [dataset.image(index, model.image_size)]
        if corruptor is not None and corruptor.corruption.name != "embedding":
            images.append(corruptor.images(images[0][None].to(model.device), [index])[0])
        return [_small(image) for image in images]

    return read


def _small(image: Tensor) -> Pixels:
    """Convert an image to pixels of at most `SIDE` a side, (H, W, 3)."""
    shown = resize(image[None].cpu(), min(SIDE, image.shape[-1]))[0].clamp(0, 1)
    return np.ascontiguousarray(to_uint8(shown).numpy())


def _grid(vit: ResidualViT) -> tuple[int, int] | None:
    try:
        return grid_of(vit)
    except FeatvizError:
        return None


def _configuration(
    dataset: Dataset,
    settings: Settings,
    classes: Sequence[str],
    count: int,
    donor: VisionModel | None,
) -> dict[str, Any]:
    other = donor and {"model": donor.name, "fingerprint": donor.fingerprint}
    return {
        **dataset.configuration(count),
        "classes": list(classes),
        "corrupt": str(settings.corruption or "none"),
        "mode": settings.mode,
        "ablate": settings.ablate,
        "donor": other,
        "frozen": settings.frozen,
        **({"estimate": asdict(settings.estimate)} if settings.estimate else {}),
        **asdict(settings.selection),
        "site": settings.selection.kind,
        "by": settings.selection.each,
        "heads": settings.selection.groups,
        "metrics": list(settings.metrics),
        **({} if settings.direction is None else {"direction": str(settings.direction)}),
    }


def _address(index: int) -> str:
    return f"image:{index}"


def _columns(table: Table) -> Columns:
    return {
        "address": [_address(index) for index in table.image.tolist()],
        "label": table.label.astype(np.int32),
        "right": table.right.astype(np.uint8),
        "clean": table.clean.T.astype(np.float32),
        "corrupted": table.corrupted.T.astype(np.float32),
        "restored": table.restored.transpose(2, 1, 0).astype(np.float32),
    }


def _site_columns(sites: Sites) -> Columns:
    names = [
        f"blocks.{layer}.{site}:{head}@{token}~{window}"
        for site, layer, head, token, window in sites
    ]
    return {
        "address": names,
        "place": np.arange(len(names), dtype=np.int32),
        "site": sites.site.tolist(),
        "layer": sites.layer.astype(np.int32),
        "head": sites.head.tolist(),
        "token": sites.token.tolist(),
        "window": sites.window.astype(np.int32),
    }
