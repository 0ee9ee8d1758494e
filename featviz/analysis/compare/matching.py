"""Matching of units: for a unit of one model, the unit of another with the highest correlation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination
from featviz.addressing.selectors import site_of
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.data.datasets import Dataset
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

MIN_IMAGES = 3
"""With two images, all correlations are 1 or -1."""


@dataclass(frozen=True)
class Match:
    """A unit and its best match in another model.

    Attributes
    ----------
    unit : Unit
        Of model A.
    match : Unit
        Of model B, averaged over patches or positions.
    correlation : float
        Pearson correlation of their values over the images, in [-1, 1].
    """

    unit: Unit
    match: Unit
    correlation: float


def matches(
    model_a: VisionModel,
    model_b: VisionModel,
    units: Sequence[Unit],
    dataset: Dataset,
    count: int | None = None,
    batch: int = 64,
) -> list[Match]:
    """Find for each unit of one model the unit of another with the highest correlation.

    The search covers one layer of the other model; see `counterpart`. Its units are averaged over
    patches or positions; those of the first model are read as their addresses say.

    Parameters
    ----------
    model_a, model_b : VisionModel
        Each receives the images at its own size.
    units : sequence of Unit
        Of `model_a`: units of convolutions or linear layers.
    dataset : Dataset
    count : int, optional
        Number of images; all if not given. See `Dataset.indices` for which.
    batch : int
        Images in one forward pass.

    Returns
    -------
    list of Match
        One for each unit, without duplicates. Of several best matches the first is taken; a unit
        that is constant over the images has a correlation of 0 with every unit.

    Raises
    ------
    FeatvizError
        If a unit is not of a convolution or linear layer, the other model has no layer to search,
        there are fewer than 3 images, or one cannot be read.
    """
    sites = matchable_sites(model_a, units)
    if len(dataset.indices(count)) < MIN_IMAGES:
        raise FeatvizError(f"matching units takes at least {MIN_IMAGES} images")
    counterparts = {site: counterpart(model_a, model_b, site) for site in sites.values()}
    candidates = {
        site.path: [Unit(site.path, index) for index in range(site.width)]
        for site in counterparts.values()
    }
    values_a = _read(model_a, list(sites), dataset, count, batch)
    values_b = _read(model_b, list(chain(*candidates.values())), dataset, count, batch)
    found = {}
    for site, other in counterparts.items():
        members = [unit for unit in sites if sites[unit] == site]
        columns_a = torch.stack([values_a[unit] for unit in members], 1)
        columns_b = torch.stack([values_b[unit] for unit in candidates[other.path]], 1)
        table = correlations(columns_a, columns_b).numpy()
        for unit, row in zip(members, table, strict=True):
            best = int(row.argmax())  # of several maxima NumPy returns the first
            found[unit] = Match(unit, candidates[other.path][best], float(row[best]))
    return [found[unit] for unit in sites]


def counterpart(model_a: VisionModel, model_b: VisionModel, site: Site) -> Site:
    """Find the layer of another model that corresponds to a layer.

    Candidates are the layers with the same role (the path after its last number: ``mlp.fc1``,
    ``conv1``), else those of the same module class, else all. Among them, the one at the nearest
    relative depth is taken: the index of a layer among all layers in forward order, scaled to
    [0, 1]. Layers with one position, such as heads, correspond only to each other, and so do layers
    with several.

    Parameters
    ----------
    model_a, model_b : VisionModel
    site : Site
        Of a layer of `model_a`.

    Returns
    -------
    Site
        Of a layer of `model_b`.

    Raises
    ------
    FeatvizError
        If the other model has no layer with one position, or with several, as `site` has.
    """
    depths = _depths(model_b, site.kind)
    similar = [other for other in depths if (other.positions > 1) == (site.positions > 1)]
    if not similar:
        count = "several positions" if site.positions > 1 else "one position"
        what = "sparse autoencoder" if site.kind == "latents" else "layer"
        raise FeatvizError(
            f"{model_b.name} has no {what} to compare {site.path} with: it has no {what} with "
            f"{count}"
        )
    kind = type(model_a.module.get_submodule(site.owner))
    same_role = [other for other in similar if _role(other) == _role(site)]
    same_kind = [
        other for other in similar if type(model_b.module.get_submodule(other.owner)) is kind
    ]
    depth = _depths(model_a, site.kind)[site]
    return min(same_role or same_kind or similar, key=lambda other: abs(depths[other] - depth))


def correlations(a: Tensor, b: Tensor) -> Tensor:
    """Compute the Pearson correlation of every column of one matrix with every column of another.

    Parameters
    ----------
    a, b : Tensors, shapes (images, units)

    Returns
    -------
    Tensor, shape (units of a, units of b)
        float64, in [-1, 1]; 0 where a column is constant.
    """
    return (_standardized(a).mT @ _standardized(b)).clamp(-1, 1)


def _standardized(values: Tensor) -> Tensor:
    """Shift columns to mean 0 and scale them to norm 1; constant ones become 0."""
    wide = values.to("cpu", torch.float64)
    centered = wide - wide.mean(0)
    length = centered.norm(dim=0)
    # What remains of a constant column is the rounding error of float32.
    varies = length > 1e-6 * wide.norm(dim=0)
    return torch.where(varies, centered / torch.where(varies, length, 1), 0)


def matchable_sites(model: VisionModel, units: Sequence[Unit]) -> dict[Unit, Site]:
    """Return the sites of units, and check that the units can be matched.

    Parameters
    ----------
    model : VisionModel
    units : sequence of Unit

    Returns
    -------
    dict of Unit to Site
        In the order given, without duplicates.

    Raises
    ------
    FeatvizError
        If a unit does not exist, or is a logit or a sum.
    """
    found = {}
    for unit in units:
        site = site_of(model, unit)
        if isinstance(unit, Combination) or site.is_logit:
            raise FeatvizError(
                f"{unit} cannot be matched; only units of layers and activations of blocks can"
            )
        found[unit] = site
    return found


def _depths(model: VisionModel, kind: str) -> dict[Site, float]:
    layers = [site for site in model.sites.values() if site.kind == kind]
    return {site: index / max(1, len(layers) - 1) for index, site in enumerate(layers)}


def _role(site: Site) -> str:
    return re.split(r"\.[0-9]+\.", site.path)[-1]


def _read(
    model: VisionModel, units: list[Unit], dataset: Dataset, count: int | None, batch: int
) -> dict[Unit, Tensor]:
    """Read units on the images of a dataset: for each, its values, shape (images,)."""
    read = Readout(model, units)
    with torch.no_grad():
        parts = [
            read(images.to(model.device)).cpu()
            for images, _ in dataset.batches(model.image_size, batch, count)
        ]
    return dict(zip(units, torch.cat(parts).unbind(1), strict=True))
