"""Running batches: split in two when memory runs out, and isolating units that raise."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from featviz._util.device_memory import is_out_of_memory
from featviz._util.progress import Progress, ignore
from featviz.activations.single_token_attention import needs_single_token
from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Outcome:
    """The result of one batch.

    Attributes
    ----------
    units : list of Unit
        Those that were rendered.
    pictures : Pictures or None
        Of these units, in this order; None if there are none.
    failures : dict of Unit to str
        The others, and why each failed.
    """

    units: list[Unit]
    pictures: Pictures | None
    failures: dict[Unit, str]

    @property
    def constants(self) -> dict[Unit, str]:
        """Rendered units of which all samples were constant, and what was observed.

        Also those that were 0 in all steps although there was something to optimize.
        """
        if self.pictures is None:
            return {}
        found = self.pictures.constant.all(1).tolist()
        values = self.pictures.trajectory
        steps = values.shape[2]
        reasons = {}
        for unit, own, constant in zip(self.units, values, found, strict=True):
            if constant:
                reasons[unit] = _constant_reason(float(own[0, 0]), steps)
            elif steps > 1 and unit.site.endswith(".mlp_act") and not own.any():
                reasons[unit] = (
                    f"activation is 0 in all {steps} steps (a closed ReLU): its "
                    "pre-activation was optimized"
                )
        return reasons


@dataclass
class BatchLimit:
    """The largest batch that may fit into memory.

    Attributes
    ----------
    units : int
        Halved whenever a batch runs out of memory.
    """

    units: int = sys.maxsize


class _ProgressError(BaseException):
    """Carries what the progress callback raised past the handling of errors of units."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def split(model: VisionModel, units: Sequence[Unit], limit: int) -> list[list[Unit]]:
    """Divide units into batches that share a site, keeping their order.

    A sum of units shares the sites of all its terms. Units at one token are separated from means
    over patches, so that what a batch can skip does not depend on which units are in it.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
    limit : int
        Largest number of units per batch.

    Returns
    -------
    list of lists of Unit
    """
    layers: dict[tuple[tuple[Site, ...], bool], list[Unit]] = {}
    for unit in units:
        key = sites_of(model, unit), needs_single_token(model, unit)
        layers.setdefault(key, []).append(unit)
    return [
        layer[start : start + limit]
        for layer in layers.values()
        for start in range(0, len(layer), limit)
    ]


def run(
    model: VisionModel,
    batches: Sequence[Sequence[Unit]],
    recipe: Recipe,
    progress: Progress = ignore,
    limit: BatchLimit | None = None,
) -> Generator[Outcome, None, None]:
    """Render batches one after another.

    A batch that runs out of memory is split in two, and so are those after it. A batch that raises
    is split until the unit that raises is alone; that unit is recorded as failed, as is a unit
    whose activation becomes NaN or infinite. `KeyboardInterrupt` is not caught.

    Parameters
    ----------
    model : VisionModel
    batches : sequence of sequences of Unit
    recipe : Recipe
    progress : callable
        Called before every batch and after every step.
    limit : BatchLimit, optional
        The limit from earlier calls; updated by this one.

    Yields
    ------
    Outcome
        Every unit is in exactly one outcome.
    """
    waiting = [list(batch) for batch in reversed(batches)]
    limit, finished = limit or BatchLimit(), 0
    total = sum(map(len, waiting)) * recipe.samples
    while waiting:
        batch = waiting.pop()
        if len(batch) > limit.units:
            waiting += [batch[limit.units :], batch[: limit.units]]
            continue
        progress(finished, total)
        tick = _ticker(progress, finished, len(batch) * recipe.samples, recipe.steps, total)
        try:
            pictures = optimize(model, batch, recipe, tick)
        except _ProgressError as wrapped:
            raise wrapped.error from None
        except Exception as error:
            if recipe.own_parts and not is_out_of_memory(error):
                raise  # the user's own code fails for every unit
            if len(batch) > 1:
                half = len(batch) // 2
                limit.units = half if is_out_of_memory(error) else limit.units
                waiting += [batch[half:], batch[:half]]
                continue
            outcome = Outcome([], None, {batch[0]: _reason(error)})
        else:
            outcome = _separate_failures(batch, pictures)
        finished += len(batch) * recipe.samples
        yield outcome


def _ticker(
    progress: Progress, finished: int, pictures: int, steps: int, total: int
) -> Callable[[], object]:
    step = itertools.count(1)

    def tick() -> None:
        try:
            progress(finished + pictures * next(step) / steps, total)
        except Exception as error:
            raise _ProgressError(error) from error

    return tick


def _separate_failures(batch: list[Unit], pictures: Pictures) -> Outcome:
    """Record units whose activation was not finite in some step or at the end as failed."""
    steps = pictures.trajectory.isfinite().all(1)
    finite = steps.all(1) & pictures.activation.isfinite().all(1)
    failures = {}
    for index, unit in enumerate(batch):
        if not finite[index]:
            wrong = (~steps[index]).nonzero().flatten().tolist()
            when = f"at step {wrong[0]}" if wrong else "on the finished picture"
            failures[unit] = f"its activation is not finite {when}"
    kept = [unit for unit in batch if unit not in failures]
    chosen = Pictures(*(getattr(pictures, each.name)[finite] for each in fields(Pictures)))
    return Outcome(kept, chosen if kept else None, failures)


def _constant_reason(value: float, steps: int) -> str:
    if value:
        return f"it does not depend on the image: one value in all {steps} steps, and no gradient"
    return f"activation and gradient are 0 in all {steps} steps: zero weights, or a closed ReLU"


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "out of memory with a single unit; use fewer samples or a smaller size"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
