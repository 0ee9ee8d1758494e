"""Pictures a second of 1 to N workers: of a Ray cluster, and of plain processes with ``--shard``.

``python -m benchmarks.scaling`` prints one JSON line. Every job renders the same units of one layer
into a store of its own, and all are run in turn, several times. The speed is that of
the batches after the first of each worker, by the times at which their shards were written, so that
it leaves out how long processes take to start; ``whole_seconds`` counts that in.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe

MODEL, SITE = "cueworld/vit", "blocks.2.mlp.fc1"
RUN = "from cli.main import main; main()"
# Plain processes do not yield to others, and Ray's workers do unless they are told.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}


def commands(store: Path, way: str, workers: int, options: argparse.Namespace) -> list[list[str]]:
    """Return the command lines of one job, which run at the same time."""
    last = options.batches * options.batch - 1
    words = [sys.executable, "-c", RUN, "render", MODEL, f"{SITE}:0-{last}", "-o", str(store)]
    words += ["--steps", str(options.steps), "--batch", str(options.batch), "--device", "cpu"]
    if way == "ray":
        return [[*words, "--engine", "ray", "--workers", str(workers)]]
    return [[*words, "--shard", f"{number}/{workers}"] for number in range(workers)]


def measure(way: str, workers: int, options: argparse.Namespace) -> tuple[float, float]:
    """Run a job; return its pictures a second once it runs, and its seconds in all."""
    with tempfile.TemporaryDirectory() as folder:
        store, start = Path(folder, "store"), time.perf_counter()
        running = [
            subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
            for words in commands(store, way, workers, options)
        ]
        if sum(process.wait() for process in running):
            raise SystemExit(f"a job failed: {way}, {workers} workers")
        seconds = time.perf_counter() - start
        written = sorted(shard.stat().st_mtime for shard in store.glob("shards/*.h5"))
    later = len(written) - workers
    return later * options.batch / (written[-1] - written[workers - 1]), seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, default=12, help="of each job")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    taken: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for _ in range(options.repeats):
        for workers in options.workers:
            for way in ("processes", "ray"):
                taken.setdefault((workers, way), []).append(measure(way, workers, options))
    results = []
    for (workers, way), runs in taken.items():
        speeds = [speed for speed, _ in runs]
        plain = [speed for speed, _ in taken[workers, "processes"]]
        over = [speed / other for speed, other in zip(speeds, plain, strict=True)]
        result = {
            "images_per_second": statistics.median(speeds),
            "spread": max(speeds) - min(speeds),
            "over_processes": statistics.median(over),
            "whole_seconds": statistics.median(seconds for _, seconds in runs),
        }
        rounded = {name: round(value, 3) for name, value in result.items()}
        results.append({"workers": workers, "by": way, **rounded})
    settings = {name: getattr(options, name) for name in ("batches", "batch", "steps", "repeats")}
    report = {"benchmark": "scaling", "model": MODEL, "site": SITE, **settings}
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
