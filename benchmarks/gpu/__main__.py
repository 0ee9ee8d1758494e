"""Measure featviz on a graphics card, within a given time.

``python -m benchmarks.gpu --minutes 8`` runs from a checkout, writes a JSON file after each
measurement, and prints a table at the end. Parts that do not fit into the time are listed as out of
time. ``--device cpu --minutes 3`` runs all of it at small sizes on a processor.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu import STARTED
from benchmarks.gpu.parts import PARTS, Bench
from benchmarks.gpu.report import Report
from benchmarks.gpu.sizes import SIZES
from benchmarks.machine import describe


def main() -> None:
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--device", choices=list(SIZES), default="cuda")
    parser.add_argument("--weights", type=Path, help="file of DINOv2 ViT-S/14")
    parser.add_argument("-o", "--output", type=Path, default=Path("gpu.json"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --device cpu runs on the processor")
    # Of torch's compiler and of Lucent.
    warnings.simplefilter("ignore")
    sizes = SIZES[options.device]
    facts = {"benchmark": "gpu", "minutes": options.minutes, "device": options.device}
    facts |= {"machine": describe(), "sizes": vars(sizes)}
    bench = Bench(options.device, sizes, options.weights, {})
    report = Report(options.output, STARTED + 60 * options.minutes, facts)
    report.stop_in_time()
    report.run({name: (share, partial(part, bench)) for name, (share, part) in PARTS.items()})
    print(report.table())
    print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
