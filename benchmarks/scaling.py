"""Images per second by number of workers, of a Ray cluster and of processes with ``--shard``.

``python -m benchmarks.scaling`` prints one JSON line. Each job renders the same units of one layer
into a store of its own; the jobs alternate for several rounds. The throughput is that of the
batches after the first of each worker, by the modification times of their shards, so it excludes
the time that processes take to start; ``whole_seconds`` includes it.
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
# Ray's workers have a niceness of 15 by default, other processes of 0.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}


def commands(
    store: Path, launcher: str, workers: int, options: argparse.Namespace
) -> list[list[str]]:
    """Return the command lines of one job, to be run at the same time."""
    last = options.batches * options.batch - 1
    words = [sys.executable, "-c", RUN, "render", MODEL, f"{SITE}:0-{last}", "-o", str(store)]
    words += ["--steps", str(options.steps), "--batch", str(options.batch), "--device", "cpu"]
    if launcher == "ray":
        return [[*words, "--engine", "ray", "--workers", str(workers)]]
    return [[*words, "--shard", f"{index}/{workers}"] for index in range(workers)]


def measure(launcher: str, workers: int, options: argparse.Namespace) -> tuple[float, float]:
    """Run a job; return its images per second once all workers run, and its total seconds."""
    with tempfile.TemporaryDirectory() as folder:
        store, start = Path(folder, "store"), time.perf_counter()
        running = [
            subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
            for words in commands(store, launcher, workers, options)
        ]
        if sum(process.wait() for process in running):
            raise SystemExit(f"the job with {launcher} and {workers} workers failed")
        seconds = time.perf_counter() - start
        written = sorted(shard.stat().st_mtime for shard in store.glob("shards/*.h5"))
    later = len(written) - workers
    return later * options.batch / (written[-1] - written[workers - 1]), seconds


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, default=12, help="batches per job")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    runs: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for _ in range(options.repeats):
        for workers in options.workers:
            for launcher in ("processes", "ray"):
                runs.setdefault((workers, launcher), []).append(measure(launcher, workers, options))
    results = []
    for (workers, launcher), measured in runs.items():
        speeds = [speed for speed, _ in measured]
        processes = [speed for speed, _ in runs[workers, "processes"]]
        ratios = [speed / other for speed, other in zip(speeds, processes, strict=True)]
        result = {
            "images_per_second": statistics.median(speeds),
            "spread": max(speeds) - min(speeds),
            "over_processes": statistics.median(ratios),
            "whole_seconds": statistics.median(seconds for _, seconds in measured),
        }
        rounded = {name: round(value, 3) for name, value in result.items()}
        results.append({"workers": workers, "by": launcher, **rounded})
    settings = {name: getattr(options, name) for name in ("batches", "batch", "steps", "repeats")}
    report = {"benchmark": "scaling", "model": MODEL, "site": SITE, **settings}
    print(json.dumps({**report, "machine": describe(), "results": results}))


if __name__ == "__main__":
    main()
