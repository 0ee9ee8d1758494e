"""Whether the memory that a bulk job needs grows with the number of its units.

``python -m benchmarks.memory`` prints one JSON line: the peak of jobs of 100, 1,000 and 5,000 units
into a store, each in a process of its own, and of the same units rendered into memory, which has
to grow. Medians and spreads are over repeats, taken in turn.
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
from featviz.rendering.render import render_to_store

MODEL, SELECTOR = "cueworld/vit", "patch_embed:all@0-63"
STEPS, SIZE, BATCH = 1, 64, 32


def peak(count: int, stored: bool) -> float:
    """Render so many units, and return the most memory that this process has held, in MiB.

    Linux tells it of the program alone; `getrusage` would count the parent before it became this
    program.
    """
    torch.set_num_threads(1)
    model = featviz.load(MODEL, device="cpu")
    chosen = featviz.units(model, SELECTOR)
    if len(chosen) < count:
        raise SystemExit(f"{SELECTOR} is {len(chosen)} units, not {count}")
    if stored:
        made = make_recipe(model, steps=STEPS, size=SIZE)
        with tempfile.TemporaryDirectory() as folder:
            render_to_store(model, chosen[:count], made, Path(folder, "store"), BATCH)
    else:
        featviz.render(model, chosen[:count], steps=STEPS, size=SIZE, batch=BATCH)
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    taken: dict[tuple[str, int], list[float]] = {}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for _ in range(options.repeats):
            for count in options.units:
                for way in ("store", "memory"):
                    found = processes.submit(peak, count, way == "store").result()
                    taken.setdefault((way, count), []).append(found)
    results = [
        {
            "into": way,
            "units": count,
            "peak_mib": round(statistics.median(found), 1),
            "spread_mib": round(max(found) - min(found), 1),
        }
        for (way, count), found in sorted(taken.items())
    ]
    settings = {"model": MODEL, "steps": STEPS, "size": SIZE, "batch": BATCH}
    report = {"benchmark": "memory", **settings, "machine": describe()}
    print(json.dumps({**report, "results": results}))


if __name__ == "__main__":
    main()
