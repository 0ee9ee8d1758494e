"""Write docs/benchmarks.md and its figure from the results in docs/benchmarks/.

``python -m benchmarks.page`` uses the results that exist; ``make benchmarks`` measures first.
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

INTRODUCTION = """# Benchmarks

Written by `make benchmarks`, which runs the benchmarks, keeps their results in
[docs/benchmarks](benchmarks/) and generates this page from them. featviz and Lucent alternate on
the same machine; numbers are medians. Lucent takes the tokens of a vision transformer for channels,
so it is given an objective that reads the same unit as featviz.

All of this was measured on a processor. `python -m benchmarks.gpu --minutes 8` measures a graphics
card ([docs/gpu.md](gpu.md)).

![Time per step by depth; held-out activation by rendering time](pictures/benchmarks.webp)
"""


def step(result: Result) -> str:
    """Return the section on the time of one optimization step."""
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
    heads = ("block", "lowest", "floor", "featviz", "Lucent", "featviz / floor", "Lucent / featviz")
    return f"""## Optimization step

{result["model"]}, batches of {result["batch"]} images, {result["precision"]}; milliseconds
per image and step. *Floor* is one forward pass to the layer and one backward pass to the images, in
the same precision; *lowest* also embeds the patches by a matrix product, as featviz does, instead
of the model's convolution. Lucent computes in float32.

{table(heads, rows)}"""


def bulk(result: Result) -> str:
    """Return the section on the throughput of a whole job."""
    rows = [
        (name, each["images_per_second"], each["seconds"], each["spread_seconds"])
        for name, each in result["results"].items()
    ]
    return f"""## Whole job

{result["model"]}, {result["units"]} neurons of all blocks, {result["steps"]} steps,
{result["precision"]}: featviz renders **{result["featviz_over_lucent"]:g} times** as many images
per second as Lucent.

{table(("", "images per second", "seconds", "spread in seconds"), rows)}"""


def quality_time(result: Result) -> str:
    """Return the section on image quality by rendering time."""
    found, count = result["results"], result["each"] * len(result["blocks"])
    heads = ("steps", "seconds", "held-out activation / Lucent's", "share of units at Lucent's")
    rows = [tuple(each.values()) for each in found["curve"]]
    low, high = found["times_faster_quartiles"]
    return f"""## Image quality by time

{result["model"]}, {count} neurons of blocks {", ".join(map(str, result["blocks"]))}. Quality
is the activation on shifted, scaled and downsampled versions of an image, none of which is among
the augmentations of either optimizer. Lucent takes {found["lucent_seconds"]:g} s for its 512 steps;
featviz reaches its held-out activation **{found["times_faster"]:g} times** faster (median over
units; quartiles {low:g} and {high:g}; {found["never_reached"]} of {count} units never reach it).

{table(heads, rows)}"""


def defaults(result: Result) -> str:
    """Return the section on changed settings of the presets."""
    names = list(result["results"])
    parts = {
        name: {row["settings"]: row for row in rows} for name, rows in result["results"].items()
    }
    settings = dict.fromkeys(key for rows in parts.values() for key in rows)
    measures = {"held_out": "held out", "better": "better", "fine_share": "fine share"}
    rows = [
        (
            key,
            *(parts[name].get(key, {}).get(measure, "") for name in names for measure in measures),
        )
        for key in settings
    ]
    heads = ("", *(f"{name.split('/')[1]} {head}" for name in names for head in measures.values()))
    return f"""## Other settings than the presets'

{result["each"]} units of each of several layers, {result["steps"]} steps unless noted.
*Held out* is the held-out activation relative to that with the preset (median over units), *better*
the share of units for which it is higher, *fine share* the share of energy at high frequencies.

{table(heads, rows)}"""


def precision(result: Result) -> str:
    """Return the section on bfloat16."""
    rows = [(name, *each.values()) for name, each in result["results"].items()]
    heads = ("", *next(iter(result["results"].values())))
    ratios = result["bfloat16_over_float32_least_median_most"]
    ranges = "; ".join(
        f"{name.replace('_', ' ')} {least:.3g} to {most:.3g}, median {median:.3g}"
        for name, (least, median, most) in ratios.items()
    )
    return f"""## bfloat16 compared with float32

{result["model"]}, {result["units"]} neurons, {result["steps"]} steps, from the same starts
and with the same augmentations. All activations are those of the float32 model. *Fine share* and
*grid share* are the shares of energy at high frequencies and in a pattern that repeats per patch.

{table([head.replace("_", " ") for head in heads], rows)}

Ratio of bfloat16 to float32 per unit: {ranges}."""


def memory(result: Result) -> str:
    """Return the section on peak memory."""
    heads = ("images kept in", "units", "peak in MiB", "spread in MiB")
    rows = [tuple(each.values()) for each in result["results"]]
    return f"""## Peak memory

{result["model"]}, {result["steps"]} step, images of {result["size"]} pixels.

{table(heads, rows)}"""


def scaling(result: Result) -> str:
    """Return the section on the number of workers."""
    heads = tuple(result["results"][0])
    rows = [tuple(each.values()) for each in result["results"]]
    return f"""## Workers

{result["model"]}, {result["batches"]} batches of {result["batch"]} images, {result["steps"]}
steps: workers of `--engine ray`, and processes with `--shard`.

{table([head.replace("_", " ") for head in heads], rows)}"""


def gallery_export(result: Result) -> str:
    """Return the section on exporting a gallery."""
    exports = {
        "first": "first",
        "again": "without changes",
        "after_100_new_units": "after 100 new units",
    }
    rows = [(name, *result[key].values()) for key, name in exports.items()]
    heads = ("export", "seconds", "CPU seconds", "peak MB", "size in MB", "units reused")
    return f"""## Exporting a gallery

{result["units"]:,} units with images of 224 pixels.

{table(heads, rows)}"""


def gallery_page(result: Result) -> str:
    """Return the section on the page of a model."""
    rows = [
        (
            f"{each['browser']} {each['window'][0]}",
            each["page"],
            each["opened"],
            each["first sort"],
            each["later sorts"],
            each["filter"],
            each["jump"],
            each["scrolled"]["median"],
            each["scrolled"]["nodes"],
            "" if each["memory"] is None else each["memory"],
        )
        for each in result["records"]
    ]
    heads = (
        "browser, width",
        "units",
        "open",
        "first sort",
        "later sorts",
        "filter",
        "jump",
        "frame",
        "nodes",
        "memory",
    )
    return f"""## Pages of large models

Opened from disk. Times are in milliseconds, until all pictures in the window are decoded and
painted: after opening the page, its first sort, a later one, a filter, and a jump to a distant part
of the list. *frame* is the median frame while scrolling through the whole page, and *memory* is
that of the page's process in MB, after all of this, where the browser starts it as its child.

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
    """Format a Markdown table; floats have four significant digits."""
    lines = [list(map(str, heads)), *([_short(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _short(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def describe_machine(result: Result) -> str:
    """Return the date, machine and versions of a result as a sentence."""
    machine = result.get("machine", result)
    device = machine["gpu"] if machine["gpu"] != "none" else machine["processor"]
    return (
        f"{machine['date']}, {device}, {machine['cores']} cores, {machine['threads']} threads, "
        f"torch {machine['torch']}, Python {machine['python']}."
    )


def page(results: dict[str, Result]) -> str:
    """Return the text of the page, from results by the names of their benchmarks."""
    sections = [
        f"{SECTIONS[name](result).rstrip()}\n\n*{describe_machine(result)}*\n"
        for name, result in results.items()
    ]
    return "\n".join([INTRODUCTION, *sections])


def load() -> dict[str, Result]:
    """Read the results that exist, in the order of the page."""
    paths = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in paths.items()
        if path.exists()
    }


if __name__ == "__main__":
    results = load()
    PAGE.write_text(page(results), encoding="utf-8")
    plot(results, DOCS / "pictures" / "benchmarks.webp")
