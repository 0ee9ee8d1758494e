"""Gradient maps of attention logits: which pixels change a logit through its query or its key."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from featviz._util.image_files import read_image
from featviz._util.images import to_uint8
from featviz._util.progress import Progress, as_progress, part_of
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import check_logits
from featviz.models.hooks import eval_mode
from featviz.rendering.batches import split
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer, store_batches

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

BATCH = 16
"""Units that are differentiated in one batch, each on a copy of the image for its query and one
for its key."""


def split_gradients(
    model: VisionModel, units: Sequence[Unit], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Differentiate logits with respect to the image, through the query and the key separately.

    Query and key are both functions of the image, so by the product rule the two gradients add up
    to the gradient of the logit.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        U logits of any attention, their modes, or sums of these.
    images : Tensor, shape (M, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.

    Returns
    -------
    values : Tensor, shape (U, M)
        Logits, on the device of the images, as are the gradients.
    query, key : Tensor, shape (U, M, 3, H, W)
        Gradient through the query only, and through the key only.

    Raises
    ------
    FeatvizError
        If a unit is not a logit or does not exist, or the images have another shape.
    """
    check_logits(model, units)
    found = []
    with torch.inference_mode(False), torch.enable_grad(), eval_mode(model.module):
        readout = Readout(model, units)
        for image in images:
            copies = image.detach().repeat(2 * len(units), 1, 1, 1).requires_grad_()
            values = readout.read_split(copies).values
            (gradient,) = torch.autograd.grad(values.sum(), copies)
            found.append((values.detach(), *gradient.chunk(2)))
    values, query, key = (torch.stack(each, 1) for each in zip(*found, strict=True))
    return values, query, key


def gradient_maps(
    model: VisionModel, units: Sequence[Unit], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the norm of `split_gradients` over the colors.

    Parameters
    ----------
    model, units, images
        See `split_gradients`.

    Returns
    -------
    values : Tensor, shape (U, M)
    query, key : Tensor, shape (U, M, H, W)
        Nonnegative.

    Raises
    ------
    FeatvizError
        See `split_gradients`.
    """
    values, query, key = split_gradients(model, units, images)
    return values, query.norm(dim=2), key.norm(dim=2)


def gradients_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    files: Sequence[str | Path],
    store: str | Path,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Store the gradient maps of logits on image files, except those that it already holds.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        See `split_gradients`.
    files : sequence of str or Path
        M images; see `featviz._util.image_files.read_image`. Their names, without folders, and
        digests are the configuration: a store holds the maps of one set of images.
    store : str or Path
        The folder; made if it does not exist.
    force : bool
        See `featviz.rendering.job.render_to_store`.
    progress : callable or bool
        True shows a progress bar. A function is called with the number of finished maps and their
        total.

    Returns
    -------
    JobSummary

    Raises
    ------
    FeatvizError
        If a unit is not a logit, a file is not an image, or the store is of another model or other
        images, damaged, or cannot be written.
    """
    progress = as_progress(progress)
    check_logits(model, units)
    images = torch.stack([read_image(file, model.image_size) for file in files])
    configuration = {
        "images": [
            {"name": Path(file).name, "sha256": sha256(Path(file).read_bytes()).hexdigest()}
            for file in files
        ]
    }
    writer = open_writer(model, store, "gradients", configuration, force)
    missing = [unit for unit in units if str(unit) not in writer.done]
    pixels = to_uint8(images).numpy()

    def columns(batch: Sequence[Unit]) -> Columns:
        values, query, key = (
            found.cpu().numpy() for found in gradient_maps(model, batch, images.to(model.device))
        )
        return {
            "address": [str(unit) for unit in batch],
            "images": np.broadcast_to(pixels, (len(batch), *pixels.shape)),
            "query": query,
            "key": key,
            "activation": values,
        }

    total = len(missing) * len(images)
    progress_in_maps = part_of(progress, 0, total, total)
    stored = store_batches(writer, split(model, missing, BATCH), columns, progress_in_maps)
    return JobSummary(stored, len(units) - stored)
