"""Activation paths of all pictures of a store that has natural examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from featviz._util.images import from_uint8, resize
from featviz._util.progress import Progress, as_progress
from featviz.addressing.address import Unit
from featviz.addressing.selectors import read_units, sites_of
from featviz.analysis.paths.path import COLUMNS, ActivationPath
from featviz.analysis.paths.similarity import activation_path
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.blocks.representations import find_layers, represent
from featviz.store.jobs import JobSummary, make_room, open_folder, open_writer, store_batches

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel
    from featviz.store.columns import Columns
    from featviz.store.reader import Store

KIND = "paths"
EXAMPLES = "examples"
REFERENCES, OF_EACH_CLASS = 256, 4
"""Number of natural images that all pictures are compared with: so many, or so many of each class
if that is more."""
UNITS_PER_BATCH = 128
"""Units that are stored together; their natural images are run once."""
IMAGES_PER_BATCH = 32
"""Images in one forward pass."""
RECORDED = ("data", "images", "unreadable", "top")
"""Settings of the examples that determine paths."""


@dataclass(frozen=True)
class _NaturalImages:
    """Representations of natural images at each layer, and their classes."""

    indices: Sequence[int]
    vectors: list[Tensor]
    labels: Tensor

    def minus(self, means: Sequence[Tensor]) -> _NaturalImages:
        vectors = [each - mean for each, mean in zip(self.vectors, means, strict=True)]
        return _NaturalImages(self.indices, vectors, self.labels)


def paths_to_store(
    model: VisionModel, store: str | Path, force: bool = False, progress: Progress | bool = False
) -> JobSummary:
    """Compute the activation path of the best picture of each unit that has natural examples.

    Pictures are compared with the natural images that activate the unit most, and with reference
    images of the same dataset, evenly spaced: 256, or 4 of each class if that is more. Paths that
    the store holds are not computed again.

    Parameters
    ----------
    model : VisionModel
        The model of the store.
    store : str or Path
        A folder with kinds ``renders`` and ``examples``; the paths are added to it.
    force : bool
        Set paths of another configuration, and damaged shards of them, aside under another name.
    progress : callable or bool
        True shows a progress bar. A function is called with the number of units finished and in
        all.

    Returns
    -------
    JobSummary

    Raises
    ------
    FeatvizError
        If there is no such folder or it has no examples, their dataset is missing or has changed,
        the store is of another model or has paths of another configuration, or it is damaged.
    """
    progress = as_progress(progress)
    opened = open_folder(store)
    if EXAMPLES not in opened.configuration:
        raise FeatvizError(
            f"{store} has no natural examples; `featviz examples {model.name} SELECTOR --data "
            f"DATA -o {store}` adds them"
        )
    examples = opened.configuration[EXAMPLES]
    dataset = _dataset(examples)
    layers = find_layers(model)
    count = max(REFERENCES, OF_EACH_CLASS * dataset.count_classes())
    indices = _evenly_spaced(dataset.indices_of(examples), count)
    configuration = {
        "layers": layers,
        "beside": len(indices),
        **{name: examples[name] for name in RECORDED if name in examples},
    }
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    with_examples = set(opened.addresses(EXAMPLES))
    addresses = [address for address in opened.addresses() if address in with_examples]
    missing = [address for address in addresses if address not in writer.done]
    units, failures = read_units(model, missing)
    done = len(addresses) - len(missing)
    if not units:
        return JobSummary(0, done, failures)
    progress(0, len(units))
    references = _represent_images(model, dataset, layers, indices)
    means = [vectors.mean(0) for vectors in references.vectors]
    references = references.minus(means)

    def compute(batch: Sequence[Unit]) -> Columns:
        paths = list(_paths(model, opened, batch, dataset, layers, references, means))
        columns = {
            column: np.stack([getattr(path, field) for path in paths]).astype(np.float32)
            for field, column in COLUMNS.items()
        }
        return {"address": list(map(str, batch)), **columns}

    batches = [
        units[start : start + UNITS_PER_BATCH] for start in range(0, len(units), UNITS_PER_BATCH)
    ]
    return JobSummary(store_batches(writer, batches, compute, progress), done, failures)


def _dataset(examples: Mapping[str, Any]) -> Dataset:
    """Open the dataset of the examples, provided that its images have not changed."""
    dataset = open_data(examples["data"]["name"])
    if dataset.fingerprint() != examples["data"]["fingerprint"]:
        raise FeatvizError(
            f"the images of {dataset.name} have changed since the examples were taken from it; "
            "take the examples again"
        )
    return dataset


def _evenly_spaced(indices: Sequence[int], count: int) -> list[int]:
    count = min(count, len(indices))
    return [indices[step * len(indices) // count] for step in range(count)]


def _represent_images(
    model: VisionModel, dataset: Dataset, layers: list[str], indices: Sequence[int]
) -> _NaturalImages:
    """Run natural images through the model."""
    parts = []
    for start in range(0, len(indices), IMAGES_PER_BATCH):
        some = indices[start : start + IMAGES_PER_BATCH]
        images = dataset.images(some, model.image_size)
        parts.append(list(represent(model, images, layers).values()))
    vectors = [torch.cat(part) for part in zip(*parts, strict=True)]
    return _NaturalImages(indices, vectors, torch.tensor(dataset.labels(indices)))


def _paths(
    model: VisionModel,
    store: Store,
    units: Sequence[Unit],
    dataset: Dataset,
    layers: list[str],
    references: _NaturalImages,
    means: Sequence[Tensor],
) -> Iterator[ActivationPath]:
    """Compute the paths of some units, whose natural images are run once."""
    tops = [store.row(str(unit), EXAMPLES)["top"] for unit in units]
    tops = [top[top >= 0] for top in tops]
    indices = sorted({int(index) for top in tops for index in top})
    row_of = {index: row for row, index in enumerate(indices)}
    natural = _represent_images(model, dataset, layers, indices).minus(means)
    parts = [
        list(represent(model, batch, layers).values())
        for batch in torch.split(_best_pictures(model, store, units), IMAGES_PER_BATCH)
    ]
    pictures = [
        torch.cat(part) - mean for part, mean in zip(zip(*parts, strict=True), means, strict=True)
    ]
    for number, (unit, top) in enumerate(zip(units, tops, strict=True)):
        rows = torch.tensor([row_of[int(index)] for index in top])
        own = set(top.tolist())
        others = torch.tensor([index not in own for index in references.indices])
        yield activation_path(
            layers,
            [vectors[number] for vectors in pictures],
            [vectors[rows] for vectors in natural.vectors],
            [vectors[others] for vectors in references.vectors],
            (natural.labels[rows], references.labels[others]),
            last_layer_before(model, unit, layers),
        )


def _best_pictures(model: VisionModel, store: Store, units: Sequence[Unit]) -> Tensor:
    """Read the best picture of each unit, at the size of the model's input."""
    rows = (store.row(str(unit)) for unit in units)
    best = [row["images"][int(row["activation"].argmax())] for row in rows]
    return resize(from_uint8(np.stack(best)), model.image_size)


def last_layer_before(model: VisionModel, unit: Unit, layers: Sequence[str]) -> int:
    """Find the last layer whose output a unit can depend on.

    The layer that holds the unit does not count: its output contains the unit itself, so that all
    images that activate the unit are similar there.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
    layers : sequence of str
        Of `featviz.models.blocks.representations.find_layers`.

    Returns
    -------
    int
        Index in `layers`; 0 for a unit in the first layer, which has none before it.
    """
    order = {site.path: index for index, site in enumerate(model.sites.values())}
    last = max(order[site.path] for site in sites_of(model, unit))
    begun = [
        index
        for index, layer in enumerate(layers)
        if any(
            order[site.path] <= last and f"{site.owner}.".startswith(f"{layer}.")
            for site in model.sites.values()
        )
    ]
    return max(0, len(begun) - 2)
