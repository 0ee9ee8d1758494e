"""The unpatched runs of all images of a split, carried from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from featviz.data.datasets import Dataset
from featviz.models.hooks import eval_mode
from patching.activation_patching import BATCH
from patching.effects.metrics import margins
from patching.validation.control_test import Floats
from patching.validation.split import Split
from patching.vit.residual_vit import ResidualViT


class Baseline:
    """Unpatched runs, and how far they have been carried.

    Parameters
    ----------
    vit : ResidualViT
    dataset : Dataset
    split : Split
        Of N images.

    Attributes
    ----------
    stream : Tensor, shape (N, T, C)
        The residual stream where the runs have got to.
    ends : Tensor, shape (N, read, C)
        The final stream at the tokens that are read.
    margins : array, shape (N, C)
        Of every class of the split.
    """

    def __init__(self, vit: ResidualViT, dataset: Dataset, split: Split) -> None:
        self.vit, self.split = vit, split
        with eval_mode(vit.model.module), torch.no_grad():
            images = (vit.embed(some) for some in self._images(dataset))
            self.stream = torch.cat(list(images))
            self._sublayer = 0
            found = [self._end(part) for part in self.parts(len(self.stream))]
        self.ends = torch.cat([end for end, _ in found])
        logits = torch.cat([logits for _, logits in found]).double().cpu()
        self.margins: Floats = margins(logits, [each.logit for each in split.classes]).numpy()

    def carry_to(self, sublayer: int) -> None:
        """Carry the runs to the stream before a sublayer, which must not lie behind them."""
        if sublayer < self._sublayer:
            raise ValueError(f"the runs are at sublayer {self._sublayer}, behind {sublayer}")
        with torch.no_grad():
            for each in self.vit.sublayers[self._sublayer : sublayer]:
                for part in self.parts(len(self.stream)):
                    self.stream[part] += each.branch(self.stream[part])
        self._sublayer = sublayer

    def parts(self, count: int) -> Iterator[slice]:
        """Cut images into as many as run at once."""
        size = BATCH.get(self.vit.model.device.type, BATCH["cpu"])
        return (slice(start, start + size) for start in range(0, count, size))

    def _images(self, dataset: Dataset) -> Iterator[Tensor]:
        model, numbers = self.vit.model, self.split.numbers
        for part in self.parts(len(numbers)):
            images = [dataset.image(number, model.image_size) for number in numbers[part]]
            yield torch.stack(images).to(model.device)

    def _end(self, part: slice) -> tuple[Tensor, Tensor]:
        end = self.vit.run(self.stream[part])[:, : self.vit.read]
        return end.clone(), self.vit.finish(end)
