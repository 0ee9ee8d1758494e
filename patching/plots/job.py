"""Figures of the effects in a store, drawn into a folder and the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from featviz._util.images import to_uint8
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.jobs import open_writer
from featviz.store.reader import Store
from patching.effects.report import GroupEffects
from patching.effects.table import TRACES, Mode
from patching.interventions.corruptions import corruption
from patching.interventions.token_names import grid_of
from patching.plots.figures import Plan, ReadImage, draw
from patching.plots.style import Pixels, literal, save
from patching.vit.residual_vit import residual_vit

FIGURES = "figures"


def figures_to_store(
    model: VisionModel,
    dataset: Dataset,
    store: str | Path,
    effects: Sequence[GroupEffects],
    folder: str | Path,
    all_images: bool = False,
) -> list[Path]:
    """Draw the effects in a store, as files and for the gallery.

    Parameters
    ----------
    model : VisionModel
        That of the job.
    dataset : Dataset
        That of the job.
    store : str or Path
        See `patching.trace_job.trace_to_store`. Figures that it has already are kept.
    effects : sequence of GroupEffects
        Averages of one metric.
    folder : str or Path
        Created if missing. Figures of the same name in it are replaced.
    all_images : bool
        Whether `effects` include images that the clean run misclassifies; recorded in the address
        of a figure.

    Returns
    -------
    list of Path
        An SVG and a PNG file for each figure.

    Raises
    ------
    FeatvizError
        If matplotlib is not installed, the store is damaged, or a file cannot be written.
    """
    opened = Store(store)
    settings = opened.configuration[TRACES]
    metric = effects[0].average.metric
    title = _title(
        settings["mode"],
        settings["site"],
        settings["corrupt"],
        settings["ablate"],
        (settings["donor"] or {}).get("model"),
    )
    classes = list(map(literal, settings["classes"]))
    plan = Plan(effects, settings["by"], literal(title), classes, model.prefix_tokens, _grid(model))
    writer = open_writer(model, store, TRACES, settings)
    existing = set(opened.addresses(FIGURES)) if FIGURES in opened.kinds else set()
    indices = dataset.indices_of(settings)
    files: list[Path] = []
    for name, figure in draw(plan, _reader(model, dataset, settings["corrupt"], indices)).items():
        pixels = save(figure, folder, f"{name}-{metric}")
        files += [Path(folder) / f"{name}-{metric}.{suffix}" for suffix in ("svg", "png")]
        address = f"{name}:{metric}" + ("@all-images" if all_images else "")
        if address not in existing:
            writer.add({"address": [address], "image": pixels[None]}, FIGURES)
    return files


def _reader(
    model: VisionModel, dataset: Dataset, corrupt: str, indices: Sequence[int]
) -> ReadImage:
    """Make the function that reads an image and its corrupted copy."""
    corruptor = None
    if corrupt != "none":
        corruptor = corruption(corrupt).bind(model, dataset, indices)

    def read(index: int) -> tuple[Pixels, Pixels | None]:
        image = dataset.image(index, model.image_size)
        if corruptor is None or corrupt.startswith("embedding"):
            return _pixels(image), None
        return _pixels(image), _pixels(corruptor.images(image[None], [index])[0])

    return read


def _pixels(image: Tensor) -> Pixels:
    return np.ascontiguousarray(to_uint8(image.cpu()).numpy())


def _grid(model: VisionModel) -> tuple[int, int] | None:
    try:
        return grid_of(residual_vit(model))
    except FeatvizError:
        return None


def _title(mode: Mode, site: str, corrupt: str, ablate: str | None, donor: str | None) -> str:
    """Describe which activations were patched into which run."""
    if ablate is not None:
        what = {"zero": "zero", "mean": "mean", "resample": "another image's"}[ablate]
        return f"{what} {site} in the clean run"
    of = f" of {donor}" if donor else ""
    if corrupt == "none":
        return f"{site}{of}"
    name = "corrupted" if corrupt == "swap" else corrupt
    if mode == "denoising":
        return f"clean {site}{of} in the {name} run"
    return f"{name} {site}{of} in the clean run"
