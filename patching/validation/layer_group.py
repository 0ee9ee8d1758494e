"""Validation of the neurons or latents of one layer, which share unpatched runs and controls."""

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
from patching.vit.stream_units import StreamUnits


@dataclass(frozen=True)
class RenderedUnit:
    """A rendered neuron or latent.

    Attributes
    ----------
    address : str
    layer : StreamUnits
        The neurons of an MLP, or the latents of a sparse autoencoder.
    index : int
        Index in the layer.
    token : int or None
        The only token at which it is read and changed; None for all tokens.
    """

    address: str
    layer: StreamUnits
    index: int
    token: int | None

    @property
    def group(self) -> tuple[int, str, int]:
        """Shared by units that are validated together; ascending in the order of the layers.

        The sublayer before the layer, its path, and the token (-1 for all tokens).
        """
        return self.layer.before, self.layer.path, -1 if self.token is None else self.token


LoadRenders = Callable[[RenderedUnit], tuple[NDArray[np.uint8], int]]
"""From a neuron to its renders (D, H, W, 3), and the index of that with the highest activation."""


class LayerGroup:
    """The neurons or latents of one layer that are read and changed at the same tokens.

    Parameters
    ----------
    baseline : Baseline
        Advanced to the layer by the constructor.
    neurons : sequence of RenderedUnit
        Those to validate, at least one; all of the same `RenderedUnit.group`.
    resamples : array, shape (B, held-out images)
        See `patching.effects.bootstrap.stratified_counts`.
    seed : int
        Random seed.
    load_renders : LoadRenders

    Attributes
    ----------
    levels : array, shape (F,)
        Activation level of every unit of the layer: the standard deviation over the reference
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
        neurons: Sequence[RenderedUnit],
        resamples: Floats,
        seed: int,
        load_renders: LoadRenders,
    ) -> None:
        self._baseline, self._resamples = baseline, resamples
        self._seed, self._load_renders = seed, load_renders
        self._layer, self._token = neurons[0].layer, neurons[0].token
        self._suffix = Suffix(baseline.vit, self._layer.after)
        baseline.advance_to(self._layer.before)
        self._means, self.levels = self._statistics()
        self.pool: Indices = control_pool(self.levels)
        indices = np.union1d(self.pool, [neuron.index for neuron in neurons])
        self.neurons, self.context = self._run_layer(indices.tolist())
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
        neurons: Sequence[RenderedUnit],
        rendered: Sequence[RenderedUnit],
        tick: Callable[[], object],
    ) -> Iterator[tuple[RenderedUnit, Row]]:
        """Validate neurons.

        Parameters
        ----------
        neurons : sequence of RenderedUnit
            Those to validate; given to the constructor.
        rendered : sequence of RenderedUnit
            All rendered neurons of the group.
        tick : callable
            Called after every neuron.

        Yields
        ------
        neuron : RenderedUnit
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

    def _row(self, neuron: RenderedUnit, rendered: Sequence[RenderedUnit]) -> Row:
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
                values = self._layer.run(stream).activations.double()
                total, squares = total + values.sum(0), squares + (values**2).sum(0)
        means, square = torch.as_tensor(total) / len(reference), torch.as_tensor(squares)
        variance = (square / len(reference) - means**2).clamp_min(0)
        return means, variance[self._tokens].mean(0).sqrt().cpu().numpy()

    @property
    def _tokens(self) -> slice:
        """The tokens at which neurons are read and changed."""
        return slice(None) if self._token is None else slice(self._token, self._token + 1)

    def _run_layer(self, indices: list[int]) -> tuple[dict[int, Neuron], LayerContext]:
        """Run the layer on all images, and keep the activations of some units."""
        baseline = self._baseline
        after = torch.empty_like(baseline.stream)
        scale = torch.empty_like(baseline.stream[..., 0])
        activations = []
        with torch.no_grad():
            for batch in baseline.batches(len(after)):
                found = self._layer.run(baseline.stream[batch])
                after[batch], scale[batch] = found.stream, found.scale[..., 0]
                activations.append(found.activations[:, :, indices])
        token_mask = torch.zeros(after.shape[1]).to(after)
        token_mask[self._tokens] = 1
        context = LayerContext(
            self._suffix,
            baseline.split,
            after,
            scale,
            baseline.margins,
            self._margin_gradients(after),
            token_mask,
        )
        activation = torch.cat(activations).movedim(2, 0).contiguous()
        image_means = activation[:, :, self._tokens].double().mean(2).cpu().numpy()
        neurons = {
            index: Neuron(
                index,
                activation[row],
                self._means[:, index].to(after),
                image_means[row],
                self._layer.directions[index],
            )
            for row, index in enumerate(indices)
        }
        return neurons, context

    def _margin_gradients(self, stream: Tensor) -> Tensor:
        """Differentiate the margin of each reference image's class by the stream, (R, T, C)."""
        split = self._baseline.split
        reference = torch.from_numpy(split.reference)
        labels = torch.from_numpy(split.labels)[reference].to(stream.device)
        found = []
        for batch in self._baseline.batches(len(reference)):
            start = stream[reference[batch]].requires_grad_()
            with torch.enable_grad():
                logits = self._suffix.finish(start[:, : self._suffix.tokens])
                of_classes = margins(logits, split.logits)
                own = of_classes.gather(1, labels[batch, None]).sum()
                found.append(torch.autograd.grad(own, start)[0])
        return torch.cat(found)

    def _run_renders(self, neuron: RenderedUnit) -> RenderRun:
        pixels, best = self._load_renders(neuron)
        vit = self._baseline.vit
        images = from_uint8(torch.from_numpy(pixels).to(vit.model.device))
        with torch.no_grad():
            stream = vit.embed(resize(images, vit.model.image_size))
            run = self._layer.run(vit.run(stream, 0, self._layer.before))
        return RenderRun(run, best)
