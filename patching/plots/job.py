"""Figures of what a store holds, in a folder and in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.store.jobs import open_writer
from featviz.store.reader import Store
from patching.effects.report import Found
from patching.effects.table import TRACES, Mode
from patching.interventions.corruptions import corruption
from patching.interventions.token_names import grid_of
from patching.plots.curves import Pictures, Plan, draw
from patching.plots.style import Pixels, save
from patching.vit.residual_vit import residual_vit

FIGURES = "figures"


def figures_to_store(
    model: VisionModel,
    dataset: Dataset,
    store: str | Path,
    found: Sequence[Found],
    folder: str | Path,
    all_images: bool = False,
) -> list[Path]:
    """Draw the effects of a job, as files and for the gallery.

    Parameters
    ----------
    dataset : Dataset
        That of the job.
    store : str or Path
        Of `patching.trace_job.trace_to_store`. Figures that it holds are not replaced.
    found : sequence of Found
        Averages of one metric.
    folder : str or Path
        Made if it is not there. Figures of the same name in it are replaced.
    all_images : bool
        Whether images count that the clean run gets wrong; it is part of a figure's address.

    Returns
    -------
    list of Path
        The files, an SVG and a PNG for each figure.

    Raises
    ------
    FeatvizError
        If matplotlib is not installed, the store is damaged, or a file cannot be written.
    """
    opened = Store(store)
    settings = opened.configuration[TRACES]
    metric = found[0].average.metric
    plan = Plan(
        found,
        settings["by"],
        _title(
            settings["mode"],
            settings["site"],
            settings["corrupt"],
            settings["ablate"],
            (settings["donor"] or {}).get("model"),
        ),
        settings["classes"],
        model.prefix_tokens,
        _grid(model),
    )
    writer = open_writer(model, store, TRACES, settings)
    there = set(opened.addresses(FIGURES)) if FIGURES in opened.kinds else set()
    files: list[Path] = []
    numbers = dataset.numbers(settings["images"])
    for name, figure in draw(plan, _pictures(model, dataset, settings["corrupt"], numbers)).items():
        drawn = save(figure, folder, f"{name}-{metric}")
        files += [Path(folder) / f"{name}-{metric}.{suffix}" for suffix in ("svg", "png")]
        address = f"{name}:{metric}" + ("@all-images" if all_images else "")
        if address not in there:
            writer.add({"address": [address], "image": drawn[None]}, FIGURES)
    return files


def _pictures(
    model: VisionModel, dataset: Dataset, corrupt: str, numbers: Sequence[int]
) -> Pictures:
    corruptor = None
    if corrupt != "none":
        corruptor = corruption(corrupt).bind(model, dataset, numbers)

    def pictures(number: int) -> tuple[Pixels, Pixels | None]:
        image = dataset.image(number, model.image_size)
        if corruptor is None or corrupt.startswith("embedding"):
            return _bytes(image), None
        return _bytes(image), _bytes(corruptor.images(image[None], [number])[0])

    return pictures


def _bytes(image: Tensor) -> Pixels:
    scaled = (image.cpu() * 255).round().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 0).numpy())


def _grid(model: VisionModel) -> tuple[int, int] | None:
    try:
        return grid_of(residual_vit(model))
    except FeatvizError:
        return None


def _title(mode: Mode, site: str, corrupt: str, ablate: str | None, donor: str | None) -> str:
    """Say what was put into what."""
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
