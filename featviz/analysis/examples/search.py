"""Search for the examples of units: one pass over the images, then statistics and tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from hashlib import blake2b, sha256
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.device_memory import release_free_memory
from featviz._util.progress import Progress
from featviz.activations.latent_firing import FiringReadout
from featviz.activations.patch_maps import Cells, Floats, Ints, map_grid
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.analysis.examples import firing, profiles
from featviz.analysis.examples import maps as example_maps
from featviz.analysis.examples.argmax_tokens import NO_TOKEN, TokenLocator
from featviz.analysis.examples.firing import firing_statistics, latent_name, latent_names
from featviz.analysis.examples.maps import MapTable
from featviz.analysis.examples.result import KIND
from featviz.analysis.examples.scratch.activation_file import ActivationFile
from featviz.analysis.examples.scratch.folder import open_activation_file
from featviz.analysis.examples.statistics import BINS, QUANTILES, statistics
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.sae.load import trained_tokens

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

BATCH = 32
"""Images per batch, always: a matrix product may round differently for another number of rows. A
last batch of fewer images is padded."""
MAX_BYTES = 2**22
"""Bytes of values in memory at once, unless a single unit has more."""
MAX_UNITS = 2048
"""Units whose statistics are computed at once."""
RELEASE_EVERY = 8
"""Batches after which freed memory is returned to the operating system."""
SELECTIONS = ("top", "bottom", "spread")
"""Columns of image indices."""

Columns = dict[str, npt.NDArray[Any]]
Tables = dict[str, tuple[list[Unit], Columns]]
"""Units and columns of each kind of result."""
Keep = Callable[[Sequence[int], Tensor], object]
"""Called with the indices of some images, ascending, and the images."""


def keep_none(indices: Sequence[int], images: Tensor) -> None:
    """Ignore `indices` and `images`: a `Keep` that keeps nothing."""


class ExampleSearch:
    """The images that are shown to a model, and what is computed for its units.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    count : int, optional
        Number of images, see `featviz.data.datasets.Dataset.indices`.
    top : int
        Number of highest and of lowest images, at least 1.

    Attributes
    ----------
    indices : int array, shape (N,)
        Indices of the images in the dataset, ascending.

    Raises
    ------
    FeatvizError
        If `count` or `top` is below 1.
    """

    def __init__(self, model: VisionModel, dataset: Dataset, count: int | None, top: int) -> None:
        if top < 1:
            raise FeatvizError(f"at least 1 image at the top is needed, not {top}")
        self.model, self.dataset, self.top, self.count = model, dataset, top, count
        self.indices = np.array(dataset.indices(count), np.int32)

    def configuration(self) -> dict[str, Any]:
        """Return the configuration of kind ``examples``: all settings that affect the results."""
        return {
            **self.dataset.configuration(len(self.indices)),
            "classes": list(self.dataset.classes),
            "top": self.top,
            "quantiles": list(QUANTILES),
            "bins": BINS,
        }

    def configurations(self, units: Sequence[Unit]) -> dict[str, dict[str, Any]]:
        """Return the configuration of each kind that `find` computes of `units`."""
        data = self.dataset.configuration(len(self.indices))
        chosen = {"top": self.top, "quantiles": list(QUANTILES)}
        found = {
            example_maps.KIND: {**data, **chosen, **example_maps.settings(self.model)},
            profiles.KIND: {**data, "profile": len(self._profile_columns)},
        }
        if latent_names(map(str, units)):
            found[firing.KIND] = {**data, "quantiles": list(QUANTILES)}
        return {**found, KIND: self.configuration()}

    def bytes_per_unit(self) -> int:
        """Return how many bytes the rows of a unit take, roughly."""
        cells = example_maps.settings(self.model)["cells"]
        return 4096 + cells * (self.top + len(QUANTILES)) + 4 * len(self.dataset.classes)

    @cached_property
    def file_prefix(self) -> str:
        """Prefix of the names of activation files of jobs with these settings."""
        settings = {"configuration": self.configuration(), "fingerprint": self.model.fingerprint}
        return f"examples-{_digest(settings)}-"

    def file_name(self, units: Sequence[Unit]) -> str:
        """Return the name of the activation file of a job.

        Parameters
        ----------
        units : sequence of Unit
            All units of the job, in any order.

        Returns
        -------
        str
            Equal for equal jobs on the same kind of device with the same version of PyTorch.
        """
        settings = {
            "device": self.model.device.type,
            "torch": torch.__version__,
            "units": sorted_addresses(units),
        }
        return f"{self.file_prefix}{_digest(settings)}"

    def open_file(
        self, folder: Path, name: str, units: Sequence[Unit], with_firing: bool
    ) -> AbstractContextManager[ActivationFile]:
        """Open the activation file of `units`, see `scratch.folder.open_activation_file`.

        With `with_firing`, the firing of latents is recorded.
        """
        addresses = sorted_addresses(units)
        latents = len(latent_names(addresses)) if with_firing else 0
        return open_activation_file(folder, name, addresses, BATCH, len(self.indices), latents)

    def read_activations(
        self, file: ActivationFile, units: Sequence[Unit], progress: Progress
    ) -> None:
        """Read the units of a file on all images that it does not hold yet.

        Parameters
        ----------
        file : ActivationFile
        units : sequence of Unit
            Those of the file, and possibly others.
        progress : callable
            Called with the number of finished images and their total.
        """
        read, total = file.blocks * BATCH, len(self.indices)
        if read >= total:
            return
        by_address = {str(unit): unit for unit in units}
        chosen = [by_address[each] for each in file.addresses]
        readout = (FiringReadout if file.latents else Readout)(self.model, chosen)
        progress(read, total)
        size = self.model.image_size
        for images, labels in self.dataset.batches(size, BATCH, self.count, start=read):
            with torch.no_grad():
                values = readout(self._padded(images))[: len(images)]
            hashes = [blake2b(image.numpy(), digest_size=16).digest() for image in images]
            fired = None
            if isinstance(readout, FiringReadout):
                fired = readout.fired(_latents_in(file))[: len(images)].cpu().numpy()
            rows = values.float().cpu().numpy()
            file.append(labels.numpy().astype(np.int32), hashes, rows, fired)
            read += len(images)
            if file.blocks % RELEASE_EVERY == 0:
                release_free_memory()
            progress(read, total)
        release_free_memory()

    @cached_property
    def _profile_columns(self) -> npt.NDArray[np.intp]:
        """Images of a profile, as positions in `indices`."""
        return np.array(self.dataset.sample(len(self.indices), profiles.IMAGES), np.intp)

    def find(
        self,
        file: ActivationFile,
        units: Sequence[Unit],
        keep: Keep,
        progress: Progress,
        with_maps: bool = True,
    ) -> tuple[Tables, dict[str, str]]:
        """Compute the examples, maps and profiles of units.

        Parameters
        ----------
        file : ActivationFile
            Holds the values of these units on all images.
        units : sequence of Unit
        keep : callable
            Receives every image that is an example of one of the units, once.
        progress : callable
            Called with the number of these images that are finished and their total.
        with_maps : bool
            Whether to read activation maps.

        Returns
        -------
        tables : dict of str to (list of Unit, dict of arrays)
            Units whose values are all finite, and the columns of kind ``example_maps`` (only of
            units that have a map), ``profiles``, ``firing`` (only of latents, if the file has it)
            and ``examples`` with a row for each. Kinds without a unit are left out.
        failures : dict of str to str
            Addresses of the other units, and the reasons.
        """
        tables, failures = self._statistics(file, units)
        if not tables:
            return {}, failures
        found, columns = tables[KIND]
        chosen = np.concatenate([columns[name] for name in SELECTIONS], axis=1)
        grids = [map_grid(self.model, unit) if with_maps else None for unit in found]
        has_map = np.array([grid is not None for grid in grids])
        names = [name for name in SELECTIONS for _ in range(columns[name].shape[1])]
        is_mapped = has_map[:, None] & np.isin(names, example_maps.SELECTIONS)
        tokens, maps = self._locate(found, chosen, is_mapped, keep, progress)
        ends = np.cumsum([columns[name].shape[1] for name in SELECTIONS])[:-1]
        for name, own in zip(SELECTIONS, np.split(tokens, ends, axis=1), strict=True):
            columns[f"{name}_tokens"] = own
            columns[name] = np.where(columns[name] < 0, -1, self.indices[columns[name]])
        layouts = [_layout(self.model, unit) for unit in found]
        columns["grid"] = np.array([grid for grid, _ in layouts], np.int32)
        columns["prefix"] = np.array([prefix for _, prefix in layouts], np.int32)
        if has_map.any():
            maps["images"] = np.concatenate([columns[name] for name in example_maps.SELECTIONS], 1)
            with_map = [unit for unit, has in zip(found, has_map, strict=True) if has]
            maps = {name: column[has_map] for name, column in maps.items()}
            tables = {example_maps.KIND: (with_map, maps), **tables}
        return tables, failures

    def read_images(self, indices: Sequence[int]) -> Iterator[tuple[list[int], Tensor]]:
        """Read images of the dataset in batches.

        Parameters
        ----------
        indices : sequence of int
            Indices of the images in the dataset.

        Yields
        ------
        indices : list of int
        images : Tensor, shape (B, 3, H, W)
            RGB in [0, 1], on the CPU.
        """
        for start in range(0, len(indices), BATCH):
            batch = list(indices[start : start + BATCH])
            yield batch, self.dataset.images(batch, self.model.image_size)

    def _padded(self, images: Tensor) -> Tensor:
        """Pad a batch with copies of its last image, and move it to the model's device."""
        missing = BATCH - len(images)
        padded = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return padded.to(self.model.device)

    def _statistics(
        self, file: ActivationFile, units: Sequence[Unit]
    ) -> tuple[Tables, dict[str, str]]:
        """Compute statistics, profiles and firing of the units whose values are finite."""
        count, classes = len(self.indices), len(self.dataset.classes)
        labels, first_copies = file.labels(count), file.first_copies(count)
        parts: dict[str, list[tuple[list[Unit], Columns]]] = {}
        failures: dict[str, str] = {}
        column_of = {address: column for column, address in enumerate(file.addresses)}
        recorded = _RecordedFiring(self.model, file, count)
        remaining = iter(units)
        size = min(MAX_UNITS, max(1, MAX_BYTES // (4 * count)))
        for start, stop in _runs([column_of[str(unit)] for unit in units], size):
            # On some machines, rounding depends on the position in a batch. Copies of an image
            # get the value of the first one, so that they tie.
            values = file.values(start, stop, count)[:, first_copies]
            invalid = ~np.isfinite(values)
            read = list(islice(remaining, stop - start))
            for row in np.flatnonzero(invalid.any(1)):
                image = self.indices[invalid[row].argmax()]
                failures[str(read[row])] = f"its value on image {image} is not a finite number"
            valid = np.flatnonzero(~invalid.any(1))
            found, values = [read[row] for row in valid], values[valid]
            if not found:
                continue
            profile = profiles.encode(values[:, self._profile_columns])
            parts.setdefault(profiles.KIND, []).append((found, profile))
            latents = [row for row, unit in enumerate(found) if latent_name(str(unit))]
            if latents and file.latents:
                own = [found[row] for row in latents]
                columns = recorded.statistics(own, values[latents], first_copies)
                parts.setdefault(firing.KIND, []).append((own, columns))
            columns = statistics(values, labels, classes, self.top)
            parts.setdefault(KIND, []).append((found, columns))
        return {kind: _concatenated(each) for kind, each in parts.items()}, failures

    def _locate(
        self,
        units: Sequence[Unit],
        chosen: npt.NDArray[np.int32],
        is_mapped: npt.NDArray[np.bool_],
        keep: Keep,
        progress: Progress,
    ) -> tuple[npt.NDArray[np.int32], Columns]:
        """Find the tokens and maps of unit i in the images ``chosen[i]``, running each image once.

        The first columns of `is_mapped`, of any unit, are those of maps in their order.
        """
        locate = TokenLocator(self.model, units)
        tokens = np.full((*chosen.shape, 2), NO_TOKEN, np.int32)
        column_of = np.cumsum(is_mapped.any(0)) - 1
        count = example_maps.settings(self.model)["cells"]
        table = MapTable(len(units), int(is_mapped.any(0).sum()), count)
        distinct, inverse = np.unique(chosen, return_inverse=True)
        inverse = inverse.reshape(-1)
        order = np.argsort(inverse, kind="stable")
        skipped = int(distinct[0] < 0)
        read, total = 0, len(distinct) - skipped
        bounds = np.searchsorted(inverse[order], np.arange(len(distinct) + 1))
        own = order[:0]

        def take(cells: Cells, rows: Ints, values: Floats) -> None:
            in_units, in_columns = np.divmod(own[rows], chosen.shape[1])
            table.put(in_units, column_of[in_columns], cells.arrange(values))

        for indices, images in self.read_images(self.indices[distinct[skipped:]].tolist()):
            first = skipped + read
            own = order[bounds[first] : bounds[first + len(indices)]]
            pairs = np.stack([inverse[own] - first, own // chosen.shape[1]], axis=1)
            wanted = is_mapped.reshape(-1)[own]
            tokens.reshape(-1, 2)[own] = locate(self._padded(images), pairs, wanted, take)
            keep(indices, images)
            read += len(indices)
            if read % (RELEASE_EVERY * BATCH) == 0:
                release_free_memory()
            progress(read, total)
        return tokens, table.columns


def sorted_addresses(units: Sequence[Unit]) -> list[str]:
    """Return the addresses of `units` in the order in which they are read, whatever their order.

    A matrix product may round differently for another order of columns.
    """
    return sorted(map(str, units))


class _RecordedFiring:
    """Statistics of the firing of latents that an activation file records."""

    def __init__(self, model: VisionModel, file: ActivationFile, count: int) -> None:
        self._model, self._file, self._count = model, file, count
        self._row_of = {name: row for row, name in enumerate(_latents_in(file))}
        self._tokens = file.fired_tokens(count)

    def statistics(
        self, units: Sequence[Unit], values: Floats, first_copies: npt.NDArray[np.intp]
    ) -> Columns:
        """Compute the columns of some latents with these values, (units, images)."""
        sites = [site_of(self._model, unit) for unit in units]
        per_image = {site: _counted_tokens(self._model, site) for site in set(sites)}
        rows = np.array([self._row_of[latent_name(str(unit))] for unit in units])
        first = int(rows.min())
        fires = self._file.fires(first, int(rows.max()) + 1, self._count)[rows - first]
        total = np.array([per_image[site] * self._count for site in sites])
        return firing_statistics(values, fires[:, first_copies], self._tokens[rows], total)


def _latents_in(file: ActivationFile) -> list[str]:
    """Return the latents whose firing a file records, in their order."""
    return latent_names(file.addresses) if file.latents else []


def _counted_tokens(model: VisionModel, site: Site) -> int:
    """Return how many tokens of an image count for the firing of latents."""
    if site.sae is None:
        raise ValueError(f"{site.path} has no latents")
    tokens = trained_tokens(model, site.sae, site.prefix)
    return len(range(site.positions)[tokens])


def _concatenated(parts: Sequence[tuple[list[Unit], Columns]]) -> tuple[list[Unit], Columns]:
    units, columns = zip(*parts, strict=True)
    names = columns[0]
    return list(chain.from_iterable(units)), {
        name: np.concatenate([part[name] for part in columns]) for name in names
    }


def _digest(settings: dict[str, Any]) -> str:
    return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def _runs(columns: Sequence[int], max_length: int) -> Iterator[tuple[int, int]]:
    """Cut indices, in their order, into ranges (start, stop) of at most `max_length`."""
    start = stop = columns[0]
    for column in columns:
        if column != stop or stop - start == max_length:
            yield start, stop
            start = column
        stop = column + 1
    yield start, stop


def _layout(model: VisionModel, unit: Unit) -> tuple[tuple[int, int], int]:
    if isinstance(unit, Combination):
        return NO_TOKEN, 0
    site = site_of(model, unit)
    return site.grid or NO_TOKEN, site.prefix
