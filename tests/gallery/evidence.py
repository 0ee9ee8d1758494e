"""A store with all kinds of evidence, each number of which is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from featviz.store.reader import Store
from tests.featviz.analysis.evidence.rows import (
    VALIDATIONS,
    columns,
    examples,
    failing,
    passing,
    paths,
    scores,
    silent,
)
from tests.gallery.made_stores import picture, write_store
from tests.gallery.results import sides, write_results
from tests.gallery.units.test_natural_images import images, webp

SITE = "blocks.2.mlp.fc1"
UNITS = tuple(f"{SITE}:{number}" for number in range(4))
LOGIT = "blocks.2.attn.qk:0@q3.k12"
HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ("disc", HOSTILE, "bar")
QUANTILES = (0.25, 0.5, 0.75)
PATCH, CLASS_TOKEN = 10, 0  # of a grid of 8 x 8 behind one token: row 1, column 1
SETTINGS: dict[str, Any] = {
    "data": {"name": "photos & <b>more</b>", "fingerprint": "d" * 64},
    "images": 9,
    "classes": list(CLASSES),
    "quantiles": list(QUANTILES),
}


def write_evidence(path: Path) -> Store:
    """Write four neurons, and a logit of two images.

    The first neuron is necessary and sufficient for stripes, the second neither, the third silent;
    the last has a picture only. Image i has the value i - 4 and the class i modulo 3.
    """
    write_store(path, UNITS)
    first = [*UNITS[:3], LOGIT]
    found = examples(first)
    for name in ("top", "spread", "bottom"):
        found[f"{name}_tokens"][:3, :, 0] = PATCH
        found[f"{name}_tokens"][3] = [PATCH, CLASS_TOKEN]
    found["top"][1, 1:] = -1  # as of a dataset of one image
    found["top_values"][1, 1:] = np.nan
    rows = columns([passing(UNITS[0]), failing(UNITS[1]), silent(UNITS[2])])
    stored = images({str(i): webp(picture("photo", i)) for i in range(9)})
    stored["label"] = np.arange(9, dtype=np.int32) % 3
    layers = {"layers": ["blocks.0", "blocks.2"]}
    one = {name: each[:, :1] if each.ndim > 1 else each for name, each in _scores().items()}
    write_results(path, "examples", found, SETTINGS)
    write_results(path, "example_images", stored, {"side": 32})
    write_results(path, "example_maps", _maps(found), SETTINGS)
    write_results(path, "profiles", _profiles(), SETTINGS)
    write_results(path, "scores", {"address": list(UNITS[:3]), **one}, {"seeds": 2})
    write_results(path, "paths", paths(UNITS[:3], [0.9, 0.8, -0.5]), layers)
    write_results(path, "validations", rows, VALIDATIONS)
    return write_results(path, "sides", sides([LOGIT]), {"steps": 12, "samples": 2})


def _maps(found: dict[str, Any]) -> dict[str, Any]:
    """Maps of 2 x 3 patches of the first neuron, whose values are 0 to 254 times the image."""
    levels = np.zeros((1, 6, 8), np.uint8)
    levels[0, :, :6] = [1, 52, 103, 154, 204, 255]
    shown = np.concatenate([found[name][:1] for name in ("top", "spread")], 1)
    return {
        "address": [UNITS[0]],
        "images": shown,
        "levels": levels,
        "low": np.zeros((1, 6), np.float32),
        "high": shown.astype(np.float32),
        "grid": np.array([[2, 3]], np.int32),
    }


def _profiles() -> dict[str, Any]:
    """Profiles of the neurons: the second is twice the first, the third the inverse of both."""
    rising = np.arange(9, dtype=np.uint16) * 8000
    high = np.array([1, 2, 1], np.float32)
    return {
        "address": list(UNITS[:3]),
        "levels": np.stack([rising, rising, rising[::-1]]),
        "low": np.zeros(3, np.float32),
        "high": high,
    }


def _scores() -> dict[str, Any]:
    return {name: each for name, each in scores(UNITS[:3]).items() if name != "address"}
