"""Rows and stores of evidence with known values: four neurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.featviz.store.made_stores import writer

SITE = "blocks.2.mlp.fc1"
CLASSES = ("red", "green", "stripes")
VALIDATIONS: dict[str, Any] = {
    "data": {"name": "cueworld", "fingerprint": "d" * 64},
    "images": 720,
    "classes": CLASSES,
    "labels": [0, 1, 2],
    "ablations": ["mean", "resample"],
    "controls": ["neurons", "directions"],
    "doses": ["50", "90", "99", "picture", "other"],
    "quantiles": [50, 90, 99],
    "resamples": 999,
    "threshold": 0.05,
    "seed": 0,
}
NAN = np.nan


def passing(address: str, **changes: Any) -> dict[str, Any]:
    """A row of kind ``validations``: a neuron that is necessary and sufficient for stripes."""
    row: dict[str, Any] = {
        "address": address,
        "silent": 0,
        "class": 2,
        "level": 0.5,
        "images": 20,
        "controls": [39, 19],
        "necessity": [0.84, 0.75],
        "necessity_interval": [[0.61, 1.07], [0.5, 1.0]],
        "necessity_level": [[0.21, 0.05], [0.25, -0.01]],
        "necessity_p": [[0.001, 0.001], [0.002, 0.001]],
        "neutral": 36,
        "dose": [0.1, 0.5, 1.5, 2.5, 0.2],
        "sufficiency": [0.1, 0.7, 1.2, 2.0, 0.3],
        "sufficiency_interval": [[0, 0.2], [0.5, 0.9], [0.9, 1.5], [1.4, 2.6], [0.1, 0.5]],
        "converted": [0, 0.125, 0.25, 0.5, 0],
        "sufficiency_level": [0.4, 0.1],
        "sufficiency_p": [0.001, 0.001],
        "response_p": 0.001,
        "picture_p": 0.001,
        "mediation": 0.34,
        "mediation_control": 0.02,
        "mediation_p": 0.025,
        "total": [0.1, -0.2, 0.9],
        "direct": [0.0, 0.1, 0.5],
        "induced": [-0.5, -0.6, 1.2],
        "agreement": [1.0, 0.5, 0.5],
    }
    return row | changes


def failing(address: str, **changes: Any) -> dict[str, Any]:
    """A neuron that does not exceed its control neurons, so that no directions were drawn."""
    rest: dict[str, Any] = {
        "controls": [39, 0],
        "necessity": [-0.1, 0.05],
        "necessity_interval": [[-0.3, 0.1], [-0.1, 0.2]],
        "necessity_level": [[0.21, NAN], [0.25, NAN]],
        "necessity_p": [[0.8, NAN], [0.6, NAN]],
        "sufficiency": [0, 0.0, 0.1, 0.2, 0.3],
        "sufficiency_interval": [[-1, 1]] * 5,
        "sufficiency_level": [0.4, NAN],
        "sufficiency_p": [0.7, NAN],
        "response_p": 0.3,
        "picture_p": 0.9,
        "mediation": -0.08,
        "mediation_p": 0.6,
    }
    return passing(address, **rest | changes)


def silent(address: str) -> dict[str, Any]:
    """A neuron that does not vary."""
    row = {name: np.full(np.shape(value), NAN) for name, value in passing(address).items()}
    counts = {"silent": 1, "class": -1, "images": 0, "neutral": 0, "controls": [0, 0], "level": 0}
    return row | counts | {"address": address}


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The columns of rows, as a job writes them."""
    whole = {"silent": "u1", "class": "i4", "images": "i4", "neutral": "i4", "controls": "i4"}
    return {
        name: [row[name] for row in rows]
        if name == "address"
        else np.stack([np.asarray(row[name]) for row in rows]).astype(whole.get(name, "f4"))
        for name in rows[0]
    }


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a store returns it."""
    return {name: column[0] for name, column in columns([row]).items()}


def renders(addresses: Sequence[str], activation: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Renders of samples with these activations."""
    shape = np.shape(activation)
    return {
        "address": list(addresses),
        "images": np.zeros((*shape, 2, 2, 3), np.uint8),
        "activation": np.asarray(activation, np.float32),
        "trajectory": np.zeros((*shape, 4), np.float32),
    }


def examples(addresses: Sequence[str]) -> dict[str, Any]:
    """Examples of units whose values on nine images are -4 to 4."""
    count = len(addresses)
    values = np.arange(-4, 5).astype(np.float32)

    def repeated(value: Any) -> Any:
        return np.stack([np.asarray(value)] * count)

    tokens = np.full((3, 2), -1, np.int32)
    return {
        "address": list(addresses),
        **{name: repeated(np.array(indices, np.int32)) for name, indices in IMAGES.items()},
        **{
            f"{name}_values": repeated(values[indices]).astype(np.float32)
            for name, indices in IMAGES.items()
        },
        **{f"{name}_tokens": repeated(tokens) for name in IMAGES},
        "percentiles": repeated(np.percentile(values, range(101)).astype(np.float32)),
        "histogram": repeated(np.ones(3, np.int32) * 3),
        **{
            name: np.full(count, value, np.float32)
            for name, value in {
                "mean": 0,
                "deviation": 2.5,
                "sparsity": 0.5,
                "active": 4 / 9,
            }.items()
        },
        "classes": repeated(np.array([-3, 0, NAN], np.float32)),
        "grid": repeated(np.array([8, 8], np.int32)),
        "prefix": np.ones(count, np.int32),
    }


IMAGES = {"top": [8, 7, 6], "bottom": [0, 1, 2], "spread": [2, 4, 6]}
"""Indices of images in `examples`: image i has the value i - 4."""


def scores(addresses: Sequence[str], **changes: Any) -> dict[str, Any]:
    """Scores of units with two samples."""
    count = len(addresses)
    row: dict[str, Any] = {
        "held_out": [3, 2],
        "fine": [0.25, 0.5],
        "grid": [0.125, 0.5],
        "spectrum": [0.5, 1],
        "rise": [0.01, 0.2],
        "agreement": 0.75,
        "similarity": 0.25,
    }
    found = {
        name: np.stack([np.asarray(value, np.float32)] * count)
        for name, value in (row | changes).items()
    }
    return {"address": list(addresses), **found}


def paths(addresses: Sequence[str], naturalness: Sequence[float]) -> dict[str, Any]:
    """Paths through two layers."""
    count = len(addresses)
    return {
        "address": list(addresses),
        "picture": np.tile(np.array([0.5, 0.75], np.float32), (count, 1)),
        "natural": np.tile(np.array([1, 0.875], np.float32), (count, 1)),
        "same": np.tile(np.array([0.5, 0.5], np.float32), (count, 1)),
        "different": np.tile(np.array([0.25, 0], np.float32), (count, 1)),
        "agreement": np.asarray(naturalness, np.float32),
    }


def logits(addresses: Sequence[str]) -> dict[str, Any]:
    """Direct effects of units that raise the second class and lower the third."""
    effects = np.array([[0.25, 0.5, -0.125]] * len(addresses), np.float32)
    return {"address": list(addresses), "effects": effects}


UNITS = tuple(f"{SITE}:{index}" for index in range(4))


def whole_store(path: Path) -> Path:
    """A store of four neurons: one necessary and sufficient, one neither, one silent, one untested.

    The untested neuron has only a picture; the other three have results of every kind. A fifth
    neuron has examples, but no picture.
    """
    made = writer(path, configuration={"steps": 4, "samples": 2})
    made.add(renders(UNITS, [[6, 5], [1, 2], [-1, -2], [0, 1]]))
    first = UNITS[:3]
    for kind, configuration, found in (
        ("examples", {"data": "cueworld", "classes": CLASSES}, examples([f"{SITE}:9", *first])),
        ("scores", {"seeds": 1}, scores(first)),
        ("paths", {"layers": ["blocks.0", "blocks.2"]}, paths(first, [0.9, 0.8, -0.5])),
        ("logits", {"classes": CLASSES, "norm": "unscaled"}, logits(first)),
        (
            "validations",
            VALIDATIONS,
            columns([passing(UNITS[0]), failing(UNITS[1]), silent(UNITS[2])]),
        ),
    ):
        writer(path, kind=kind, configuration=configuration).add(found)
    return path
