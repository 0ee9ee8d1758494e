"""Which pixels a logit of an image depends on: through its query, and through its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from featviz._util.image_files import read_image
from featviz._util.progress import Progress, ignore
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import check_logits
from featviz.models.hooks import eval_mode
from featviz.rendering.batches import split
from featviz.store.jobs import open_writer

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

AT_ONCE = 16
"""Units that are differentiated in one batch, each on one image for its query and one for its
key."""


def side_gradients(
    model: VisionModel, units: Sequence[Unit], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Differentiate logits by the images that they are read from, through one side at a time.

    A logit is bilinear in query and key (where neither is normalized), and both come from the
    image: by the product rule the two gradients add up to the whole.

    Parameters
    ----------
    units : sequence of Unit
        U logits, of any attention, their modes, or sums of such.
    images : Tensor, shape (M, 3, H, W)
        RGB in [0, 1], of the model's size.

    Returns
    -------
    values : Tensor, shape (U, M)
        On the device of the images, as are the gradients.
    query, key : Tensor, shape (U, M, 3, H, W)
        Of the value, through the query only and through the key only.

    Raises
    ------
    FeatvizError
        If a unit is no logit or does not exist, or the images are of another shape.
    """
    check_logits(model, units)
    found = []
    with torch.inference_mode(False), torch.enable_grad(), eval_mode(model.module):
        readout = Readout(model, units)
        for image in images:
            sides = image.detach().repeat(2 * len(units), 1, 1, 1).requires_grad_()
            values = readout.read_sides(sides).values
            (gradient,) = torch.autograd.grad(values.sum(), sides)
            found.append((values.detach(), *gradient.chunk(2)))
    values, query, key = (torch.stack(each, 1) for each in zip(*found, strict=True))
    return values, query, key


def gradient_maps(
    model: VisionModel, units: Sequence[Unit], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Map how much each pixel moves a logit through its query, and through its key.

    Parameters
    ----------
    units, images
        See `side_gradients`.

    Returns
    -------
    values : Tensor, shape (U, M)
    query, key : Tensor, shape (U, M, H, W)
        Norm of the gradient over the three colors, from 0 up.

    Raises
    ------
    FeatvizError
        See `side_gradients`.
    """
    values, query, key = side_gradients(model, units, images)
    return values, query.norm(dim=2), key.norm(dim=2)


@dataclass(frozen=True)
class Summary:
    """What a job has done: how many units it stored, and how many were there."""

    stored: int
    done: int


def gradients_to_store(
    model: VisionModel,
    units: Sequence[Unit],
    files: Sequence[str | Path],
    store: str | Path,
    force: bool = False,
    progress: Progress = ignore,
) -> Summary:
    """Store the gradient maps of logits on image files, as far as they are not there.

    Parameters
    ----------
    files : sequence of str or Path
        M images; see `featviz._util.image_files.read_image`. Their names, without folders, and digests
        are the configuration, so that a store holds the maps of one set of images.
    force : bool
        See `featviz.rendering.render.render_to_store`.
    progress : callable
        Told after every batch how many maps are finished, and of how many.

    Raises
    ------
    FeatvizError
        If a unit is no logit, a file is no image, or the store is of another model or other images,
        damaged, or cannot be written.
    """
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
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    finished = 0
    for some in split(model, missing, AT_ONCE):
        values, query, key = (
            found.cpu().numpy() for found in gradient_maps(model, some, images.to(model.device))
        )
        writer.add(
            {
                "address": [str(unit) for unit in some],
                "images": np.broadcast_to(pixels, (len(some), *pixels.shape)),
                "query": query,
                "key": key,
                "activation": values,
            }
        )
        finished += len(some) * len(images)
        progress(finished, len(missing) * len(images))
    return Summary(len(missing), len(units) - len(missing))
