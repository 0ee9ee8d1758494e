"""The images of examples in a store, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from featviz.analysis.examples import images as pictures
from featviz.analysis.examples.search import Task
from featviz.store.writer import StoreWriter

SHARD = 256
"""Images in a shard."""


class Album:
    """Adds images of a dataset to a store that does not hold them yet.

    Parameters
    ----------
    writer : StoreWriter
        Of kind ``example_images``.
    task : Task
        Whose images they are.

    Attributes
    ----------
    stored : int
        How many were added.
    """

    def __init__(self, writer: StoreWriter, task: Task) -> None:
        self.stored = 0
        self._writer, self._task = writer, task
        self._there = set(map(int, writer.done))
        self._waiting: dict[int, bytes] = {}

    def add(self, numbers: Sequence[int], images: Tensor) -> None:
        """Take images that are not there; they are stored once they fill a shard."""
        told = pictures.settings(self._task.model.image_size)
        for number, image in zip(numbers, images, strict=True):
            if number not in self._there:
                self._there.add(number)
                self._waiting[number] = pictures.encode(
                    image, told["side"], told["quality"], told["bytes"]
                )
                if len(self._waiting) == SHARD:
                    self.flush()

    def flush(self) -> None:
        """Store what waits."""
        if self._waiting:
            numbers, files = list(self._waiting), list(self._waiting.values())
            room = pictures.settings(self._task.model.image_size)["bytes"]
            labels = self._task.dataset.labels(numbers)
            columns = pictures.columns(files, labels, room)
            self._writer.add({"address": list(map(str, numbers)), **columns})
            self.stored += len(numbers)
            self._waiting.clear()

    def complete(self, numbers: Iterable[int]) -> None:
        """Store those of these images that are not there: their shard may have been deleted."""
        for some, images in self._task.images(sorted(set(numbers) - self._there)):
            self.add(some, images)
        self.flush()
