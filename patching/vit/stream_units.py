"""Layers whose units each write along one direction of the residual stream: neurons and latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from patching.vit.hook_points import hooked
from patching.vit.latent_layer import LatentLayer
from patching.vit.residual_vit import ResidualViT
from patching.vit.sublayers import Sublayer


@dataclass(frozen=True)
class UnitRun:
    """A run of a layer on N images.

    Attributes
    ----------
    activations : Tensor, shape (N, T, F)
        Of all units.
    scale : Tensor, shape (N, T, 1)
        What the direction of a unit is multiplied by at each token.
    stream : Tensor, shape (N, T, C)
        The residual stream to which the units have been added.
    """

    activations: Tensor
    scale: Tensor
    stream: Tensor


class StreamUnits(ABC):
    """A layer whose F units each add their activation times a direction to the residual stream.

    Attributes
    ----------
    vit : ResidualViT
    path : str
        Of the MLP, or of the site of latents.
    before : int
        Index of the sublayer before which the stream is that `run` starts from.
    after : int
        Index of the first sublayer that the units are added before.
    """

    vit: ResidualViT
    path: str
    before: int
    after: int

    @property
    @abstractmethod
    def directions(self) -> Tensor:
        """The direction of each unit, shape (F, C)."""

    @abstractmethod
    def run(self, stream: Tensor) -> UnitRun:
        """Run the layer on the residual `stream` before sublayer `before`, (N, T, C)."""


class MLPNeurons(StreamUnits):
    """The neurons of an MLP, after the nonlinearity.

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

    def __init__(self, vit: ResidualViT, layer: int) -> None:
        self.vit, self.before, self.after = vit, 2 * layer + 1, 2 * layer + 2
        mlp = self._mlp
        self.path = mlp.path
        if not mlp.norm_first:
            raise FeatvizError(
                f"{mlp.path} is post-norm, so its neurons do not write to the stream separately"
            )
        first, last = (getattr(mlp.core, name, None) for name in ("fc1", "fc2"))
        linear = isinstance(first, nn.Linear) and isinstance(last, nn.Linear) and mlp.last is last
        if not linear or first.out_features != last.in_features:  # type: ignore[union-attr]
            raise FeatvizError(f"{mlp.path} is not fc1, a nonlinearity and fc2 in sequence")

    @property
    def _mlp(self) -> Sublayer:
        return self.vit.sublayers[self.before]

    @cached_property
    def directions(self) -> Tensor:
        """See `StreamUnits.directions`."""
        core: Any = self._mlp.core
        with torch.no_grad():
            weights: Tensor = core.fc2.weight.T.contiguous()
            # LayerScale is linear and acts on each row alone, so it applies to directions too.
            return self._mlp.write(weights)

    def run(self, stream: Tensor) -> UnitRun:
        """See `StreamUnits.run`."""
        found: list[Tensor] = []

        def keep(value: Tensor) -> Tensor:
            found.append(value[..., 0])
            return value

        with hooked(self._mlp, {"neurons": keep}):
            output = self._mlp.branch(stream)
        return UnitRun(found[0], torch.ones_like(stream[..., :1]), stream + output)


class Latents(StreamUnits):
    """The latents of a sparse autoencoder, after their activation function.

    Their directions are the rows of the decoder. Where the output gets the scale of the input back,
    that scale multiplies them at each token.

    Parameters
    ----------
    vit : ResidualViT
    layer : LatentLayer
    """

    def __init__(self, vit: ResidualViT, layer: LatentLayer) -> None:
        self.vit, self.path, self._sae = vit, layer.path, layer.sae
        first, added = _SUBLAYERS[layer.kind]
        self.before, self._added = 2 * layer.layer + first, added
        self.after = self.before + added

    @cached_property
    def directions(self) -> Tensor:
        """See `StreamUnits.directions`."""
        weight = next(self.vit.model.module.parameters())
        return self._sae.decoder.to(weight)

    def run(self, stream: Tensor) -> UnitRun:
        """See `StreamUnits.run`."""
        read, after = stream, stream
        if self._added:
            read = self.vit.sublayers[self.before].branch(stream)
            after = stream + read
        latents = self._sae.encode(read).to(stream)
        return UnitRun(latents, self._sae.output_scale(read).to(stream), after)


# By what an autoencoder reads: the sublayer of the block that it precedes or is the output of, and
# whether it is the output.
_SUBLAYERS = {
    "resid_pre": (0, 0),
    "resid_mid": (1, 0),
    "resid_post": (2, 0),
    "attn_out": (0, 1),
    "mlp_out": (1, 1),
}
