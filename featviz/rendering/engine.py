"""Engines: where batches are rendered, in this process or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError, did_you_mean
from featviz.optimization.recipe import Recipe
from featviz.optimization.settings import ENGINE_NAMES
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import Outcome, run

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


class Engine(Protocol):
    """Renders batches; the pictures do not depend on the engine."""

    def batch_size(self, model: VisionModel, unit: Unit, recipe: Recipe, /) -> int:
        """Choose the number of pictures per batch.

        See `featviz.rendering.batch_size.batch_size`.
        """

    def run(
        self,
        model: VisionModel,
        batches: Sequence[Sequence[Unit]],
        recipe: Recipe,
        progress: Progress = ignore,
    ) -> Generator[Outcome, None, None]:
        """Render batches, in any order; see `featviz.rendering.batches.run`.

        Closing the generator stops the rendering.

        Yields
        ------
        Outcome
            Every unit is in exactly one outcome.
        """


class Local:
    """Renders batches in this process, one after another."""

    def batch_size(self, model: VisionModel, unit: Unit, recipe: Recipe) -> int:
        """See `Engine.batch_size`."""
        return batch_size(model, unit, recipe)

    def run(
        self,
        model: VisionModel,
        batches: Sequence[Sequence[Unit]],
        recipe: Recipe,
        progress: Progress = ignore,
    ) -> Generator[Outcome, None, None]:
        """See `Engine.run`."""
        return run(model, batches, recipe, progress)


def make_engine(name: str, workers: int | None = None) -> Engine:
    """Make an engine by its name.

    Parameters
    ----------
    name : {"local", "ray"}
    workers : int, optional
        Number of worker processes of ``"ray"``; by default one per GPU of the cluster, or per core
        if it has no GPU.

    Returns
    -------
    Engine

    Raises
    ------
    FeatvizError
        If there is no such engine, Ray is not installed, or `workers` does not apply.
    """
    if name not in ENGINE_NAMES:
        hint = did_you_mean(name, ENGINE_NAMES)
        raise FeatvizError(f"no engine {name!r}: choose from {', '.join(ENGINE_NAMES)}{hint}")
    if workers is not None and (name == "local" or workers < 1):
        raise FeatvizError("workers must be at least 1, and need the engine ray")
    if name == "local":
        return Local()
    if find_spec("ray") is None:
        raise FeatvizError("the engine ray needs Ray: pip install 'featviz[ray]'")
    from featviz.rendering.ray.cluster import Cluster  # noqa: PLC0415  an extra

    return Cluster(workers)
