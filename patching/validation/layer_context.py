"""One layer's unpatched runs, and what a neuron of it does when it is changed there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from patching.effects.metrics import margins
from patching.validation.control_test import Floats, Indices
from patching.validation.split import Split
from patching.validation.suffix import Suffix

QUANTILES = (50, 90, 99)
"""Percentiles of the mean activation over reference images; these images' are put elsewhere."""

NEUTRAL = 36
"""Neutral images; more make intervals narrower and runs longer."""

SHORTLIST, TRIALS = 3, 8
"""Classes, and reference images of each, that a neuron is tried on to choose its class."""


@dataclass(frozen=True)
class Neuron:
    """Something that writes to the stream in step with an activation.

    Attributes
    ----------
    activation : Tensor, shape (N, T)
        After the nonlinearity, on every image of the split.
    mean : Tensor, shape (T,)
        Of the activation, over reference images.
    value : array, shape (N,)
        The activation averaged over the tokens at which the neuron is changed.
    direction : Tensor, shape (C,)
        What it writes.
    """

    activation: Tensor
    mean: Tensor
    value: Floats
    direction: Tensor

    def writing(self, direction: Tensor) -> Neuron:
        """Let it write something else."""
        return replace(self, direction=direction)


@dataclass(frozen=True)
class Effect:
    """What an intervention does to the margins of n images.

    Attributes
    ----------
    images : array, shape (n,)
        Which of the images of the split.
    change : array, shape (n, C)
        Margin of every class after it, less before.
    top : array, shape (n,)
        The logit that is largest after it.
    """

    images: Indices
    change: Floats
    top: Indices


Change = tuple[Indices, Tensor]
"""Images, and by how much an activation changes at each token of each, (n, T)."""


@dataclass(frozen=True)
class LayerContext:
    """Unpatched runs at one MLP, for units at the same tokens.

    Attributes
    ----------
    suffix : Suffix
    split : Split
    behind : Tensor, shape (N, T, C)
        The stream behind the MLP.
    margins : array, shape (N, C)
        Unpatched margins of every class.
    slopes : Tensor, shape (reference images, T, C)
        Gradient of the margin of each image's class by that stream.
    tokens : Tensor, shape (T,)
        1 where a unit is changed, 0 elsewhere.
    """

    suffix: Suffix
    split: Split
    behind: Tensor
    margins: Floats
    slopes: Tensor
    tokens: Tensor

    def support(self, neuron: Neuron, directions: Tensor) -> Floats:
        """Estimate how much an activation supports every class, for each direction it may write.

        To first order: the mean over a class's reference images of what the margin would lose if
        the activation were nowhere above its mean.

        Parameters
        ----------
        directions : Tensor, shape (D, C)

        Returns
        -------
        array, shape (D, classes)
        """
        reference = torch.from_numpy(self.split.reference)
        above = (neuron.activation[reference] - neuron.mean).clamp_min(0) * self.tokens
        # The product over channels first would hold images x tokens x directions.
        moved = torch.einsum("nt,ntc->nc", above, self.slopes)
        scores = (directions @ moved.T).double().cpu().numpy()
        places = self.split.place[self.split.reference]
        classes = range(len(self.split.classes))
        return np.stack([scores[:, places == one].mean(1) for one in classes], 1)

    def choose(self, neuron: Neuron, support: Floats) -> int:
        """Choose the class whose margin falls most where a neuron is kept from rising.

        Its activation is cut off at its mean, on `TRIALS` reference images of each of the
        `SHORTLIST` classes that it supports most to first order: large changes of a stream that is
        normalized are no first-order matter. Ablation would confuse the class that a neuron writes
        with those that it harms: means and donors bring them what they never have.

        Parameters
        ----------
        support : array, shape (classes,)
            To first order.

        Returns
        -------
        int
            Place among the classes.
        """
        places = np.argsort(-support, kind="stable")[:SHORTLIST].tolist()
        own = [self.reference_of(place)[:TRIALS] for place in places]
        effects = self.run([self.cut_off(neuron, some) for some in own], neuron.direction)
        losses = [
            -each.change[:, place].mean() for place, each in zip(places, effects, strict=True)
        ]
        return int(places[int(np.argmax(losses))])

    def reference_of(self, place: int) -> Indices:
        """Find the reference images of a class."""
        reference = self.split.reference
        found: Indices = reference[self.split.place[reference] == place]
        return found

    def tests_of(self, place: int) -> Indices:
        """Find the test images of a class."""
        test = self.split.test
        found: Indices = test[self.split.place[test] == place]
        return found

    def neutral(self, neuron: Neuron, place: int) -> Indices:
        """Find test images of other classes on which the unit is at or below its median.

        Returns
        -------
        array
            At most `NEUTRAL`, evenly spaced in the order of classes.
        """
        test, value = self.split.test, neuron.value
        median = np.median(value[self.split.reference])
        found = test[(self.split.place[test] != place) & (value[test] <= median)]
        found = found[np.argsort(self.split.place[found], kind="stable")]
        count = min(NEUTRAL, len(found))
        return np.sort(found[np.arange(count) * len(found) // max(count, 1)])

    def at_quantile(self, neuron: Neuron, percent: float) -> Tensor:
        """Take the activations (T,) of the reference image at a percentile of their mean."""
        reference = self.split.reference
        order = reference[np.argsort(neuron.value[reference], kind="stable")]
        return neuron.activation[int(order[round(percent / 100 * (len(order) - 1))])]

    def put(self, neuron: Neuron, images: Indices, activation: Tensor) -> Change:
        """Let the activation in images be another, (T,) or (n, T)."""
        return images, (activation - neuron.activation[torch.from_numpy(images)]) * self.tokens

    def cut_off(self, neuron: Neuron, images: Indices) -> Change:
        """Let the activation be nowhere above its mean."""
        own = neuron.activation[torch.from_numpy(images)]
        return self.put(neuron, images, torch.minimum(own, neuron.mean))

    def resample(self, neuron: Neuron, images: Indices) -> Change:
        """Let the activation be that on each image's donor."""
        donors = torch.from_numpy(self.split.donors[images])
        return self.put(neuron, images, neuron.activation[donors])

    def ablations(self, neuron: Neuron, place: int) -> list[Change]:
        """Plan to take the activation away in the test images of a class: mean, then resample."""
        tests = self.tests_of(place)
        return [self.put(neuron, tests, neuron.mean), self.resample(neuron, tests)]

    def highest_dose(self, neuron: Neuron, place: int) -> list[Change]:
        """Plan to put the highest dose into the neutral images of a class."""
        images = self.neutral(neuron, place)
        return [self.put(neuron, images, self.at_quantile(neuron, QUANTILES[-1]))]

    def run(self, changes: list[Change], direction: Tensor) -> list[Effect]:
        """Run all interventions on one neuron."""
        images = torch.cat([torch.from_numpy(some) for some, _ in changes])
        shifts = torch.cat([shift for _, shift in changes])
        logits = self.suffix.logits(self.behind, images, shifts, direction)
        after = margins(logits, [each.logit for each in self.split.classes]).numpy()
        change = after - self.margins[images.numpy()]
        ends = np.cumsum([len(some) for some, _ in changes])[:-1]
        parts = zip(np.split(change, ends), np.split(logits.argmax(1).numpy(), ends), strict=True)
        return [Effect(some, *part) for (some, _), part in zip(changes, parts, strict=True)]
