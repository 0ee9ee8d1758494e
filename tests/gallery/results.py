"""Stores of every kind of result, made up so that each value follows from its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from tests.gallery.made_stores import FINGERPRINT, SITES, STEPS, activation, picture, trajectory

GRID = (4, 4)
PATCHES = GRID[0] * GRID[1]
HEADS = [f"blocks.{block}.attn.qk:{head}" for block in (0, 2) for head in range(3)]
LOGIT = "blocks.2.attn.qk:0@q3.k12"
FILTERS = [f"patch_embed:{i}" for i in range(24)]
CLASSES = ("regular", "solid colour", "very dark")
OTHER: dict[str, Any] = {
    "model": "cueworld/mixer",
    "fingerprint": "ab" * 32,
    "untrained": False,
    "arch": None,
}
FIGURES = ["effects:kl", "effects:kl@all-images", "images:kl"]
LAYERS = ["blocks.0", "blocks.1", "blocks.2"]


def write_results(
    path: Path,
    kind: str,
    columns: Mapping[str, Any],
    configuration: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Store:
    """Add rows of one kind to a store, which is made if it is not there."""
    arguments: dict[str, Any] = {
        "model": "cueworld/vit",
        "fingerprint": FINGERPRINT,
        "load": {"untrained": False, "arch": None},
        "sites": SITES,
    }
    writer = StoreWriter(path, kind=kind, configuration=configuration or {}, **arguments | changes)
    writer.add(columns)
    return Store(path)


def value(address: str, *indices: int) -> float:
    """A value from 0 to 1 with four digits, one for each address and place."""
    return float(np.random.default_rng([*address.encode(), *indices]).integers(1, 9999)) / 1e4


def values(addresses: Sequence[str], *shape: int) -> NDArray[np.float32]:
    """Values of each address, shape (addresses, ...)."""
    return np.array(
        [[value(a, *place) for place in np.ndindex(*shape)] for a in addresses], np.float32
    ).reshape(len(addresses), *shape)


def pictures(addresses: Sequence[str], *shape: int) -> NDArray[np.uint8]:
    """Pictures of each address, shape (addresses, ..., 24, 32, 3)."""
    count = int(np.prod(shape))
    found = [[picture(a, number) for number in range(count)] for a in addresses]
    return np.array(found).reshape(len(addresses), *shape, 24, 32, 3)


def sides(addresses: Sequence[str], samples: int = 2) -> dict[str, Any]:
    """Logits of two images: sample d has pictures 2 d and 2 d + 1 of its address."""
    return {
        "address": list(addresses),
        "images": pictures(addresses, samples, 2),
        "activation": np.stack([activation(a, samples) for a in addresses]),
        "trajectory": np.stack([trajectory(a, samples) for a in addresses]),
    }


def grids(addresses: Sequence[str]) -> dict[str, Any]:
    """Figures of two queries and three keys."""
    return {
        "address": list(addresses),
        "queries": np.tile(np.array([3, 7], np.int32), (len(addresses), 1)),
        "keys": np.tile(np.array([1, 12, 16], np.int32), (len(addresses), 1)),
        "activation": values(addresses, 2, 3),
        "figure": pictures(addresses),
    }


def attention(addresses: Sequence[str]) -> dict[str, Any]:
    """Patterns of a class token and 16 patches."""
    tokens = PATCHES + 1
    pattern = values(addresses, tokens, tokens) ** 4
    return {
        "address": list(addresses),
        "pattern": pattern / pattern.sum(-1, keepdims=True),
        "displacement": values(addresses, 2 * GRID[0] - 1, 2 * GRID[1] - 1) * np.float32(0.1),
        "prefix": values(addresses) / 4,
        "self": values(addresses) / 8,
        "local": values(addresses) / 2,
        "entropy": values(addresses) * 2,
    }


def gradients(addresses: Sequence[str], images: int = 3) -> dict[str, Any]:
    """The same images for all units, with maps of their own."""
    return {
        "address": list(addresses),
        "images": np.tile(pictures(["photo"], images), (len(addresses), 1, 1, 1, 1)),
        "query": blobs(addresses, images) * np.float32(0.02),
        "key": blobs([a + "'" for a in addresses], images) * np.float32(0.5),
        "activation": values(addresses, images),
    }


def blobs(addresses: Sequence[str], images: int) -> NDArray[np.float32]:
    """One bright spot a map, highest 1, shape (addresses, images, 24, 32)."""
    y, x = np.mgrid[0:24, 0:32]
    return np.array(
        [
            [
                np.exp(-((y - 24 * value(a, i, 0)) ** 2 + (x - 32 * value(a, i, 1)) ** 2) / 40)
                for i in range(images)
            ]
            for a in addresses
        ],
        np.float32,
    )


def filters(addresses: Sequence[str], classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """Filters of 8 x 8 pixels in classes of unlike size, in an order that is not theirs."""
    count = len(addresses)
    images = pictures(addresses)[:, :8, :8]
    return {
        "address": list(addresses),
        "weights": images.transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.5,
        "images": images,
        "energy": values(addresses),
        "spatial": values(addresses, 1)[:, 0],
        "colour": values(addresses, 2)[:, 1],
        "class": [classes[int((i / count) ** 2 * len(classes))] for i in range(count)],
        "cluster": np.arange(count, dtype=np.int32) // 4,
        "order": np.arange(count, dtype=np.int32)[::-1].copy(),
    }


def components(addresses: Sequence[str]) -> dict[str, Any]:
    """Components of 8 x 8 pixels."""
    return {
        "address": list(addresses),
        "weights": np.zeros((len(addresses), 3, 8, 8), np.float32),
        "images": pictures(addresses)[:, :8, :8],
        "variance": np.array([0.5 / 2**i for i in range(len(addresses))], np.float32),
    }


def positions(addresses: Sequence[str]) -> dict[str, Any]:
    """Similarities that fall from 1 with the distance."""
    rows, columns = np.mgrid[0 : GRID[0], 0 : GRID[1]]
    found = []
    for place in range(len(addresses)):
        row, column = divmod(place, GRID[1])
        found.append(1 - 0.2 * np.hypot(rows - row, columns - column))
    return {"address": list(addresses), "similarity": np.array(found, np.float32)}


def tokens(addresses: Sequence[str], at: Sequence[int] = (1, 2, 7, 16)) -> dict[str, Any]:
    """Units at some tokens, with optima from 1 to 2."""
    return {
        "address": list(addresses),
        "tokens": np.tile(np.array(at, np.int32), (len(addresses), 1)),
        "optimum": 1 + values(addresses, len(at)),
        "reached": values([a + "'" for a in addresses], len(at)),
        "similarity": values([a + "~" for a in addresses], len(at)),
    }


def matches(addresses: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    """Pairs with correlations of their own."""
    return {
        "address": list(addresses),
        "match": list(found),
        "correlation": values(addresses),
        "images": pictures(addresses, 2),
        "activation": values(addresses, 2),
    }


def cka(addresses: Sequence[str]) -> dict[str, Any]:
    """Likeness to three layers."""
    return {"address": list(addresses), "similarity": values(addresses, len(LAYERS))}


def figures(addresses: Sequence[str]) -> dict[str, Any]:
    """Figures of effects, wider than a small screen."""
    drawn = [picture(address, 0).repeat(40, 1) for address in addresses]
    return {"address": list(addresses), "image": np.array(drawn)}


SWEEP: dict[str, Any] = {
    "data": {"name": "cueworld:120", "fingerprint": "d" * 64},
    "images": 120,
    "classes": ["red", "<b>"],
    "corrupt": "grayscale",
    "mode": "denoising",
    "ablate": None,
    "donor": None,
    "frozen": False,
    "site": "attn_out",
    "by": "layer",
    "metrics": ["probability", "kl"],
}
"""Configuration of a sweep."""


def write_sweep(
    path: Path,
    sites: Sequence[tuple[int, str, str, int]],
    effects: Mapping[str, Sequence[float]],
    shares: Sequence[float] | None = None,
    grid: tuple[int, int] = (-1, -1),
    **settings: Any,
) -> Store:
    """Write averages of a sweep whose intervals are 0.1 to both sides.

    `sites` are (layer, head, token, window). `effects` has the effects at the sites for each
    address, such as ``family.colour:kl``; the total effect is 1, so that shares are the effects by
    default.
    """
    configuration = {**SWEEP, **settings}
    places = np.arange(len(sites), dtype=np.int32)
    layers, heads, tokens_, windows = zip(*sites, strict=True)
    columns: dict[str, Any] = {
        "address": [f"blocks.{layer}.z:{h}@{t}~{w}" for layer, h, t, w in sites],
        "place": places,
        "site": ["z"] * len(sites),
        "layer": np.array(layers, np.int32),
        "head": list(heads),
        "token": list(tokens_),
        "window": np.array(windows, np.int32),
    }
    # Shards may be read in any order.
    write_results(
        path, "trace_sites", {key: each[::-1] for key, each in columns.items()}, configuration
    )
    addresses = list(effects)
    keys = [address.partition(":")[0].partition(".") for address in addresses]
    estimates = np.array([effects[address] for address in addresses], np.float32)
    share = estimates if shares is None else np.array([shares] * len(addresses), np.float32)
    ends = np.array([0, -0.1, 0.1], np.float32)
    count = len(addresses)
    write_results(
        path,
        "effects",
        {
            "address": addresses,
            "kind": [kind for kind, _, _ in keys],
            "group": [name or kind for kind, _, name in keys],
            "metric": [each.partition(":")[2].partition("@")[0] for each in addresses],
            "images": np.arange(30, 30 + count, dtype=np.int32),
            "clean": np.full(count, 1.25, np.float32),
            "corrupted": np.full(count, 0.25, np.float32),
            "total": np.tile(1 + ends, (count, 1)),
            "effect": estimates[..., None] + ends,
            "share": share[..., None] + ends,
            "grid": np.tile(np.array(grid, np.int32), (count, 1)),
            "prefix": np.ones(count, np.int32),
        },
        configuration,
    )
    metrics = len(configuration["metrics"])
    return write_results(
        path,
        "trace_images",
        {
            "address": ["image:7"],
            "images": pictures(["photo"], 2),
            "label": np.array([1], np.int32),
            "clean": np.full((1, metrics), 0.75, np.float32),
            "corrupted": np.full((1, metrics), 0.5, np.float32),
            "effect": np.full((1, metrics, len(sites)), 0.125, np.float32),
        },
        configuration,
    )


def fidelity(places: Sequence[int], rank: float = 0.625) -> dict[str, Any]:
    """Columns of the check of estimates at two sites, on 30 images."""
    return {
        "address": ["all"],
        "place": np.array([places], np.int32),
        "estimated": np.array([[0.5, -0.25]], np.float32),
        "exact": np.array([[[0.5, 0.25, 0.75], [0.25, 0, 0.5]]], np.float32),
        "images": np.array([30], np.int32),
        "rank": np.array([rank]),
        "signs": np.array([np.nan]),
    }


def write_everything(path: Path, units: Sequence[str]) -> Store:
    """Write one store of every kind but renders; `units` have token maps and matches."""
    data = {"data": "cueworld:100"}
    compared = {"other": OTHER, **data}
    cells = [f"{head}@q3,7.k1,12,16" for head in HEADS[:2]]
    places = [f"pos_embed:{i}" for i in range(PATCHES)]
    first = [f"patch_embed.pca:{i}" for i in range(6)]
    found = [unit.replace("blocks", "layer") for unit in units[:-1]] + ["patch_embed:9"]
    rows: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "sides": (sides([LOGIT, "blocks.2.attn.qk:1@same"]), {"steps": STEPS, "samples": 2}),
        "grids": (grids(cells), {"steps": STEPS}),
        "attention": (attention(HEADS), data),
        "gradients": (gradients([LOGIT, "blocks.0.attn.qk:1@same"]), data),
        "filters": (filters(FILTERS), {"site": "patch_embed"}),
        "components": (components(first), {"site": "patch_embed"}),
        "positions": (positions(places), {"similarity": "cosine"}),
        "tokens": (tokens(units), {"grid": list(GRID), "prefix": 1}),
        "matches": (matches(units, found), compared),
        "cka": (cka([f"blocks.{i}" for i in (0, 1, 2, 10)]), {**compared, "layers": LAYERS}),
        "figures": (figures(FIGURES), {"corrupt": "grayscale"}),
    }
    for kind, (columns, configuration) in rows.items():
        write_results(path, kind, columns, configuration)
    return Store(path)
