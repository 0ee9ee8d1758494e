"""Images -> values of units, running no more of the model than they need.

The forward pass is stopped at the input of the layer that owns the units, and only the wanted
rows of that layer are computed. Layers above never run and weights never get gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from featviz.rows import Rows, rows_of
from featviz.state import undisturbed
from featviz.units import Unit

if TYPE_CHECKING:
    from featviz.models import VisionModel


class _Reached(BaseException):
    """Ends a forward pass; not an `Exception`, so that no model code catches it."""


class Readout:
    """Values of fixed units on any images.

    Parameters
    ----------
    model : VisionModel
        Left as found by every call: hooks, training flags and `requires_grad`, also after an
        exception.
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
        columns: dict[str, list[int]] = {}
        for column, unit in enumerate(self.units):
            columns.setdefault(model.sites[unit.site].owner, []).append(column)
        self._columns = columns
        self._rows: dict[str, Rows] = {}
        for owner, chosen in columns.items():
            mine = [self.units[column] for column in chosen]
            site = model.sites[mine[0].site]
            self._rows[owner] = rows_of(model.module.get_submodule(owner), site, mine)

    def __call__(self, images: Tensor) -> Tensor:
        """Read every unit on every image.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1], before the model's own normalisation.

        Returns
        -------
        Tensor, shape (N, units)
            Differentiable in the images.
        """
        with undisturbed(self.model.module):
            inputs = self._inputs(images)
            values = images.new_empty(len(images), len(self.units))
            for owner, columns in self._columns.items():
                values[:, columns] = self._rows[owner].every(inputs[owner]).to(values.dtype)
        return values

    def paired(self, images: Tensor) -> Tensor:
        """Read unit i on image i, shape (units,), for as many images as units of one site."""
        return self.paired_with_features(images)[0]

    def paired_with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Read unit i on image i, and what its layer sees of the image.

        Returns
        -------
        values : Tensor, shape (N,)
        features : Tensor, shape (N, positions, channels)
            The input of the layer that owns the units.
        """
        ((owner, rows),) = self._rows.items()
        inputs = self._inputs(images)[owner]
        return rows.paired(inputs), rows.features(inputs)

    def _inputs(self, images: Tensor) -> dict[str, Tensor]:
        """Run the model until the input of every owner is known."""
        inputs: dict[str, Tensor] = {}

        def reach(owner: str, arguments: tuple[Any, ...]) -> None:
            inputs[owner] = arguments[0]
            if len(inputs) == len(self._rows):
                raise _Reached

        module = self.model.module
        hooks = [_watch(module.get_submodule(owner), owner, reach) for owner in self._rows]
        try:
            module(self.model.normalise(images))
        except _Reached:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return inputs


def _watch(layer: nn.Module, owner: str, reach: Any) -> Any:
    return layer.register_forward_pre_hook(lambda _, arguments: reach(owner, arguments))


def readout(model: VisionModel, units: Sequence[Unit]) -> Readout:
    """Make a function from images (N, 3, H, W) in [0, 1] to values (N, units).

    See `Readout`.
    """
    return Readout(model, units)
