"""Small stores for the gallery's tests, written by the real writer."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.store.reader import Store
from featviz.store.writer import StoreWriter

SITES = ("patch_embed", "blocks.0.mlp.fc1", "blocks.2.mlp.fc1", "blocks.10.mlp.fc1", "head")
FINGERPRINT = "3fa9c2d1" * 8
SETTINGS: dict[str, Any] = {
    "samples": 1,
    "steps": 12,
    "size": 24,
    "preset": "vit",
    "param": "fourier",
    "diversity": 0.0,
    "smoothness": 0.0,
    "seed": 0,
    "precision": "float32",
    "learning_rate": 0.05,
    "views": {"shift": 6, "noise": 0.0},
}
STEPS = 12


def write_store(
    path: Path,
    addresses: Sequence[str],
    *,
    model: str = "cueworld/vit",
    fingerprint: str = FINGERPRINT,
    load: Mapping[str, Any] | None = None,
    sites: Sequence[str] = SITES,
    settings: Mapping[str, Any] | None = None,
    failures: Mapping[str, str] | None = None,
) -> Store:
    """Write a store of made-up pictures; the same unit and sample has the same picture."""
    configuration = {**SETTINGS, **(settings or {})}
    samples = configuration["samples"]
    writer = StoreWriter(
        path,
        model=model,
        fingerprint=fingerprint,
        load=dict(load or {"untrained": False, "arch": None}),
        sites=sites,
        kind="renders",
        configuration=configuration,
    )
    if addresses:
        writer.add(
            {
                "address": list(addresses),
                "images": np.stack(
                    [np.stack([picture(a, d) for d in range(samples)]) for a in addresses]
                ),
                "activation": np.stack([activation(a, samples) for a in addresses]),
                "trajectory": np.stack([trajectory(a, samples) for a in addresses]),
            }
        )
    if failures:
        writer.add({"address": list(failures), "error": list(failures.values())}, kind="failures")
    return Store(path)


def picture(address: str, sample: int) -> NDArray[np.uint8]:
    """A picture 32 pixels wide and 24 high: a wave of a direction and color of its own."""
    generator = _generator(address, sample)
    y, x = np.mgrid[0:24, 0:32] / 16
    wave = np.sin(2 * np.pi * (generator.uniform(-3, 3) * x + generator.uniform(-3, 3) * y))
    color = generator.uniform(-1, 1, 3)
    return np.asarray(np.rint(127.5 + 127 * wave[..., None] * color), np.uint8)


def activation(address: str, samples: int) -> NDArray[np.float32]:
    """Activation of each sample."""
    values = [_generator(address, sample).uniform(1, 9) for sample in range(samples)]
    return np.asarray(values, np.float32)


def trajectory(address: str, samples: int) -> NDArray[np.float32]:
    """Activation at each of 12 steps: a straight line from 0 to the activation."""
    return np.outer(activation(address, samples), np.linspace(0, 1, STEPS)).astype(np.float32)


def _generator(address: str, sample: int) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{address}/{sample}".encode()))
