"""Peak memory of bulk jobs by their number of units.

``python -m benchmarks.memory`` prints one JSON line: the peak memory of jobs of 100, 1,000 and
5,000 units that write to a store, each in a process of its own, and of the same units rendered in
memory, where it must grow. Medians and spreads are over interleaved repeats.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

import featviz
from benchmarks.machine import describe
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store

MODEL, SELECTOR = "cueworld/vit", "patch_embed:all@0-63"
STEPS, SIZE, BATCH = 1, 64, 32


def peak(count: int, stored: bool) -> float:
    """Render `count` units, and return the peak memory of this process in MiB.

    It is read from ``/proc``, as `getrusage` includes the memory of the parent before ``exec``.
    """
    torch.set_num_threads(1)
    model = featviz.load(MODEL, device="cpu")
    units = featviz.units(model, SELECTOR)
    if len(units) < count:
        raise SystemExit(f"{SELECTOR} selects {len(units)} units, fewer than {count}")
    if stored:
        recipe = make_recipe(model, steps=STEPS, size=SIZE)
        with tempfile.TemporaryDirectory() as folder:
            render_to_store(model, units[:count], recipe, Path(folder, "store"), BATCH)
    else:
        featviz.render(model, units[:count], steps=STEPS, size=SIZE, batch=BATCH)
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    peaks: dict[tuple[str, int], list[float]] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for _ in range(options.repeats):
            for count in options.units:
                for target in ("store", "memory"):
                    found = processes.submit(peak, count, target == "store").result()
                    peaks.setdefault((target, count), []).append(found)
    results = [
        {
            "into": target,
            "units": count,
            "peak_mib": round(statistics.median(found), 1),
            "spread_mib": round(max(found) - min(found), 1),
        }
        for (target, count), found in sorted(peaks.items())
    ]
    settings = {"model": MODEL, "steps": STEPS, "size": SIZE, "batch": BATCH}
    report = {"benchmark": "memory", **settings, "machine": describe()}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
