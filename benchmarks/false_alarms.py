"""How often a validation makes claims about neurons that are like any other of their layer.

``python -m benchmarks.false_alarms --seeds 20`` takes random networks, in which nothing is planted;
``--model cueworld/vit`` takes the layers of that model. Prints one JSON line of counts, each with
the number of tests that it is out of:

- ``neurons``: neurons outside the pool of controls are validated, each with a random image in place
  of its render. ``claims`` are those of `featviz.analysis.evidence.claims` about all neurons of a
  network together. ``tests`` are p-values at or below 0.05 of a single test (for ablations, of
  both). The tests against neurons are expected to be significant at most once in twenty, by rank,
  whether or not the network is trained: the neuron is one more draw from the layer, and its
  controls are the nearest of the pool. The critical value guarantees no more than that. False
  discovery rates are about images, not ranks, and do not lower it. ``response`` compares a high
  dose with a medium one, and ``picture`` one image with another, without controls: both are
  significant for many neurons, and are no claims on their own.
- ``directions``: a random direction, written by the activation of such a neuron, is tested against
  19 others. Expected to be significant at most once in twenty, by rank.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import featviz
from benchmarks.machine import describe
from benchmarks.planted import planted
from featviz import VisionModel
from featviz._util.images import to_uint8
from featviz._util.seeding import generator_for
from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from featviz.data.datasets import Dataset, open_data
from featviz.models.hooks import eval_mode
from featviz.store.columns import Row
from patching.effects.bootstrap import Floats
from patching.validation.candidate import CLAIMS as COMPARED
from patching.validation.control_test import ALPHA
from patching.validation.controls import (
    DIRECTION_CONTROLS,
    control_pool,
    direction_controls,
    random_directions,
    silent,
    strongest_first,
)
from patching.validation.doses import DOSES
from patching.validation.job import IMAGES_PER_CLASS, MAX_IMAGES, draw_resamples
from patching.validation.layer_group import LayerGroup, LoadRenders, RenderedUnit
from patching.validation.split import choose_images, split
from patching.validation.suffix_forward import Baseline
from patching.vit.residual_vit import residual_vit
from patching.vit.stream_units import MLPNeurons

NEURONS = 16
"""Neurons of each layer that are tested."""

RATIO = 3
"""Neurons of a random MLP, relative to the width of the residual stream; a third are in pools."""

WRITERS = 4
"""Number of these neurons whose activation is also written in 20 random directions: one that is
tested, and its 19 controls."""


@dataclass
class Alarms:
    """Results for one network.

    Attributes
    ----------
    rows : list of Row
        Of kind ``validations``.
    directions : list of array, shape (2,)
        The p-values of the ablations and of the dose, for each direction tested.
    """

    rows: list[Row] = field(default_factory=list)
    directions: list[Floats] = field(default_factory=list)


def alarms(model: VisionModel, dataset: Dataset, seed: int, count: int = NEURONS) -> Alarms:
    """Test `count` neurons of every layer, and random directions."""
    wanted = min(IMAGES_PER_CLASS * len(dataset.classes), MAX_IMAGES)
    images = split(model, dataset, choose_images(dataset, wanted), seed)
    baseline = Baseline(residual_vit(model), dataset, images)
    resamples = draw_resamples(images, seed)
    load_image, found = _random_images(model, dataset, seed), Alarms()
    for layer in range(baseline.vit.depth):
        mlp = MLPNeurons(baseline.vit, layer)
        with eval_mode(model.module):
            first = LayerGroup(baseline, [_neuron(mlp, 0)], resamples, seed, load_image)
            chosen = _outside_pool(first.levels, seed, layer, count)
            if not chosen:
                continue
            neurons = [_neuron(mlp, index) for index in chosen]
            group = LayerGroup(baseline, neurons, resamples, seed, load_image)
            rows = group.rows(neurons, neurons, lambda: None)
            found.rows += [{"address": neuron.address, **row} for neuron, row in rows]
            found.directions += _directions(group, neurons[:WRITERS], seed)
    return found


def _neuron(mlp: MLPNeurons, index: int) -> RenderedUnit:
    return RenderedUnit(f"{mlp.path}.fc1:{index}", mlp, index, None)


def _random_images(model: VisionModel, dataset: Dataset, seed: int) -> LoadRenders:
    def load(neuron: RenderedUnit) -> tuple[NDArray[np.uint8], int]:
        generator = generator_for(seed, "picture", neuron.address)
        index = int(torch.randint(len(dataset), (), generator=generator))
        return to_uint8(dataset.image(index, model.image_size))[None].numpy(), 0

    return load


def _outside_pool(levels: Floats, seed: int, layer: int, count: int) -> list[int]:
    """Draw neurons that are not silent and not in the pool."""
    left = np.setdiff1d(np.flatnonzero(~silent(levels)), control_pool(levels))
    chosen: list[int] = np.random.default_rng([seed, 2, layer]).permutation(left)[:count].tolist()
    return chosen


def _directions(group: LayerGroup, neurons: list[RenderedUnit], seed: int) -> Iterator[Floats]:
    for neuron in neurons:
        writer = group.candidate(neuron.index)
        generator = generator_for(seed, "false alarms", neuron.address)
        drawn = [random_directions(writer.neuron.direction, generator) for _ in range(2)]
        tested, *others = direction_controls(writer, torch.cat(drawn)[: DIRECTION_CONTROLS + 1])
        compared = [tested.compare_with(strongest_first(others), claim).p for claim in COMPARED]
        # NaN: the comparison stopped because that of another effect failed, whose p is larger.
        yield np.array([np.fmax.reduce(each) for each in compared])


def counts(found: list[Alarms]) -> dict[str, Any]:
    """Count claims and significant tests over networks.

    Claims are decided for the neurons of each network together, as for those of a store.
    """
    held: Counter[str] = Counter()
    tested: Counter[str] = Counter()
    for each in found:
        for of_neuron in claims(each.rows, DOSES).values():
            held.update(name for name, claim in of_neuron.items() if claim.holds)
            tested.update(name for name, claim in of_neuron.items() if claim.p == claim.p)
    rows = [row for each in found for row in each.rows]
    single = {
        "ablations": [np.fmax.reduce(row["necessity_p"][:, 0]) for row in rows],
        "dose": [row["sufficiency_p"][0] for row in rows],
        "response": [row["response_p"] for row in rows],
        "picture": [row["picture_p"] for row in rows],
    }
    directions = np.array([p for each in found for p in each.directions]).reshape(-1, 2)
    of_directions = dict(zip(("ablations", "dose"), directions.T, strict=True))
    return {
        "neurons": {
            "claims": {
                name: {
                    "made": held[name],
                    "tested": tested[name],
                    "by_rank": expected_by_rank(tested[name]),
                }
                for name in CLAIMS
            },
            "tests": {name: _significant(p_values) for name, p_values in single.items()},
        },
        "directions": {
            "tests": {name: _significant(p_values) for name, p_values in of_directions.items()}
        },
    }


def _significant(p_values: Any) -> dict[str, int]:
    known = np.asarray(p_values)[np.isfinite(p_values)]
    return {"low": int((known <= ALPHA).sum()), "tested": len(known)}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--model")
    options = parser.parse_args()
    found = []
    for seed in range(1 if options.model else options.seeds):
        if options.model:
            model, dataset = featviz.load(options.model), open_data("cueworld:1080")
        else:
            model, dataset = planted(seed, plant=False, ratio=RATIO)
        found.append(alarms(model, dataset, seed))
    name = options.model or "random networks"
    print(json.dumps({"model": name, "networks": len(found), **counts(found), **describe()}))


if __name__ == "__main__":
    main()
