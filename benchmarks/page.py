"""Write docs/benchmarks.md and its plot from the results in docs/benchmarks/.

``python -m benchmarks.page`` takes what is there; ``make benchmarks`` measures anew first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.plot import plot

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "benchmarks"
PAGE = DOCS / "benchmarks.md"

Result = dict[str, Any]

INTRODUCTION = """# What it costs

Written by `make benchmarks`, which measures, keeps what each benchmark printed in
[docs/benchmarks](benchmarks/) and writes this page from it. Every peer runs in the same process or
beside it, in turn; numbers are medians. Lucent is given the same units correctly (it would pick a
token of a vision transformer for a channel).

![Time of a step by depth; value of a picture by the time it took](pictures/benchmarks.webp)
"""


def step(result: Result) -> str:
    """Tell what a step costs beside the least that it could."""
    rows = [
        (
            each["block"],
            each["lowest_ms_per_image"],
            each["floor_ms_per_image"],
            each["step_ms_per_image"],
            each["lucent_ms_per_image"],
            each["over_floor"],
            each["lucent_over_featviz"],
        )
        for each in result["results"]
    ]
    heads = ("block", "lowest", "floor", "featviz", "Lucent", "over floor", "Lucent / featviz")
    return f"""## One step

{result["model"]}, {result["batch"]} pictures at once, {result["precision"]};
milliseconds a picture. The floor is a bare forward pass to the layer and a backward pass to the
images, in the same precision; the lowest floor also cuts patches out as featviz does, and not by
the model's convolution. Lucent computes in float32.

{table(heads, rows)}"""


def bulk(result: Result) -> str:
    """Tell how long a whole job takes."""
    rows = [
        (name, each["images_per_second"], each["seconds"], each["spread_seconds"])
        for name, each in result["results"].items()
    ]
    return f"""## A job over all depths

{result["model"]}, {result["units"]} neurons of all blocks, {result["steps"]} steps,
{result["precision"]}: featviz renders **{result["featviz_over_lucent"]:g} times** as many pictures
a second as Lucent.

{table(("", "pictures a second", "seconds", "spread"), rows)}"""


def quality_time(result: Result) -> str:
    """Tell how long a good picture takes."""
    found, count = result["results"], result["each"] * len(result["blocks"])
    heads = ("steps", "seconds", "value over Lucent's", "units that reach it")
    rows = [tuple(each.values()) for each in found["curve"]]
    low, high = found["times_faster_quartiles"]
    return f"""## Time to a good picture

{result["model"]}, {count} neurons of blocks {", ".join(map(str, result["blocks"]))}. Good is a
high value on shifted, scaled and shrunk views that neither optimizer has seen. Lucent took
{found["lucent_seconds"]:g} s for its 512 steps; to reach its value, featviz needs
**{found["times_faster"]:g} times** less (median over units; quartiles {low:g} and {high:g};
{found["never_reached"]} of {count} units never reach it).

{table(heads, rows)}"""


def defaults(result: Result) -> str:
    """Tell what other settings would do."""
    names = list(result["results"])
    parts = {
        name: {row["settings"]: row for row in rows} for name, rows in result["results"].items()
    }
    settings = dict.fromkeys(key for rows in parts.values() for key in rows)
    kinds = ("held_out", "better", "fine_share")
    rows = [
        (key, *(parts[name].get(key, {}).get(kind, "") for name in names for kind in kinds))
        for key in settings
    ]
    told = ("value", "better", "fine")
    heads = ("", *(f"{name.split('/')[1]} {what}" for name in names for what in told))
    return f"""## Other settings than the presets'

{result["each"]} units of each of several layers, {result["steps"]} steps unless said: value on
unseen views over that of the preset's picture (median over units), share of units that gain, share
of fine energy.

{table(heads, rows)}"""


def precision(result: Result) -> str:
    """Tell what bfloat16 costs."""
    rows = [(name, *each.values()) for name, each in result["results"].items()]
    heads = ("", *next(iter(result["results"].values())))
    ratios = result["bfloat16_over_float32_least_median_most"]
    told = "; ".join(
        f"{name.replace('_', ' ')} {least:.3g} to {most:.3g}, median {median:.3g}"
        for name, (least, median, most) in ratios.items()
    )
    return f"""## bfloat16 beside float32

{result["model"]}, {result["units"]} neurons, {result["steps"]} steps, from the same starts and
through the same views. All values are the float32 model's; the shares are of fine waves and of the
patch grid.

{table([head.replace("_", " ") for head in heads], rows)}

bfloat16 over float32, unit by unit: {told}."""


def memory(result: Result) -> str:
    """Tell what a job needs of memory."""
    heads = ("pictures go into", "units", "peak in MiB", "spread")
    rows = [tuple(each.values()) for each in result["results"]]
    return f"""## Memory

{result["model"]}, {result["steps"]} step, pictures of {result["size"]} pixels.

{table(heads, rows)}"""


def scaling(result: Result) -> str:
    """Tell how workers of a cluster compare with processes."""
    heads = tuple(result["results"][0])
    rows = [tuple(each.values()) for each in result["results"]]
    return f"""## Workers

{result["model"]}, {result["batches"]} batches of {result["batch"]} pictures,
{result["steps"]} steps. Workers of `--engine ray` beside plain processes with `--shard`.

{table([head.replace("_", " ") for head in heads], rows)}"""


def gallery_export(result: Result) -> str:
    """Tell how long an export takes."""
    names = ("first", "again", "after_100_new_units")
    rows = [(name.replace("_", " "), *result[name].values()) for name in names]
    heads = ("export", "seconds", "processor seconds", "peak MB", "MB", "taken over")
    return f"""## Exporting a gallery

{result["units"]:,} units with pictures of 224 pixels.

{table(heads, rows)}"""


def gallery_page(result: Result) -> str:
    """Tell how fast a page is."""
    rows = [
        (
            f"{each['browser']} {each['window'][0]}",
            each["opened"],
            each["scrolled"]["median"],
            each["scrolled"]["nodes"],
            *(
                each[name][part]
                for name in ("sort", "filter")
                for part in ("scripts", "until seen")
            ),
        )
        for each in result["records"]
    ]
    heads = (
        "browser, width",
        "opened",
        "frame",
        "nodes",
        "sort",
        "first seen",
        "filter",
        "first seen",
    )
    return f"""## The page of 18,432 units

Opened from the disk: {result["bytes read"] / 1e6:.1f} MB are read. Milliseconds: until the first
pictures are there; of the median frame while the whole page scrolls past; of the page's own work
to sort and filter, and until the first such list is painted, for which every layer's pictures are
decoded once.

{table(heads, rows)}"""


SECTIONS: dict[str, Callable[[Result], str]] = {
    "step": step,
    "bulk": bulk,
    "quality_time": quality_time,
    "defaults": defaults,
    "precision": precision,
    "memory": memory,
    "scaling": scaling,
    "gallery_export": gallery_export,
    "gallery_page": gallery_page,
}


def table(heads: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Write a table, numbers with four digits."""
    lines = [list(map(str, heads)), *([_short(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _short(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def taken_on(result: Result) -> str:
    """Say when and on what a result was taken."""
    machine = result.get("machine", result)
    device = machine["gpu"] if machine["gpu"] != "none" else machine["processor"]
    return (
        f"{machine['date']}, {device}, {machine['cores']} cores, {machine['threads']} threads, "
        f"torch {machine['torch']}, Python {machine['python']}."
    )


def page(results: dict[str, Result]) -> str:
    """Write the page of results by the names of their benchmarks."""
    parts = [
        f"{SECTIONS[name](result).rstrip()}\n\n*{taken_on(result)}*\n"
        for name, result in results.items()
    ]
    return "\n".join([INTRODUCTION, *parts])


def load() -> dict[str, Result]:
    """Read the results that are there, in the order of the page."""
    found = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in found.items()
        if path.exists()
    }


if __name__ == "__main__":
    there = load()
    PAGE.write_text(page(there), encoding="utf-8")
    plot(there, DOCS / "pictures" / "benchmarks.webp")
