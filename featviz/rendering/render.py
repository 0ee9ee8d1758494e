"""Rendering units in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from featviz._util import html
from featviz._util.arguments import whole_number
from featviz._util.progress import Progress, as_progress
from featviz.addressing.address import Unit
from featviz.addressing.selectors import Chosen, as_units
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.objectives import Objective
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.optimization.settings import with_settings
from featviz.rendering.batches import Outcome, run
from featviz.rendering.plan import batches_of, check_units

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


SHOWN = 32
"""Pictures that a notebook shows of a rendering."""


@dataclass(frozen=True, repr=False)
class Rendering:
    """Pictures of units, in memory; a notebook shows them in a row.

    Attributes
    ----------
    units : list of Unit
        N units: those that were asked for, in order, without those that failed.
    images : uint8 array, shape (N, D, H, W, 3)
        D samples per unit. With `split_qk` (N, D, 2, H, W, 3): the image of the query, and that of
        the key.
    activation : float32 array, shape (N, D)
        Value of the unit on the picture as it is here, without augmentation.
    trajectory : float32 array, shape (N, D, steps)
        Value of the unit on the augmented image of each step.
    failures : dict of Unit to str
        Units that could not be rendered, and why.
    constants : dict of Unit to str
        Rendered units whose activation was constant, and what that means. Their pictures are gray,
        but for closed neurons, which were optimized through their pre-activation.
    """

    units: list[Unit]
    images: npt.NDArray[np.uint8]
    activation: npt.NDArray[np.float32]
    trajectory: npt.NDArray[np.float32]
    failures: dict[Unit, str]
    constants: dict[Unit, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        samples, size = self.images.shape[1], self.images.shape[-2]
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return (
            f"<Rendering of {len(self.units)} units, {samples} pictures each of {size} x {size} "
            f"pixels{failed}>"
        )

    def _repr_html_(self) -> str:
        """Show small pictures of the first units, with address and activation, in a notebook."""
        # The images of query and key are shown next to each other.
        pictures = math.prod(self.images.shape[1:-3])
        each = self.images.reshape(len(self.units), pictures, *self.images.shape[-3:])
        shown = max(1, SHOWN // pictures)
        items = [
            (
                [html.picture(pixels, str(unit)) for pixels in own[:SHOWN]],
                str(unit),
                ", ".join(f"{value:.4g}" for value in values)
                + (f"; {self.constants[unit]}" if unit in self.constants else ""),
            )
            for unit, own, values in zip(
                self.units[:shown], each[:shown], self.activation[:shown], strict=True
            )
        ]
        more = len(self.units) - len(items)
        lines = [f"and {more} more units"] if more > 0 else []
        lines += [f"failed: {unit}: {reason}" for unit, reason in self.failures.items()]
        return html.figures(items) + "".join(map(html.paragraph, lines))


@with_settings
def render(  # noqa: PLR0913  the first settings by position, and the seams
    model: VisionModel,
    units: Chosen,
    samples: int = 1,
    steps: int = 512,
    preset: str | None = None,
    seed: int = 0,
    *,
    augmentation: Augmentation | Callable[[Tensor], Tensor] | None = None,
    objective: Objective | None = None,
    start: Tensor | None = None,
    batch: int | None = None,
    progress: Progress | bool = False,
    **settings: Any,
) -> Rendering:
    """Render units and return the pictures.

    Parameters
    ----------
    model : VisionModel
        As `featviz.load` returns it.
    units : Unit, str, or iterable of these
        Units of any sites, each rendered once; a text is a selector, see `featviz.units`.
    samples, steps, preset, seed, **settings
        See `featviz.optimization.settings.Settings`: ``param``, ``size``, ``diversity``,
        ``tv_weight``, ``precision``, ``spectrum``, ``frequency_schedule``, ``split_qk`` and
        ``cosine_power``. `param` may also be a class or function of your own; see
        `featviz.parametrization.base.Parametrization`.
    augmentation, objective, start
        See `featviz.optimization.recipe.make_recipe`.
    batch : int, optional
        Pictures per batch; chosen from the free memory if not given. It does not change the
        pictures, unless an augmentation of your own draws for each image.
    progress : callable or bool
        True shows a progress bar. A function is called before every batch and after every step with
        the number of finished pictures (fractions count) and their total.

    Returns
    -------
    Rendering

    Raises
    ------
    FeatvizError
        If an argument is of the wrong type, a unit does not exist or, with `split_qk`, is not a
        query-key logit, or a setting is unknown or out of range, or a part of your own returns a
        wrong shape. What it raises itself is not caught.
    """
    progress = as_progress(progress)
    recipe = make_recipe(
        model,
        augmentation=augmentation,
        objective=objective,
        start=start,
        samples=samples,
        steps=steps,
        preset=preset,
        seed=seed,
        **settings,
    )
    chosen = list(dict.fromkeys(as_units(model, units)))
    check_units(model, chosen, recipe)
    batch = None if batch is None else whole_number("batch", batch, 1)
    batches = batches_of(model, chosen, recipe, batch)
    return _gather(chosen, recipe, run(model, batches, recipe, progress))


def _gather(units: Sequence[Unit], recipe: Recipe, outcomes: Iterable[Outcome]) -> Rendering:
    """Put the pictures of all batches into the order of the units."""
    rows: dict[Unit, tuple[npt.NDArray[np.generic], ...]] = {}
    failures: dict[Unit, str] = {}
    constants: dict[Unit, str] = {}
    for outcome in outcomes:
        failures |= outcome.failures
        constants |= outcome.constants
        if outcome.pictures is not None:
            found = outcome.pictures
            columns = (found.images, found.activation, found.trajectory)
            arrays = (column.numpy() for column in columns)
            rows |= dict(zip(outcome.units, zip(*arrays, strict=True), strict=True))
    kept = [unit for unit in units if unit in rows]
    shapes = (
        (recipe.samples, *(2,) * recipe.split_qk, recipe.size, recipe.size, 3),
        (recipe.samples,),
        (recipe.samples, recipe.steps),
    )
    images, activation, trajectory = (
        np.stack([rows[unit][column] for unit in kept]) if kept else np.zeros((0, *shape))
        for column, shape in enumerate(shapes)
    )
    return Rendering(
        kept,
        images.astype(np.uint8, copy=False),
        activation.astype(np.float32, copy=False),
        trajectory.astype(np.float32, copy=False),
        failures,
        {unit: constants[unit] for unit in kept if unit in constants},
    )
