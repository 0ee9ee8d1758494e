"""The data file of the map of units."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.build.build_cache import ModelBuildCache
from gallery.build.js_data import script
from gallery.units.image_similarity import Neighbors, comparable_images

FOLDER = "map"
FILE = "0.js"
MIN_UNITS = 5  # of a map

Vectors = NDArray[np.float32]


class UnitMapWriter:
    """Writes the map of units of a model.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    previous : ModelBuildCache
        Files of the previous edition, which are reused.

    Attributes
    ----------
    keys : dict of str to str
        Cache key of the file, by name.
    """

    def __init__(self, folder: Path, previous: ModelBuildCache) -> None:
        self._folder, self._previous = folder / FOLDER, previous
        self.keys: dict[str, str] = {}

    def write(
        self,
        descriptors: NDArray[np.uint8],
        by_picture: Neighbors,
        profiles: Vectors | None,
        by_profile: Neighbors | None,
    ) -> bool:
        """Write ``map/0.js``: the cell of each unit on the grid of the map.

        Units are placed by their activations on natural images, if at least as many units have them
        as have pictures, and otherwise by their pictures.

        Parameters
        ----------
        descriptors : array of uint8, shape (N, 54)
            See `gallery.units.image_similarity.describe_image`; zeros if there is no picture.
        by_picture : sequence, length N
            Units with the most similar pictures.
        profiles : array of float32, shape (N, M), or None
            Activations on M natural images; NaN if unknown.
        by_profile : sequence, length N, or None
            Units with the most similar profiles.

        Returns
        -------
        bool
            False if fewer than 5 units can be placed.
        """
        known: NDArray[np.bool_] = np.any(descriptors != 0, axis=1)
        basis, neighbors = "pictures", by_picture
        values: NDArray[np.uint8] | Vectors = descriptors
        if profiles is not None and by_profile is not None:
            has_profile: NDArray[np.bool_] = np.all(np.isfinite(profiles), axis=1)
            if has_profile.sum() >= known.sum():
                basis, known, values, neighbors = "activations", has_profile, profiles, by_profile
        if known.sum() < MIN_UNITS:
            return False
        self._folder.mkdir()
        key = hashlib.sha256(f"{basis}\0{values.shape}\0".encode())
        key.update(values.tobytes())
        self.keys[FILE] = key.hexdigest()[:32]
        if not self._previous.link_file(FOLDER, self.keys[FILE], self._folder / FILE):
            vectors = (
                comparable_images(descriptors[known])
                if profiles is None or basis == "pictures"
                else _comparable_profiles(profiles[known])
            )
            text = _map_script(basis, known, vectors, _among(known, neighbors))
            (self._folder / FILE).write_text(text, encoding="ascii")
        return True


def _comparable_profiles(profiles: Vectors) -> Vectors:
    """Return vectors whose cosine is the correlation of activation profiles."""
    centered = profiles - profiles.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1, keepdims=True)
    result: Vectors = centered / np.where(norms > 1e-6, norms, np.inf)
    return result


def _among(known: NDArray[np.bool_], similar: Neighbors) -> Neighbors:
    """Renumber the neighbors of known units; all of them are known."""
    numbers = (np.cumsum(known) - 1).tolist()
    return [
        [(numbers[other], value) for other, value in similar[unit]]
        for unit in np.flatnonzero(known).tolist()
    ]


def _map_script(
    basis: str, known: NDArray[np.bool_], vectors: Vectors, neighbors: Neighbors
) -> str:
    # Imports of SciPy take long, and most exports reuse the map.
    from gallery.units.unit_map.embedding import embed  # noqa: PLC0415
    from gallery.units.unit_map.grid import place_on_grid  # noqa: PLC0415

    cells, columns, rows = place_on_grid(embed(neighbors, vectors))
    places: list[int | None] = [None] * len(known)
    for unit, (column, row) in zip(np.flatnonzero(known), cells.tolist(), strict=True):
        places[unit] = row * columns + column
    content = {"basis": basis, "columns": columns, "rows": rows, "cells": places}
    return script(f"{FOLDER}/{FILE.removesuffix('.js')}", content)
