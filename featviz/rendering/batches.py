"""Many units, batch by batch: what runs out of memory is halved, what fails is told apart."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featviz._util.device_memory import is_out_of_memory
from featviz._util.progress import Progress, ignore
from featviz.activations.single_token_attention import is_narrow
from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of
from featviz.optimization.optimize import Pictures, optimize
from featviz.optimization.recipe import Recipe

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Outcome:
    """What became of one batch.

    Attributes
    ----------
    units : list of Unit
        Those that were rendered.
    pictures : Pictures
        Of these units, in this order.
    failures : dict of unit to str
        The others, and why each failed.
    """

    units: list[Unit]
    pictures: Pictures | None
    failures: dict[Unit, str]


@dataclass
class Room:
    """How many units fit into memory at once, as far as is known.

    Attributes
    ----------
    units : int
        No larger batch is tried; it falls when one runs out of memory.
    """

    units: int = sys.maxsize


class _ProgressError(BaseException):
    """Carries what `progress` raised past the handling of what units raise."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def split(model: VisionModel, units: Sequence[Unit], limit: int) -> list[list[Unit]]:
    """Cut units into batches of at most `limit` units that share a site, keeping their order.

    Sums share what all their terms are at. Units at one token are apart from means over patches,
    so that what a batch can leave out does not depend on what else is in it.
    """
    layers: dict[tuple[tuple[Site, ...], bool], list[Unit]] = {}
    for unit in units:
        alike = sites_of(model, unit), is_narrow(model, unit)
        layers.setdefault(alike, []).append(unit)
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
    room: Room | None = None,
) -> Generator[Outcome, None, None]:
    """Render batches in turn.

    A batch that runs out of memory is halved, and so are those after it. A batch that raises is
    halved until the unit that raises stands alone; that one is recorded as failed, as is a
    unit whose value stops being a number. `KeyboardInterrupt` passes through.

    Parameters
    ----------
    room : Room, optional
        What earlier calls found out about the memory; this one adds to it.

    Yields
    ------
    Outcome
        Every unit is in exactly one outcome.
    """
    waiting = [list(batch) for batch in reversed(batches)]
    room, finished = room or Room(), 0
    total = sum(map(len, waiting)) * recipe.samples
    while waiting:
        batch = waiting.pop()
        if len(batch) > room.units:
            waiting += [batch[room.units :], batch[: room.units]]
            continue
        progress(finished, total)
        tick = _ticker(progress, finished, len(batch) * recipe.samples, recipe.steps, total)
        try:
            pictures = optimize(model, batch, recipe, tick)
        except _ProgressError as wrapped:
            raise wrapped.error from None
        except Exception as error:  # noqa: BLE001  whatever a model raises concerns its unit only
            if len(batch) > 1:
                half = len(batch) // 2
                room.units = half if is_out_of_memory(error) else room.units
                waiting += [batch[half:], batch[:half]]
                continue
            outcome = Outcome([], None, {batch[0]: _reason(error)})
        else:
            outcome = _sift(batch, pictures)
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


def _sift(batch: list[Unit], pictures: Pictures) -> Outcome:
    """Set units apart whose value was not finite at some step or at the end."""
    steps = pictures.trajectory.isfinite().all(1)
    sound = steps.all(1) & pictures.activation.isfinite().all(1)
    failures = {}
    for number, unit in enumerate(batch):
        if not sound[number]:
            wrong = (~steps[number]).nonzero().flatten().tolist()
            when = f"at step {wrong[0]}" if wrong else "on the finished picture"
            failures[unit] = f"its value is not a finite number {when}"
    kept = [unit for unit in batch if unit not in failures]
    chosen = Pictures(
        pictures.images[sound], pictures.activation[sound], pictures.trajectory[sound]
    )
    return Outcome(kept, chosen if kept else None, failures)


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "out of memory even alone; fewer samples or a smaller size need less"
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
