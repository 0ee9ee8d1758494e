"""Stores of circuits, made by hand: three blocks of two heads, two groups of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from featviz.store.reader import Store
from tests.gallery.results import write_results

BLOCKS, HEADS, GROUPS = range(3), range(2), ["prefix", "patches"]
SENDERS = ["embed"] + [
    name
    for block in BLOCKS
    for name in (*(f"blocks.{block}.attn:{head}" for head in HEADS), f"blocks.{block}.mlp")
]
RECEIVERS = [
    name
    for block in BLOCKS
    for name in (
        *(f"blocks.{block}.attn:{head}.{kind}" for kind in "qkv" for head in HEADS),
        f"blocks.{block}.mlp",
    )
] + ["logits"]

Edge = tuple[str, str, str, float, float | None]
EDGES: tuple[Edge, ...] = (
    ("blocks.2.mlp", "logits", "prefix", 2.0, 1.5),
    ("blocks.2.attn:0", "logits", "prefix", -1.0, -0.5),
    ("blocks.0.attn:1", "blocks.2.attn:0.v", "patches", 0.5, None),
    ("embed", "blocks.0.attn:1.k", "patches", 0.25, None),
)
"""Sender, receiver, tokens, score and exact effect."""

CONFIGURATION: dict[str, Any] = {
    "data": {"name": "cueworld:120", "fingerprint": "d" * 64},
    "images": 120,
    "corrupt": "grayscale",
    "metric": "logit_difference",
    "steps": 5,
    "controls": 5,
    "senders": SENDERS,
    "receivers": RECEIVERS,
    "groups": GROUPS,
    "edges": 278,
    "shares": [0.01, 0.02, 1.0],
}
FAITHFULNESS = {
    "edges": [0.5, 0.9, 1.0],
    "components": [0.25, 0.5, 1.0],
    "random": [0.0, -0.125, 1.0],
}


def write_circuits(path: Path, edges: Sequence[Edge] = EDGES, **settings: Any) -> Store:
    """Write circuits of the first 2, of all given, and of all edges of the graph.

    Intervals are 0.1 to both sides.
    """
    configuration = {**CONFIGURATION, **settings}
    indices = np.array(
        [
            (SENDERS.index(sender), RECEIVERS.index(receiver), GROUPS.index(group))
            for sender, receiver, group, *_ in edges
        ],
        np.int32,
    )
    masks = np.zeros((3, len(SENDERS), len(RECEIVERS), len(GROUPS)), bool)
    for mask, count in zip(masks, (2, len(edges)), strict=False):
        mask[tuple(indices[:count].T)] = True
    masks[2] = True
    counts = np.array([2, len(edges), configuration["edges"]], np.int32)
    columns = {
        "address": ["circuit:2", "circuit:0", "circuit:1", "circuit:3"],  # in any order
        "place": np.array([2, 0, 1, 3], np.int32),
        "method": ["edges"] * 3 + ["random 0"],
        "count": counts[[2, 0, 1, 0]],
        "edges": np.stack([np.packbits(masks[place]) for place in (2, 0, 1, 2)]),
    }
    write_results(path, "circuits", columns, configuration)
    names = [f"{sender} -> {receiver} @ {group}" for sender, receiver, group, *_ in edges]
    columns = {
        "address": names[::-1],
        "place": np.arange(len(edges), dtype=np.int32)[::-1],
        "edge": indices[::-1],
        "score": np.array([score for *_, score, _ in edges], np.float32)[::-1],
    }
    write_results(path, "circuit_edges", columns, configuration)
    ends = np.array([0, -0.1, 0.1], np.float32)
    effects = {
        name: effect for name, (*_, effect) in zip(names, edges, strict=True) if effect is not None
    }
    columns = {
        "address": list(effects),
        "effect": np.array(list(effects.values()), np.float32)[:, None] + ends,
    }
    write_results(path, "edge_effects", columns, configuration)
    sizes = {"random": -1, "components": 278, "edges": len(edges)}
    methods = list(sizes)
    estimates = np.array([FAITHFULNESS[each] for each in methods], np.float32)
    columns = {
        "address": methods,
        "counts": np.tile(counts, (3, 1)),
        "faithfulness": estimates[..., None] + ends,
        "completeness": estimates / 2,
        "cpr": np.array([0.25, 0.5, 0.75], np.float32),
        "cmd": np.array([0.75, 0.5, 0.25], np.float32),
        "size": np.array(list(sizes.values()), np.int32),
        "scored": np.full(3, 55, np.int32),
        "tested": np.full(3, 50, np.int32),
        "total": np.tile(2 + ends, (3, 1)).astype(np.float32),
    }
    return write_results(path, "circuit_curves", columns, configuration)
