"""Interventions on neurons or latents of one layer, and their effects on the margins of classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from patching.effects.bootstrap import Floats, Indices
from patching.effects.metrics import margins
from patching.validation.split import Split
from patching.validation.suffix_forward import Suffix

ABLATIONS = ("mean", "resample")
"""See `LayerContext.ablations`."""

PERCENTILES = (50, 90, 99)
"""Percentiles of the mean activation; the reference images there give the doses."""

MAX_NEUTRAL = 36
"""Maximum number of neutral images; more make intervals narrower and runs longer."""

SHORTLIST, TRIALS = 3, 8
"""Number of classes, and of reference images of each, on which a neuron's class is chosen."""


@dataclass(frozen=True)
class Neuron:
    """A neuron or a latent: an activation, and the direction that it writes to the stream.

    Attributes
    ----------
    index : int
        Index in its layer.
    activation : Tensor, shape (N, T)
        After the nonlinearity or threshold, on every image of the split.
    mean : Tensor, shape (T,)
        Mean activation over the reference images.
    image_mean : array, shape (N,)
        Mean activation of each image over the tokens at which the neuron is changed.
    direction : Tensor, shape (C,)
        Added to the residual stream per unit of activation, times the scale of the token.
    """

    index: int
    activation: Tensor
    mean: Tensor
    image_mean: Floats
    direction: Tensor

    def with_direction(self, direction: Tensor) -> Neuron:
        """Return a copy that writes along another `direction`, shape (C,)."""
        return replace(self, direction=direction)


class Intervention(NamedTuple):
    """A change of one activation on n images.

    Attributes
    ----------
    images : array, shape (n,)
        Indices among the images of the split.
    shift : Tensor, shape (n, T)
        Change along the direction at each token: of the activation, times the scale of the token.
    """

    images: Indices
    shift: Tensor


@dataclass(frozen=True)
class Effect:
    """Effect of an intervention on n images.

    Attributes
    ----------
    images : array, shape (n,)
        Indices among the images of the split.
    change : array, shape (n, classes)
        Margin of every class with the intervention minus that without.
    top : array, shape (n,)
        Index of the largest logit with the intervention.
    """

    images: Indices
    change: Floats
    top: Indices


@dataclass(frozen=True)
class LayerContext:
    """Unpatched runs at one layer, shared by all units that are changed at the same tokens.

    Attributes
    ----------
    suffix : Suffix
        The model after the layer.
    split : Split
        Of N images, R of which are reference images.
    stream : Tensor, shape (N, T, C)
        The residual stream after the layer.
    scale : Tensor, shape (N, T)
        See `patching.vit.stream_units.UnitRun`.
    margins : array, shape (N, classes)
        Unpatched margins.
    gradients : Tensor, shape (R, T, C)
        Gradient, by `stream`, of the margin of each reference image's class.
    token_mask : Tensor, shape (T,)
        1 at the tokens at which neurons are changed, 0 elsewhere.
    """

    suffix: Suffix
    split: Split
    stream: Tensor
    scale: Tensor
    margins: Floats
    gradients: Tensor
    token_mask: Tensor

    def support(self, neuron: Neuron, directions: Tensor) -> Floats:
        """Estimate to first order how much an activation supports every class.

        The support of a class is the loss of its margin, averaged over its reference images, if the
        activation were clipped at its mean. This is attribution patching with one gradient for all
        neurons and directions, taken at the residual stream;
        `patching.attribution.attribution_patching.attribute` takes it at each activation.

        Parameters
        ----------
        neuron : Neuron
            Its own direction is ignored.
        directions : Tensor, shape (D, C)
            Directions that the activation may write.

        Returns
        -------
        array, shape (D, classes)
        """
        reference = torch.from_numpy(self.split.reference)
        above = (neuron.activation[reference] - neuron.mean).clamp_min(0)
        above = above * self.scale[reference] * self.token_mask
        # Summed over tokens first: the product with directions would be images x tokens x D.
        summed = torch.einsum("nt,ntc->nc", above, self.gradients)
        scores = (directions @ summed.T).double().cpu().numpy()
        labels = self.split.labels[self.split.reference]
        classes = range(len(self.split.classes))
        return np.stack([scores[:, labels == label].mean(1) for label in classes], 1)

    def choose_class(self, neuron: Neuron, support: Floats) -> int:
        """Choose the class whose margin falls most when the activation is clipped at its mean.

        Measured on `TRIALS` reference images of each of the `SHORTLIST` classes with the largest
        first-order support, because the stream is normalized and the changes are large. Ablations
        would not do: they add activation to images that have none, so that a class which the neuron
        harms would look supported.

        Parameters
        ----------
        neuron : Neuron
        support : array, shape (classes,)
            See `support`.

        Returns
        -------
        int
            Index of the class in `Split.classes`.
        """
        labels = np.argsort(-support, kind="stable")[:SHORTLIST].tolist()
        images = [self.split.reference_of(label)[:TRIALS] for label in labels]
        clipped = [self.clip_at_mean(neuron, some) for some in images]
        effects = self.effects_of(clipped, neuron.direction)
        losses = [
            -effect.change[:, label].mean() for label, effect in zip(labels, effects, strict=True)
        ]
        return int(labels[int(np.argmax(losses))])

    def neutral_images(self, neuron: Neuron, label: int) -> Indices:
        """Find held-out images of other classes that do not activate a neuron.

        On these the mean activation is at or below its median over the reference images.

        Parameters
        ----------
        neuron : Neuron
        label : int
            Index of the class to leave out.

        Returns
        -------
        array
            Indices of at most `MAX_NEUTRAL` images, evenly spaced in the order of classes.
        """
        test, means = self.split.test, neuron.image_mean
        median = np.median(means[self.split.reference])
        found = test[(self.split.labels[test] != label) & (means[test] <= median)]
        found = found[np.argsort(self.split.labels[found], kind="stable")]
        count = min(MAX_NEUTRAL, len(found))
        return np.sort(found[np.arange(count) * len(found) // max(count, 1)])

    def dose(self, neuron: Neuron, percentile: float) -> Tensor:
        """Return the activations of the reference image at a percentile of the mean activation.

        Parameters
        ----------
        neuron : Neuron
        percentile : float
            In [0, 100].

        Returns
        -------
        Tensor, shape (T,)
        """
        reference = self.split.reference
        order = reference[np.argsort(neuron.image_mean[reference], kind="stable")]
        return neuron.activation[int(order[round(percentile / 100 * (len(order) - 1))])]

    def set_activation(self, neuron: Neuron, images: Indices, activation: Tensor) -> Intervention:
        """Plan to set a neuron's activation.

        Parameters
        ----------
        neuron : Neuron
        images : array, shape (n,)
            Indices among the images of the split.
        activation : Tensor, shape (T,) or (n, T)
            Used at the tokens of `token_mask`.

        Returns
        -------
        Intervention
        """
        chosen = torch.from_numpy(images)
        change = activation - neuron.activation[chosen]
        return Intervention(images, change * self.scale[chosen] * self.token_mask)

    def clip_at_mean(self, neuron: Neuron, images: Indices) -> Intervention:
        """Plan to clip the activation at its mean from above; see `set_activation`."""
        own = neuron.activation[torch.from_numpy(images)]
        return self.set_activation(neuron, images, torch.minimum(own, neuron.mean))

    def ablations(self, neuron: Neuron, label: int) -> list[Intervention]:
        """Plan to ablate a neuron on the held-out images of a class.

        Parameters
        ----------
        neuron : Neuron
        label : int
            Index of the class.

        Returns
        -------
        list of Intervention
            As in `ABLATIONS`: mean ablation, and resample ablation, which sets the activation to
            that on each image's donor.
        """
        tests = self.split.tests_of(label)
        donors = torch.from_numpy(self.split.donors[tests])
        return [
            self.set_activation(neuron, tests, neuron.mean),
            self.set_activation(neuron, tests, neuron.activation[donors]),
        ]

    def highest_dose(self, neuron: Neuron, label: int) -> list[Intervention]:
        """Plan to set the highest dose on neutral images; see `neutral_images` and `dose`."""
        images = self.neutral_images(neuron, label)
        return [self.set_activation(neuron, images, self.dose(neuron, PERCENTILES[-1]))]

    def effects_of(self, interventions: list[Intervention], direction: Tensor) -> list[Effect]:
        """Run interventions on one neuron, and measure their effects.

        Parameters
        ----------
        interventions : list of Intervention
        direction : Tensor, shape (C,)
            The direction that the neuron writes.

        Returns
        -------
        list of Effect
            Of each intervention.
        """
        images = torch.cat([torch.from_numpy(each.images) for each in interventions])
        shifts = torch.cat([each.shift for each in interventions])
        logits = self.suffix.logits(self.stream, images, shifts, direction)
        after = margins(logits, self.split.logits).numpy()
        change = after - self.margins[images.numpy()]
        ends = np.cumsum([len(each.images) for each in interventions])[:-1]
        parts = zip(np.split(change, ends), np.split(logits.argmax(1).numpy(), ends), strict=True)
        return [Effect(each.images, *part) for each, part in zip(interventions, parts, strict=True)]
