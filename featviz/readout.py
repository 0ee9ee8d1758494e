"""Images -> values of units, running no more of the model than they need.

The forward pass is stopped at the input of the layer that owns the units, and only the wanted
rows of that layer are computed. Layers above never run and weights never get gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.rows import Rows, rows_of
from featviz.state import undisturbed
from featviz.units import Unit, site_of

if TYPE_CHECKING:
    from featviz.models import VisionModel
    from featviz.sites import Site

Value = TypeVar("Value")


class _Reached(BaseException):
    """Ends a forward pass; not an `Exception`, so that no model code catches it."""

    def __init__(self, owner: str, inputs: Tensor) -> None:
        self.owner, self.inputs = owner, inputs


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
        columns: dict[Site, list[int]] = {}
        for column, unit in enumerate(self.units):
            columns.setdefault(site_of(model, unit), []).append(column)
        self._columns = {site.owner: chosen for site, chosen in columns.items()}
        # A tensor born in inference mode could not be saved for a later backward pass.
        with torch.inference_mode(False):
            self._rows = {
                site.owner: rows_of(
                    model.module.get_submodule(site.owner), site, [self.units[i] for i in chosen]
                )
                for site, chosen in columns.items()
            }

    def __call__(self, images: Tensor) -> Tensor:
        """Read every unit on every image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1], floating-point, before the model's own normalisation; H and W are the
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
        with undisturbed(self.model.module):
            read = self._run(images, lambda rows, inputs: rows.every(inputs))
        values = images.new_empty(len(images), len(self.units))
        for owner, columns in self._columns.items():
            values[:, columns] = read[owner].to(values)
        return values

    def paired(self, images: Tensor) -> Tensor:
        """Read unit i on image i, shape (units,), for as many images as units of one site."""
        with undisturbed(self.model.module):
            return self.paired_with_features(images)[0]

    def paired_with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Read unit i on image i, and what its layer sees of the image.

        For a loop of many steps: whoever runs it holds the model `undisturbed` around it.

        Returns
        -------
        values : Tensor, shape (N,)
        features : Tensor, shape (N, positions, channels)
            The input of the layer that owns the units.

        Raises
        ------
        FeatvizError
            If the units are not of one site, or the images not as many as the units, of another
            shape or no floating-point numbers.
        """
        if len(self._rows) != 1:
            sites = ", ".join(self._rows) or "none"
            raise FeatvizError(f"one unit an image is read at one site, and these have {sites}")
        if len(images) != len(self.units):
            raise FeatvizError(
                f"one unit an image: {len(self.units)} units need as many images, not {len(images)}"
            )
        read = self._run(images, lambda rows, inputs: (rows.paired(inputs), rows.features(inputs)))
        ((values, features),) = read.values()
        return values.to(images), features

    def _run(self, images: Tensor, read: Callable[[Rows, Tensor], Value]) -> dict[str, Value]:
        """Run the model until every owner is reached, and read each at its input."""
        self._check(images)
        module = self.model.module
        found: dict[str, Value] = {}

        def reach(owner: str, _layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            if len(found) == len(self._rows) - 1:
                raise _Reached(owner, arguments[0])
            # Read at once: a later layer may change this input in place.
            found[owner] = read(self._rows[owner], arguments[0])

        hooks = [
            module.get_submodule(owner).register_forward_pre_hook(partial(reach, owner))
            for owner in self._rows
        ]
        try:
            module(self.model.normalise(images).to(next(module.parameters(), images)))
        except _Reached as last:
            found[last.owner] = read(self._rows[last.owner], last.inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return found

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
