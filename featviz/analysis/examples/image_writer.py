"""Writer of example images: stores each image of a dataset once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from featviz.analysis.examples import images as example_images
from featviz.analysis.examples.search import ExampleSearch
from featviz.store.writer import StoreWriter

SHARD = 256
"""Images per shard."""


class ImageWriter:
    """Adds images of a dataset to a store that does not hold them yet.

    Parameters
    ----------
    writer : StoreWriter
        Of kind ``example_images``.
    search : ExampleSearch
        Provides the dataset and the model.

    Attributes
    ----------
    stored : int
        Number of images that were added.
    """

    def __init__(self, writer: StoreWriter, search: ExampleSearch) -> None:
        self.stored = 0
        self._writer, self._search = writer, search
        self._settings = example_images.settings(search.model.image_size)
        self._known = set(map(int, writer.done))
        self._pending: dict[int, bytes] = {}

    def add(self, indices: Sequence[int], images: Tensor) -> None:
        """Add images that the store does not hold; they are written once they fill a shard.

        Parameters
        ----------
        indices : sequence of int
            Indices of the images in the dataset.
        images : Tensor, shape (N, 3, H, H)
            RGB in [0, 1].
        """
        side, quality = self._settings["side"], self._settings["quality"]
        for index, image in zip(indices, images, strict=True):
            if index not in self._known:
                self._known.add(index)
                self._pending[index] = example_images.encode(
                    image, side, quality, self._settings["bytes"]
                )
                if len(self._pending) == SHARD:
                    self.flush()

    def flush(self) -> None:
        """Write the pending images."""
        if self._pending:
            indices, files = list(self._pending), list(self._pending.values())
            labels = self._search.dataset.labels(indices)
            columns = example_images.columns(files, labels, self._settings["bytes"])
            self._writer.add({"address": list(map(str, indices)), **columns})
            self.stored += len(indices)
            self._pending.clear()

    def complete(self, indices: Iterable[int]) -> None:
        """Write those of the images `indices` that the store lacks: a shard may be deleted."""
        for batch, images in self._search.read_images(sorted(set(indices) - self._known)):
            self.add(batch, images)
        self.flush()
