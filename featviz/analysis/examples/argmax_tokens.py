"""Where in an image the value of a unit comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.activations.layer_readers import FullLayerReader
from featviz.activations.qk_logits import QKLogitReader
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.directions import Direction
from featviz.addressing.selectors import site_of
from featviz.addressing.tokens import token_pairs
from featviz.models.hooks import Context, eval_mode, run_until

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

NOWHERE = (-1, -1)

Pairs = npt.NDArray[np.integer]
Tokens = npt.NDArray[np.int32]


class Places:
    """Finds the best place of each of a list of units in images.

    - Of a mean over the patches of a grid: the patch with the highest value.
    - Of a mean over logits: the pair of query and key with the highest.
    - Of a unit at a token, or of a single logit: that token, or pair.
    - Of anything else: none.

    Parameters
    ----------
    model : VisionModel
        Left as found by every call.
    units : sequence of Unit
    """

    def __init__(self, model: VisionModel, units: Sequence[Unit]) -> None:
        self.model = model
        self._fixed = np.array([_fixed(model, unit) or NOWHERE for unit in units], np.int32)
        self._layers: dict[str, list[_Patches | _Logits]] = {}
        by_site: dict[Site, dict[int, Unit]] = {}
        for number, unit in enumerate(units):
            if _fixed(model, unit) is None:
                by_site.setdefault(site_of(model, unit), {})[number] = unit
        with torch.inference_mode(False):
            for site, members in by_site.items():
                part = _Patches if site.kind == "layer" else _Logits
                self._layers.setdefault(site.owner, []).append(part(model, site, members))

    def __call__(self, images: Tensor, wanted: Pairs) -> Tokens:
        """Find the places of some of the units, each in one image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1], of the model's size.
        wanted : int array, shape (pairs, 2)
            Image and unit, by their numbers.

        Returns
        -------
        int32 array, shape (pairs, 2)
            (query, key) of a logit; (token, -1) of other units; (-1, -1) where there is no place.
            Of equally good places, the first.
        """
        found = self._fixed[wanted[:, 1]]

        def take(owner: str, inputs: Tensor, context: Context) -> None:
            for layer in self._layers[owner]:
                mine = np.flatnonzero(np.isin(wanted[:, 1], layer.numbers))
                if len(mine):
                    found[mine] = layer.find(inputs, context, wanted[mine])

        if self._layers:
            with eval_mode(self.model.module), torch.no_grad():
                run_until(self.model, images, self._layers, take)
        return found


class _Patches:
    """Means over the patches of one layer."""

    def __init__(self, model: VisionModel, site: Site, members: dict[int, Unit]) -> None:
        self.numbers = list(members)
        self._units = members
        self._prefix = site.prefix
        layer = model.module.get_submodule(site.owner)
        self._layer = FullLayerReader(layer, site, list(members.values()))
        self._place = {number: place for place, number in enumerate(members)}

    def find(self, inputs: Tensor, _context: Context, wanted: Pairs) -> Tokens:
        outputs = self._layer.output(inputs)[:, self._prefix :]
        found = np.full((len(wanted), 2), -1, np.int32)
        for row, (image, number) in enumerate(wanted.tolist()):
            index = self._units[number].index
            if isinstance(index, Direction):
                along = self._layer.directions[self._place[number]].to(outputs)
                values = outputs[image] @ along
            else:
                values = outputs[image, :, index]  # type: ignore[index]  # a layer has no modes
            found[row, 0] = self._prefix + _best(values)
        return found


class _Logits:
    """Means over the logits of one attention."""

    def __init__(self, model: VisionModel, site: Site, members: dict[int, Unit]) -> None:
        self.numbers = list(members)
        module = model.module.get_submodule
        norm = None if site.norm is None else module(site.norm)
        self._rows = QKLogitReader(module(site.owner), site, list(members.values()), norm)
        self._pairs = [np.array(token_pairs(site, unit.token)) for unit in members.values()]

    def find(self, inputs: Tensor, context: Context, wanted: Pairs) -> Tokens:
        found = np.full((len(wanted), 2), -1, np.int32)
        for column, logits in self._rows.each(inputs, context):
            for row in np.flatnonzero(wanted[:, 1] == self.numbers[column]):
                best = _best(logits[wanted[row, 0]])
                found[row] = self._pairs[column][:, best]
        return found


def _best(values: Tensor) -> int:
    return int(values.float().cpu().numpy().argmax())


def _fixed(model: VisionModel, unit: Unit) -> tuple[int, int] | None:
    """Name the place of a unit that is the same in every image; None where it is not."""
    if isinstance(unit, Combination):
        return NOWHERE
    site = site_of(model, unit)
    if site.kind != "layer":
        queries, keys = token_pairs(site, unit.token)
        return (queries[0], keys[0]) if len(queries) == 1 else None
    if unit.token is not None:
        return (unit.token if isinstance(unit.token, int) else 0), -1
    return NOWHERE if site.grid is None or not site.positions else None
