"""Forward passes of a validation: unpatched runs, and runs with one unit changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.models.hooks import eval_mode
from patching.effects.bootstrap import Floats
from patching.effects.metrics import check_labels, margins
from patching.forward.memory import BATCH, images_that_fit
from patching.validation.split import Split
from patching.vit.residual_vit import ResidualViT


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
class Suffix:
    """The part of a model after a layer of neurons or latents, for runs with one of them changed.

    A unit adds its activation times one vector, its direction, to the residual stream. A run with
    another activation therefore starts after the layer: from the unpatched stream plus the change
    of the activation at each token times the direction.

    The logits are those of `patching.forward.batched_patching.patched_logits`, up to rounding. That
    function applies every patch to all images, and needs a cache of every stream. Here each run has
    an image, a change and a direction of its own, which may be no unit's.

    Parameters
    ----------
    vit : ResidualViT
    start : int
        Index of the first sublayer that is run.
    """

    vit: ResidualViT
    start: int

    @property
    def tokens(self) -> int:
        """Number of first tokens of the stream that the logits depend on."""
        # The last MLP works on each token separately, and the head reads only the first ones.
        last = self.start >= len(self.vit.sublayers) - 1
        return self.vit.read_tokens if last else self.vit.tokens

    def finish(self, stream: Tensor) -> Tensor:
        """Compute logits from the residual stream; gradients pass through.

        Parameters
        ----------
        stream : Tensor, shape (N, T, C)
            Before sublayer `start`: of all tokens, or the first `tokens` of them.

        Returns
        -------
        Tensor, shape (N, classes)
        """
        last = len(self.vit.sublayers) - 1
        read = self.vit.run(stream, self.start, last)[:, : self.vit.read_tokens]
        return self.vit.finish(self.vit.run(read, max(self.start, last)))

    def logits(self, stream: Tensor, images: Tensor, shifts: Tensor, directions: Tensor) -> Tensor:
        """Compute the logits of R runs, each of one image with one unit changed.

        Parameters
        ----------
        stream : Tensor, shape (N, T, C)
            The residual stream before sublayer `start` in the unpatched runs.
        images : Tensor, shape (R,)
            Index of each run's image among the N.
        shifts : Tensor, shape (R, T)
            Change along the direction at each token.
        directions : Tensor, shape (C,) or (R, C)

        Returns
        -------
        Tensor of float64, shape (R, classes)
            On the CPU.
        """
        kept, found = self.tokens, []
        directions = directions.expand(len(images), -1)
        size = images_that_fit(self.vit, stream)
        with torch.no_grad():
            for start in range(0, len(images), size):
                batch = slice(start, start + size)
                change = shifts[batch, :kept, None] * directions[batch, None]
                changed = stream[images[batch], :kept] + change
                found.append(self.finish(changed).double().cpu())
        return torch.cat(found)
