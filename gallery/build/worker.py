"""From a row of a store to the files of a unit: what worker threads do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from featviz.errors import FeatvizError
from featviz.store.columns import Row
from gallery.build.images import (
    Form,
    Pixels,
    best_sample,
    check_pairs,
    check_pictures,
    placeholder,
    thumbnail,
)
from gallery.build.js_data import numbers
from gallery.build.plan import Render
from gallery.build.sheets import make_cell
from gallery.units.image_similarity import LENGTH, ImageDescriptor, describe_image


@dataclass(frozen=True)
class Work:
    """What is to be made of a row.

    Attributes
    ----------
    render : Render
    pictures : Path or None
        The folder of its pictures; None if they are not to be written.
    form : Form
    cell : int or None
        Height of its cell in a sheet; None if no cell is wanted.
    wide : bool
        Whether the cell holds two pictures.
    strip : Path or None
        Where its thumbnail for the index goes.
    """

    render: Render
    pictures: Path | None
    form: Form
    cell: int | None
    wide: bool
    strip: Path | None


@dataclass(frozen=True)
class Made:
    """What a page is told of a row.

    Attributes
    ----------
    size : list of int
        Width and height of its pictures.
    activation : list of (float or None)
        Of each sample.
    trajectory : list of lists of (float or None)
    best : int
        The sample with the highest activation.
    value : float
        That activation.
    look : array
        See `gallery.units.image_similarity`.
    cell : array, shape (H, W, 4), or None
    damage : str
        Why it cannot be shown; empty if it can.
    """

    size: list[int]
    activation: list[float | None]
    trajectory: list[list[float | None]]
    best: int
    value: float
    describe_image: ImageDescriptor
    cell: Pixels | None = None
    damage: str = ""


def make(work: Work, row: Row | FeatvizError) -> Made:
    """Write the pictures of a row; of one that cannot be shown, a placeholder.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    if isinstance(row, FeatvizError):
        return _make(work, _stand_in(work.render), str(row))
    try:
        (check_pairs if work.render.paired else check_pictures)(row["address"], row["images"])
    except FeatvizError as error:
        return _make(work, _stand_in(work.render), str(error))
    return _make(work, row, "")


def picture_names(render: Render, samples: int, form: Form) -> list[str]:
    """Return the names of a row's files: ``ROW-SAMPLE`` and, of two, the side."""
    sides = ("-0", "-1") if render.paired else ("",)
    return [f"{render.row}-{d}{side}.{form.name}" for d in range(samples) for side in sides]


def _make(work: Work, row: Row, damage: str) -> Made:
    images, render = row["images"], work.render
    best = best_sample(row["activation"])
    shown = list(images[best]) if render.paired else [images[best]]
    if work.pictures is not None:
        height, width = images.shape[-3:-1]
        names = picture_names(render, len(images), work.form)
        for name, pixels in zip(names, images.reshape(-1, height, width, 3), strict=True):
            work.form.save(pixels, work.pictures / name)
    if work.strip is not None:
        thumbnail(shown[0], work.strip)
    return Made(
        size=[images.shape[-2], images.shape[-3]],
        activation=numbers(row["activation"]),
        trajectory=[numbers(line) for line in row["trajectory"]],
        best=best,
        value=float(row["activation"][best]),
        describe_image=np.zeros(LENGTH, np.uint8)
        if damage
        else describe_image(np.concatenate(shown, axis=1)),
        cell=None if work.cell is None else make_cell(shown, work.cell, work.wide),
        damage=damage,
    )


def _stand_in(render: Render) -> Row:
    image = placeholder()
    return {
        "images": np.stack([image, image])[None] if render.paired else image[None],
        "activation": np.full(1, np.nan, np.float32),
        "trajectory": np.zeros((1, 0), np.float32),
    }
