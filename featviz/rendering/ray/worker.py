"""A worker process: it loads the model once, and renders one batch after another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.loading.options import LoadOptions
from featviz.models.loading.registry import is_known
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures
from featviz.optimization.recipe import Recipe
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import BatchLimit, Outcome, run


@dataclass(frozen=True)
class Source:
    """How a worker loads the model of the job.

    Attributes
    ----------
    name : str
        As `featviz.load` takes it; for files and folders the absolute path, which must lead to the
        same weights on every machine.
    options : LoadOptions
        The other arguments of `featviz.load`, with absolute paths of sparse autoencoders.
    fingerprint : str
        Of the weights; see `featviz.VisionModel`.
    gpu : bool
        Whether to load it onto the GPU that the worker sees, else onto the CPU.
    """

    name: str
    options: LoadOptions
    fingerprint: str
    gpu: bool

    @staticmethod
    def of(model: VisionModel, gpu: bool) -> Source:
        """Return how to load `model` again elsewhere, onto a GPU if `gpu`.

        Raises
        ------
        FeatvizError
            If it is a module of your own without a name to load it by.
        """
        if model.location is None and not is_known(model.name):
            raise FeatvizError(
                f"workers cannot load {model.name}, a module of your own; load it as "
                "py:PACKAGE.MODULE:FUNCTION, see docs/extending.md"
            )
        files = model.load_options.saes.items()
        saes = {name: replace(file, path=str(Path(file.path).absolute())) for name, file in files}
        options = replace(model.load_options, saes=saes)
        return Source(model.location or model.name, options, model.fingerprint, gpu)

    def load(self) -> VisionModel:
        """Load the model.

        Raises
        ------
        FeatvizError
            If the model cannot be loaded on this machine, or has other weights.
        """
        device = "cuda" if self.gpu else "cpu"
        model = load(self.name, device=device, **vars(self.options))
        if model.fingerprint != self.fingerprint:
            raise FeatvizError(
                f"{self.name} has other weights on a worker than where the job was started; "
                "all machines need the same files and package versions"
            )
        return model


Packed = tuple[list[Unit], tuple[npt.NDArray[Any], ...] | None, dict[Unit, str]]
"""An outcome with its pictures as arrays, which are shared between processes without a copy."""


class Worker:
    """Renders one batch at a time on one device; on the CPU with one thread.

    Parameters
    ----------
    source : Source
    recipe : Recipe
    """

    def __init__(self, source: Source, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe
        self._limit = BatchLimit()
        self._finished = 0.0

    @cached_property
    def _model(self) -> VisionModel:
        return self._source.load()

    def load(self) -> int:
        """Load the model, once; return the process id.

        Raises
        ------
        FeatvizError
            See `Source.load`.
        """
        self._model  # noqa: B018  loads it
        return os.getpid()

    def render(self, batch: Sequence[Unit]) -> list[Packed]:
        """Render `batch`; see `featviz.rendering.batches.run`."""
        # A setting of each thread, and Ray calls from several.
        torch.set_num_threads(1)
        self._finished = 0.0
        return [pack(outcome) for outcome in self._run(batch)]

    def _run(self, batch: Sequence[Unit]) -> list[Outcome]:
        def report(finished: float, total: int) -> None:  # noqa: ARG001  total of one batch
            self._finished = finished

        return list(run(self._model, [batch], self._recipe, report, self._limit))

    def finished(self) -> float:
        """Return the number of finished pictures of the batch; fractions count."""
        return self._finished


def measure(source: Source, unit: Unit, recipe: Recipe, processes: int) -> int:
    """Choose the number of pictures per batch on the machine of a worker.

    Parameters
    ----------
    source : Source
    unit, recipe
        See `featviz.rendering.batch_size.batch_size`.
    processes : int
        Number of workers that share the memory.
    """
    torch.set_num_threads(1)
    return batch_size(source.load(), unit, recipe, processes)


def pack(outcome: Outcome) -> Packed:
    """Convert the tensors of `outcome` to arrays."""
    found = outcome.pictures
    arrays = found and tuple(getattr(found, each.name).numpy() for each in fields(Pictures))
    return outcome.units, arrays or None, outcome.failures


def unpack(packed: Packed) -> Outcome:
    """Convert the arrays of `packed` to tensors, copied out of the shared memory."""
    units, arrays, failures = packed
    pictures = arrays and Pictures(*(torch.from_numpy(array.copy()) for array in arrays))
    return Outcome(units, pictures or None, failures)
