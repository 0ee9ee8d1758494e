"""Token or token pair of an image at which the value of a unit is highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from torch import Tensor

from featviz.activations.patch_maps import Cells, Floats, Ints, PatchReader, Take
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.addressing.tokens import token_pairs

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

NO_TOKEN = (-1, -1)

Tokens = npt.NDArray[np.int32]


class TokenLocator:
    """Finds the token of an image at which a unit has its highest value.

    - For a mean or maximum over the patches of a grid, the patch with the highest value.
    - For a mean or maximum over logits, the pair of query and key with the highest logit.
    - For a unit at a token, or a single logit, that token or pair.
    - For other units (one value per image, sums of units), none.

    Parameters
    ----------
    model : VisionModel
        Every call leaves it unchanged.
    units : sequence of Unit
    """

    def __init__(self, model: VisionModel, units: Sequence[Unit]) -> None:
        self._fixed = np.array([_fixed(model, unit) or NO_TOKEN for unit in units], np.int32)
        self._is_open = np.array([_fixed(model, unit) is None for unit in units], bool)
        self._reader = PatchReader(model, units)

    def __call__(
        self,
        images: Tensor,
        pairs: Ints,
        mapped: npt.NDArray[np.bool_] | None = None,
        take: Take | None = None,
    ) -> Tokens:
        """Find the tokens of some of the units, each in one image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1]; H and W are the model's `image_size`.
        pairs : int array, shape (pairs, 2)
            Indices of an image and a unit.
        mapped : bool array, shape (pairs,), optional
            Pairs whose values at all patches are passed to `take`, from the same forward pass.
        take : callable, optional
            See `featviz.activations.patch_maps.PatchReader.read`.

        Returns
        -------
        int32 array, shape (pairs, 2)
            (query, key) of a logit; (token, -1) of other units; (-1, -1) if there is no token.
            If several are highest, the first.
        """
        found = self._fixed[pairs[:, 1]]
        is_open = self._is_open[pairs[:, 1]]
        is_mapped = np.zeros_like(is_open) if mapped is None else mapped
        (wanted,) = np.nonzero(is_open | is_mapped)

        def locate(cells: Cells, rows: Ints, values: Floats) -> None:
            rows = wanted[rows]
            found[rows[is_open[rows]]] = cells.tokens[values[is_open[rows]].argmax(1)]
            if take is not None and is_mapped[rows].any():
                take(cells, rows[is_mapped[rows]], values[is_mapped[rows]])

        self._reader.read(images, pairs[wanted], locate)
        return found


def _fixed(model: VisionModel, unit: Unit) -> tuple[int, int] | None:
    """Return the token or pair of a unit if it is the same in every image, else None."""
    if isinstance(unit, Combination):
        return NO_TOKEN
    site = site_of(model, unit)
    if site.is_logit:
        queries, keys = token_pairs(site, unit.token)
        return (queries[0], keys[0]) if len(queries) == 1 else None
    if unit.token not in (None, "max"):
        return (unit.token if isinstance(unit.token, int) else 0), -1
    return NO_TOKEN if site.grid is None or not site.positions else None
