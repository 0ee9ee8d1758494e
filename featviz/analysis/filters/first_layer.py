"""Which layer meets the image first, and what it does to RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode, run_until

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Largest difference between what a layer reads and a color change of the image, in parts of the
# largest value read: far above rounding in half precision, far below that of any other layer.
TOLERANCE = 0.01


@dataclass(frozen=True)
class FirstLayer:
    """The convolution that reads a model's image.

    Attributes
    ----------
    path : str
        Its site, such as ``patch_embed`` or ``conv1``.
    weights : array, shape (filters, 3, h, w)
        What it convolves with, float32. A layer that standardizes its weights convolves with the
        standardized ones.
    gain : array, shape (3, 3)
        Change of each color that it reads (rows) for RGB in [0, 1] (columns): the model's
        normalization and whatever the module does to colors before this layer.
    """

    path: str
    weights: NDArray[np.float32]
    gain: NDArray[np.float64]

    @property
    def addresses(self) -> list[str]:
        """Address of every filter."""
        return [f"{self.path}:{number}" for number in range(len(self.weights))]

    def on_rgb(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Turn weights (N, 3, h, w) of this layer into those that act on RGB in [0, 1]."""
        turned: NDArray[np.float64] = np.einsum(
            "nihw,ij->njhw", weights.astype(np.float64), self.gain
        )
        return turned


class _Convolutions(TorchFunctionMode):
    """Notes the weights of every convolution while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function of torch."""
        kwargs = kwargs or {}
        if function is torch.conv2d:
            self.weights.append(args[1] if len(args) > 1 else kwargs["weight"])
        return function(*args, **kwargs)


def first_layer(model: VisionModel) -> FirstLayer:
    """Find the first layer of a forward pass, a convolution on RGB.

    Raises
    ------
    FeatvizError
        If it is something else, does not read the pixels of the image, or has weights that are
        not finite.
    """
    site = next(iter(model.sites.values()), None)
    if site is None:
        raise FeatvizError(f"{model.name} has no layer with units, so it has no filters")
    layer = model.module.get_submodule(site.owner)
    which = f"the first layer of {model.name}, {site.path},"
    if not isinstance(layer, nn.Conv2d):
        kind = type(layer).__name__
        raise FeatvizError(f"{which} is a {kind}; filters are those of a convolution on RGB")
    if layer.in_channels != 3 or layer.groups != 1:
        channels = f"{layer.in_channels} channels in {layer.groups} groups"
        raise FeatvizError(f"{which} reads {channels}; filters are those of a convolution on RGB")
    with eval_mode(model.module), torch.no_grad():
        images = _probes(model.image_size)
        read = _inputs(model, site.owner, images)
        gain = _gain(images.double().numpy(), read.double().cpu().numpy())
        if gain is None:
            raise FeatvizError(f"{which} does not read the pixels of the image as they are")
        with _Convolutions() as run:
            layer(read[:1])
    weights = run.weights[0].detach().float().cpu().numpy().copy()
    broken = ~np.isfinite(weights).all(axis=(1, 2, 3))
    if broken.any():
        number = int(broken.argmax())
        raise FeatvizError(f"{site.path}:{number} of {model.name} has weights that are not finite")
    return FirstLayer(site.path, weights, gain)


def _probes(size: int) -> Tensor:
    """Black, red, green, blue, and noise to check that nothing else matters, (5, 3, size, size)."""
    images = torch.zeros(5, 3, size, size)
    for color in range(3):
        images[color + 1, color] = 1
    images[4] = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    return images


def _inputs(model: VisionModel, path: str, images: Tensor) -> Tensor:
    """Run a model until it reaches a layer, and return what the layer reads."""
    found: list[Tensor] = []
    run_until(
        model, images.to(model.device), [path], lambda _path, inputs, _context: found.append(inputs)
    )
    if not found:
        raise FeatvizError(f"a forward pass of {model.name} does not reach its first layer")
    return found[0]


def _gain(images: NDArray[np.float64], read: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Measure how colors change on the way to the layer; None if more than colors does.

    A margin around the image (padding) is no change.
    """
    size = images.shape[-1]
    margin = (read.shape[-1] - size) // 2
    if read.ndim != 4 or read.shape[1] != 3 or margin < 0:
        return None
    seen = read[..., margin : margin + size, margin : margin + size]
    black, *colors = seen[:4, :, size // 2, size // 2]
    gain = np.stack([color - black for color in colors], axis=1)
    expected = np.einsum("ij,njhw->nihw", gain, images) + black[:, None, None]
    if seen.shape != images.shape or not np.any(gain):
        return None
    wrong = np.abs(seen - expected).max() > TOLERANCE * np.abs(seen).max()
    return None if wrong else gain
