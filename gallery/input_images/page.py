"""The data files of the section of a reader's own images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.images import image_format
from gallery.build.js_data import Shards, rounded, script
from gallery.build.plan import Plan
from gallery.input_images.files import InputImage
from gallery.input_images.reference import (
    NATURAL,
    PICTURE,
    Reference,
    natural_reference,
)
from gallery.input_images.strongest import Strong, Strongest
from gallery.units.evidence_json import encode_map
from gallery.units.natural_images import NaturalImages

if TYPE_CHECKING:
    from gallery.input_images.responses import ResponseReader, Responses

NAME = "images"

Response = tuple[float | None, float | None, int | None, float | None]
"""Value, relative value, and rank and percentile among natural images."""

BATCH = 256  # units that are read at once


class InputImages:
    """Reads the units of a model on images, and writes what the page shows of it.

    Parameters
    ----------
    plan : Plan
        Of the model's units.
    folder : Path
        Folder of the model. ``input-images/I.webp`` is image I as the model sees it,
        ``images/I.js`` has its strongest units, and ``responses/S.js`` the values of 32 units on
        all images.
    images : sequence of InputImage
    natural : NaturalImages
        Values are relative to those on these, if there are any, else to the pictures of the units.

    Attributes
    ----------
    section : dict or None
        Data of the section, after `steps`; None if there is none.
    unread : str
        Why units cannot be read; empty if they can.
    """

    def __init__(
        self, plan: Plan, folder: Path, images: Sequence[InputImage], natural: NaturalImages
    ) -> None:
        self._plan, self._folder = plan, folder
        self._images, self._natural = (images if plan.units else ()), natural
        self.section: dict[str, Any] | None = None
        self.unread = ""

    @property
    def batches(self) -> int:
        """Number of batches of units that `steps` reads."""
        sizes = (len(layer.units) for layer in self._plan.layers)
        return sum(-(-size // BATCH) for size in sizes) if self._images else 0

    def steps(
        self, stores: Sequence[Store], activations: NDArray[np.floating[Any]]
    ) -> Iterator[None]:
        """Read all units, and write the files; yield after each batch of units.

        Parameters
        ----------
        stores : sequence of Store
            The first records how the model is loaded.
        activations : array, shape (units,)
            Activation of the picture of each unit; NaN if unknown.
        """
        if not self._images:
            return
        # Exports without images do not import PyTorch.
        from gallery.input_images.responses import ResponseReader  # noqa: PLC0415

        try:
            reader = ResponseReader(stores[0], self._images)
        except FeatvizError as error:
            self.unread = str(error)
            return
        count = self._plan.units
        gray = np.full(count, np.nan)
        reference = natural_reference(self._natural.rows(), self._plan.addresses())
        reference = reference or Reference(PICTURE, gray, np.asarray(activations, np.float64))
        values = np.full((count, len(self._images)), np.nan, np.float32)
        rows, columns = reader.grid
        strongest = [Strongest(rows * columns) for _ in self._images]
        start = 0
        for layer, planned in enumerate(self._plan.layers):
            addresses = [renders[0].address for renders in planned.units]
            for found in reader.read(start, addresses, BATCH):
                if found is not None:
                    values[found.units], gray[found.units] = found.values, found.gray
                    _collect(strongest, layer, found, reference, reader.grid)
                yield
            start += len(addresses)
        if reader.missing:
            address, reason = next(iter(reader.missing.items()))
            more = f" and {len(reader.missing) - 1:,} more" if len(reader.missing) > 1 else ""
            self.unread = f"{address}{more}: {reason}"
        self._write(reader, reference, values, strongest)

    def _write(
        self,
        reader: ResponseReader,
        reference: Reference,
        values: NDArray[np.float32],
        strongest: Sequence[Strongest],
    ) -> None:
        for name in ("images", "input-images"):
            (self._folder / name).mkdir()
        relative = reference.relative(range(len(values)), values)
        columns = []
        for number, (pixels, found) in enumerate(zip(reader.pixels(), strongest, strict=True)):
            image_format("webp").save(pixels, self._folder / "input-images" / f"{number}.webp")
            own = [
                _response(reference, unit, value, share)
                for unit, (value, share) in enumerate(
                    zip(values[:, number].tolist(), relative[:, number].tolist(), strict=True)
                )
            ]
            text = script(f"images/{number}", _image_json(found, reader.grid, own))
            (self._folder / "images" / f"{number}.js").write_text(text, encoding="ascii")
            mapped = found.mapped()
            columns.append([[*each, unit in mapped] for unit, each in enumerate(own)])
        shards = Shards(self._folder, "responses")
        for row in zip(*columns, strict=True):
            shards.add(row)
        shards.flush()
        self.section = {
            "reference": reference.kind,
            "data": self._natural.dataset if reference.kind == NATURAL else "",
            "natural": reference.images,
            "unranked": int(np.isnan(relative).all(1).sum()),
            "images": [
                [image.name, len(pixels)]
                for image, pixels in zip(self._images, reader.pixels(), strict=True)
            ],
        }


def _response(reference: Reference, unit: int, value: float, relative: float) -> Response:
    rank, percentile = reference.rank(unit, value)
    short = rounded([value, relative, float("nan") if percentile is None else percentile])
    return short[0], short[1], rank, short[2]


def _collect(
    strongest: Sequence[Strongest],
    layer: int,
    found: Responses,
    reference: Reference,
    grid: tuple[int, int],
) -> None:
    """Add the units of a batch to the strongest units of each image."""
    from gallery.input_images.responses import on_grid  # noqa: PLC0415  PyTorch, see `steps`

    relative = reference.relative(found.units, found.values)
    mapped = [
        (unit, maps) for unit, maps in zip(found.units, found.maps, strict=True) if maps is not None
    ]
    for number, collected in enumerate(strongest):
        maps = [None if each is None else each[number] for each in found.maps]
        collected.add(layer, list(map(Strong, found.units, relative[:, number].tolist(), maps)))
        if mapped:
            units = [unit for unit, _ in mapped]
            stacked = np.stack([each[number] for _, each in mapped])
            collected.add_patches(units, on_grid(reference.relative(units, stacked), grid))


def _image_json(found: Strongest, grid: tuple[int, int], own: Sequence[Response]) -> dict[str, Any]:
    """Return the strongest units of each layer with their maps, and of each patch."""
    return {
        "grid": grid,
        "layers": [
            [layer, [[one.unit, *own[one.unit], _map_json(one.map)] for one in units]]
            for layer, units in sorted(found.layers.items())
            if units
        ],
        "patches": [
            [[unit, *rounded([value])] for unit, value in units] for units in found.patches()
        ],
    }


def _map_json(values: NDArray[np.float32] | None) -> list[Any] | None:
    """Return rows, columns, lowest and highest value, and levels of a map; None without values."""
    if values is None or np.isnan(values).all():
        return None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return [*values.shape, *rounded([low, high]), encode_map(values, low, high)]
