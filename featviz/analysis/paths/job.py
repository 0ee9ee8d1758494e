"""The routes of all pictures of a store that has natural examples, beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from featviz._util.images import resize
from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import read_units, sites_of
from featviz.analysis.paths.path import Route, route
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.blocks import find_layers, represent
from featviz.store.jobs import make_room, open_folder, open_writer

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel
    from featviz.store.reader import Store

KIND = "paths"
EXAMPLES = "examples"
COLUMNS = ("picture", "natural", "same", "different", "agreement")
BESIDE, OF_EACH_CLASS = 256, 4
"""Natural images that all pictures are compared with: so many, or so many of each class."""
TOGETHER = 128
"""Units that are followed and stored together; their images are read once."""
AT_ONCE = 32
"""Images that are run together."""


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    followed, done : int
        Units whose pictures were followed by this call, and before.
    failures : dict of str to str
        Addresses that could not be, and why; the next call tries them again.
    """

    followed: int
    done: int
    failures: dict[str, str]


@dataclass(frozen=True)
class _Images:
    """Natural images at each layer, less their mean, and their classes."""

    vectors: list[Tensor]
    labels: Tensor


def paths_to_store(
    model: VisionModel, store: str | Path, force: bool = False, progress: Progress = ignore
) -> Summary:
    """Follow the best picture of each unit that has natural examples, into the same store.

    Pictures are compared with the images at the top of the examples, and with others of the same
    dataset, evenly spaced: 256, or 4 of each class if that is more. What the store holds is not
    computed again.

    Parameters
    ----------
    model : VisionModel
        The store's.
    store : str or Path
        A folder, with kinds ``renders`` and ``examples``.
    force : bool
        Set paths of other settings, and damaged shards of them, aside under another name.

    Raises
    ------
    FeatvizError
        If there is no such folder or it has no examples, their dataset is gone or another one now,
        the store is of another model or has paths of other settings, or it is damaged.
    """
    opened = open_folder(store)
    if EXAMPLES not in opened.configuration:
        raise FeatvizError(
            f"{store} has no natural examples; `featviz examples {model.name} SELECTOR --data "
            f"DATA -o {store}` adds them"
        )
    examples = opened.configuration[EXAMPLES]
    dataset = _dataset(examples)
    layers = find_layers(model)
    numbers = dataset.numbers(examples["images"])
    numbers = _spaced(numbers, max(BESIDE, OF_EACH_CLASS * len(examples["classes"])))
    configuration = {
        "layers": layers,
        "beside": len(numbers),
        **{name: examples[name] for name in ("data", "images", "top")},
    }
    make_room(model, opened, KIND, configuration, force)
    writer = open_writer(model, store, KIND, configuration, force)
    there = set(opened.addresses(EXAMPLES))
    addresses = [address for address in opened.addresses() if address in there]
    missing = [each for each in addresses if each not in writer.done]
    todo, failures = read_units(model, missing)
    done, total = len(addresses) - len(missing), len(todo)
    if not todo:
        return Summary(0, done, failures)
    progress(0, total)
    means = [torch.zeros(())] * len(layers)
    beside = _look(model, dataset, layers, numbers, means)
    means = [vectors.mean(0) for vectors in beside.vectors]
    beside = _Images(
        [one - mean for one, mean in zip(beside.vectors, means, strict=True)], beside.labels
    )
    for start in range(0, total, TOGETHER):
        some = todo[start : start + TOGETHER]
        routes = list(_follow(model, opened, some, dataset, layers, (numbers, beside), means))
        columns = {name: np.stack([getattr(each, name) for each in routes]) for name in COLUMNS}
        columns["agreement"] = columns["agreement"].astype(np.float32)
        writer.add({"address": list(map(str, some)), **columns})
        progress(start + len(some), total)
    return Summary(total, done, failures)


def _dataset(examples: dict[str, Any]) -> Dataset:
    """Open the dataset of examples, if its images are still those."""
    dataset = open_data(examples["data"]["name"])
    if dataset.fingerprint() != examples["data"]["fingerprint"]:
        raise FeatvizError(
            f"{dataset.name} has other images than when the examples were taken from it"
        )
    return dataset


def _spaced(numbers: Sequence[int], count: int) -> list[int]:
    count = min(count, len(numbers))
    return [numbers[place * len(numbers) // count] for place in range(count)]


def _look(
    model: VisionModel,
    dataset: Dataset,
    layers: list[str],
    numbers: Sequence[int],
    means: Sequence[Tensor],
) -> _Images:
    """Run natural images, and take the means off what each layer makes of them."""
    parts = []
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        images = torch.stack([dataset.image(number, model.image_size) for number in some])
        parts.append(list(represent(model, images, layers).values()))
    vectors = [
        torch.cat(part) - mean for part, mean in zip(zip(*parts, strict=True), means, strict=True)
    ]
    return _Images(vectors, torch.tensor(dataset.labels(numbers)))


def _follow(
    model: VisionModel,
    store: Store,
    units: Sequence[Unit],
    dataset: Dataset,
    layers: list[str],
    others: tuple[Sequence[int], _Images],
    means: Sequence[Tensor],
) -> Iterator[Route]:
    """Follow the pictures of some units, whose natural images are run once."""
    tops = [store.row(str(unit), EXAMPLES)["top"] for unit in units]
    tops = [top[top >= 0] for top in tops]
    numbers = sorted({int(number) for top in tops for number in top})
    place = {number: index for index, number in enumerate(numbers)}
    natural, pictures = (
        _look(model, dataset, layers, numbers, means),
        _pictures(model, store, units),
    )
    seen = [
        list(represent(model, batch, layers).values()) for batch in torch.split(pictures, AT_ONCE)
    ]
    made = [
        torch.cat(part) - mean for part, mean in zip(zip(*seen, strict=True), means, strict=True)
    ]
    others_numbers, beside = others
    for index, (unit, top) in enumerate(zip(units, tops, strict=True)):
        rows = torch.tensor([place[int(number)] for number in top])
        own = set(top.tolist())
        apart = torch.tensor([number not in own for number in others_numbers])
        yield route(
            [part[index] for part in made],
            [part[rows] for part in natural.vectors],
            [part[apart] for part in beside.vectors],
            (natural.labels[rows], beside.labels[apart]),
            last_layer_before(model, unit, layers),
        )


def _pictures(model: VisionModel, store: Store, units: Sequence[Unit]) -> Tensor:
    """Read the best picture of each unit, at the size of the model's input."""
    rows = (store.row(str(unit)) for unit in units)
    best = [row["images"][int(row["activation"].argmax())] for row in rows]
    images = torch.from_numpy(np.stack(best)).permute(0, 3, 1, 2) / 255
    return resize(images, model.image_size)


def last_layer_before(model: VisionModel, unit: Unit, layers: Sequence[str]) -> int:
    """Find the number of the last layer whose output a unit can depend on.

    The output of the layer that a unit is in tells of the unit itself: there, whatever excites it
    looks alike. A unit in the first layer has none before it and gets this one.
    """
    order = {site.path: number for number, site in enumerate(model.sites.values())}
    last = max(order[site.path] for site in sites_of(model, unit))
    begun = [
        number
        for number, layer in enumerate(layers)
        if any(
            order[site.path] <= last and f"{site.owner}.".startswith(f"{layer}.")
            for site in model.sites.values()
        )
    ]
    return max(0, len(begun) - 2)
