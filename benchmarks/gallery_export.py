"""Time and memory of exporting a gallery of many units.

``python -m benchmarks.gallery_export`` writes a store of 18,432 units with images of 224 pixels
(256 distinct ones, repeated) and prints one JSON line: wall-clock and CPU seconds of an export, the
peak memory of its process and the size of the gallery; then the same for a second export without
changes, and for a third after 100 new units. ``--keep DIR`` keeps the store and the gallery.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe
from featviz.store.writer import StoreWriter

LAYERS = 12
SIZE = 224
STEPS = 512
DISTINCT = 256
SHARD = 64
NEW = 100
# `ru_maxrss` of a child starts at the memory of its parent, so the child reports its own peak.
_CODE = r"""
import re, sys
from pathlib import Path
from cli.main import status
code = status(sys.argv[1:])
peak = re.search(r"VmHWM:\s*([0-9]+)", Path("/proc/self/status").read_text())
print(peak[1], file=sys.stderr)
sys.exit(code)
"""


def noise_images(count: int) -> NDArray[np.uint8]:
    """Generate images (count, 224, 224, 3) that compress about as well as renders.

    They are noise with correlated color channels, whose power falls with the square of the
    frequency, as in natural images.
    """
    generator = np.random.default_rng(0)
    down, across = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None]
    scale = 1 / np.maximum(np.hypot(down, across), 1 / SIZE)
    images = []
    for _ in range(count):
        coefficients = generator.standard_normal((3, *scale.shape, 2)) @ np.array([1, 1j])
        channels = np.fft.irfft2(coefficients * scale, (SIZE, SIZE)).transpose(1, 2, 0)
        mixed = channels @ generator.uniform(-1, 1, (3, 3))
        images.append(np.rint(255 / (1 + np.exp(-2 * mixed / mixed.std()))))
    return np.asarray(images, np.uint8)


def write_store(path: Path, addresses: list[str], images: NDArray[np.uint8]) -> None:
    """Write renders of units into a store, in shards of 64; the images repeat."""
    writer = StoreWriter(
        path,
        model="deit_small_patch16_224",
        fingerprint="0" * 64,
        load={"untrained": True, "arch": None},
        sites=[f"blocks.{layer}.mlp.fc1" for layer in range(LAYERS)],
        kind="renders",
        configuration={"samples": 1, "steps": STEPS, "size": SIZE},
    )
    ramp = np.linspace(0, 1, STEPS, dtype=np.float32)
    for start in range(0, len(addresses), SHARD):
        chunk = addresses[start : start + SHARD]
        index = np.arange(start, start + len(chunk))
        values = (1 + index % 97 / 10).astype(np.float32)[:, None]
        writer.add(
            {
                "address": chunk,
                "images": images[index % len(images)][:, None],
                "activation": values,
                "trajectory": values[:, None] * ramp,
            }
        )


def measure(store: Path, site: Path, arguments: list[str]) -> dict[str, float]:
    """Export in a process of its own, and return what it took."""
    command = [sys.executable, "-c", _CODE, "gallery", str(store), "-o", str(site), "--json"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(spent, 1),
        "peak_mb": round(int(done.stderr.split()[-1]) / 1024),
        "mb": round(report["bytes"] / 1e6, 1),
        "reused": report["reused"],
    }


def main() -> None:
    """Write a store, export it three times, and print the results."""
    parser = argparse.ArgumentParser(description="Time exports of a gallery.")
    parser.add_argument("--units", type=int, default=18432)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("arguments", nargs="*", help="further options of `featviz gallery`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        images = noise_images(min(DISTINCT, options.units))
        each = -(-options.units // LAYERS)
        addresses = [f"blocks.{i // each}.mlp.fc1:{i % each}" for i in range(options.units)]
        write_store(folder / "store", addresses, images)
        runs = [measure(folder / "store", folder / "site", options.arguments) for _ in range(2)]
        extra = [f"blocks.{LAYERS - 1}.mlp.fc1:{each + i}" for i in range(NEW)]
        write_store(folder / "store", extra, images[::-1])
        runs.append(measure(folder / "store", folder / "site", options.arguments))
    names = ("first", "again", "after_100_new_units")
    print(json.dumps({"units": options.units} | dict(zip(names, runs, strict=True)) | describe()))


if __name__ == "__main__":
    main()
