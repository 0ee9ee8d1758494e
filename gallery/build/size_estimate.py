"""Estimate of the size of a gallery, from a sample of its pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from featviz.errors import FeatvizError
from gallery.build.images import check_pairs, check_pictures
from gallery.build.js_data import rounded
from gallery.build.options import Options
from gallery.build.plan import Plan, Render
from gallery.build.sheets import QUALITY, make_cell
from gallery.stores.natural_row import natural_row
from gallery.units.unit_files import spread

SAMPLES = 8  # rows per configuration of a model


@dataclass(frozen=True)
class Estimate:
    """Estimated size of a gallery.

    Attributes
    ----------
    units, pictures : int
    bytes : int
    """

    units: int
    pictures: int
    bytes: int

    def __str__(self) -> str:
        """Return the estimate as text."""
        size = f"{self.bytes / 1e6:,.0f}" if self.bytes >= 1e6 else f"{self.bytes / 1e6:.2g}"
        return f"{self.units:,} units, {self.pictures:,} pictures, about {size} MB"


def estimate(plans: Sequence[Plan], options: Options) -> Estimate:
    """Estimate the size of a gallery from evenly spaced rows of each configuration.

    Parameters
    ----------
    plans : sequence of Plan
    options : Options

    Returns
    -------
    Estimate
        Without the sections.
    """
    pictures, size = 0.0, 0.0
    for plan in plans:
        renders = list(plan.renders())
        for group in range(len(plan.groups)):
            rows = [render for render in renders if render.group == group]
            chosen = [rows[i] for i in spread(len(rows), SAMPLES)]
            sizes = [_measure(render, plan.cell, options) for render in chosen]
            measured = [pair for pair in sizes if pair is not None]
            if measured:
                columns = zip(*measured, strict=True)
                count, bytes_ = (sum(column) / len(measured) for column in columns)
                pictures += count * len(rows)
                size += bytes_ * len(rows)
    return Estimate(sum(plan.units for plan in plans), round(pictures), round(size))


def _measure(render: Render, cell: int, options: Options) -> tuple[int, int] | None:
    """Return the number of pictures of a row, and the bytes of all its files."""
    try:
        row = render.store.row(render.address, render.kind)
        if render.natural:
            row = natural_row(render.store, row)
        images = row["images"]
        (check_pairs if render.paired else check_pictures)(render.address, images)
    except FeatvizError:
        return None
    pictures = images.reshape(-1, *images.shape[-3:])
    size = len(json.dumps([rounded(line) for line in row["trajectory"]]))
    if not options.thumbnails_only and not render.natural:
        for pixels in pictures:
            file = io.BytesIO()
            options.image_format.save(pixels, file)
            size += file.tell()
    shown = list(images[0]) if render.paired else [images[0]]
    file = io.BytesIO()
    small = Image.fromarray(make_cell(shown, cell, render.paired)).convert("RGB")
    small.save(file, "WEBP", quality=QUALITY)
    has_files = not options.thumbnails_only and not render.natural
    return len(pictures) if has_files else 0, size + file.tell()
