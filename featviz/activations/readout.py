"""Readouts: from images to the values of units, running no more of the model than necessary.

The forward pass ends at the input of the layer that owns the units, and only the required rows of
that layer are computed. Later layers do not run, and weights never get gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from torch import Tensor

from featviz.activations.activation_readers import NeuronReader, activation_reader
from featviz.activations.latent_reader import LatentReader
from featviz.activations.layer_readers import LayerReader, layer_reader
from featviz.activations.qk_logits import QKLogitReader
from featviz.addressing.address import Unit
from featviz.addressing.combinations import terms
from featviz.addressing.selectors import Chosen, as_units, check_logits, site_of
from featviz.errors import FeatvizError
from featviz.models.hooks import Context, eval_mode, run_until
from featviz.models.input_checks import check_images, check_shape

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

Value = TypeVar("Value")
# Lucid has 0.1, which a single neuron among hundreds never reaches: the power would be constant.
MIN_COSINE = 0.01


class Reading(NamedTuple):
    """What a step of an optimization reads of N units.

    Attributes
    ----------
    values : Tensor, shape (N,)
        Values of the units.
    objective : Tensor, shape (N,)
        What is maximized: the values times a power of the cosine between the unit's direction and
        the output of its layer (of a logit, between query and key). A cosine below 0.01, and that
        of a negative value, counts as 0.01. Source: Lucid, ``optvis/objectives_util.py``,
        ``_dot_cossim``. A neuron whose nonlinearity is closed at all its tokens has the value 0 and
        no gradient; its objective is the value before the nonlinearity.
    features : Tensor, shape (images, positions, channels)
        The input of the layer that owns the units; of several layers, the deepest one.
    """

    values: Tensor
    objective: Tensor
    features: Tensor

    @property
    def varying(self) -> Tensor:
        """The values, with the objective in place of zeros, which may have no gradient."""
        return torch.where(self.values == 0, self.objective, self.values)


@dataclass(frozen=True)
class _Part:
    """The terms of the units that belong to one site.

    Attributes
    ----------
    reader : LayerReader
        Reads the terms.
    columns : Tensor, shape (terms,)
        For each term, the index of its unit in the readout.
    weights : Tensor, shape (terms,)
    plain : bool
        Whether the terms are the units themselves, in their order.
    """

    reader: LayerReader
    columns: Tensor
    weights: Tensor
    plain: bool

    def add(self, values: Tensor, read: Tensor) -> Tensor:
        """Add values of the terms (..., terms) to the values of the units (..., units)."""
        return values.index_add(-1, self.columns, (read * self.weights).to(values))

    def expand_to_terms(self, images: Tensor) -> Tensor:
        """Repeat the row of unit i for every term of unit i: (units, ...) to (terms, ...)."""
        return images if self.plain else images[self.columns]


class Readout:
    """Reads the values of fixed units on any images.

    Parameters
    ----------
    model : VisionModel
        Every call leaves it unchanged: hooks, training flags and `requires_grad`, also after an
        exception. The weights of the units are taken when the readout is made.
    units : Unit, str, or iterable of these
        Units of one or several sites; a text is a selector, see `featviz.units`.

    Raises
    ------
    FeatvizError
        If the model is not a VisionModel, or a unit does not exist in it.
    """

    def __init__(self, model: VisionModel, units: Chosen) -> None:
        self.model = model
        self.units = as_units(model, units)
        by_site: dict[Site, list[tuple[int, float, Unit]]] = {}
        for column, unit in enumerate(self.units):
            for weight, term in terms(unit):
                by_site.setdefault(site_of(model, term), []).append((column, weight, term))
        # Tensors made in inference mode could not be saved for a later backward pass. A weight with
        # a parametrization may be another one in training mode, and reading it may change buffers.
        with torch.inference_mode(False), torch.no_grad(), eval_mode(model.module):
            self._parts: dict[str, list[_Part]] = {}
            for site, members in by_site.items():
                part = self._part(site, members)
                self._parts.setdefault(site.owner, []).append(part)

    def _part(self, site: Site, members: list[tuple[int, float, Unit]]) -> _Part:
        columns, weights, units = map(list, zip(*members, strict=True))
        return _Part(
            self._reader(site, units),
            torch.tensor(columns, device=self.model.device),
            torch.tensor(weights, dtype=torch.float32, device=self.model.device),
            columns == list(range(len(self.units))) and set(weights) == {1.0},
        )

    def _reader(self, site: Site, units: Sequence[Unit]) -> LayerReader:
        """Return the reader of some units of a site."""
        submodule = self.model.module.get_submodule
        if site.kind == "latents":
            return LatentReader(self.model.module, site, units)
        if site.kind == "activation":
            return activation_reader(self.model.module, site, units)
        norm = None if site.norm is None else submodule(site.norm)
        return layer_reader(submodule(site.owner), site, units, norm)

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
            Differentiable with respect to the images, of their dtype and on their device.

        Raises
        ------
        FeatvizError
            If the images have another shape, are not floating-point, or are far outside [0, 1].
        """
        check_images(self.model, images)
        with eval_mode(self.model.module):
            found = self._run(
                images, lambda part, inputs, context: part.reader.read_all(inputs, context)
            )
        values = images.new_zeros(len(images), len(self.units))
        for part, read in found:
            values = part.add(values, read)
        return values

    def paired(self, images: Tensor) -> Tensor:
        """Read unit i on image i.

        Parameters
        ----------
        images : Tensor, shape (units, 3, H, W)
            As many images as units.

        Returns
        -------
        Tensor, shape (units,)

        Raises
        ------
        FeatvizError
            If there are not as many images as units, or they have another shape, are not
            floating-point, or are far outside [0, 1].
        """
        check_images(self.model, images)
        with eval_mode(self.model.module):
            return self.read_pairs(images).values

    def read_pairs(self, images: Tensor, cosine_power: float = 0.0) -> Reading:
        """Read unit i on image i, with the objective and the features of an optimization step.

        For a loop of many steps: the caller keeps the model in `eval_mode`.

        Parameters
        ----------
        images : Tensor, shape (units, 3, H, W)
        cosine_power : float
            Power of the cosine in the objective, see `Reading`; 0 leaves the cosine out.

        Returns
        -------
        Reading

        Raises
        ------
        FeatvizError
            See `paired`.
        """
        self._check_count(images, 1)

        def read(part: _Part, inputs: Tensor, context: Context) -> Reading:
            own = part.expand_to_terms(inputs)
            if isinstance(part.reader, NeuronReader) and part.plain:
                values, before = part.reader.read_open(own, context)
                objective = torch.where(values == 0, before, values)
            else:
                objective = values = part.reader.read_paired(own, context)
            if cosine_power:
                cosines = part.reader.cosines(own, context).clamp_min(MIN_COSINE)
                # A smaller cosine would increase the objective of a negative value.
                cosines = torch.where(values > 0, cosines, MIN_COSINE)
                objective = objective * cosines**cosine_power
            return Reading(values, objective, part.reader.features(inputs))

        return self._sum(self._run(images, read), images)

    def read_split(self, images: Tensor) -> Reading:
        """Read logit i with its query on image i and its key on image N + i.

        For a loop of many steps: the caller keeps the model in `eval_mode`.

        Parameters
        ----------
        images : Tensor, shape (2 * N, 3, H, W)
            For N units, first the images of the queries, then those of the keys.

        Returns
        -------
        Reading
            The objective equals the values.

        Raises
        ------
        FeatvizError
            If a unit is not a logit, or there are not twice as many images as units, or they have
            another shape or are not floating-point.
        """
        self._check_count(images, 2)
        check_logits(self.model, self.units)

        def read(part: _Part, inputs: Tensor, context: Context) -> Reading:
            query, key = (part.expand_to_terms(side) for side in inputs.chunk(2))
            if not isinstance(part.reader, QKLogitReader):
                raise TypeError("only logits can be read from two images")
            values = part.reader.read_split(query, key, context)
            return Reading(values, values, part.reader.features(inputs))

        return self._sum(self._run(images, read), images)

    def _sum(self, found: list[tuple[_Part, Reading]], like: Tensor) -> Reading:
        zeros = torch.zeros(len(self.units), dtype=like.dtype, device=like.device)
        values = objective = zeros
        for part, reading in found:
            values = part.add(values, reading.values)
            objective = part.add(objective, reading.objective)
        return Reading(values, objective, found[-1][1].features)

    def _run(
        self, images: Tensor, read: Callable[[_Part, Tensor, Context], Value]
    ) -> list[tuple[_Part, Value]]:
        """Run the model until every owner is reached, and read its parts at its input."""
        check_shape(self.model, images)
        found: list[tuple[_Part, Value]] = []
        has_gradients = torch.is_grad_enabled() and images.requires_grad

        def take(owner: str, inputs: Tensor, context: Context) -> None:
            if has_gradients and not torch.is_grad_enabled():
                raise FeatvizError(
                    f"{owner} of {self.model.name} runs without gradients, as inside torch.no_grad "
                    "or reentrant checkpointing"
                )
            found.extend((part, read(part, inputs, context)) for part in self._parts[owner])

        run_until(self.model, images, self._parts, take)
        return found

    def _check_count(self, images: Tensor, images_per_unit: int) -> None:
        if not self.units:
            raise FeatvizError("there is no unit to read")
        expected = images_per_unit * len(self.units)
        if len(images) != expected:
            raise FeatvizError(f"{len(self.units)} units need {expected} images, not {len(images)}")


def readout(model: VisionModel, units: Chosen) -> Readout:
    """Return a function from images (N, 3, H, W) in [0, 1] to values (N, units); see `Readout`."""
    return Readout(model, units)
