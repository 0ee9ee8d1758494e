"""Averages of the effects in a store, and images with their own effects, for the gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from featviz.store.columns import Columns
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from patching.effects.averages import Average, Group, averages, groups
from patching.effects.bootstrap import Intervals
from patching.effects.table import TRACES, Table, read_traces
from patching.effects.typical_images import typical

EFFECTS, IMAGES = "effects", "trace_images"
"""Kinds of results in a store: averages of effects, and images with their effects."""

LEAST = 10
"""Minimum number of images of a class that is averaged over by itself.

Intervals over fewer images are unreliable, and the averages of many small classes would take more
space than the effects."""

Pixels = NDArray[np.uint8]
ReadImage = Callable[[int], Sequence[Pixels]]
"""From the index of an image to the image, and its corrupted copy if there is one, (H, W, 3)."""


def store_averages(
    writer: StoreWriter,
    classes: Sequence[str],
    grid: tuple[int, int] | None,
    prefix: int,
    read_image: ReadImage,
    all_images: bool = False,
    more: Sequence[Group] = (),
) -> None:
    """Average the effects in a store, and add what it does not have.

    Averages are over all images, each family and each class of at least `LEAST` images. The images
    are chosen once, by the first metric; see `patching.effects.typical_images.typical`.

    Parameters
    ----------
    writer : StoreWriter
        Of a store with the effects on all images of its job.
    classes : sequence of str
        Names of the labels.
    grid : (int, int) or None
        Rows and columns of the patch grid, if there is one.
    prefix : int
        Number of tokens before the patches.
    read_image : callable
        Reads a typical image.
    all_images : bool
        Whether to include images that the clean run misclassifies.
    more : sequence of Group
        Further groups of images.

    Raises
    ------
    FeatvizError
        If the store is damaged or cannot be written, or an image cannot be read.
    """
    store = Store(writer.path)
    suffix = "@all-images" if all_images else ""
    stored = set(store.addresses(EFFECTS)) if EFFECTS in store.kinds else set()
    has_averages = any(address.endswith("@all-images") == all_images for address in stored)
    metric = store.configuration[TRACES]["metrics"][0]
    missing = [each for each in more if f"{_key(each)}:{metric}{suffix}" not in stored]
    if has_averages and not missing and IMAGES in store.kinds:
        return
    table = read_traces(store)
    if not all_images:
        table = table.only_right()
    if not len(table.image):
        return
    if not has_averages:
        missing = [*(each for each in groups(classes) if _is_large(each, table)), *missing]
    # A difference fails if too few images of a group are classified correctly.
    for differs in (False, True):
        chosen = [each for each in missing if (each.kind == "difference") == differs]
        if found := averages(table, dict.fromkeys(chosen)):
            writer.add(_columns(found, grid, prefix, suffix), EFFECTS)
        if IMAGES not in Store(writer.path).kinds:
            writer.add(_image_columns(table, read_image), IMAGES)


def token_layout(store: Store) -> tuple[tuple[int, int] | None, int]:
    """Read the patch grid of the traced model, and its number of tokens before the patches.

    Parameters
    ----------
    store : Store
        With averages.

    Returns
    -------
    (int, int) or None
        Rows and columns; None if the patches form no grid.
    int
    """
    row = next(store.rows(EFFECTS))
    rows, columns = row["grid"].tolist()
    return ((rows, columns) if rows > 0 else None), int(row["prefix"])


def stored_images(store: Store) -> dict[int, Sequence[Pixels]]:
    """Read the typical images of a store.

    Parameters
    ----------
    store : Store

    Returns
    -------
    dict of int to sequence of arrays
        By index in the dataset: the image, and its corrupted copy if there is one, (H, W, 3).
    """
    if IMAGES not in store.kinds:
        return {}
    return {int(row["address"].partition(":")[2]): row["images"] for row in store.rows(IMAGES)}


def _columns(
    found: Sequence[Average], grid: tuple[int, int] | None, prefix: int, suffix: str
) -> Columns:
    count = len(found)
    return {
        "address": [f"{_key(each.group)}:{each.metric}{suffix}" for each in found],
        "kind": [each.group.kind for each in found],
        "group": [each.group.name for each in found],
        "metric": [each.metric for each in found],
        "images": np.array([each.count for each in found], np.int32),
        "clean": np.array([each.clean for each in found], np.float32),
        "corrupted": np.array([each.corrupted for each in found], np.float32),
        "total": np.stack([_interval(each.total)[0] for each in found]),
        "effect": np.stack([_interval(each.effect) for each in found]),
        "share": np.stack([_interval(each.share) for each in found]),
        "grid": np.tile(np.array(grid or (-1, -1), np.int32), (count, 1)),
        "prefix": np.full(count, prefix, np.int32),
    }


def _is_large(group: Group, table: Table) -> bool:
    """Whether a group is averaged over by itself."""
    return group.kind != "class" or group.holds(table.label, table.image).sum() >= LEAST


def _key(group: Group) -> str:
    """Name a group: classes by their label, since several may have the same name.

    Names of attributes and differences may have any characters, and other images in another file.
    """
    if group.kind in {"attribute", "difference"}:
        return f"{group.kind}.{_digest(group)}"
    if group.labels is None:
        return group.kind
    return f"{group.kind}.{min(group.labels) if group.kind == 'class' else group.name}"


def _digest(group: Group) -> str:
    members = [sorted(each) for each in (group.labels or (), group.images or ())]
    text = f"{group.name} {members} {[_digest(each) for each in group.parts]}"
    return sha256(text.encode()).hexdigest()[:16]


def _interval(found: Intervals) -> NDArray[np.float32]:
    """Return estimate, low and high of each site, (S, 3)."""
    return np.stack([found.estimate, found.low, found.high], axis=1).astype(np.float32)


def _image_columns(table: Table, read_image: ReadImage) -> Columns:
    chosen = typical(table)
    indices = table.image[chosen].tolist()
    return {
        "address": [f"image:{index}" for index in indices],
        "images": np.array([read_image(index) for index in indices]),
        "label": table.label[chosen].astype(np.int32),
        "clean": table.clean.T[chosen].astype(np.float32),
        "corrupted": table.corrupted.T[chosen].astype(np.float32),
        "effect": table.effect.transpose(2, 0, 1)[chosen].astype(np.float32),
    }
