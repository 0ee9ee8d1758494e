"""How often validation claims something of neurons of which nothing is known to be true.

``python -m benchmarks.false_alarms --seeds 20`` takes random networks, in which nothing is planted;
``--model cueworld/vit`` takes its layers in turn. Prints one JSON line of counts, out of so many:

- ``neurons``: fresh neurons, drawn from those of a layer that no comparison uses, are validated as
  units are, each with an image drawn for it as its picture. ``claims`` are those that
  `featviz.evidence` makes of all neurons of a network together. ``tests`` are p-values at or below
  0.05 of a single test; of the two ablations, both. Those against neurons are expected of at most
  one in twenty, by rank: a fresh neuron is one more draw from the layer, with the nearest of the
  pool as its controls, whether or not the network is trained. That is what the level of controls
  promises, and no more: false discovery rates count images and not ranks, and do not lower it.
  ``response`` compares a high dose with a middling one, and ``picture`` one picture with another,
  without controls: they come out low of many neurons, and claim nothing alone.
- ``directions``: a fresh random direction, written by the activation of such a neuron, is tested
  against 19 others. Expected of at most one in twenty, by rank.
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
from featviz._util.seeding import generator_for
from featviz.analysis.evidence.claims import CLAIMS, claims, expected_by_rank
from featviz.data.datasets import Dataset, open_data
from featviz.models.hooks import eval_mode
from featviz.store.columns import Row
from patching.validation.baseline import Baseline
from patching.validation.candidate import CLAIMS as COMPARED
from patching.validation.control_test import SHARE, Floats, draw
from patching.validation.controls import (
    DIRECTIONS,
    pool,
    random_directions,
    silent,
    strongest_first,
    written_directions,
)
from patching.validation.job import EACH, MOST, RESAMPLES
from patching.validation.layer_group import Group, Pictures
from patching.validation.neurons import MLPNeuron
from patching.validation.schema import DOSES
from patching.validation.split import images_of, split
from patching.vit.residual_vit import residual_vit

FRESH = 16
"""Neurons of each layer that are tested."""

RATIO = 3
"""Neurons of a random MLP, in widths of the generator_for: a third of them are in the pool."""

WRITERS = 4
"""Of these, so many write random directions, one tested and 19 beside it."""


@dataclass
class Alarms:
    """What was found in one network.

    Attributes
    ----------
    rows : list of Row
        Of kind ``validations``.
    directions : list of array, shape (2,)
        p of the ablations, and of the dose, of each direction tested.
    """

    rows: list[Row] = field(default_factory=list)
    directions: list[Floats] = field(default_factory=list)


def alarms(model: VisionModel, dataset: Dataset, seed: int, fresh: int = FRESH) -> Alarms:
    """Test fresh neurons of every layer, and directions."""
    wanted = min(EACH * len(dataset.classes), MOST)
    images = split(model, dataset, images_of(dataset, wanted), seed)
    base = Baseline(residual_vit(model), dataset, images)
    weights = draw(images.place[images.test], RESAMPLES, np.random.default_rng([seed, 1]))
    pictures, found = _pictures(model, dataset, seed), Alarms()
    for layer in range(base.vit.depth):
        with eval_mode(model.module):
            first = Group(base, [_target(layer, 0)], weights, seed, pictures)
            targets = [
                _target(layer, number) for number in _fresh(first.levels, seed, layer, fresh)
            ]
            if not targets:
                continue
            group = Group(base, targets, weights, seed, pictures)
            rows = group.rows(targets, targets, lambda: None)
            found.rows += [{"address": target.address, **row} for target, row in rows]
            found.directions += _directions(group, targets[:WRITERS], seed)
    return found


def _target(layer: int, number: int) -> MLPNeuron:
    return MLPNeuron(f"blocks.{layer}.mlp.fc1:{number}", layer, number, None)


def _pictures(model: VisionModel, dataset: Dataset, seed: int) -> Pictures:
    def picture(target: MLPNeuron) -> tuple[NDArray[np.uint8], int]:
        generator = generator_for(seed, "picture", target.address)
        number = int(torch.randint(len(dataset), (), generator=generator))
        pixels = (dataset.image(number, model.image_size) * 255).round().byte()
        return pixels.permute(1, 2, 0)[None].numpy(), 0

    return picture


def _fresh(levels: Floats, seed: int, layer: int, count: int) -> list[int]:
    """Draw neurons that vary and are not in the pool."""
    left = np.setdiff1d(np.flatnonzero(~silent(levels)), pool(levels))
    chosen: list[int] = np.random.default_rng([seed, 2, layer]).permutation(left)[:count].tolist()
    return chosen


def _directions(group: Group, targets: list[MLPNeuron], seed: int) -> Iterator[Floats]:
    for target in targets:
        writer = group.tested(target.number)
        generator = generator_for(seed, "false alarms", target.address)
        drawn = [random_directions(writer.neuron.direction, generator) for _ in range(2)]
        one, *others = written_directions(writer, torch.cat(drawn)[: DIRECTIONS + 1])
        compared = [one.beside(strongest_first(others), claim).p for claim in COMPARED]
        # What is not known was settled by what is.
        yield np.array([np.fmax.reduce(each) for each in compared])


def counts(found: list[Alarms]) -> dict[str, Any]:
    """Count claims and single tests over networks.

    Claims are made of each network's neurons together, as of a store.
    """
    made: Counter[str] = Counter()
    tested: Counter[str] = Counter()
    for each in found:
        for of in claims(each.rows, DOSES).values():
            made.update(name for name, claim in of.items() if claim.holds)
            tested.update(name for name, claim in of.items() if claim.p == claim.p)
    rows = [row for each in found for row in each.rows]
    single = {
        "ablations": [np.fmax.reduce(row["necessity_p"][:, 0]) for row in rows],
        "dose": [row["sufficiency_p"][0] for row in rows],
        "response": [row["response_p"] for row in rows],
        "picture": [row["picture_p"] for row in rows],
    }
    written = np.array([p for each in found for p in each.directions]).reshape(-1, 2)
    of_directions = dict(zip(("ablations", "dose"), written.T, strict=True))
    return {
        "neurons": {
            "claims": {
                name: {
                    "made": made[name],
                    "tested": tested[name],
                    "by_rank": expected_by_rank(tested[name]),
                }
                for name in CLAIMS
            },
            "tests": {name: _low(ps) for name, ps in single.items()},
        },
        "directions": {"tests": {name: _low(ps) for name, ps in of_directions.items()}},
    }


def _low(p_values: Any) -> dict[str, int]:
    known = np.asarray(p_values)[np.isfinite(p_values)]
    return {"low": int((known <= SHARE).sum()), "tested": len(known)}


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
