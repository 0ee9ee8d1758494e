"""The figure of the page of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Plot the time per step by depth, and the activation by rendering time.

    Parameters
    ----------
    results : mapping of str to dict
        Of the benchmarks ``step`` and ``quality_time``.
    path : Path
        File to write, in WebP.
    """
    import matplotlib  # noqa: PLC0415 - an extra

    matplotlib.use("agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    steps = results["step"]["results"]
    blocks = [each["block"] for each in steps]
    names = {"lucent": "Lucent", "step": "featviz", "floor": "floor"}
    for (key, name), style in zip(names.items(), ("C7o-", "C0o-", "C2o--"), strict=True):
        left.plot(blocks, [each[f"{key}_ms_per_image"] for each in steps], style, label=name)
    left.set(xlabel="block", ylabel="ms per image and step", ylim=(0, None))
    left.legend(frameon=False)
    quality = results["quality_time"]["results"]
    count = results["quality_time"]["each"] * len(results["quality_time"]["blocks"])
    curve = quality["curve"]
    seconds = [each["seconds"] / count for each in curve]
    right.plot(seconds, [each["over_lucent"] for each in curve], "C0o-", label="featviz")
    for each, x in zip(curve, seconds, strict=True):
        point = (x, each["over_lucent"])
        right.annotate(each["steps"], point, (7, -5), textcoords="offset points")
    right.plot(quality["lucent_seconds"] / count, 1, "C7s", label="Lucent, 512 steps")
    right.set(xscale="log", xlabel="seconds per image", ylabel="held-out activation / Lucent's")
    right.axhline(1, color="C7", linewidth=0.6)
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, pil_kwargs={"lossless": True})
