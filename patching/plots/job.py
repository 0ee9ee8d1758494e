"""Figures of the effects in a store, drawn into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from featviz.store.reader import Store
from patching.effects.report import GroupEffects
from patching.effects.stored_averages import stored_images, token_layout
from patching.effects.table import TRACES, Mode
from patching.plots.figures import Plan, draw
from patching.plots.style import literal, save


def write_figures(
    store: str | Path, effects: Sequence[GroupEffects], folder: str | Path
) -> list[Path]:
    """Draw the effects in a store as files.

    Parameters
    ----------
    store : str or Path
        See `patching.sweeps.job.trace_to_store`.
    effects : sequence of GroupEffects
        Averages of one metric.
    folder : str or Path
        Created if missing. Figures of the same name in it are replaced.

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
    grid, prefix = token_layout(opened)
    plan = Plan(effects, settings["by"], literal(title), classes, prefix, grid)
    files: list[Path] = []
    for name, figure in draw(plan, stored_images(opened)).items():
        save(figure, folder, f"{name}-{metric}")
        files += [Path(folder) / f"{name}-{metric}.{suffix}" for suffix in ("svg", "png")]
    return files


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
