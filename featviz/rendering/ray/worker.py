"""What a worker process does: it holds a model, and renders the batches that it is given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from featviz.addressing.address import Unit
from featviz.errors import FeatvizError
from featviz.models.load import load
from featviz.models.registry import is_known
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import Pictures
from featviz.optimization.recipe import Recipe
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import Outcome, Room, run


@dataclass(frozen=True)
class Source:
    """How a worker gets the model of the job.

    Attributes
    ----------
    name : str
        What `featviz.load` takes; of files and folders the absolute path, which must lead to the
        same weights on every machine.
    untrained, arch
        See `featviz.load`.
    fingerprint : str
        That of the weights; see `featviz.VisionModel`.
    gpu : bool
        Whether it is loaded onto the GPU that the worker sees, or the CPU.
    """

    name: str
    untrained: bool
    arch: str | None
    fingerprint: str
    gpu: bool

    @staticmethod
    def of(model: VisionModel, gpu: bool) -> Source:
        """Say how a model is loaded again somewhere else."""
        name = model.name
        if not is_known(name) and Path(name).exists():
            name = str(Path(name).absolute())
        return Source(name, model.untrained, model.arch, model.fingerprint, gpu)

    def load(self) -> VisionModel:
        """Load the model.

        Raises
        ------
        FeatvizError
            If it is not to be had here, or has other weights.
        """
        device = "cuda" if self.gpu else "cpu"
        model = load(self.name, untrained=self.untrained, arch=self.arch, device=device)
        if model.fingerprint != self.fingerprint:
            raise FeatvizError(
                f"{self.name} has other weights on a worker than where the job was started; "
                "every machine needs the same files and the same versions of packages"
            )
        return model


Packed = tuple[list[Unit], tuple[npt.NDArray[Any], ...] | None, dict[Unit, str]]
"""An outcome with its pictures as arrays, which cross to another process without a copy."""


class Worker:
    """Renders one batch at a time on one device; of the CPU, on one thread.

    Parameters
    ----------
    source : Source
        Of the model.
    recipe : Recipe
        Of all batches.
    """

    def __init__(self, source: Source, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe
        self._room = Room()
        self._finished = 0.0

    @cached_property
    def _model(self) -> VisionModel:
        return self._source.load()

    def load(self) -> int:
        """Load the model, once; return the number of this process.

        Raises
        ------
        FeatvizError
            See `Source.load`.
        """
        self._model.fingerprint  # noqa: B018  loads it
        return os.getpid()

    def render(self, batch: Sequence[Unit]) -> list[Packed]:
        """Render a batch; what runs out of memory is halved, as all later batches are."""
        # Of each thread of its own, and Ray calls from several.
        torch.set_num_threads(1)
        self._finished = 0.0
        return [pack(outcome) for outcome in self._run(batch)]

    def _run(self, batch: Sequence[Unit]) -> list[Outcome]:
        def told(finished: float, total: int) -> None:  # noqa: ARG001  of one batch
            self._finished = finished

        return list(run(self._model, [batch], self._recipe, told, self._room))

    def finished(self) -> float:
        """Return how many pictures of the batch are finished, counting parts."""
        return self._finished


def measure(source: Source, unit: Unit, recipe: Recipe, sharing: int) -> int:
    """Choose how many pictures go into a batch, where a worker will run.

    Parameters
    ----------
    sharing : int
        How many workers share the memory.
    """
    torch.set_num_threads(1)
    return batch_size(source.load(), unit, recipe, sharing)


def pack(outcome: Outcome) -> Packed:
    """Turn tensors into arrays."""
    found = outcome.pictures
    arrays = found and (found.images.numpy(), found.activation.numpy(), found.trajectory.numpy())
    return outcome.units, arrays or None, outcome.failures


def unpack(packed: Packed) -> Outcome:
    """Turn arrays back, copying them out of the memory that the processes share."""
    units, arrays, failures = packed
    pictures = arrays and Pictures(*(torch.from_numpy(array.copy()) for array in arrays))
    return Outcome(units, pictures or None, failures)
