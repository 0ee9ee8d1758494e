"""Computation of the scores of a batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from featviz._util.images import from_uint8, resize, to_uint8
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import sites_of
from featviz.analysis.scores.held_out_views import held_out
from featviz.analysis.scores.metrics import fine_share, grid_share, late_gain
from featviz.analysis.scores.spectrum_distance import spectrum_distance
from featviz.analysis.tokens.gram_similarity import gram_similarity
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
    """Scores of N units with D pictures each; docs/scores.md explains how to read them.

    Attributes
    ----------
    held_out : float32 array, shape (N, D)
        Mean value over held-out augmentations; see
        `featviz.analysis.scores.held_out_views.held_out`.
    fine, grid : float32 array, shape (N, D)
        Shares of the energy at high frequencies, and on the grid of the model's patches (NaN if it
        has none); see `featviz.analysis.scores.metrics`.
    spectrum : float32 array, shape (N, D)
        See `featviz.analysis.scores.spectrum_distance.spectrum_distance`.
    rise : float32 array, shape (N, D)
        See `featviz.analysis.scores.metrics.late_gain`.
    agreement : float32 array, shape (N,)
        Mean Gram similarity of the best picture to pictures of other seeds, in [0, 1]; NaN if
        there are none. See `featviz.analysis.tokens.gram_similarity.gram_similarity`.
    similarity : float32 array, shape (N,)
        Mean Gram similarity of pairs of the D pictures, in [0, 1]; NaN if D is 1.
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
    """Score the pictures of units that share their sites.

    Everything is measured on the stored 8-bit pictures, resized to the model's input.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit
        N units.
    images : uint8 array, shape (N, D, H, H, 3)
    activation : array, shape (N, D)
        Value of the unit on each picture.
    trajectory : array, shape (N, D, T)
        Value of the unit at each step.
    natural : Spectrum
        Of natural images, at the side of the model's input.
    others : Tensor of uint8, shape (N, S, H, H, 3), optional
        Pictures from other seeds.

    Returns
    -------
    Scores
    """
    count, samples = images.shape[:2]
    site = _last_site(model, units[0])
    pictures = _input_images(model, torch.from_numpy(images).flatten(0, 1))
    pixels = to_uint8(pictures).cpu().numpy()
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
    among = torch.full((count,), torch.nan)
    if samples > 1:
        among = similarity(features[:, :, site.prefix :].float()).clamp(0, 1)
    of_each = [
        (
            fine_share(picture),
            grid_share(picture, patch) if patch > 1 else np.nan,
            spectrum_distance(picture, natural),
        )
        for picture in pixels
    ]
    fine, grid, spectrum = np.array(of_each, np.float32).T.reshape(3, count, samples)
    return Scores(
        _floats(values.mean(0).view(count, samples)),
        fine,
        grid,
        spectrum,
        late_gain(trajectory).astype(np.float32),
        _floats(agreement),
        _floats(among),
    )


def _agreement(
    model: VisionModel, units: Sequence[Unit], best: Tensor, others: Tensor, site: Site
) -> Tensor:
    """Mean Gram similarity of features (N, T, C) of the best pictures to those of other seeds."""
    readout = Readout(model, units)
    found = [
        gram_similarity(best, readout.read_pairs(_input_images(model, each)).features, site)
        for each in others.unbind(1)
    ]
    return torch.stack(found).mean(0)


def _last_site(model: VisionModel, unit: Unit) -> Site:
    """Return the last site of a unit in forward order, whose input `Readout` returns."""
    order = {site.path: index for index, site in enumerate(model.sites.values())}
    return max(sites_of(model, unit), key=lambda site: order[site.path])


def _input_images(model: VisionModel, pixels: Tensor) -> Tensor:
    """Convert pixels (N, H, H, 3) to input images (N, 3, side, side) on the model's device."""
    return resize(from_uint8(pixels.to(model.device)), model.image_size)


def _floats(values: Tensor) -> Floats:
    found: Floats = values.float().cpu().numpy()
    return found
