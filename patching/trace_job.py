"""Sweeps over a dataset, stored image by image: what is there is not computed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from featviz._util.progress import Progress, ignore
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Columns
from featviz.store.jobs import open_writer
from featviz.store.reader import Store
from patching.activation_patching import BATCH, Experiment, experiment, mode_of, with_ablation
from patching.effects.labels import classes_for, labels_for
from patching.effects.metrics import METRICS
from patching.effects.table import SITES, TRACES, Mode, Sites, Table
from patching.interventions.corruptions import Corruption, Corruptor
from patching.interventions.selection import Where
from patching.vit.residual_vit import residual_vit


@dataclass(frozen=True)
class Settings:
    """What decides the effects of a job, besides the model and the images.

    Attributes
    ----------
    where : Where
    corruption : Corruption or None
    mode : str
        ``"denoising"`` or ``"noising"``; ablations are noising.
    ablate : str or None
        One of `patching.interventions.donors.ABLATIONS`. ``resample`` takes the images of the corruption
        ``swap``: each image's partner is of another class, and has it for a partner.
    frozen : bool
        See `patching.activation_patching.sweep`.
    """

    where: Where
    corruption: Corruption | None = None
    mode: Mode = "denoising"
    ablate: str | None = None
    frozen: bool = False


@dataclass(frozen=True)
class Summary:
    """What a job has done: how many images it stored, and how many were there."""

    stored: int
    done: int


def trace_to_store(
    model: VisionModel,
    dataset: Dataset,
    settings: Settings,
    store: str | Path,
    count: int | None = None,
    donor: VisionModel | None = None,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Store the effects of a sweep on each image, leaving out images that the store holds already.

    Every batch is stored as soon as it is measured, and stays whatever happens after.

    Parameters
    ----------
    count : int, optional
        How many images, see `featviz.data.datasets.Dataset.numbers`.
    donor : VisionModel, optional
        See `patching.activation_patching.sweep`.
    force : bool
        See `featviz.rendering.render.render_to_store`.
    progress : callable
        Told before the first and after every batch how many images are through, and of how many.

    Raises
    ------
    FeatvizError
        If the settings contradict each other or do not fit the model or the dataset, an image
        cannot be read or has no label, or the store is of another model or configuration, damaged,
        or cannot be written.
    """
    numbers = dataset.numbers(count)
    settings, corruptor = _settled(model, dataset, numbers, settings, donor)
    with eval_mode(model.module), torch.no_grad():
        source = None if donor is None else residual_vit(donor)
        made = experiment(
            residual_vit(model), settings.where, settings.mode, source, settings.frozen
        )
        labels = dict(zip(numbers, labels_for(model, dataset, numbers), strict=True))
        configuration = _configuration(
            dataset, settings, classes_for(model, dataset, numbers), len(numbers), donor
        )
        writer = open_writer(model, store, TRACES, configuration, force)
        missing = [number for number in numbers if _address(number) not in writer.done]
        if not missing:
            return Summary(0, len(numbers))
        progress(0, len(missing))
        if SITES not in Store(store).kinds:
            writer.add(_site_columns(made.places.sites), SITES)
        images = _Images(dataset, model)
        with eval_mode(made.source.model.module):
            if settings.ablate in {"zero", "mean"}:
                starts = (made.vit.embed(images(some)) for some in _split(model, numbers))
                made = with_ablation(made, str(settings.ablate), starts)
            finished = 0
            for some in _split(model, missing):
                chosen = torch.tensor([labels[number] for number in some])
                starts_ = _starts(made, images(some), corruptor, some)
                writer.add(_columns(made.measure(*starts_, chosen, some)))
                finished += len(some)
                progress(finished, len(missing))
    return Summary(len(missing), len(numbers) - len(missing))


class _Images:
    """Images of a dataset by number, on the device of a model."""

    def __init__(self, dataset: Dataset, model: VisionModel) -> None:
        self._dataset, self._model = dataset, model

    def __call__(self, numbers: Sequence[int]) -> Tensor:
        side = self._model.image_size
        images = [self._dataset.image(number, side) for number in numbers]
        return torch.stack(images).to(self._model.device)


def _settled(
    model: VisionModel,
    dataset: Dataset,
    numbers: Sequence[int],
    settings: Settings,
    donor: VisionModel | None,
) -> tuple[Settings, Corruptor | None]:
    """Choose direction and corruption, and refuse what contradicts itself."""
    corruption = settings.corruption
    if settings.ablate is not None and corruption is not None:
        raise FeatvizError("ablation is of the clean run; leave the corruption out")
    if settings.ablate == "resample":
        corruption = Corruption("swap")
    mode = mode_of(settings.mode, donor is not None, settings.ablate, corruption is not None)
    corruptor = None if corruption is None else corruption.bind(model, dataset, numbers)
    return replace(settings, mode=mode), corruptor


def _starts(
    made: Experiment, images: Tensor, corruptor: Corruptor | None, numbers: Sequence[int]
) -> tuple[Tensor, Tensor | None]:
    """Embed clean images, and corrupted ones."""
    clean = made.of_clean.embed(images)
    if made.ablated is not None:
        return clean, None
    if corruptor is None:
        return clean, made.of_corrupted.embed(images)
    return clean, corruptor.start(made.of_corrupted, images, numbers)


def _split(model: VisionModel, numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    size = BATCH.get(model.device.type, BATCH["cpu"])
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _configuration(
    dataset: Dataset,
    settings: Settings,
    classes: Sequence[str],
    count: int,
    donor: VisionModel | None,
) -> dict[str, Any]:
    other = donor and {"model": donor.name, "fingerprint": donor.fingerprint}
    return {
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "images": count,
        "classes": list(classes),
        "corrupt": str(settings.corruption or "none"),
        "mode": settings.mode,
        "ablate": settings.ablate,
        "donor": other,
        "frozen": settings.frozen,
        **asdict(settings.where),
        "site": settings.where.kind,
        "by": settings.where.each,
        "metrics": list(METRICS),
    }


def _address(number: int) -> str:
    return f"image:{number}"


def _columns(table: Table) -> Columns:
    return {
        "address": [_address(number) for number in table.image.tolist()],
        "label": table.label.astype(np.int32),
        "right": table.right.astype(np.uint8),
        "clean": table.clean.T.astype(np.float32),
        "corrupted": table.corrupted.T.astype(np.float32),
        "restored": table.restored.transpose(2, 1, 0).astype(np.float32),
    }


def _site_columns(sites: Sites) -> Columns:
    names = [
        f"blocks.{layer}.{site}:{head}@{token}~{window}"
        for site, layer, head, token, window in zip(
            sites.site, sites.layer, sites.head, sites.token, sites.window, strict=True
        )
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
