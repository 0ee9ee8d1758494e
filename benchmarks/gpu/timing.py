"""Timing the steps of an optimization, and the rate of matrix products of a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import featviz
from benchmarks.compiled_step import traced
from benchmarks.step import now
from featviz.optimization.optimize import Step, optimize
from featviz.optimization.recipe import Recipe

WARM_UP, MOST = 4, 512
"""Steps before a timing, and the most steps in it."""
CHECKED = {"cuda": 8, "cpu": 1}
"""Steps between two looks at the clock, for which the host waits for a GPU."""


class _EnoughError(Exception):
    pass


def neurons(block: int, count: int) -> list[featviz.Unit]:
    """Return the first neurons of a block of a vision transformer."""
    return [featviz.Unit(f"blocks.{block}.mlp.fc1", neuron) for neuron in range(count)]


def unchanged(compute: Step) -> Step:
    """Return a step as it is: eager."""
    return compute


def step_seconds(
    model: featviz.VisionModel,
    units: list[featviz.Unit],
    recipe: Recipe,
    seconds: float,
    transform: Callable[[Step], Step] = unchanged,
) -> float:
    """Time steps of `optimize`, after some to warm up.

    Parameters
    ----------
    model, units, recipe, transform
        See `featviz.optimization.optimize.optimize`.
    seconds : float
        How long to measure.

    Returns
    -------
    float
        Seconds per step.
    """
    steps, start, end = 0, 0.0, 0.0

    def tick() -> None:
        nonlocal steps, start, end
        steps += 1
        if steps == WARM_UP:
            start = now(model)
        elif steps > WARM_UP and (steps - WARM_UP) % CHECKED[model.device.type] == 0:
            end = now(model)
            if end - start > seconds:
                raise _EnoughError

    with suppress(_EnoughError):
        optimize(model, units, replace(recipe, steps=WARM_UP + MOST), tick, transform)
    return (end - start) / (steps - WARM_UP)


def fixed_seconds(
    model: featviz.VisionModel, units: list[featviz.Unit], recipe: Recipe, step: float
) -> float:
    """Time what a batch takes apart from its steps: starts, transfers, the final activation.

    Parameters
    ----------
    model, units, recipe
        See `featviz.optimization.optimize.optimize`.
    step : float
        Seconds per step.
    """
    start = now(model)
    optimize(model, units, replace(recipe, steps=2))
    return max(0.0, now(model) - start - 2 * step)


def step_flops(model: featviz.VisionModel, unit: featviz.Unit, recipe: Recipe) -> float:
    """Count the floating-point operations of a step for one picture, in its matrix products.

    Parameters
    ----------
    model, unit, recipe
        See `featviz.optimization.optimize.optimize`.
    """
    found: list[int] = []

    def count(compute: Step) -> Step:
        def run(parameters: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
            # Traced first: the counter cannot follow a forward pass that an exception ends.
            graph = traced(compute, parameters, draws)
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                result: tuple[Tensor, Tensor] = graph(parameters, draws)
            found.append(counter.get_total_flops())
            return result

        return run

    optimize(model, [unit, unit], replace(recipe, steps=1), transform=count)
    return found[0] / 2


def matmul_rate(device: torch.device, side: int, repeats: int = 10) -> float:
    """Measure the floating-point operations per second of large matrix products in bfloat16.

    Parameters
    ----------
    device : torch.device
    side : int
        Of the square matrices.
    repeats : int
        Timings, of which the median counts.
    """
    matrix = torch.randn(side, side, device=device).to(torch.bfloat16)

    def synchronize() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = []
    for _ in range(repeats + 3):
        synchronize()
        start = time.perf_counter()
        for _ in range(4):
            matrix @ matrix
        synchronize()
        seconds.append((time.perf_counter() - start) / 4)
    return 2 * side**3 / statistics.median(seconds[3:])


def peak_bytes(model: featviz.VisionModel, function: Callable[[], Any]) -> int | None:
    """Return the peak of the memory that a function allocates on a GPU; None on a processor."""
    if model.device.type != "cuda":
        function()
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(model.device)
    before = torch.cuda.memory_allocated(model.device)
    function()
    torch.cuda.synchronize(model.device)
    return torch.cuda.max_memory_allocated(model.device) - before
