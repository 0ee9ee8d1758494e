"""Quality of a sparse autoencoder as a row of a store."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from featviz._util.progress import Progress
from featviz.analysis.reconstruction.output_change import OutputChange
from featviz.analysis.reconstruction.quality import Quality, measure_quality
from featviz.data.datasets import Dataset
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Row
from featviz.store.jobs import open_writer
from featviz.store.reader import Store

KIND = "sae_quality"
CHANGES = ("reconstruction", "zero_ablation")
"""Attributes of `Quality` that are several numbers."""
NUMBERS = tuple(each.name for each in fields(Quality) if each.name not in CHANGES)
OUTPUTS = tuple(each.name for each in fields(OutputChange))


def quality_to_store(
    model: VisionModel,
    sae: SparseAutoencoder,
    dataset: Dataset,
    store: str | Path,
    images: int | None = None,
    progress: Progress | bool = False,
) -> Quality:
    """Measure the quality of a sparse autoencoder, and store it under the digest of its weights.

    If the store has it already, it is read from there.

    Parameters
    ----------
    model, sae, dataset, images, progress
        See `featviz.analysis.reconstruction.quality.measure_quality`.
    store : str or Path
        The folder; made if it does not exist.

    Returns
    -------
    Quality

    Raises
    ------
    FeatvizError
        If the store is of another model, has the quality on other data, is damaged or cannot be
        written; see also `measure_quality`.
    """
    configuration = dataset.configuration(len(dataset.indices(images)))
    writer = open_writer(model, store, KIND, configuration)
    if sae.digest not in writer.done:
        quality = measure_quality(model, sae, dataset, images, progress)
        writer.add(_columns(sae, quality))
    return read_quality(Store(store).row(sae.digest, KIND))


def read_quality(row: Row) -> Quality:
    """Return the quality that `row`, a row of kind ``sae_quality``, holds."""
    numbers: dict[str, Any] = {name: row[name].item() for name in NUMBERS}
    numbers |= {name: OutputChange(*_known(row[name])) for name in CHANGES}
    return Quality(**numbers)


def _known(values: npt.NDArray[np.float64]) -> list[Any]:
    """Return None in place of values that are not known."""
    return [None if math.isnan(value) else value for value in values.tolist()]


def _columns(sae: SparseAutoencoder, quality: Quality) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "address": [sae.digest],
        "library": [sae.origin.library],
        "architecture": [sae.origin.architecture],
        "latents": np.array([sae.latents], np.int32),
    }
    for name in NUMBERS:
        value = getattr(quality, name)
        columns[name] = np.array([value], "<i8" if isinstance(value, int) else "<f8")
    for name in CHANGES:
        change = getattr(quality, name)
        values = [getattr(change, output) for output in OUTPUTS]
        columns[name] = np.array([[math.nan if v is None else v for v in values]], "<f8")
    return columns
