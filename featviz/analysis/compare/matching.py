"""For a unit of one model, the unit of another that follows it most closely over a dataset."""

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


@dataclass(frozen=True)
class Match:
    """A unit and its nearest counterpart.

    Attributes
    ----------
    unit : Unit
        Of model A.
    match : Unit
        Of model B, over all patches or places.
    correlation : float
        Pearson's, of their values over the images, in [-1, 1].
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
    """Find for each unit of one model the unit of another that correlates with it most.

    Looked for in one layer of the other model, see `counterpart`. Its units are read as the mean
    over patches or places; those of the first model as their addresses say.

    Parameters
    ----------
    units : sequence of Unit
        Of `model_a`: neurons, channels, filters or classes.
    dataset : Dataset
        Each model sees its images at its own size.
    count : int, optional
        How many images, see `Dataset.numbers`.
    batch : int
        Images at once.

    Returns
    -------
    list of Match
        One for each unit. Of several best the first; a unit that is the same on all images
        correlates by 0 with any.

    Raises
    ------
    FeatvizError
        If a unit is no unit of a layer, the other model has no layer to look in, there are fewer
        than 3 images, or one cannot be read.
    """
    wanted = layers_of(model_a, units)
    if len(dataset.numbers(count)) < 3:
        raise FeatvizError("units are matched over at least 3 images")
    there = {site: counterpart(model_a, model_b, site) for site in wanted.values()}
    candidates = {
        site.path: [Unit(site.path, index) for index in range(site.width)]
        for site in there.values()
    }
    values_a = _read(model_a, list(wanted), dataset, count, batch)
    values_b = _read(model_b, list(chain(*candidates.values())), dataset, count, batch)
    found = []
    for site, other in there.items():
        mine = [unit for unit in wanted if wanted[unit] == site]
        columns_a = torch.stack([values_a[unit] for unit in mine], 1)
        columns_b = torch.stack([values_b[unit] for unit in candidates[other.path]], 1)
        table = correlations(columns_a, columns_b).numpy()
        for unit, row in zip(mine, table, strict=True):
            best = int(row.argmax())  # NumPy's is the first of several
            found.append(Match(unit, candidates[other.path][best], float(row[best])))
    order = {unit: place for place, unit in enumerate(wanted)}
    return sorted(found, key=lambda match: order[match.unit])


def counterpart(model_a: VisionModel, model_b: VisionModel, site: Site) -> Site:
    """Find the layer of another model that a layer is compared with.

    Of the layers of the same role (the path behind its last number: ``mlp.fc1``, ``conv1``), or
    else of the same class of module, or else of any, it is the one at the nearest relative depth:
    the layer's place among all layers in forward order, from 0 to 1. Layers with one value an
    image, such as heads, are compared with such, and layers with many places with such.

    Raises
    ------
    FeatvizError
        If the other model has no layer with as many values an image, one or several.
    """
    depths = _depths(model_b)
    like = [other for other in depths if (other.positions > 1) == (site.positions > 1)]
    if not like:
        raise FeatvizError(f"{model_b.name} has no layer to compare {site.path} with")
    kind = type(model_a.module.get_submodule(site.owner))
    same_role = [other for other in like if _role(other) == _role(site)]
    same_kind = [other for other in like if type(model_b.module.get_submodule(other.owner)) is kind]
    depth = _depths(model_a)[site]
    return min(same_role or same_kind or like, key=lambda other: abs(depths[other] - depth))


def correlations(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of every column of one matrix with every column of another.

    Parameters
    ----------
    a, b : Tensors, shapes (images, units)

    Returns
    -------
    Tensor, shape (units of a, units of b)
        float64 in [-1, 1]; 0 where a column is constant.
    """
    return (_standard(a).mT @ _standard(b)).clamp(-1, 1)


def _standard(values: Tensor) -> Tensor:
    """Shift columns to mean 0 and scale them to length 1; constant ones become 0."""
    wide = values.to("cpu", torch.float64)
    centered = wide - wide.mean(0)
    length = centered.norm(dim=0)
    # What is left of a constant is the rounding of float32, in which units are read.
    varies = length > 1e-6 * wide.norm(dim=0)
    return torch.where(varies, centered / torch.where(varies, length, 1), 0)


def layers_of(model: VisionModel, units: Sequence[Unit]) -> dict[Unit, Site]:
    """Find the layers of units that can be matched, in the order given, each unit once.

    Raises
    ------
    FeatvizError
        If a unit does not exist, or is no unit of a convolution or linear layer.
    """
    found = {}
    for unit in units:
        site = site_of(model, unit)
        if isinstance(unit, Combination) or site.kind != "layer":
            raise FeatvizError(
                f"{unit} cannot be matched; units of a convolution or linear layer can"
            )
        found[unit] = site
    return found


def _depths(model: VisionModel) -> dict[Site, float]:
    layers = [site for site in model.sites.values() if site.kind == "layer"]
    return {site: place / max(1, len(layers) - 1) for place, site in enumerate(layers)}


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
