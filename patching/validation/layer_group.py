"""Validation of the neurons of one layer, which share unpatched runs and controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.images import resize
from featviz._util.seeding import generator_for
from patching.effects.metrics import margins
from patching.validation.baseline import Baseline
from patching.validation.candidate import Candidate
from patching.validation.control_test import Floats, Indices
from patching.validation.controls import nearest, pool, silent
from patching.validation.doses import Picture
from patching.validation.layer_context import LayerContext, Neuron
from patching.validation.measure import ComparisonSet, validate
from patching.validation.neurons import MLPNeuron
from patching.validation.schema import Row, silent_row
from patching.validation.suffix import Suffix

Pictures = Callable[[MLPNeuron], tuple[NDArray[np.uint8], int]]
"""Gives the pictures (D, H, W, 3) of a unit, and which of them has the highest value."""


class Group:
    """The neurons of one MLP that are read and changed at the same tokens.

    Parameters
    ----------
    base : Baseline
        Carried to the MLP by this.
    targets : sequence of MLPNeuron
        Those that will be validated.
    weights : array, shape (B, test images)
        See `patching.validation.control_test.draw`.
    seed : int
    pictures : callable
    """

    def __init__(
        self,
        base: Baseline,
        mlp_neurons: Sequence[MLPNeuron],
        weights: Floats,
        seed: int,
        pictures: Pictures,
    ) -> None:
        self._base, self._weights, self._seed, self._pictures = base, weights, seed, pictures
        layer, token = mlp_neurons[0].group
        self._suffix, self._token = Suffix(base.vit, layer), token
        base.carry_to(2 * layer + 1)
        self._means, self.levels = self._statistics()
        self.pool: Indices = pool(self.levels)
        numbers = np.union1d(self.pool, [target.number for target in mlp_neurons])
        self.neurons, self.context = self._stage(numbers.tolist())
        self._tested: dict[int, Candidate] = {}

    def tested(self, number: int) -> Candidate:
        """Give a neuron, whose effects are measured once, whoever asks for them first."""
        if number not in self._tested:
            neuron = self.neurons[number]
            support = self.context.support(neuron, neuron.direction[None])[0]
            self._tested[number] = Candidate(self.context, neuron, support, self._weights)
        return self._tested[number]

    def rows(
        self,
        mlp_neurons: Sequence[MLPNeuron],
        beside: Sequence[MLPNeuron],
        tick: Callable[[], object],
    ) -> Iterator[tuple[MLPNeuron, Row]]:
        """Validate neurons against the pool.

        Parameters
        ----------
        beside : sequence of MLPNeuron
            All rendered neurons of the group.
        tick : callable
            Told after every neuron.
        """
        quiet = silent(self.levels)
        for target in mlp_neurons:
            row = (
                silent_row(len(self.context.split.classes))
                if quiet[target.number]
                else self._row(target, beside)
            )
            tick()
            yield target, {**row, "level": self.levels[target.number]}

    def _row(self, target: MLPNeuron, beside: Sequence[MLPNeuron]) -> Row:
        generator = generator_for(self._seed, "validation", target.address)
        numbers = self.pool[nearest(self.levels, target.number, self.pool)].tolist()
        others = [each for each in beside if each != target]
        drawn = int(torch.randint(max(len(others), 1), (), generator=generator))
        comparison = ComparisonSet(
            [self.tested(number) for number in numbers],
            numbers,
            self._picture(target),
            self._picture(others[drawn]) if others else None,
            self._base.ends,
        )
        return validate(self.tested(target.number), target.number, comparison, generator)

    def _statistics(self) -> tuple[Tensor, Floats]:
        """Average activations over reference images: mean (T, F), and each neuron's deviation."""
        reference = torch.from_numpy(self._base.split.reference)
        total: Tensor | float = 0.0
        squares: Tensor | float = 0.0
        with torch.no_grad():
            for part in self._base.parts(len(reference)):
                neurons = self._suffix.read(self._base.stream[reference[part]]).neurons.double()
                total, squares = total + neurons.sum(0), squares + (neurons**2).sum(0)
        means, square = torch.as_tensor(total) / len(reference), torch.as_tensor(squares)
        variance = (square / len(reference) - means**2).clamp_min(0)
        kept = variance if self._token < 0 else variance[self._token : self._token + 1]
        return means, kept.mean(0).sqrt().cpu().numpy()

    def _stage(self, numbers: list[int]) -> tuple[dict[int, Neuron], LayerContext]:
        """Run the MLP, and keep what some of its neurons do."""
        base, suffix = self._base, self._suffix
        behind = torch.empty_like(base.stream)
        activations = []
        own = slice(None) if self._token < 0 else slice(self._token, self._token + 1)
        with torch.no_grad():
            for part in base.parts(len(behind)):
                reading = suffix.read(base.stream[part])
                behind[part] = base.stream[part] + reading.branch
                activations.append(reading.neurons[:, :, numbers])
        tokens = torch.zeros(behind.shape[1]).to(behind)
        tokens[own] = 1
        context = LayerContext(
            suffix, base.split, behind, base.margins, self._slopes(behind), tokens
        )
        activation = torch.cat(activations).movedim(2, 0).contiguous()
        value = activation[:, :, own].double().mean(2).cpu().numpy()
        neurons = {
            number: Neuron(
                activation[row],
                self._means[:, number].to(behind),
                value[row],
                suffix.directions[number],
            )
            for row, number in enumerate(numbers)
        }
        return neurons, context

    def _slopes(self, behind: Tensor) -> Tensor:
        """Differentiate the margin of each reference image's class by the generator_for."""
        split = self._base.split
        reference = torch.from_numpy(split.reference)
        classes = [each.logit for each in split.classes]
        places = torch.from_numpy(split.place)[reference].to(behind.device)
        found = []
        for part in self._base.parts(len(reference)):
            start = behind[reference[part]].requires_grad_()
            with torch.enable_grad():
                all_margins = margins(self._suffix.finish(start[:, : self._suffix.tokens]), classes)
                own = all_margins.gather(1, places[part, None]).sum()
                found.append(torch.autograd.grad(own, start)[0])
        return torch.cat(found)

    def _picture(self, target: MLPNeuron) -> Picture:
        """Run a unit's pictures up to behind the MLP."""
        pixels, best = self._pictures(target)
        vit = self._base.vit
        model = vit.model
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(model.device) / 255
        with torch.no_grad():
            before = vit.embed(resize(images, model.image_size))
            for sublayer in vit.sublayers[: 2 * self._suffix.layer + 1]:
                before = before + sublayer.branch(before)
            reading = self._suffix.read(before)
        return Picture(before + reading.branch, reading.neurons, best)
