"""Files of natural images, and units that respond to the same ones."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz.analysis.examples import profiles
from featviz.errors import FeatvizError
from featviz.store.columns import Row
from featviz.store.reader import Store
from gallery.build.build_cache import ModelBuildCache
from gallery.units.image_similarity import nearest_neighbors

LARGEST = 4096  # pixels, the longer side of a natural image
_INDEX = re.compile("[0-9]{1,9}", re.ASCII)
_BLOCK = 256  # units compared with all others at a time


class NaturalImages:
    """Natural images of the units of a model.

    Images are identified by their index in a dataset. If the stores have examples of several
    datasets, only those of the first are shown; see `shows`.

    Parameters
    ----------
    stores : sequence of Store
    folder : Path
        Folder of the model; the images are written to ``examples/INDEX.webp``.
    previous : ModelBuildCache
        Files of the previous edition, which are reused.

    Attributes
    ----------
    keys : dict of str to str
        Cache key of each file, by name.
    warnings : list of str
        One line for each image that cannot be shown.
    """

    def __init__(self, stores: Sequence[Store], folder: Path, previous: ModelBuildCache) -> None:
        known = [store.configuration["examples"] for store in stores if "examples" in store.kinds]
        self._configuration: Mapping[str, Any] | None = known[0] if known else None
        self._stores = [store for store in stores if self.shows(store)]
        self._folder, self._previous = folder / "examples", previous
        self.keys: dict[str, str] = {}
        self.warnings: list[str] = []

    def shows(self, store: Store) -> bool:
        """Return whether the examples of a store are of the dataset that is shown.

        Parameters
        ----------
        store : Store
        """
        return (
            self._configuration is not None
            and "examples" in store.kinds
            and store.configuration["examples"] == self._configuration
        )

    def write(self) -> None:
        """Write each image once."""
        for store in self._stores:
            if "example_images" not in store.kinds:
                continue
            self._folder.mkdir(exist_ok=True)
            wanted: dict[str, tuple[str, str]] = {}
            names: set[str] = set()
            for address, key in store.keys("example_images").items():
                name = f"{int(address)}.webp" if _INDEX.fullmatch(address) else ""
                if name in self.keys or (name and name in names):
                    continue
                names.add(name)
                if name and self._previous.link_file("examples", key, self._folder / name):
                    self.keys[name] = key
                else:
                    wanted[address] = name, key
            for row in store.rows("example_images", wanted):
                self._write(row, *wanted[row["address"]])

    def rows(self) -> Iterator[Row]:
        """Read the examples of all units; of several with one address, that of the first store.

        Yields
        ------
        Row
            Of kind ``examples``.
        """
        for store in self._stores:
            yield from store.rows("examples")

    @property
    def dataset(self) -> str:
        """Name of the dataset; empty if there are no examples."""
        data = (self._configuration or {}).get("data", "")
        return str(data["name"] if isinstance(data, Mapping) else data)

    def similar_units(self, units: Sequence[str]) -> list[list[tuple[int, float]]] | None:
        """Find the units that share most of their top images.

        Parameters
        ----------
        units : sequence of str
            Addresses, in display order.

        Returns
        -------
        list of lists of (int, float), or None
            For each unit, at most 8 others: index, and the share of its top images that are also
            top images of the other unit, highest first. None if there are no examples.
        """
        if not self._stores:
            return None
        # Importing SciPy takes long, and few galleries need it.
        from scipy import sparse  # noqa: PLC0415

        indices = {unit: index for index, unit in enumerate(units)}
        rows: list[NDArray[Any]] = [np.zeros(0, np.int32)] * len(units)
        for store in reversed(self._stores):
            for row in store.rows("examples"):
                if row["address"] in indices:
                    rows[indices[row["address"]]] = np.unique(row["top"][row["top"] >= 0])
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
            found += nearest_neighbors(shares, start)
        return found

    def profiles(self, units: Sequence[str]) -> NDArray[np.float32] | None:
        """Read the activations of units on a sample of the dataset.

        Parameters
        ----------
        units : sequence of str
            Addresses.

        Returns
        -------
        float32 array, shape (units, images), or None
            On the same images for all units, at most 512, evenly spaced in the dataset. NaN for
            units without a profile; None if no unit has one.
        """
        indices = {unit: index for index, unit in enumerate(units)}
        stores = [store for store in self._stores if profiles.KIND in store.kinds]
        found: NDArray[np.float32] | None = None
        for store in reversed(stores):
            if store.configuration.get(profiles.KIND) != stores[0].configuration.get(profiles.KIND):
                continue
            for row in store.rows(profiles.KIND):
                index, values = indices.get(row["address"]), profiles.decode(row)
                if index is None or not len(values) or not np.isfinite(values).all():
                    continue
                if found is None:
                    found = np.full((len(units), len(values)), np.nan, np.float32)
                if len(values) == found.shape[1]:
                    found[index] = values
        return found

    def correlated_units(self, units: Sequence[str]) -> list[list[tuple[int, float]]] | None:
        """Find the units whose activations over the dataset correlate most.

        Parameters
        ----------
        units : sequence of str
            Addresses, in display order.

        Returns
        -------
        list of lists of (int, float), or None
            For each unit, at most 8 others: index and Pearson correlation of their `profiles`,
            highest first; only positive ones. None if there are no profiles. Units that are
            constant correlate with none.
        """
        values = self.profiles(units)
        if values is None:
            return None
        values[np.isnan(values[:, 0])] = 0
        # In float64 row by row, so that a large mean costs no digits, without a copy of all.
        for row in values:
            centered = row - row.mean(dtype=np.float64)
            norm = np.linalg.norm(centered)
            row[:] = centered / norm if np.ptp(row) > 0 else 0
        found: list[list[tuple[int, float]]] = []
        for start in range(0, len(units), _BLOCK):
            found += nearest_neighbors(values[start : start + _BLOCK] @ values.T, start)
        return found

    def _write(self, row: Row, name: str, key: str) -> None:
        """Write an image, or a warning if it is invalid."""
        try:
            if not name:
                raise FeatvizError("its address is not an index")
            content = checked_content(row)
        except FeatvizError as error:
            self.warnings.append(f"natural image {row['address']}: {error}")
            return
        (self._folder / name).write_bytes(content)
        self.keys[name] = key


def checked_content(row: Row) -> bytes:
    """Return the content of a WebP file.

    Parameters
    ----------
    row : Row
        Of kind ``example_images``.

    Returns
    -------
    bytes

    Raises
    ------
    FeatvizError
        If it is not a WebP image, or too large.
    """
    content: bytes = row["webp"].tobytes()[: max(int(row["bytes"]), 0)]
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            if max(image.size) > LARGEST:
                raise FeatvizError(
                    f"it has {image.width} x {image.height} pixels; the maximum side is {LARGEST}"
                )
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FeatvizError("it is not a WebP image") from error
    return content
