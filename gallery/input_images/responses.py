"""Values and patch maps of the units of a page on images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.image_files import read_image
from featviz._util.images import to_uint8
from featviz.activations.patch_maps import patch_maps
from featviz.activations.readout import readout
from featviz.addressing.selectors import read_units
from featviz.models.loading.model_of_store import load_model_of
from featviz.models.token_grid import patch_grid
from gallery.input_images.files import InputImage

if TYPE_CHECKING:
    from featviz.addressing.address import Unit
    from featviz.models.vision_model import VisionModel
    from featviz.store.reader import Store

GRID = (8, 8)  # of the patches of models that do not cut images into patches
_GRAY = 0.5

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Responses:
    """Values of U units of one layer on N images.

    Attributes
    ----------
    units : list of int
        Indices of the units on the page.
    values : float32 array, shape (U, N)
    gray : float32 array, shape (U,)
        Values on a gray image.
    maps : list of (float32 array, shape (N, rows, columns)) or None
        Patch maps; see `featviz.activations.patch_maps.patch_maps`.
    """

    units: list[int]
    values: Map
    gray: Map
    maps: list[Map | None]


class ResponseReader:
    """Reads units on images, in batches of units of one layer.

    Parameters
    ----------
    store : Store
        Records how the model is loaded.
    images : sequence of InputImage

    Raises
    ------
    FeatvizError
        If the model cannot be loaded, or has other weights than the store, or an image cannot be
        read.

    Attributes
    ----------
    grid : (int, int)
        Rows and columns of the patches at which units of all layers are compared.
    missing : dict of str to str
        Addresses of units that the model does not have, such as directions whose file is gone, with
        reasons; of the batches read so far.
    """

    def __init__(self, store: Store, images: Sequence[InputImage]) -> None:
        self._model: VisionModel = load_model_of(store, advice="")
        side = self._model.image_size
        self._images = torch.stack([read_image(image.path, side) for image in images])
        self.grid = patch_grid(self._model) or GRID
        self.missing: dict[str, str] = {}

    def pixels(self) -> NDArray[np.uint8]:
        """Return the images as the model sees them, shape (N, side, side, 3)."""
        pixels: NDArray[np.uint8] = to_uint8(self._images).numpy()
        return pixels

    def read(self, start: int, addresses: Sequence[str], batch: int) -> Iterator[Responses | None]:
        """Read the units of one layer.

        Parameters
        ----------
        start : int
            Index of the first unit on the page.
        addresses : sequence of str
            Of the units of a layer, in the order of the page.
        batch : int
            Units that are read at once.

        Yields
        ------
        Responses or None
            Of at most `batch` units at a time; None if the model has none of them.
        """
        for first in range(0, len(addresses), batch):
            found: dict[int, Unit] = {}
            for index, address in enumerate(addresses[first : first + batch], start + first):
                units, missing = read_units(self._model, [address])
                self.missing |= missing
                if units:
                    found[index] = units[0]
            yield self._read(found) if found else None

    def _read(self, units: dict[int, Unit]) -> Responses:
        chosen = list(units.values())
        images = self._images.to(self._model.device)
        with torch.no_grad():
            values = readout(self._model, chosen)(self._with_gray(images)).T.float().cpu().numpy()
        return Responses(
            list(units), values[:, :-1], values[:, -1], patch_maps(self._model, chosen, images)
        )

    def _with_gray(self, images: Tensor) -> Tensor:
        return torch.cat([images, torch.full_like(images[:1], _GRAY)])


def on_grid(maps: NDArray[np.float64], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Resample maps to another grid; each patch has the largest value of the cells in it.

    Parameters
    ----------
    maps : float64 array, shape (U, rows, columns)
        NaN marks cells without a value.
    grid : (int, int)
        Rows and columns.

    Returns
    -------
    float64 array, shape (U, patches)
        Row by row; minus infinity where there is no value.
    """
    known = torch.from_numpy(np.where(np.isnan(maps), -np.inf, maps))
    if known.shape[1:] != grid:
        known = torch.nn.functional.adaptive_max_pool2d(known, grid)
    found: NDArray[np.float64] = known.flatten(1).numpy()
    return found
