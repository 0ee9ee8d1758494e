"""The first layer of a model, a convolution, and its filters on RGB."""

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

# Largest difference between the input of a layer and a color transform of the image, relative to
# the largest input: far above rounding in half precision, far below the effect of any other layer.
TOLERANCE = 0.01


@dataclass(frozen=True)
class FirstLayer:
    """The convolution that reads a model's image.

    Attributes
    ----------
    path : str
        Its site, such as ``patch_embed`` or ``conv1``.
    weights : float32 array, shape (filters, 3, h, w)
        Weights with which it convolves; those after standardization, if the layer standardizes
        its weights.
    color_matrix : array, shape (3, 3)
        Derivative of each color that it reads (rows) with respect to RGB in [0, 1] (columns): the
        model's normalization, and color changes inside the module before this layer.
    """

    path: str
    weights: NDArray[np.float32]
    color_matrix: NDArray[np.float64]

    @property
    def addresses(self) -> list[str]:
        """Address of every filter."""
        return [f"{self.path}:{index}" for index in range(len(self.weights))]

    def on_rgb(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Convert weights of this layer to weights on RGB in [0, 1].

        Parameters
        ----------
        weights : array, shape (N, 3, h, w)
            On the colors that the layer reads.

        Returns
        -------
        float64 array, shape (N, 3, h, w)
        """
        converted: NDArray[np.float64] = np.einsum(
            "nihw,ij->njhw", weights.astype(np.float64), self.color_matrix
        )
        return converted


class _Convolutions(TorchFunctionMode):
    """Records the weights of every convolution while it is active."""

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

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    FirstLayer

    Raises
    ------
    FeatvizError
        If the first layer is not a convolution on RGB, does not read the pixels of the image, or
        has weights that are not finite.
    """
    site = next(iter(model.sites.values()), None)
    if site is None:
        raise FeatvizError(f"{model.name} has no layer with units, hence no filters")
    layer = model.module.get_submodule(site.owner)
    what = f"the first layer of {model.name}, {site.path},"
    if not isinstance(layer, nn.Conv2d):
        kind = type(layer).__name__
        raise FeatvizError(f"{what} is a {kind}, not a convolution on RGB")
    if layer.in_channels != 3 or layer.groups != 1:
        channels = f"{layer.in_channels} channels in {layer.groups} groups"
        raise FeatvizError(f"{what} reads {channels}; it must be a convolution on RGB")
    with eval_mode(model.module), torch.no_grad():
        images = _probes(model.image_size)
        inputs = _inputs(model, site.owner, images)
        color_matrix = _color_matrix(images.double().numpy(), inputs.double().cpu().numpy())
        if color_matrix is None:
            raise FeatvizError(f"{what} does not read the pixels of the image")
        with _Convolutions() as convolutions:
            layer(inputs[:1])
    weights = convolutions.weights[0].detach().float().cpu().numpy().copy()
    invalid = ~np.isfinite(weights).all(axis=(1, 2, 3))
    if invalid.any():
        index = int(invalid.argmax())
        raise FeatvizError(f"{site.path}:{index} of {model.name} has weights that are not finite")
    return FirstLayer(site.path, weights, color_matrix)


def _probes(size: int) -> Tensor:
    """Return images of black, red, green, blue and noise, (5, 3, size, size)."""
    images = torch.zeros(5, 3, size, size, dtype=torch.float32, device="cpu")
    for color in range(3):
        images[color + 1, color] = 1
    images[4].uniform_(generator=torch.Generator("cpu").manual_seed(0))
    return images


def _inputs(model: VisionModel, path: str, images: Tensor) -> Tensor:
    """Run a model until it reaches a layer, and return the input of the layer."""
    found: list[Tensor] = []
    run_until(
        model, images.to(model.device), [path], lambda _path, inputs, _context: found.append(inputs)
    )
    return found[0]


def _color_matrix(
    images: NDArray[np.float64], inputs: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Measure the color transform from images to the inputs of a layer, both (5, 3, H, W).

    Padding around the image is allowed; None if anything but the colors changes.
    """
    size = images.shape[-1]
    padding = (inputs.shape[-1] - size) // 2
    if inputs.ndim != 4 or inputs.shape[1] != 3 or padding < 0:
        return None
    inner = inputs[..., padding : padding + size, padding : padding + size]
    black, *colors = inner[:4, :, size // 2, size // 2]
    matrix = np.stack([color - black for color in colors], axis=1)
    expected = np.einsum("ij,njhw->nihw", matrix, images) + black[:, None, None]
    if inner.shape != images.shape or not np.any(matrix):
        return None
    differs = np.abs(inner - expected).max() > TOLERANCE * np.abs(inner).max()
    return None if differs else matrix
