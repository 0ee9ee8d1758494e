"""Forward passes of a validation: unpatched runs, and runs with one neuron changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from patching.effects.bootstrap import Floats
from patching.effects.metrics import check_labels, margins
from patching.forward.memory import BATCH, images_that_fit
from patching.validation.split import Split
from patching.vit.hook_points import hooked
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer


class Baseline:
    """Unpatched runs of all images, advanced from layer to layer.

    Only one residual stream is kept of each image, where `patching.forward.cache.run_with_cache`
    keeps one before every sublayer: a validation runs thousands of images. Layers must therefore be
    visited in ascending order.

    Parameters
    ----------
    vit : ResidualViT
    dataset : Dataset
    split : Split
        Of N images.

    Attributes
    ----------
    stream : Tensor, shape (N, T, C)
        The residual stream before the current sublayer.
    final_stream : Tensor, shape (N, read_tokens, C)
        The residual stream after the last block, at the tokens that the head reads.
    margins : array, shape (N, classes)
        Margin of every class of the split.

    Raises
    ------
    FeatvizError
        If an image cannot be read, or a class of the split is not a logit of the model.
    """

    def __init__(self, vit: ResidualViT, dataset: Dataset, split: Split) -> None:
        self.vit, self.split = vit, split
        with eval_mode(vit.model.module), torch.no_grad():
            self.stream = torch.cat([vit.embed(images) for images in self._images(dataset)])
            self._sublayer = 0
            found = [self._final(batch) for batch in self.batches(len(self.stream))]
        self.final_stream = torch.cat([stream for stream, _ in found])
        logits = torch.cat([logits for _, logits in found]).double().cpu()
        check_labels(split.logits, logits.shape[1])
        self.margins: Floats = margins(logits, split.logits).numpy()

    def advance_to(self, sublayer: int) -> None:
        """Run all images up to the input of a sublayer.

        Parameters
        ----------
        sublayer : int
            Index of the sublayer; not below that of an earlier call.

        Raises
        ------
        ValueError
            If the runs are already past that sublayer.
        """
        if sublayer < self._sublayer:
            raise ValueError(f"the runs are at sublayer {self._sublayer}, past {sublayer}")
        with torch.no_grad():
            for batch in self.batches(len(self.stream)):
                self.stream[batch] = self.vit.run(self.stream[batch], self._sublayer, sublayer)
        self._sublayer = sublayer

    def batches(self, count: int) -> Iterator[slice]:
        """Iterate over slices of `count` images, each of the size of a batch."""
        size = BATCH.get(self.vit.model.device.type, BATCH["cpu"])
        return (slice(start, start + size) for start in range(0, count, size))

    def _images(self, dataset: Dataset) -> Iterator[Tensor]:
        model, indices = self.vit.model, self.split.indices
        for batch in self.batches(len(indices)):
            yield dataset.images(indices[batch], model.image_size).to(model.device)

    def _final(self, batch: slice) -> tuple[Tensor, Tensor]:
        """Run a batch to its end: the final stream at the tokens that are read, and the logits."""
        final = self.vit.run(self.stream[batch])[:, : self.vit.read_tokens]
        return final.clone(), self.vit.finish(final)


@dataclass(frozen=True)
class MLPActivations:
    """Activations of an MLP on N images.

    Attributes
    ----------
    neurons : Tensor, shape (N, T, F)
        After the nonlinearity.
    output : Tensor, shape (N, T, C)
        What the MLP adds to the residual stream.
    """

    neurons: Tensor
    output: Tensor


@dataclass(frozen=True)
class Suffix:
    """The part of a model after the MLP of one block, for runs with one neuron changed.

    A neuron adds its activation times one vector, its direction, to the residual stream. A run with
    another activation therefore starts after the MLP: from the unpatched stream plus the change of
    the activation at each token times the direction.

    The logits are those of `patching.forward.batched_patching.patched_logits`, up to rounding. That
    function applies every patch to all images, and needs a cache of every stream. Here each run has
    an image, a change and a direction of its own, which may be no neuron's.

    Parameters
    ----------
    vit : ResidualViT
    layer : int
        Index of the block.

    Raises
    ------
    FeatvizError
        If the MLP is post-norm, or is not ``fc1``, a nonlinearity and ``fc2`` in sequence, so that
        its neurons do not each write along one direction.
    """

    vit: ResidualViT
    layer: int

    def __post_init__(self) -> None:
        mlp = self.mlp
        if not mlp.norm_first:
            raise FeatvizError(
                f"{mlp.path} is post-norm, so its neurons do not write to the stream separately"
            )
        first, last = (getattr(mlp.core, name, None) for name in ("fc1", "fc2"))
        linear = isinstance(first, nn.Linear) and isinstance(last, nn.Linear) and mlp.last is last
        if not linear or first.out_features != last.in_features:  # type: ignore[union-attr]
            raise FeatvizError(f"{mlp.path} is not fc1, a nonlinearity and fc2 in sequence")

    @property
    def mlp(self) -> Sublayer:
        """The MLP, with its norm and scale."""
        return self.vit.sublayers[2 * self.layer + 1]

    @property
    def tokens(self) -> int:
        """Number of first tokens after the MLP that the logits depend on."""
        last = self.layer == self.vit.depth - 1
        return self.vit.read_tokens if last else self.vit.tokens

    @cached_property
    def directions(self) -> Tensor:
        """The direction of each neuron, shape (F, C)."""
        core: Any = self.mlp.core
        with torch.no_grad():
            weights: Tensor = core.fc2.weight.T.contiguous()
            # LayerScale is linear and acts on each row alone, so it applies to directions too.
            return self.mlp.write(weights)

    def run_mlp(self, stream: Tensor) -> MLPActivations:
        """Run the MLP.

        Parameters
        ----------
        stream : Tensor, shape (N, T, C)
            The residual stream before the MLP.

        Returns
        -------
        MLPActivations
        """
        found: list[Tensor] = []

        def keep(value: Tensor) -> Tensor:
            found.append(value[..., 0])
            return value

        with hooked(self.mlp, {"neurons": keep}):
            output = self.mlp.branch(stream)
        return MLPActivations(found[0], output)

    def finish(self, resid_post: Tensor) -> Tensor:
        """Compute logits from the stream after the MLP; gradients pass through.

        Parameters
        ----------
        resid_post : Tensor, shape (N, T, C)
            Of all tokens, or the first `tokens` of them.

        Returns
        -------
        Tensor, shape (N, classes)
        """
        start, last = 2 * self.layer + 2, len(self.vit.sublayers) - 1
        # The last MLP works on each token separately, and the head reads only the first ones.
        stream = self.vit.run(resid_post, start, last)[:, : self.vit.read_tokens]
        return self.vit.finish(self.vit.run(stream, max(start, last)))

    def logits(
        self, resid_post: Tensor, images: Tensor, shifts: Tensor, directions: Tensor
    ) -> Tensor:
        """Compute the logits of R runs, each of one image with one neuron changed.

        Parameters
        ----------
        resid_post : Tensor, shape (N, T, C)
            The stream after the MLP in the unpatched runs.
        images : Tensor, shape (R,)
            Index of each run's image among the N.
        shifts : Tensor, shape (R, T)
            Change of the neuron's activation at each token.
        directions : Tensor, shape (C,) or (R, C)
            What the neuron writes per unit of activation.

        Returns
        -------
        Tensor of float64, shape (R, classes)
            On the CPU.
        """
        kept, found = self.tokens, []
        directions = directions.expand(len(images), -1)
        size = images_that_fit(self.vit, resid_post)
        with torch.no_grad():
            for start in range(0, len(images), size):
                batch = slice(start, start + size)
                change = shifts[batch, :kept, None] * directions[batch, None]
                stream = resid_post[images[batch], :kept] + change
                found.append(self.finish(stream).double().cpu())
        return torch.cat(found)
