"""Images -> values of units, running no more of the model than they need.

The forward pass is stopped at the input of the layer that owns the units, and only the wanted
rows of that layer are computed. Layers above never run and weights never get gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor

from featviz.activations.layer_readers import LayerReader, layer_reader
from featviz.activations.qk_logits import QKLogitReader
from featviz.addressing.address import Unit
from featviz.addressing.combinations import terms
from featviz.addressing.selectors import check_logits, site_of
from featviz.errors import FeatvizError
from featviz.models.hooks import Context, eval_mode, run_until

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

Value = TypeVar("Value")
# Lucid has 0.1, which a single neuron among hundreds never reaches: its pictures would not change.
LEAST_COSINE = 0.01


class Reading(NamedTuple):
    """What is read of N units in a step of an optimization.

    Attributes
    ----------
    values : Tensor, shape (N,)
    gain : Tensor, shape (N,)
        What is to be maximized: the values, times a power of the cosine between the unit's
        direction and all that its layer puts out (of a logit, between query and key); a cosine
        below 0.01, and that of a negative value, counts as 0.01. Source: Lucid,
        ``optvis/objectives_util.py``, ``_dot_cossim``.
    features : Tensor, shape (images, positions, channels)
        The input of the layer that owns the units; of several, the last that is reached.
    """

    values: Tensor
    gain: Tensor
    features: Tensor


@dataclass(frozen=True)
class _Part:
    """What is read at one site: terms of the units' sums.

    Attributes
    ----------
    rows : LayerReader
    columns : Tensor, shape (terms,)
        Which of the readout's units each term belongs to.
    weights : Tensor, shape (terms,)
    plain : bool
        Whether the terms are the units themselves, in their order.
    """

    rows: LayerReader
    columns: Tensor
    weights: Tensor
    plain: bool

    def add(self, values: Tensor, read: Tensor) -> Tensor:
        """Add what was read of the terms (..., terms) to the values of the units (..., units)."""
        return values.index_add(-1, self.columns, (read * self.weights).to(values))

    def beside(self, images: Tensor) -> Tensor:
        """Repeat what belongs to image i for every term of unit i."""
        return images if self.plain else images[self.columns]


class Readout:
    """Values of fixed units on any images.

    Parameters
    ----------
    model : VisionModel
        Left as found by every call: hooks, training flags and `requires_grad`, also after an
        exception. The weights of the units are taken when the readout is made.
    units : sequence of Unit
        Of one or several sites.

    Raises
    ------
    FeatvizError
        If a unit does not exist in the model.
    """

    def __init__(self, model: VisionModel, units: Sequence[Unit]) -> None:
        self.model = model
        self.units = list(units)
        found: dict[Site, list[tuple[int, float, Unit]]] = {}
        for column, unit in enumerate(self.units):
            for weight, term in terms(unit):
                found.setdefault(site_of(model, term), []).append((column, weight, term))
        # A tensor born in inference mode could not be saved for a later backward pass.
        with torch.inference_mode(False):
            self._parts: dict[str, list[_Part]] = {}
            for site, members in found.items():
                part = self._part(site, members)
                self._parts.setdefault(site.owner, []).append(part)

    def _part(self, site: Site, members: list[tuple[int, float, Unit]]) -> _Part:
        columns, weights, units = map(list, zip(*members, strict=True))
        submodule = self.model.module.get_submodule
        norm = None if site.norm is None else submodule(site.norm)
        return _Part(
            layer_reader(submodule(site.owner), site, units, norm),
            torch.tensor(columns, device=self.model.device),
            torch.tensor(weights, device=self.model.device),
            columns == list(range(len(self.units))) and set(weights) == {1.0},
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Read every unit on every image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1], floating-point, before the model's own normalization; H and W are the
            model's `image_size`.

        Returns
        -------
        Tensor, shape (N, units)
            Differentiable in the images, of their type and on their device.

        Raises
        ------
        FeatvizError
            If the images are of another shape or no floating-point numbers.
        """
        with eval_mode(self.model.module):
            found = self._run(
                images, lambda part, inputs, context: part.rows.every(inputs, context)
            )
        values = images.new_zeros(len(images), len(self.units))
        for part, read in found:
            values = part.add(values, read)
        return values

    def paired(self, images: Tensor) -> Tensor:
        """Read unit i on image i, shape (units,), for as many images as units."""
        with eval_mode(self.model.module):
            return self.read_pairs(images).values

    def read_pairs(self, images: Tensor, cosine_power: float = 0.0) -> Reading:
        """Read unit i on image i, and what the last of the layers sees of the image.

        For a loop of many steps: whoever runs it holds the model `eval_mode` around it.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
        cosine_power : float
            Power of the cosine that weighs the gain, see `Reading`.

        Raises
        ------
        FeatvizError
            If the images are not as many as the units, of another shape or no floating-point
            numbers.
        """
        self._check_count(images, 1)

        def read(part: _Part, inputs: Tensor, context: Context) -> Reading:
            own = part.beside(inputs)
            values = part.rows.paired(own, context)
            gain = values
            if cosine_power:
                aligned = part.rows.cosines(own, context).clamp_min(LEAST_COSINE)
                # A negative value would gain from a small cosine.
                aligned = torch.where(values > 0, aligned, LEAST_COSINE)
                gain = values * aligned**cosine_power
            return Reading(values, gain, part.rows.features(inputs))

        return self._sum(self._run(images, read), images)

    def read_sides(self, images: Tensor) -> Reading:
        """Read logit i with its query on image i and its key on image N + i.

        For a loop of many steps: whoever runs it holds the model `eval_mode` around it.

        Parameters
        ----------
        images : Tensor, shape (2 * N, 3, H, W)
            For N units, first the images of the queries, then those of the keys.

        Raises
        ------
        FeatvizError
            If a unit is no logit, or the images are not twice as many as the units, of another
            shape or no floating-point numbers.
        """
        self._check_count(images, 2)
        check_logits(self.model, self.units)

        def read(part: _Part, inputs: Tensor, context: Context) -> Reading:
            query, key = (part.beside(side) for side in inputs.chunk(2))
            if not isinstance(part.rows, QKLogitReader):
                raise TypeError("only logits are read from two images")
            values = part.rows.between(query, key, context)
            return Reading(values, values, part.rows.features(inputs))

        return self._sum(self._run(images, read), images)

    def _sum(self, found: list[tuple[_Part, Reading]], kind: Tensor) -> Reading:
        values = gain = torch.zeros(len(self.units), dtype=kind.dtype, device=kind.device)
        for part, reading in found:
            values, gain = part.add(values, reading.values), part.add(gain, reading.gain)
        return Reading(values, gain, found[-1][1].features)

    def _run(
        self, images: Tensor, read: Callable[[_Part, Tensor, Context], Value]
    ) -> list[tuple[_Part, Value]]:
        """Run the model until every owner is reached, and read each at its input."""
        self._check(images)
        found: list[tuple[_Part, Value]] = []

        def take(owner: str, inputs: Tensor, context: Context) -> None:
            found.extend((part, read(part, inputs, context)) for part in self._parts[owner])

        run_until(self.model, images, self._parts, take)
        return found

    def _check_count(self, images: Tensor, each: int) -> None:
        if not self.units:
            raise FeatvizError("there is no unit to read")
        if len(images) != each * len(self.units):
            what = "one image" if each == 1 else f"{each} images"
            raise FeatvizError(
                f"{what} a unit: {len(self.units)} units need {each * len(self.units)} images, "
                f"not {len(images)}"
            )

    def _check(self, images: Tensor) -> None:
        side = self.model.image_size
        if images.shape[1:] != (3, side, side) or not images.is_floating_point():
            kind = str(images.dtype).removeprefix("torch.")
            raise FeatvizError(
                f"{self.model.name} reads floating-point images (N, 3, {side}, {side}), "
                f"not {kind} {tuple(images.shape)}"
            )


def readout(model: VisionModel, units: Sequence[Unit]) -> Readout:
    """Make a function from images (N, 3, H, W) in [0, 1] to values (N, units).

    See `Readout`.
    """
    return Readout(model, units)
