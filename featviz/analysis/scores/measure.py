"""The numbers of one batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.images import resize
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.scores.metrics import fine_share, grid_share, late_gain, spectrum_distance
from featviz.analysis.tokens.job import likeness
from featviz.models.hooks import eval_mode
from featviz.models.token_grid import patch_size
from featviz.optimization.objectives import similarity
from featviz.parametrization.spectrum import Spectrum

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """Numbers of N units with D pictures each; docs/scores.md says how to read them.

    Attributes
    ----------
    held_out : float32 array, shape (N, D)
        Mean value over `featviz.analysis.scores.held_out_views.held_out`.
    fine, grid : float32 array, shape (N, D)
        See `featviz.analysis.scores.energy`; `grid` is that of the model's patches, NaN if it has none.
    spectrum : float32 array, shape (N, D)
        See `featviz.analysis.scores.naturalness`.
    rise : float32 array, shape (N, D)
        See `featviz.analysis.scores.convergence`.
    agreement : float32 array, shape (N,)
        Mean likeness (`featviz.analysis.tokens.job.likeness`) of the best picture to those of other seeds, in
        [0, 1]; NaN if there is none.
    similarity : float32 array, shape (N,)
        Mean likeness of two of the D pictures, in [0, 1]; NaN for one.
    """

    held_out: Floats
    fine: Floats
    grid: Floats
    spectrum: Floats
    rise: Floats
    agreement: Floats
    similarity: Floats


def score(
    model: VisionModel,
    units: Sequence[Unit],
    images: npt.NDArray[np.uint8],
    activation: npt.NDArray[np.floating],
    trajectory: npt.NDArray[np.floating],
    natural: Spectrum,
    others: Tensor | None = None,
) -> Scores:
    """Score the pictures of units that share their sites, in one go.

    Everything is measured on the stored 8-bit pictures, at the size at which the model sees them.

    Parameters
    ----------
    units : sequence of Unit
        N units.
    images : uint8 array, shape (N, D, H, H, 3)
    activation : array, shape (N, D)
        Value of the unit on each picture.
    trajectory : array, shape (N, D, T)
    natural : Spectrum
        That of natural images, at the side of the model's input.
    others : Tensor of uint8, shape (N, S, H, H, 3), optional
        Pictures of other seeds.
    """
    count, samples = images.shape[:2]
    site = _seen_last(model, units[0])
    pictures = _as_images(model, torch.from_numpy(images).flatten(0, 1))
    seen = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    patch = patch_size(model)
    with eval_mode(model.module), torch.no_grad():
        readout = Readout(model, [unit for unit in units for _ in range(samples)])
        features = readout.read_pairs(pictures).features
        features = features.view(count, samples, *features.shape[1:])
        values = torch.stack([readout.read_pairs(view).values for view in held_out(pictures)])
        agreement = torch.full((count,), torch.nan)
        if others is not None and others.shape[1]:
            best = features[torch.arange(count), torch.from_numpy(activation).argmax(1)]
            agreement = _agreement(model, units, best, others, site)
    alike = torch.full((count,), torch.nan)
    if samples > 1:
        alike = similarity(features[:, :, site.prefix :].float()).clamp(0, 1)
    each = [
        (
            fine_share(picture),
            grid_share(picture, patch) if patch > 1 else np.nan,
            spectrum_distance(picture, natural),
        )
        for picture in seen
    ]
    fine, grid, spectrum = np.array(each, np.float32).T.reshape(3, count, samples)
    return Scores(
        _floats(values.mean(0).view(count, samples)),
        fine,
        grid,
        spectrum,
        late_gain(trajectory).astype(np.float32),
        _floats(agreement),
        _floats(alike),
    )


def _agreement(
    model: VisionModel, units: Sequence[Unit], best: Tensor, others: Tensor, site: Site
) -> Tensor:
    """Mean likeness of the best pictures' features (N, T, C) to pictures of other seeds."""
    readout = Readout(model, units)
    found = [
        likeness(best, readout.read_pairs(_as_images(model, each)).features, site)
        for each in others.unbind(1)
    ]
    return torch.stack(found).mean(0)


def _seen_last(model: VisionModel, unit: Unit) -> Site:
    """Of the sites of a unit the one whose input `Readout` tells: the last that is reached."""
    order = {site.path: number for number, site in enumerate(model.sites.values())}
    return max(sites_of(model, unit), key=lambda site: order[site.path])


def _as_images(model: VisionModel, pictures: Tensor) -> Tensor:
    images = pictures.permute(0, 3, 1, 2).to(model.device) / 255
    return resize(images, model.image_size)


def _floats(values: Tensor) -> Floats:
    found: Floats = values.float().cpu().numpy()
    return found
