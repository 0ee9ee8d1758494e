"""Patch maps: the value of a unit at every patch of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz.activations.activation_readers import full_reader
from featviz.activations.qk_logits import QKLogitReader
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.directions import Direction
from featviz.addressing.selectors import Chosen, as_units, site_of
from featviz.addressing.tokens import Pair, Token, token_pairs
from featviz.models.hooks import Context, eval_mode, run_until
from featviz.models.input_checks import check_images

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

MAX_BYTES = 2**23
"""Bytes of intermediate values for the pairs that are read at once, unless one pair has more."""

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells at which a unit is read: tokens of its layer, or token pairs of its attention.

    Attributes
    ----------
    tokens : int32 array, shape (C, 2)
        (query, key) of a logit; (token, -1) of other units.
    grid : (int, int) or None
        Rows and columns of the patches.
    patches : int array, shape (C,)
        Index of the patch of each cell, row by row: that of its query where queries differ between
        the cells, else of its key.
    """

    tokens: npt.NDArray[np.int32]
    grid: tuple[int, int] | None
    patches: Ints

    def arrange(self, values: Floats) -> Floats:
        """Arrange values at the cells (N, C) as maps (N, rows, columns), NaN at other patches."""
        if self.grid is None:
            raise ValueError("these cells have no grid")
        rows, columns = self.grid
        maps = np.full((len(values), rows * columns), np.nan, np.float32)
        maps[:, self.patches] = values
        return maps.reshape(-1, rows, columns)


Take = Callable[[Cells, Ints, Floats], object]
"""Called with cells, with the indices of pairs that are read there, and their values (N, C)."""


def patch_maps(model: VisionModel, units: Chosen, images: Tensor) -> list[Floats | None]:
    """Read units at every patch of images.

    The map of a unit depends on its kind:

    - A mean or maximum over the patches: the channel, neuron or direction at each patch, whose mean
      or maximum is the value of the unit. The patches of a convolution are the cells of its feature
      map.
    - A unit at a token, such as ``@7`` or ``@cls``: the same channel at each patch. The value of
      the unit is that at its patch; a prefix token is not a patch.
    - Logits ``@same`` or ``@max``, and modes: each patch with itself. ``@shift``: each query patch
      with its key; NaN where the key is outside the grid.
    - A logit ``@qA.kB``: the logit of its query with every patch as key, before the softmax.
    - None for units with one value per image, sums of units, and layers without a patch grid.

    Parameters
    ----------
    model : VisionModel
    units : Unit, str, or iterable of these
        U units of any sites; a text is a selector, see `featviz.units`.
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.

    Returns
    -------
    list of (float32 array, shape (N, rows, columns)) or None
        For each unit its map on every image; grids may differ between layers.

    Raises
    ------
    FeatvizError
        If a unit does not exist, or the images have another shape, are not floating-point, or are
        far outside [0, 1].
    """
    chosen = as_units(model, units)
    check_images(model, images)
    reader = PatchReader(model, chosen)
    found: list[Floats | None] = []
    for unit in chosen:
        grid = map_grid(model, unit)
        shape = None if grid is None else (len(images), *grid)
        found.append(None if shape is None else np.full(shape, np.nan, np.float32))
    pairs = np.stack(np.divmod(np.arange(len(images) * len(chosen)), max(len(chosen), 1)), 1)
    pairs = pairs[[found[unit] is not None for unit in pairs[:, 1]]]

    def take(cells: Cells, rows: Ints, values: Floats) -> None:
        for (image, unit), own in zip(pairs[rows], cells.arrange(values), strict=True):
            maps = found[unit]
            if maps is not None:
                maps[image] = own

    reader.read(images, pairs, take)
    return found


def map_grid(model: VisionModel, unit: Unit) -> tuple[int, int] | None:
    """Return rows and columns of the map of a `unit` of a `model`; None if it has no map."""
    if isinstance(unit, Combination):
        return None
    site = site_of(model, unit)
    return site.grid if site.positions else None


class PatchReader:
    """Reads units at the patches of images, or at the token pairs of a logit.

    Parameters
    ----------
    model : VisionModel
        Every call leaves it unchanged.
    units : sequence of Unit

    Attributes
    ----------
    cells : list of Cells or None
        Cells of each unit. None for units with one value per image, and sums of units. Cells
        without a grid are those of a layer or attention whose patches do not form one.
    """

    def __init__(self, model: VisionModel, units: Sequence[Unit]) -> None:
        self.model = model
        known: dict[object, Cells | None] = {}
        self.cells = [_cells(model, unit, known) for unit in units]
        by_site: dict[Site, dict[int, Unit]] = {}
        for index, unit in enumerate(units):
            if self.cells[index] is not None:
                by_site.setdefault(site_of(model, unit), {})[index] = unit
        self._readers: dict[str, list[_LayerCells | _LatentCells | _LogitCells]] = {}
        with torch.inference_mode(False):
            for site, members in by_site.items():
                kind = (
                    _LogitCells
                    if site.is_logit
                    else _LatentCells
                    if site.kind == "latents"
                    else _LayerCells
                )
                reader = kind(model, site, members, self.cells)
                self._readers.setdefault(site.owner, []).append(reader)

    def read(self, images: Tensor, pairs: Ints, take: Take) -> None:
        """Read some of the units, each in one image, in one forward pass.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            RGB in [0, 1]; H and W are the model's `image_size`.
        pairs : int array, shape (pairs, 2)
            Indices of an image and a unit. Units without cells are left out.
        take : callable
            Called several times, with a part of the pairs that share their cells.
        """
        wanted = {int(unit) for unit in np.unique(pairs[:, 1])}
        paths = {
            path: [reader for reader in readers if not wanted.isdisjoint(reader.row_of)]
            for path, readers in self._readers.items()
        }
        paths = {path: readers for path, readers in paths.items() if readers}

        def arrive(owner: str, inputs: Tensor, context: Context) -> None:
            for reader in paths[owner]:
                own = np.flatnonzero(np.isin(pairs[:, 1], list(reader.row_of)))
                for cells, rows, values in reader.read(inputs, context, pairs[own]):
                    take(cells, own[rows], values.float().cpu().numpy())

        if paths:
            with eval_mode(self.model.module), torch.no_grad():
                run_until(self.model, images, paths, arrive)


class _LayerCells:
    """Channels and directions of one layer or activation."""

    def __init__(
        self, model: VisionModel, site: Site, members: dict[int, Unit], cells: list[Cells | None]
    ) -> None:
        self.row_of = {index: row for row, index in enumerate(members)}
        self._prefix = site.prefix
        self._cells = next(cells[index] for index in members)
        units = list(members.values())
        self._reader = full_reader(model.module, site, units)
        self._directions = self._reader.directions
        channels = [unit.index if isinstance(unit.index, int) else -1 for unit in units]
        self._channels = torch.tensor(channels, device=model.device)
        self._is_direction = np.array([isinstance(unit.index, Direction) for unit in units])

    def read(
        self, inputs: Tensor, context: Context, pairs: Ints
    ) -> Iterator[tuple[Cells, Ints, Tensor]]:
        outputs = self._reader.output(inputs, context)[:, self._prefix :]
        units = np.array([self.row_of[index] for index in pairs[:, 1].tolist()], np.intp)
        is_direction = self._is_direction[units]
        cells = self._cells
        if cells is None:
            return
        for rows in _parts(np.flatnonzero(~is_direction), outputs.shape[1]):
            images, own = (_index(part[rows], outputs) for part in (pairs[:, 0], units))
            yield cells, rows, outputs[images, :, self._channels[own]]
        for rows in _parts(np.flatnonzero(is_direction), outputs[0].numel()):
            images, own = (_index(part[rows], outputs) for part in (pairs[:, 0], units))
            directions = self._directions[own].to(outputs)
            yield cells, rows, torch.bmm(outputs[images], directions[..., None])[..., 0]


class _LatentCells:
    """Latents of one sparse autoencoder.

    The tokens of an image are multiplied with the rows of the encoder that are read in this image.
    """

    def __init__(
        self, model: VisionModel, site: Site, members: dict[int, Unit], cells: list[Cells | None]
    ) -> None:
        if site.sae is None or site.read is None:
            raise ValueError(f"{site.path} has no latents")
        self.row_of = {index: row for row, index in enumerate(members)}
        self._prefix, self._sae = site.prefix, site.sae
        self._cells = next(cells[index] for index in members)
        self._vectors = full_reader(model.module, site.read, [])
        self._latents = np.array([unit.index for unit in members.values()], np.int64)

    def read(
        self, inputs: Tensor, context: Context, pairs: Ints
    ) -> Iterator[tuple[Cells, Ints, Tensor]]:
        if self._cells is None:
            return
        vectors = self._vectors.output(inputs, context)[:, self._prefix :]
        vectors = vectors.to(self._sae.encoder.device)
        latents = self._latents[[self.row_of[index] for index in pairs[:, 1].tolist()]]
        for image in np.unique(pairs[:, 0]).tolist():
            for rows in _parts(np.flatnonzero(pairs[:, 0] == image), self._sae.width):
                read = self._sae.pre_activations(vectors[image], latents[rows].tolist())
                yield self._cells, rows, read.T


class _LogitCells:
    """Logits or modes of one attention."""

    def __init__(
        self, model: VisionModel, site: Site, members: dict[int, Unit], cells: list[Cells | None]
    ) -> None:
        self.row_of = {index: row for row, index in enumerate(members)}
        module = model.module.get_submodule
        norm = None if site.norm is None else module(site.norm)
        self._cells = [each for index in members if (each := cells[index]) is not None]
        tokens = [(each.tokens[:, 0].tolist(), each.tokens[:, 1].tolist()) for each in self._cells]
        units = list(members.values())
        self._reader = QKLogitReader(module(site.owner), site, units, norm, tokens)

    def read(
        self, inputs: Tensor, context: Context, pairs: Ints
    ) -> Iterator[tuple[Cells, Ints, Tensor]]:
        units = np.array([self.row_of[index] for index in pairs[:, 1].tolist()], np.intp)
        together: dict[Cells, list[int]] = {}
        for row, unit in enumerate(units.tolist()):
            together.setdefault(self._cells[unit], []).append(row)
        for cells, members in together.items():
            # The tokens of a pair are copied twice, to be projected by its head.
            for rows in _parts(np.array(members), 2 * inputs[0].numel()):
                images, own = (_index(part[rows], inputs) for part in (pairs[:, 0], units))
                yield cells, rows, self._reader.read_rows(inputs, context, images, own)


def _cells(model: VisionModel, unit: Unit, known: dict[object, Cells | None]) -> Cells | None:
    """Return the cells of a unit, one object for all units of a site that have the same."""
    if isinstance(unit, Combination):
        return None
    site, token = site_of(model, unit), unit.token
    # The cells of a layer are those of all its tokens, and of a logit those of its query.
    each = (token.query if isinstance(token, Pair) else token) if site.is_logit else None
    key = site.path, isinstance(token, Pair), each
    if key not in known:
        known[key] = _new_cells(site, token)
    return known[key]


def _new_cells(site: Site, token: Token) -> Cells | None:
    if site.is_logit and not isinstance(token, Pair):
        pairs = np.array(token_pairs(site, token), np.int32).T
        return Cells(pairs, site.grid, pairs[:, 0] - site.prefix)
    if site.grid is None or not site.positions:
        return None
    patches = np.arange(site.positions - site.prefix, dtype=np.int32)
    positions = site.prefix + patches
    if isinstance(token, Pair):
        query = 0 if token.query == "cls" else token.query
        columns = [np.full_like(positions, query), positions]
    else:
        columns = [positions, np.full_like(positions, -1)]
    return Cells(np.stack(columns, 1), site.grid, patches)


def _parts(rows: Ints, floats: int) -> Iterator[Ints]:
    """Cut rows into parts, each of which needs at most `MAX_BYTES` at so many floats a row."""
    size = max(1, MAX_BYTES // (4 * floats))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _index(rows: Ints, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows, np.int64)).to(like.device)
