"""The job: examples of units, in memory or into a store that can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from featviz._util.progress import Progress, ignore
from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of
from featviz.analysis.examples import images as pictures
from featviz.analysis.examples.activation_file import Spool
from featviz.analysis.examples.image_writer import Album
from featviz.analysis.examples.result import COLUMNS, KIND, Examples
from featviz.analysis.examples.scratch_folder import clear, discard
from featviz.analysis.examples.search import ENDS, Task, keep_none
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.store.jobs import open_writer
from featviz.store.manifest import Manifest
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter, retire

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

TOGETHER = 8192
"""Units that are finished and stored together; the images of each such group are read again."""


@dataclass(frozen=True)
class Summary:
    """What a job has done.

    Attributes
    ----------
    stored, done : int
        Units of which examples were stored by this call, and before.
    images : int
        Images stored by this call.
    failures : dict of Unit to str
        Units that have a value that is not finite, and on which image. The next call tries them
        again.
    """

    stored: int
    done: int
    images: int
    failures: dict[Unit, str]


def examples(
    model: VisionModel,
    units: Sequence[Unit],
    dataset: Dataset,
    count: int | None = None,
    top: int = 9,
    progress: Progress = ignore,
) -> list[Examples]:
    """Find the images of a dataset that excite units most and least, and those in between.

    Values wait in a temporary file, 4 bytes a unit and image, so that memory does not grow with
    the number of images.

    Parameters
    ----------
    units : sequence of Unit
        Of any sites.
    count : int, optional
        How many images, see `featviz.data.datasets.Dataset.numbers`.
    top : int
        How many of the highest and of the lowest, at least 1.
    progress : callable
        Told how many images are through, and of how many; each counts twice, for its values and
        for the places in it.

    Returns
    -------
    list of Examples
        In the order of the units, each once.

    Raises
    ------
    FeatvizError
        If there is no unit, one does not exist or has a value that is not finite, an image cannot
        be read, or the disk is full.
    """
    units = _checked(model, units)
    task = Task(model, dataset, count, top)
    first, second = _halves(progress, len(task.numbers))
    found: dict[str, Examples] = {}
    with (
        TemporaryDirectory() as folder,
        task.spool(Path(folder, "scratch"), KIND, units) as spool,
    ):
        task.fill(spool, units, first)
        for part, some in _parts(_in_order(units), second):
            kept, columns, failures = task.finish(spool, some, keep_none, part)
            for unit, reason in failures.items():
                raise FeatvizError(f"{unit}: {reason}")
            for row, unit in enumerate(kept):
                own = {name: columns[name][row] for name in COLUMNS}
                found[str(unit)] = Examples.from_row({"address": str(unit), **own})
    return [found[str(unit)] for unit in units]


def examples_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    dataset: Dataset,
    store: str | Path,
    count: int | None = None,
    top: int = 9,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Find the examples of units and store them with their images, each image once.

    Units that the store holds already are left out. Until all are found, values wait in the store's
    folder ``scratch``; those of jobs with other settings, which cannot go on, are deleted there.
    Interrupted at any moment, the next call with the same arguments goes on
    where this one was, and what it stores is the same.

    Parameters
    ----------
    units, count, top, progress
        See `examples`.
    force : bool
        Set aside, under another name, examples of other data or settings, and damaged shards; a
        store of another model as a whole.

    Raises
    ------
    FeatvizError
        If there is no unit or one does not exist, an image cannot be read, the store is of
        another model or has examples of other data or settings, is damaged or cannot be written,
        or there is too little room on its disk.
    """
    units = _checked(model, units)
    task = Task(model, dataset, count, top)
    told = {KIND: task.configuration()}
    told[pictures.KIND] = {"data": told[KIND]["data"], **pictures.settings(model.image_size)}
    if force:
        _make_room(model, Path(store), told)
    writer, images = (open_writer(model, store, kind, told[kind], force) for kind in told)
    album = Album(images, task)
    missing = [unit for unit in _in_order(units) if str(unit) not in writer.done]
    place = Path(store, "scratch"), task.name(units)
    clear(place[0], task.prefix)
    failures: dict[Unit, str] = {}
    if missing:
        first, second = _halves(progress, len(task.numbers))
        with task.spool(*place, missing) as spool:
            task.fill(spool, units, first)
            for part, some in _parts(missing, second):
                failures |= _store(task, writer, album, some, spool, part)
    else:
        discard(*place)
    album.complete(_shown(Store(store)))
    found = len(missing) - len(failures)
    return Summary(found, len(units) - len(missing), album.stored, failures)


def _checked(model: VisionModel, units: Sequence[Unit]) -> list[Unit]:
    """Keep each unit once; refuse none at all, and one that does not exist."""
    if not units:
        raise FeatvizError("there is no unit to find examples of")
    for unit in units:
        sites_of(model, unit)
    return list(dict.fromkeys(units))


def _in_order(units: Sequence[Unit]) -> list[Unit]:
    """Sort units as they are read; see `featviz.analysis.examples.search.addresses`."""
    return sorted(units, key=str)


def _halves(progress: Progress, images: int) -> tuple[Progress, Progress]:
    """Let two steps, each of which tells its own progress, tell that of the whole."""

    def first(finished: float, total: int) -> None:
        progress(images * finished / total, 2 * images)

    def second(finished: float, total: int) -> None:
        progress(images + images * finished / total, 2 * images)

    return first, second


def _parts(units: Sequence[Unit], progress: Progress) -> Iterator[tuple[Progress, Sequence[Unit]]]:
    """Cut units into groups, each with what is told its own progress."""
    groups = [units[start : start + TOGETHER] for start in range(0, len(units), TOGETHER)]
    for number, group in enumerate(groups):

        def part(finished: float, total: int, number: int = number) -> None:
            progress(number + finished / total, len(groups))

        yield part, group


def _make_room(model: VisionModel, store: Path, told: dict[str, dict[str, Any]]) -> None:
    """Set results of other settings aside, and nothing else of a store of this model."""
    try:
        manifest = Manifest.read(store)
    except FeatvizError:
        return  # the writer finds out what is there instead
    if not manifest.conflict(model.name, model.fingerprint, "", {}):
        for kind, configuration in told.items():
            if manifest.conflict(model.name, model.fingerprint, kind, configuration):
                retire(store, kind)


def _store(
    task: Task,
    writer: StoreWriter,
    album: Album,
    units: Sequence[Unit],
    spool: Spool,
    progress: Progress,
) -> dict[Unit, str]:
    """Store the examples of some units, after their images; return what failed."""
    kept, columns, failures = task.finish(spool, units, album.add, progress)
    album.flush()
    if kept:
        writer.add({"address": list(map(str, kept)), **columns})
    if failures:
        addresses = list(map(str, failures))
        writer.add({"address": addresses, "error": list(failures.values())}, "failures")
    return failures


def _shown(store: Store) -> set[int]:
    """Collect the numbers of all images that are examples of a unit."""
    numbers = {
        int(number) for row in store.rows(KIND) for name in ENDS for number in row[name].tolist()
    }
    return numbers - {-1}
