"""Validation of the neurons of one layer, which share unpatched runs and controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.images import from_uint8, resize
from featviz._util.seeding import generator_for
from featviz.store.columns import Row
from patching.effects.bootstrap import Floats, Indices
from patching.effects.metrics import margins
from patching.validation.candidate import Candidate
from patching.validation.controls import control_pool, nearest_controls, silent
from patching.validation.doses import RenderRun
from patching.validation.layer_context import LayerContext, Neuron
from patching.validation.measure import ComparisonSet, measure_neuron, silent_row
from patching.validation.suffix_forward import Baseline, Suffix


@dataclass(frozen=True)
class MLPNeuron:
    """A rendered neuron of an MLP.

    Attributes
    ----------
    address : str
    layer : int
        Index of its block.
    index : int
        Index in the block's MLP.
    token : int or None
        The only token at which it is read and changed; None for all tokens.
    """

    address: str
    layer: int
    index: int
    token: int | None

    @property
    def group(self) -> tuple[int, int]:
        """Layer and token (-1 for all tokens), shared by neurons that are validated together."""
        return self.layer, -1 if self.token is None else self.token


LoadRenders = Callable[[MLPNeuron], tuple[NDArray[np.uint8], int]]
"""From a neuron to its renders (D, H, W, 3), and the index of that with the highest activation."""


class LayerGroup:
    """The neurons of one MLP that are read and changed at the same tokens.

    Parameters
    ----------
    baseline : Baseline
        Advanced to the MLP by the constructor.
    neurons : sequence of MLPNeuron
        Those to validate, at least one; all of the same `MLPNeuron.group`.
    resamples : array, shape (B, held-out images)
        See `patching.effects.bootstrap.stratified_counts`.
    seed : int
        Random seed.
    load_renders : LoadRenders

    Attributes
    ----------
    levels : array, shape (F,)
        Activation level of every neuron of the MLP: the standard deviation over the reference
        images, around the mean at each token.
    pool : array
        Indices of the neurons that controls are taken from.
    neurons : dict of int to Neuron
        Those to validate and those of the pool, by index.
    context : LayerContext
    """

    def __init__(
        self,
        baseline: Baseline,
        neurons: Sequence[MLPNeuron],
        resamples: Floats,
        seed: int,
        load_renders: LoadRenders,
    ) -> None:
        self._baseline, self._resamples = baseline, resamples
        self._seed, self._load_renders = seed, load_renders
        layer, token = neurons[0].group
        self._suffix, self._token = Suffix(baseline.vit, layer), token
        baseline.advance_to(2 * layer + 1)
        self._means, self.levels = self._statistics()
        self.pool: Indices = control_pool(self.levels)
        indices = np.union1d(self.pool, [neuron.index for neuron in neurons])
        self.neurons, self.context = self._run_mlp(indices.tolist())
        self._candidates: dict[int, Candidate] = {}

    def candidate(self, index: int) -> Candidate:
        """Return the candidate of the neuron with this `index`; the same object in every call."""
        if index not in self._candidates:
            neuron = self.neurons[index]
            support = self.context.support(neuron, neuron.direction[None])[0]
            self._candidates[index] = Candidate(self.context, neuron, support, self._resamples)
        return self._candidates[index]

    def rows(
        self,
        neurons: Sequence[MLPNeuron],
        rendered: Sequence[MLPNeuron],
        tick: Callable[[], object],
    ) -> Iterator[tuple[MLPNeuron, Row]]:
        """Validate neurons.

        Parameters
        ----------
        neurons : sequence of MLPNeuron
            Those to validate; given to the constructor.
        rendered : sequence of MLPNeuron
            All rendered neurons of the group.
        tick : callable
            Called after every neuron.

        Yields
        ------
        neuron : MLPNeuron
        row : dict of str to Any
            Without ``address``.
        """
        is_silent = silent(self.levels)
        for neuron in neurons:
            row = (
                silent_row(len(self.context.split.classes))
                if is_silent[neuron.index]
                else self._row(neuron, rendered)
            )
            tick()
            yield neuron, {**row, "level": self.levels[neuron.index]}

    def _row(self, neuron: MLPNeuron, rendered: Sequence[MLPNeuron]) -> Row:
        generator = generator_for(self._seed, "validation", neuron.address)
        others = [each for each in rendered if each != neuron]
        drawn = int(torch.randint(max(len(others), 1), (), generator=generator))
        controls = nearest_controls(self.levels, neuron.index, self.pool).tolist()
        comparison = ComparisonSet(
            [self.candidate(index) for index in controls],
            self._run_renders(neuron),
            self._run_renders(others[drawn]) if others else None,
            self._baseline.final_stream,
        )
        return measure_neuron(self.candidate(neuron.index), comparison, generator)

    def _statistics(self) -> tuple[Tensor, Floats]:
        """Compute mean activations over the reference images, (T, F), and levels, (F,)."""
        reference = torch.from_numpy(self._baseline.split.reference)
        total: Tensor | float = 0.0
        squares: Tensor | float = 0.0
        with torch.no_grad():
            for batch in self._baseline.batches(len(reference)):
                stream = self._baseline.stream[reference[batch]]
                neurons = self._suffix.run_mlp(stream).neurons.double()
                total, squares = total + neurons.sum(0), squares + (neurons**2).sum(0)
        means, square = torch.as_tensor(total) / len(reference), torch.as_tensor(squares)
        variance = (square / len(reference) - means**2).clamp_min(0)
        return means, variance[self._tokens].mean(0).sqrt().cpu().numpy()

    @property
    def _tokens(self) -> slice:
        """The tokens at which neurons are read and changed."""
        return slice(None) if self._token < 0 else slice(self._token, self._token + 1)

    def _run_mlp(self, indices: list[int]) -> tuple[dict[int, Neuron], LayerContext]:
        """Run the MLP on all images, and keep the activations of some neurons."""
        baseline, suffix = self._baseline, self._suffix
        resid_post = torch.empty_like(baseline.stream)
        activations = []
        with torch.no_grad():
            for batch in baseline.batches(len(resid_post)):
                found = suffix.run_mlp(baseline.stream[batch])
                resid_post[batch] = baseline.stream[batch] + found.output
                activations.append(found.neurons[:, :, indices])
        token_mask = torch.zeros(resid_post.shape[1]).to(resid_post)
        token_mask[self._tokens] = 1
        context = LayerContext(
            suffix,
            baseline.split,
            resid_post,
            baseline.margins,
            self._margin_gradients(resid_post),
            token_mask,
        )
        activation = torch.cat(activations).movedim(2, 0).contiguous()
        image_means = activation[:, :, self._tokens].double().mean(2).cpu().numpy()
        neurons = {
            index: Neuron(
                index,
                activation[row],
                self._means[:, index].to(resid_post),
                image_means[row],
                suffix.directions[index],
            )
            for row, index in enumerate(indices)
        }
        return neurons, context

    def _margin_gradients(self, resid_post: Tensor) -> Tensor:
        """Differentiate the margin of each reference image's class by the stream, (R, T, C)."""
        split = self._baseline.split
        reference = torch.from_numpy(split.reference)
        labels = torch.from_numpy(split.labels)[reference].to(resid_post.device)
        found = []
        for batch in self._baseline.batches(len(reference)):
            start = resid_post[reference[batch]].requires_grad_()
            with torch.enable_grad():
                logits = self._suffix.finish(start[:, : self._suffix.tokens])
                of_classes = margins(logits, split.logits)
                own = of_classes.gather(1, labels[batch, None]).sum()
                found.append(torch.autograd.grad(own, start)[0])
        return torch.cat(found)

    def _run_renders(self, neuron: MLPNeuron) -> RenderRun:
        pixels, best = self._load_renders(neuron)
        vit = self._baseline.vit
        images = from_uint8(torch.from_numpy(pixels).to(vit.model.device))
        with torch.no_grad():
            stream = vit.embed(resize(images, vit.model.image_size))
            stream = vit.run(stream, 0, 2 * self._suffix.layer + 1)
            found = self._suffix.run_mlp(stream)
        return RenderRun(stream + found.output, found.neurons, best)
