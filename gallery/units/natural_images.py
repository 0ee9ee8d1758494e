"""Natural images: the files of those that a page shows, and units that they excite alike."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.build.build_cache import ModelBuildCache
from gallery.units.image_similarity import nearest_in

LARGEST = 4096  # pixels, the longer side of a natural image
_NUMBER = re.compile("[0-9]{1,9}", re.ASCII)
_BLOCK = 256  # units of which the likeness to all others is held at a time


class Natural:
    """The natural images of a model's stores that were measured on the same data.

    Images are known by their numbers in a dataset. So where stores have examples of several
    datasets, those of the first are shown; `of` tells whether a store has these.

    Parameters
    ----------
    stores : sequence of Store
    folder : Path
        The model's; the images lie in ``examples/NUMBER.webp``.
    previous : ModelBuildCache
        What there is to be taken over.
    """

    def __init__(self, stores: Sequence[Store], folder: Path, previous: ModelBuildCache) -> None:
        known = [store.configuration["examples"] for store in stores if "examples" in store.kinds]
        self._configuration: Mapping[str, Any] | None = known[0] if known else None
        self._stores = [store for store in stores if self.of(store)]
        self._folder, self._previous = folder / "examples", previous
        self.keys: dict[str, str] = {}
        self.warnings: list[str] = []

    def of(self, store: Store) -> bool:
        """Tell whether a store has examples of the data that is shown."""
        return (
            self._configuration is not None
            and "examples" in store.kinds
            and store.configuration["examples"] == self._configuration
        )

    def steps(self) -> Iterator[None]:
        """Write the images, each once; yield after each."""
        for store in self._stores:
            if "example_images" not in store.kinds:
                continue
            self._folder.mkdir(exist_ok=True)
            wanted: dict[str, tuple[str, str]] = {}
            names: set[str] = set()
            for address, key in store.keys("example_images").items():
                name = f"{int(address)}.webp" if _NUMBER.fullmatch(address) else ""
                if name in self.keys or (name and name in names):
                    continue
                names.add(name)
                if name and self._previous.take_file("examples", key, self._folder / name):
                    self.keys[name] = key
                    yield
                else:
                    wanted[address] = name, key
            for row in store.rows("example_images", wanted):
                self._write(row, *wanted[row["address"]])
                yield

    def alike(self, units: Sequence[str]) -> list[list[tuple[int, float]]] | None:
        """Find the units that the same images excite most.

        Parameters
        ----------
        units : sequence of str
            Their addresses in the order of the page.

        Returns
        -------
        list of lists of (int, float), or None
            Of each unit: at most 8 others and the share of its strongest images that are theirs,
            too, the largest first. None if there are no examples.
        """
        if not self._stores:
            return None
        # Importing SciPy takes long, and few galleries need it.
        from scipy import sparse  # noqa: PLC0415

        places = {unit: place for place, unit in enumerate(units)}
        rows: list[NDArray[Any]] = [np.zeros(0, np.int32)] * len(units)
        for store in reversed(self._stores):
            for row in store.rows("examples"):
                if row["address"] in places:
                    rows[places[row["address"]]] = np.unique(row["top"][row["top"] >= 0])
        counts = np.array([len(row) for row in rows])
        columns = np.concatenate(rows) if counts.sum() else np.zeros(0, np.int32)
        _, images = np.unique(columns, return_inverse=True)
        starts = np.concatenate([[0], counts.cumsum()])
        shape = (len(units), int(images.max(initial=-1)) + 1)
        table = sparse.csr_array((np.ones(len(images), np.float32), images, starts), shape=shape)
        found: list[list[tuple[int, float]]] = []
        for start in range(0, len(units), _BLOCK):
            shared = (table[start : start + _BLOCK] @ table.T).toarray()
            shares = shared / np.maximum(counts[start : start + _BLOCK], 1)[:, None]
            found += nearest_in(shares, start)
        return found

    def _write(self, row: Row, name: str, key: str) -> None:
        """Write an image, unless it is none."""
        try:
            if not name:
                raise FeatvizError("its address is no number")
            content = _content(row)
        except FeatvizError as error:
            self.warnings.append(f"natural image {row['address']}: {error}")
            return
        (self._folder / name).write_bytes(content)
        self.keys[name] = key


def _content(row: Row) -> bytes:
    """Return the bytes of a file that is WebP and no larger than it has to be.

    Raises
    ------
    FeatvizError
        If it is not.
    """
    content: bytes = row["webp"].tobytes()[: max(int(row["bytes"]), 0)]
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            if max(image.size) > LARGEST:
                raise FeatvizError(f"it is {image.width} x {image.height} pixels large")
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FeatvizError("it is no WebP picture") from error
    return content
