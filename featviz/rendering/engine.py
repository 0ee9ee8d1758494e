"""What an engine does, the one that needs nothing else, and how to get one by its name."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.errors import FeatvizError, did_you_mean
from featviz.optimization.recipe import Recipe
from featviz.rendering.batch_size import batch_size
from featviz.rendering.batches import Outcome, run

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

NAMES = ("local", "ray")


class Engine(Protocol):
    """Renders batches somewhere; which pictures come out does not depend on where."""

    def batch_size(self, model: VisionModel, unit: Unit, recipe: Recipe) -> int:
        """Choose how many pictures go into a batch; see `featviz.rendering.batch_size.batch_size`."""

    def run(
        self,
        model: VisionModel,
        batches: Sequence[Sequence[Unit]],
        recipe: Recipe,
        progress: Progress = ignore,
    ) -> Generator[Outcome, None, None]:
        """Render batches, in any order; see `featviz.rendering.batches.run`.

        Closing the iterator stops what is still rendered.

        Yields
        ------
        Outcome
            Every unit is in exactly one outcome.
        """


class Local:
    """Renders batches in this process, one after the other."""

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


def engine_named(name: str, workers: int | None = None) -> Engine:
    """Make an engine.

    Parameters
    ----------
    name : str
        ``"local"`` or ``"ray"``.
    workers : int, optional
        How many processes render at once, of ``"ray"``; as many as the cluster has room for if it
        is not given.

    Raises
    ------
    FeatvizError
        If there is no such engine, Ray is not installed, or there is nothing to count.
    """
    if name not in NAMES:
        raise FeatvizError(f"no engine {name!r}: choose from local, ray{did_you_mean(name, NAMES)}")
    if workers is not None and (name == "local" or workers < 1):
        raise FeatvizError("workers are a number from 1 up, and of the engine ray")
    if name == "local":
        return Local()
    if find_spec("ray") is None:
        raise FeatvizError("the engine ray needs Ray: pip install 'featviz[ray]'")
    from featviz.rendering.ray.cluster import Cluster  # noqa: PLC0415  an extra

    return Cluster(workers)
