"""From a dataset to what is known of each unit: one pass for all values, then the places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.device_memory import hand_back
from featviz._util.progress import Progress
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.analysis.examples.activation_file import Spool
from featviz.analysis.examples.argmax_tokens import NOWHERE, Places
from featviz.analysis.examples.scratch_folder import open_spool
from featviz.analysis.examples.statistics import BINS, QUANTILES, statistics
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

AT_ONCE = 32
"""Images that the model sees at once, always: a matrix product may round differently for another
number of rows. A last batch that has fewer is filled up."""
HELD = 2**22
"""Bytes of values that are held at once, unless a single unit has more."""
TIDY = 8
"""Batches after which freed memory is handed back."""
ENDS = ("top", "bottom", "spread")

Columns = dict[str, npt.NDArray[Any]]
Keep = Callable[[Sequence[int], Tensor], object]
"""Told the numbers of some images, ascending, and the images."""


def keep_none(numbers: Sequence[int], images: Tensor) -> None:
    """Keep no images."""


class Task:
    """Which images are shown to a model, and what is found for its units.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    count : int, optional
        How many images, see `featviz.data.datasets.Dataset.numbers`.
    top : int
        How many of the highest and of the lowest.

    Attributes
    ----------
    numbers : int array, shape (N,)
        Of the images in the dataset, ascending.

    Raises
    ------
    FeatvizError
        If `count` or `top` is below 1.
    """

    def __init__(self, model: VisionModel, dataset: Dataset, count: int | None, top: int) -> None:
        if top < 1:
            raise FeatvizError(f"at least 1 image at the top is needed, not {top}")
        self.model, self.dataset, self.top = model, dataset, top
        self.numbers = np.array(dataset.numbers(count), np.int32)

    def configuration(self) -> dict[str, Any]:
        """Tell all that decides what is found."""
        return {
            "data": {"name": self.dataset.name, "fingerprint": self.dataset.fingerprint()},
            "images": len(self.numbers),
            "classes": list(self.dataset.classes),
            "top": self.top,
            "quantiles": list(QUANTILES),
            "bins": BINS,
        }

    @cached_property
    def prefix(self) -> str:
        """What the names of the values of all jobs begin with that find the same for a unit."""
        subject = {"configuration": self.configuration(), "fingerprint": self.model.fingerprint}
        return f"examples-{_digest(subject)}-"

    def name(self, units: Sequence[Unit]) -> str:
        """Name the values of units: the same for the same job on the same kind of machine."""
        subject = {
            "device": self.model.device.type,
            "torch": torch.__version__,
            "units": addresses(units),
        }
        return f"{self.prefix}{_digest(subject)}"

    def spool(
        self, folder: Path, name: str, units: Sequence[Unit]
    ) -> AbstractContextManager[Spool]:
        """Open what the values of units wait in; see `featviz.analysis.examples.scratch_folder.open_spool`."""
        return open_spool(folder, name, addresses(units), AT_ONCE, len(self.numbers))

    def fill(self, spool: Spool, units: Sequence[Unit], progress: Progress) -> None:
        """Read the units of a spool on all images that it does not have yet.

        Parameters
        ----------
        units : sequence of Unit
            Those of the spool, and others.
        progress : callable
            Told how many images are through, and of how many.
        """
        read, total = spool.blocks * AT_ONCE, len(self.numbers)
        if read >= total:
            return
        by_address = {str(unit): unit for unit in units}
        values_of = Readout(self.model, [by_address[each] for each in spool.addresses])
        progress(read, total)
        size = self.model.image_size
        for images, labels in self.dataset.batches(size, AT_ONCE, total, start=read):
            with torch.no_grad():
                values = values_of(self._whole(images))[: len(images)]
            marks = [blake2b(image.numpy(), digest_size=16).digest() for image in images]
            spool.append(labels.numpy().astype(np.int32), marks, values.float().cpu().numpy())
            read += len(images)
            if spool.blocks % TIDY == 0:
                hand_back()
            progress(read, total)

    def finish(
        self, spool: Spool, units: Sequence[Unit], keep: Keep, progress: Progress
    ) -> tuple[list[Unit], Columns, dict[Unit, str]]:
        """Find the examples of units from their values.

        Parameters
        ----------
        units : sequence of Unit
            Of those in the spool, which is full.
        keep : callable
            Told every image that is an example of one of them, once.
        progress : callable
            Told how many of these images are through, and of how many.

        Returns
        -------
        kept : list of Unit
            Those that have finite values only.
        columns : dict of arrays
            Of the kind ``examples``, one row for each of these.
        failures : dict of Unit to str
            The others, and why.
        """
        rows, failures = self._describe(spool, units)
        kept = list(rows)
        if not kept:
            return [], {}, failures
        columns = {name: np.stack([row[name] for row in rows.values()]) for name in rows[kept[0]]}
        chosen = np.concatenate([columns[name] for name in ENDS], axis=1)
        tokens = self._locate(kept, chosen, keep, progress)
        ends = np.cumsum([columns[name].shape[1] for name in ENDS])[:-1]
        for name, some in zip(ENDS, np.split(tokens, ends, axis=1), strict=True):
            columns[f"{name}_tokens"] = some
            columns[name] = np.where(columns[name] < 0, -1, self.numbers[columns[name]])
        layouts = [_layout(self.model, unit) for unit in kept]
        columns["grid"] = np.array([grid for grid, _ in layouts], np.int32)
        columns["prefix"] = np.array([prefix for _, prefix in layouts], np.int32)
        return kept, columns, failures

    def images(self, numbers: Sequence[int]) -> Iterator[tuple[list[int], Tensor]]:
        """Read some images of the dataset, a few at a time."""
        for start in range(0, len(numbers), AT_ONCE):
            some = list(numbers[start : start + AT_ONCE])
            size = self.model.image_size
            yield some, torch.stack([self.dataset.image(number, size) for number in some])

    def _whole(self, images: Tensor) -> Tensor:
        """Fill a batch up, and put it where the model is."""
        missing = AT_ONCE - len(images)
        filled = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return filled.to(self.model.device)

    def _describe(
        self, spool: Spool, units: Sequence[Unit]
    ) -> tuple[dict[Unit, Columns], dict[Unit, str]]:
        """Compute the statistics of each unit whose values are finite."""
        count, classes = len(self.numbers), len(self.dataset.classes)
        labels, firsts = spool.labels(count), spool.firsts(count)
        rows: dict[Unit, Columns] = {}
        failures: dict[Unit, str] = {}
        place = {address: column for column, address in enumerate(spool.addresses)}
        columns = [place[str(unit)] for unit in units]
        waiting = iter(units)
        for start, stop in _runs(columns, max(1, HELD // (4 * count))):
            for read, unit in zip(spool.values(start, stop, count), waiting, strict=False):
                # On some machines the rounding depends on the place in a batch; copies of an image
                # get the value of the first, so that they tie.
                values = read[firsts]
                wrong = np.flatnonzero(~np.isfinite(values))
                if len(wrong):
                    image = self.numbers[wrong[0]]
                    failures[unit] = f"its value on image {image} is not a finite number"
                else:
                    rows[unit] = statistics(values, labels, classes, self.top)
        return rows, failures

    def _locate(
        self,
        units: Sequence[Unit],
        chosen: npt.NDArray[np.int32],
        keep: Keep,
        progress: Progress,
    ) -> npt.NDArray[np.int32]:
        """Find the place of unit i in the images ``chosen[i]``, running each image once."""
        places = Places(self.model, units)
        tokens = np.full((*chosen.shape, 2), NOWHERE, np.int32)
        distinct, which = np.unique(chosen, return_inverse=True)
        which = which.reshape(-1)
        order = np.argsort(which, kind="stable")
        skipped = int(distinct[0] < 0)
        read, total = 0, len(distinct) - skipped
        bounds = np.searchsorted(which[order], np.arange(len(distinct) + 1))
        for numbers, images in self.images(self.numbers[distinct[skipped:]].tolist()):
            first = skipped + read
            pairs = order[bounds[first] : bounds[first + len(numbers)]]
            rows = pairs // chosen.shape[1]
            wanted = np.stack([which[pairs] - first, rows], axis=1)
            tokens.reshape(-1, 2)[pairs] = places(self._whole(images), wanted)
            keep(numbers, images)
            read += len(numbers)
            if read % (TIDY * AT_ONCE) == 0:
                hand_back()
            progress(read, total)
        return tokens


def _digest(subject: dict[str, Any]) -> str:
    return sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()[:32]


def addresses(units: Sequence[Unit]) -> list[str]:
    """Name units in an order that does not depend on theirs, in which they are read.

    A matrix product may round differently for another order of columns.
    """
    return sorted(map(str, units))


def _runs(columns: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Cut numbers, in their order, into ranges (start, stop) of at most so many."""
    start = stop = columns[0]
    for column in columns:
        if column != stop or stop - start == most:
            yield start, stop
            start = column
        stop = column + 1
    yield start, stop


def _layout(model: VisionModel, unit: Unit) -> tuple[tuple[int, int], int]:
    if isinstance(unit, Combination):
        return NOWHERE, 0
    site = site_of(model, unit)
    return site.grid or NOWHERE, site.prefix
