"""Circuits of the cues of cueworld, and the time of edge attribution on a larger model.

``python -m benchmarks.circuits`` prints one JSON line. For color, texture and shape, edges are
scored on half of the images of the cue's classes, and circuits of growing size
are tested on the other half, next to random ones: faithfulness, and the fewest edges that keep 80 %
of the effect. The corruption swaps the cue and nothing else. The overlap of two cues is the Jaccard
index of their circuits of one size. As a control, the labels of the images of the color classes are
shuffled; its metric is the logit of the label, because the logit difference also has the class of
the corrupted image, whatever the label. Then EAP-IG with 5 steps is timed on 100 images with an
untrained ViT-S/16.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

import featviz
from benchmarks.machine import describe
from featviz.cueworld.world import FAMILIES
from featviz.data.datasets import open_data
from featviz.models.hooks import eval_mode
from patching.circuits.edge_attribution import edge_scores
from patching.circuits.faithfulness import (
    SHARES,
    circuits_of_sizes,
    faithfulness_curve,
    random_scores,
)
from patching.circuits.graph_forward import GraphViT, Metric, Run, graph_vit
from patching.circuits.job import token_groups
from patching.effects.bootstrap import intervals
from patching.effects.metrics import Reference, measure
from patching.interventions.corruptions import corruption
from patching.vit.residual_vit import residual_vit

CUES = {"color": "colour", "texture": "texture", "shape": "shape"}
"""Family of classes of each cue."""
COMPARED = 0.05
"""Share of all edges at which circuits are compared."""
STEPS, CONTROLS, BATCH, TIMED, SHUFFLES = 5, 5, 10, 100, 5


def cue_circuits(
    model: GraphViT,
    cue: str,
    images: int,
    measured: str = "logit_difference",
    shuffle: int | None = None,
) -> dict[str, Any]:
    """Find and test the circuits of one cue, of shuffled labels if `shuffle` is a seed."""
    data = open_data("cueworld")
    indices = data.indices()
    labels = dict(zip(indices, data.labels(indices), strict=True))
    chosen = [index for index, label in labels.items() if FAMILIES[label] == CUES[cue]]
    chosen = chosen[:: max(1, len(chosen) // images)][:images]
    corruptor = corruption(f"cue:{cue}").bind(model.vit.model, data, chosen)
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(chosen))
        labels = {index: labels[chosen[other]] for index, other in zip(chosen, order, strict=True)}

    def runs(part: list[int]) -> tuple[Run, Run, Metric]:
        pixels = data.images(part, model.vit.model.image_size)
        clean = model.run(model.vit.embed(pixels))
        corrupted = model.run(corruptor.start(model.vit, pixels, part))
        own = torch.tensor([labels[index] for index in part])
        reference = Reference(own, clean.logits, corrupted.logits)
        return clean, corrupted, lambda logits: measure(logits, reference, [measured])[measured]

    halves = chosen[::2], chosen[1::2]
    parts = [
        [half[start : start + BATCH] for start in range(0, len(half), BATCH)] for half in halves
    ]
    scores = torch.cat([edge_scores(model, *runs(part), STEPS) for part in parts[0]]).mean(0)
    methods = {"edges": scores}
    methods |= {f"random {seed}": random_scores(model.graph, seed) for seed in range(CONTROLS)}
    circuits = [mask for each in methods.values() for mask in circuits_of_sizes(model.graph, each)]
    curves = []
    for part in parts[1]:
        clean, corrupted, metric = runs(part)
        curves.append(faithfulness_curve(model, clean, corrupted, metric, circuits))
    kept, total = (
        np.concatenate([getattr(each, name) for each in curves]) for name in ("kept", "total")
    )
    found, effects = intervals(kept, total), intervals(np.column_stack([total, kept]))
    size, place = len(SHARES), SHARES.index(COMPARED)
    enough = np.flatnonzero(found.estimate[:size] >= 0.8)
    return {
        "images": [len(half) for half in halves],
        "total": [float(each[0]) for each in (effects.estimate, effects.low, effects.high)],
        "kept": [float(each[1 + place]) for each in (effects.estimate, effects.low, effects.high)],
        "kept by random": effects.estimate[1 + place + size :: size].tolist(),
        "counts": curves[0].counts[:size].tolist(),
        "faithfulness": found.estimate[:size].round(3).tolist(),
        "low": found.low[:size].round(3).tolist(),
        "high": found.high[:size].round(3).tolist(),
        "random": found.estimate[size:].reshape(-1, size).mean(0).round(3).tolist(),
        "edges_for_80_percent": int(curves[0].counts[enough[0]]) if len(enough) else None,
        "compared": circuits[place],
    }


def overlap(one: Tensor, other: Tensor) -> float:
    """Jaccard index of two sets of edges."""
    return round(float((one & other).sum() / (one | other).sum()), 3)


def main() -> None:
    """Run both parts and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=120, help="of each cue")
    images = parser.parse_args().images
    loaded = featviz.load("cueworld/vit", device="cpu")
    with eval_mode(loaded.module), torch.no_grad():
        vit = residual_vit(loaded)
        model = graph_vit(vit, token_groups(loaded.prefix_tokens, vit.tokens))
        cues = {cue: cue_circuits(model, cue, images) for cue in CUES}
        masks = {cue: found.pop("compared") for cue, found in cues.items()}
        pairs = itertools.combinations(masks, 2)
        overlaps = {f"{a}, {b}": overlap(masks[a], masks[b]) for a, b in pairs}
        shuffled = [cue_circuits(model, "color", images, "logit", seed) for seed in range(SHUFFLES)]
        for found in shuffled:
            del found["compared"]
    large = featviz.load("vit_small_patch16_224", untrained=True, device="cpu")
    with eval_mode(large.module), torch.no_grad():
        vit = residual_vit(large)
        graph = graph_vit(vit, token_groups(large.prefix_tokens, vit.tokens))
        generator = torch.Generator().manual_seed(0)
        start = time.perf_counter()
        for _ in range(TIMED // BATCH):
            part = torch.rand(BATCH, 3, 224, 224, generator=generator)
            gray = part.mean(1, keepdim=True).expand_as(part)
            clean, corrupted = (graph.run(vit.embed(each)) for each in (part, gray))
            edge_scores(graph, clean, corrupted, lambda logits: logits[:, 0], STEPS)
        seconds = time.perf_counter() - start
    speed = {"edges": int(graph.graph.edges.sum()), "images": TIMED, "seconds": round(seconds, 1)}
    found = {"cues": cues, "overlap": overlaps, "shuffled": shuffled, "vit_small": speed}
    print(json.dumps({**found, **describe()}))


if __name__ == "__main__":
    main()
