"""Processing of one picture row in a worker thread: from the row of a store to files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from gallery.build.images import (
    ImageFormat,
    Pixels,
    best_sample,
    check_pairs,
    check_pictures,
    placeholder,
    save_thumbnail,
)
from gallery.build.js_data import rounded
from gallery.build.plan import Render
from gallery.build.sheets import make_cell
from gallery.units.image_similarity import LENGTH, ImageDescriptor, describe_image


@dataclass(frozen=True)
class RowTask:
    """Which files to write of a row.

    Attributes
    ----------
    render : Render
    pictures : Path or None
        Folder of the pictures; None to write none.
    image_format : ImageFormat
    cell : int or None
        Height of the sheet cell in pixels; None to make none.
    wide : bool
        Whether the cell holds a pair of pictures.
    strip : Path or None
        Path of the thumbnail for the index page; None to write none.
    """

    render: Render
    pictures: Path | None
    image_format: ImageFormat
    cell: int | None
    wide: bool
    strip: Path | None


@dataclass(frozen=True)
class RowResult:
    """Data of a row for its page.

    Attributes
    ----------
    size : list of int
        Width and height of the pictures.
    activation : list of (float or None)
        Of each sample.
    trajectory : list of lists of (float or None)
        Activation at each step, for each sample.
    best : int
        Index of the sample with the highest activation; of a natural image, its index in the
        dataset.
    value : float
        That activation.
    descriptor : array
        See `gallery.units.image_similarity.describe_image`; zeros if the row is damaged.
    cell : array, shape (H, W, 4), or None
        Sheet cell.
    damage : str
        Why the row cannot be shown; empty if it can.
    """

    size: list[int]
    activation: list[float | None]
    trajectory: list[list[float | None]]
    best: int
    value: float
    descriptor: ImageDescriptor
    cell: Pixels | None = None
    damage: str = ""


def process_row(task: RowTask, row: Row | FeatvizError) -> RowResult:
    """Write the files of a row, with a placeholder if the row is damaged.

    Parameters
    ----------
    task : RowTask
    row : Row or FeatvizError
        The row, or the error raised when it was read.

    Returns
    -------
    RowResult

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    if isinstance(row, FeatvizError):
        return _process(task, _placeholder_row(task.render), str(row))
    try:
        (check_pairs if task.render.paired else check_pictures)(row["address"], row["images"])
    except FeatvizError as error:
        return _process(task, _placeholder_row(task.render), str(error))
    return _process(task, row, "")


def picture_names(render: Render, samples: int, image_format: ImageFormat) -> list[str]:
    """Return the file names of a row's pictures.

    Parameters
    ----------
    render : Render
    samples : int
    image_format : ImageFormat

    Returns
    -------
    list of str
        ``ROW-SAMPLE.FORMAT``, or ``ROW-SAMPLE-SIDE.FORMAT`` for pairs.
    """
    sides = ("-0", "-1") if render.paired else ("",)
    return [
        f"{render.row}-{sample}{side}.{image_format.name}"
        for sample in range(samples)
        for side in sides
    ]


def _process(task: RowTask, row: Row, damage: str) -> RowResult:
    images, render = row["images"], task.render
    best = best_sample(row["activation"])
    shown = list(images[best]) if render.paired else [images[best]]
    if task.pictures is not None:
        height, width = images.shape[-3:-1]
        names = picture_names(render, len(images), task.image_format)
        for name, pixels in zip(names, images.reshape(-1, height, width, 3), strict=True):
            task.image_format.save(pixels, task.pictures / name)
    if task.strip is not None:
        save_thumbnail(shown[0], task.strip)
    return RowResult(
        size=[images.shape[-2], images.shape[-3]],
        activation=rounded(row["activation"]),
        trajectory=[rounded(line) for line in row["trajectory"]],
        best=int(row.get("image", best)),
        value=float(row["activation"][best]),
        descriptor=np.zeros(LENGTH, np.uint8)
        if damage
        else describe_image(np.concatenate(shown, axis=1)),
        cell=None if task.cell is None else make_cell(shown, task.cell, task.wide),
        damage=damage,
    )


def _placeholder_row(render: Render) -> Row:
    image = placeholder()
    return {
        "images": np.stack([image, image])[None] if render.paired else image[None],
        "activation": np.full(1, np.nan, np.float32),
        "trajectory": np.zeros((1, 0), np.float32),
    }
