"""Token or token pair of an image at which the value of a unit is highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.activations.activation_readers import full_reader
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

NO_TOKEN = (-1, -1)

Pairs = npt.NDArray[np.integer]
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
        self.model = model
        self._fixed = np.array([_fixed(model, unit) or NO_TOKEN for unit in units], np.int32)
        self._locators: dict[str, list[_PatchLocator | _PairLocator]] = {}
        by_site: dict[Site, dict[int, Unit]] = {}
        for index, unit in enumerate(units):
            if _fixed(model, unit) is None:
                by_site.setdefault(site_of(model, unit), {})[index] = unit
        with torch.inference_mode(False):
            for site, members in by_site.items():
                locator = _PairLocator if site.is_logit else _PatchLocator
                self._locators.setdefault(site.owner, []).append(locator(model, site, members))

    def __call__(self, images: Tensor, pairs: Pairs) -> Tokens:
        """Find the tokens of some of the units, each in one image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1]; H and W are the model's `image_size`.
        pairs : int array, shape (pairs, 2)
            Indices of an image and a unit.

        Returns
        -------
        int32 array, shape (pairs, 2)
            (query, key) of a logit; (token, -1) of other units; (-1, -1) if there is no token.
            If several are highest, the first.
        """
        found = self._fixed[pairs[:, 1]]

        def take(owner: str, inputs: Tensor, context: Context) -> None:
            for locator in self._locators[owner]:
                own = np.flatnonzero(np.isin(pairs[:, 1], locator.indices))
                if len(own):
                    found[own] = locator.find(inputs, context, pairs[own])

        if self._locators:
            with eval_mode(self.model.module), torch.no_grad():
                run_until(self.model, images, self._locators, take)
        return found


class _PatchLocator:
    """Means and maxima over the patches of one layer or activation."""

    def __init__(self, model: VisionModel, site: Site, members: dict[int, Unit]) -> None:
        self.indices = list(members)
        self._units = members
        self._prefix = site.prefix
        self._reader = full_reader(model.module, site, list(members.values()))
        self._row = {index: row for row, index in enumerate(members)}

    def find(self, inputs: Tensor, context: Context, pairs: Pairs) -> Tokens:
        outputs = self._reader.output(inputs, context)[:, self._prefix :]
        found = np.full((len(pairs), 2), -1, np.int32)
        for row, (image, index) in enumerate(pairs.tolist()):
            channel = self._units[index].index
            if isinstance(channel, Direction):
                direction = self._reader.directions[self._row[index]].to(outputs)
                values = outputs[image] @ direction
            else:
                values = outputs[image, :, channel]  # type: ignore[index]  # a layer has no modes
            found[row, 0] = self._prefix + _argmax(values)
        return found


class _PairLocator:
    """Means and maxima over the logits of one attention."""

    def __init__(self, model: VisionModel, site: Site, members: dict[int, Unit]) -> None:
        self.indices = list(members)
        module = model.module.get_submodule
        norm = None if site.norm is None else module(site.norm)
        self._reader = QKLogitReader(module(site.owner), site, list(members.values()), norm)
        self._pairs = [np.array(token_pairs(site, unit.token)) for unit in members.values()]

    def find(self, inputs: Tensor, context: Context, pairs: Pairs) -> Tokens:
        found = np.full((len(pairs), 2), -1, np.int32)
        for column, logits in self._reader.read_token_pairs(inputs, context):
            for row in np.flatnonzero(pairs[:, 1] == self.indices[column]):
                best = _argmax(logits[pairs[row, 0]])
                found[row] = self._pairs[column][:, best]
        return found


def _argmax(values: Tensor) -> int:
    return int(values.float().cpu().numpy().argmax())


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
