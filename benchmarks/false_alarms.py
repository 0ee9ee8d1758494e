"""How often validation calls a control significant that is tested as if it were the unit.

``python -m benchmarks.false_alarms --seeds 20`` takes random networks, in which nothing is planted;
``--model cueworld/vit`` takes its layers in turn. Prints one JSON line: of each kind of control and
each measure, the share with p at or below 0.05, and how many were tested. A neuron of a layer's
pool is tested against the other neurons that are nearest in level; a random direction, written by a
neuron's activation, against others of the same neuron.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import numpy as np
import torch

import featviz
from benchmarks.machine import describe
from benchmarks.planted import planted
from featviz import VisionModel
from featviz.data import Dataset, open_data
from featviz.optimize import stream
from featviz.state import undisturbed
from patching.trunk import trunk_of
from patching.validation.base import Base
from patching.validation.controls import DIRECTIONS, Measured, measure, nearest, random_directions
from patching.validation.group import Group
from patching.validation.job import EACH, RESAMPLES
from patching.validation.resampling import SHARE, Floats, above, draw
from patching.validation.split import split
from patching.validation.targets import Target

MEASURES = ("mean ablation", "resample ablation", "dose")
WRITERS = 2
"""Neurons of a layer that write random directions."""


def alarms(model: VisionModel, dataset: Dataset, seed: int) -> Iterator[tuple[str, Floats]]:
    """Test every control of every layer.

    Yields
    ------
    str
        ``"neurons"`` or ``"directions"``.
    array, shape (controls, measures)
        p-values.
    """
    images = split(model, dataset, dataset.numbers(EACH * len(dataset.classes)), seed)
    base = Base(trunk_of(model), dataset, images)
    weights = draw(images.place[images.test], RESAMPLES, np.random.default_rng([seed, 1]))
    for layer in range(base.trunk.depth):
        with undisturbed(model.module):
            group = Group(base, [Target("", layer, 0, None)], weights, seed, _no_pictures)
            measured = group.controls()
            yield "neurons", _of_neurons(group, measured)
            for number in group.pool[-WRITERS:].tolist():
                yield "directions", _of_directions(group, number, weights, seed)


def _no_pictures(target: Target) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], int]:
    raise LookupError(f"{target.address} has no pictures")


def _of_neurons(group: Group, measured: dict[int, Measured]) -> Floats:
    found = []
    for number, own in measured.items():
        others = group.pool[nearest(group.levels, number, group.pool)].tolist()
        found.append(_p(own, [measured[other] for other in others]))
    return np.array(found)


def _of_directions(group: Group, number: int, weights: Floats, seed: int) -> Floats:
    neuron = group.neurons[number]
    generator = stream(seed, "false alarms", number)
    drawn = torch.cat([random_directions(neuron.direction, generator) for _ in range(2)])
    scene, all_measured = group.scene, []
    for direction in drawn[: DIRECTIONS + 1]:
        written = neuron.writing(direction)
        all_measured.append(measure(scene, written, scene.choose(written), weights))
    return np.array(
        [
            _p(own, all_measured[:one] + all_measured[one + 1 :])
            for one, own in enumerate(all_measured)
        ]
    )


def _p(own: Measured, controls: list[Measured]) -> list[float]:
    rest = np.stack([each.resampled for each in controls])
    return [above(own.resampled[one], rest[:, one]) for one in range(len(MEASURES))]


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--model")
    options = parser.parse_args()
    found: dict[str, list[Floats]] = {"neurons": [], "directions": []}
    for seed in range(1 if options.model else options.seeds):
        if options.model:
            model, dataset = featviz.load(options.model), open_data("cueworld")
        else:
            model, dataset = planted(seed, plant=False)
        for kind, ps in alarms(model, dataset, seed):
            found[kind].append(ps)
    shares = {
        kind: dict(zip(MEASURES, (np.concatenate(ps) <= SHARE).mean(0).tolist(), strict=True))
        for kind, ps in found.items()
    }
    tested = {kind: sum(map(len, ps)) for kind, ps in found.items()}
    name = options.model or "random networks"
    print(json.dumps({"model": name, "share": shares, "tested": tested, **describe()}))


if __name__ == "__main__":
    main()
