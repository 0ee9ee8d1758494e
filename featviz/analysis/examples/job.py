"""Examples of units: in memory, or as a job into a store that can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from featviz._util.progress import Progress, as_progress, part_of
from featviz.activations.patch_maps import map_grid
from featviz.addressing.address import Unit
from featviz.addressing.selectors import Chosen, as_units, sites_of
from featviz.analysis.examples import images as example_images
from featviz.analysis.examples.firing import KIND as FIRING
from featviz.analysis.examples.firing import latent_name
from featviz.analysis.examples.image_writer import ImageWriter
from featviz.analysis.examples.maps import KIND as MAPS
from featviz.analysis.examples.result import COLUMNS, KIND, Examples
from featviz.analysis.examples.scratch.activation_file import ActivationFile
from featviz.analysis.examples.scratch.folder import discard, discard_others
from featviz.analysis.examples.search import SELECTIONS, ExampleSearch, keep_none
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.store.jobs import JobSummary, open_writer, stored_configuration
from featviz.store.manifest import Manifest
from featviz.store.order import natural
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter, set_aside_kind

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

GROUP = 2**16
"""Units that are finished together, at most; every group reads its example images again."""
GROUP_BYTES = 2**28
"""Bytes of their rows, at most."""
SHARD = 8192
"""Rows of a shard."""


def examples(
    model: VisionModel,
    units: Chosen,
    dataset: Dataset,
    count: int | None = None,
    top: int = 9,
    progress: Progress | bool = False,
) -> list[Examples]:
    """Find the images of a dataset with the highest, lowest and intermediate values of units.

    Values are kept in a temporary file, 4 bytes per unit and image, so that memory does not grow
    with the number of images.

    Parameters
    ----------
    model : VisionModel
    units : Unit, str, or iterable of these
        Units of any sites; a text is a selector, see `featviz.units`.
    dataset : Dataset
    count : int, optional
        Number of images, see `featviz.data.datasets.Dataset.indices`.
    top : int
        Number of highest and of lowest images, at least 1.
    progress : callable or bool
        True shows a progress bar. A function is called with the number of finished images and their
        total. Each image counts twice: for its values, and for the tokens of the examples.

    Returns
    -------
    list of Examples
        In the order of the units, each once.

    Raises
    ------
    FeatvizError
        If there is no unit, a unit does not exist or has a value that is not finite, an image
        cannot be read, or the disk is full.
    """
    progress = as_progress(progress)
    units = _checked(model, units)
    dataset = dataset.readable(dataset.indices(count))
    search = ExampleSearch(model, dataset, count, top)
    first, second = _halves(progress, len(search.indices))
    found: dict[str, Examples] = {}
    with (
        TemporaryDirectory() as folder,
        search.open_file(Path(folder, "scratch"), KIND, units, with_firing=False) as file,
    ):
        search.read_activations(file, units, first)
        for group, group_progress in _groups(search, _in_order(units), second):
            tables, failures = search.find(file, group, keep_none, group_progress, with_maps=False)
            for address, reason in failures.items():
                raise FeatvizError(f"{address}: {reason}")
            kept, columns = tables[KIND]
            for row, unit in enumerate(kept):
                own = {name: columns[name][row] for name in COLUMNS}
                found[str(unit)] = Examples.from_row({"address": str(unit), **own})
    return [found[str(unit)] for unit in units]


def examples_to_store(
    model: VisionModel,
    units: Chosen,
    dataset: Dataset,
    store: str | Path,
    count: int | None = None,
    top: int = 9,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Find the examples of units, and store them with their images, each image once.

    With each unit, its activation maps on the highest images and those at the quantiles are stored,
    and its profile, see `featviz.analysis.examples.maps` and `featviz.analysis.examples.profiles`.
    Units that the store already holds are left out; those of a store of an earlier version, which
    lack maps or a profile, get these and keep their examples. Until all are found, values are kept
    in the folder ``scratch`` of the store; files there of jobs with other settings, which cannot be
    resumed, are deleted. After an interruption at any moment, the next call with the same arguments
    resumes, and stores the same bytes.

    Parameters
    ----------
    model, units, dataset, count, top, progress
        See `examples`.
    store : str or Path
        The folder; made if it does not exist.
    force : bool
        Set aside, under another name, examples of other data or settings, and damaged shards; a
        store of another model as a whole.

    Returns
    -------
    JobSummary
        Counts are of units; ``others["images"]`` is the number of images that this call stored.
        The failures are units with a value that is not finite; the next call tries them again.

    Raises
    ------
    FeatvizError
        If there is no unit or one does not exist, an image cannot be read, the store is of
        another model or has examples of other data or settings, is damaged or cannot be written,
        or its disk has too little space.
    """
    progress = as_progress(progress)
    units = _checked(model, units)
    recorded = None if force else stored_configuration(store, KIND)
    dataset = dataset.readable(dataset.indices(count), recorded)
    search = ExampleSearch(model, dataset, count, top)
    settings = search.configurations(units)
    settings[example_images.KIND] = {
        "data": settings[KIND]["data"],
        **example_images.settings(model.image_size),
    }
    if force:
        _set_aside_other_settings(model, Path(store), settings)
    *writers, images = (open_writer(model, store, kind, settings[kind], force) for kind in settings)
    image_writer = ImageWriter(images, search)
    missing = [unit for unit in _in_order(units) if not _is_done(model, unit, writers)]
    scratch, name = Path(store, "scratch"), search.file_name(units)
    discard_others(scratch, search.file_prefix)
    failures: dict[str, str] = {}
    if missing:
        first, second = _halves(progress, len(search.indices))
        with search.open_file(scratch, name, missing, with_firing=True) as file:
            search.read_activations(file, units, first)
            for group, group_progress in _groups(search, missing, second):
                failures |= _store_group(search, writers, image_writer, group, file, group_progress)
    else:
        discard(scratch, name)
    image_writer.complete(_example_images(Store(store)))
    done = len(units) - len(missing)
    return JobSummary(
        len(missing) - len(failures),
        done,
        failures,
        {"images": image_writer.stored},
        unreadable=tuple(dataset.left_out.values()),
    )


def _checked(model: VisionModel, chosen: Chosen) -> list[Unit]:
    """Check that there are units and that they exist; return each once."""
    units = as_units(model, chosen)
    if not units:
        raise FeatvizError("there is no unit to find examples of")
    for unit in units:
        sites_of(model, unit)
    return list(dict.fromkeys(units))


def _in_order(units: Sequence[Unit]) -> list[Unit]:
    """Sort units as in `featviz.analysis.examples.search.sorted_addresses`."""
    return sorted(units, key=str)


def _halves(progress: Progress, images: int) -> tuple[Progress, Progress]:
    return part_of(progress, 0, images, 2 * images), part_of(progress, images, images, 2 * images)


def _groups(
    search: ExampleSearch, units: Sequence[Unit], progress: Progress
) -> Iterator[tuple[Sequence[Unit], Progress]]:
    """Cut units into groups, each with its own progress callback."""
    size = max(1, min(GROUP, GROUP_BYTES // search.bytes_per_unit()))
    groups = [units[start : start + size] for start in range(0, len(units), size)]
    for index, group in enumerate(groups):
        yield group, part_of(progress, index, 1, len(groups))


def _set_aside_other_settings(
    model: VisionModel, store: Path, settings: dict[str, dict[str, Any]]
) -> None:
    """Set aside results of other settings, and nothing else, of a store of this model."""
    try:
        manifest = Manifest.read(store)
    except FeatvizError:
        return  # opening the writer handles a missing, damaged or other store
    identity = model.name, model.fingerprint, model.load_options.to_json()
    if not manifest.conflict(*identity):
        for kind, configuration in settings.items():
            if manifest.conflict(*identity, kind, configuration):
                set_aside_kind(store, kind)


def _is_done(model: VisionModel, unit: Unit, writers: Sequence[StoreWriter]) -> bool:
    """Return whether a unit has results of all kinds."""
    address = str(unit)
    return all(
        address in writer.done
        or (writer.kind == MAPS and map_grid(model, unit) is None)
        or (writer.kind == FIRING and not latent_name(address))
        for writer in writers
    )


def _store_group(
    search: ExampleSearch,
    writers: Sequence[StoreWriter],
    image_writer: ImageWriter,
    units: Sequence[Unit],
    file: ActivationFile,
    progress: Progress,
) -> dict[str, str]:
    """Store the examples of some units, after their images; return what failed."""
    tables, failures = search.find(file, units, image_writer.add, progress)
    image_writer.flush()
    for writer in writers:
        found, columns = tables.get(writer.kind, ([], {}))
        addresses = [str(unit) for unit in found]
        missing = [row for row, address in enumerate(addresses) if address not in writer.done]
        missing.sort(key=lambda row: natural(addresses[row]))  # as they are read
        for start in range(0, len(missing), SHARD):
            some = missing[start : start + SHARD]
            added = {name: column[some] for name, column in columns.items()}
            writer.add({"address": [addresses[row] for row in some], **added})
    if failures:
        writers[-1].add({"address": list(failures), "error": list(failures.values())}, "failures")
    return failures


def _example_images(store: Store) -> set[int]:
    """Collect the indices of all images that are examples of a unit."""
    columns = (row[name] for row in store.rows(KIND) for name in SELECTIONS)
    return {index for column in columns for index in column.tolist()} - {-1}
