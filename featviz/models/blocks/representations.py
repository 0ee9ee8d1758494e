"""Blocks of a model, and representations of images: their pooled outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from featviz.models.hooks import Call, eval_mode, record

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

_CONTAINERS = (nn.Sequential, nn.ModuleList)


def find_layers(model: VisionModel) -> list[str]:
    """List the top-level modules through which images pass in sequence, in forward order.

    These are the stem, the blocks (of a transformer, of a ResNet's stages, of Inception) and the
    head: the children of the model, and of containers of blocks. Modules without a convolution or
    linear layer are left out, and those that a forward pass of two images does not call exactly
    once with an output of two rows.

    Parameters
    ----------
    model : VisionModel

    Returns
    -------
    list of str
        Module paths.
    """
    module = model.module
    positions = {
        site.owner: site.positions for site in model.sites.values() if site.kind == "layer"
    }
    paths = [path for path in _top_level(module, "", positions) if _inside(path, positions)]
    seen: dict[str, list[bool]] = {}

    def see(call: Call) -> None:
        output = call.output
        fits = isinstance(output, Tensor) and len(output) == 2 and 2 <= output.ndim <= 4
        seen.setdefault(call.path, []).append(fits)

    shape = (2, 3, model.image_size, model.image_size)
    gray = torch.full(shape, 0.5, dtype=torch.float32, device=model.device)
    with eval_mode(module), torch.no_grad(), record(module, paths, see):
        model(gray)
    return [path for path, fits in seen.items() if fits == [True]]


def represent(model: VisionModel, images: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """Run a batch of images and return the output of each layer, averaged by `pool`.

    Parameters
    ----------
    model : VisionModel
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.
    layers : list of str
        Module paths, such as those of `find_layers`.

    Returns
    -------
    dict of str to Tensor, shape (N, channels)
        In the order of `layers`, on the CPU.
    """
    found: dict[str, Tensor] = {}

    def keep(call: Call) -> None:
        # Now, not after the pass: a later layer may change this output in place.
        found[call.path] = pool(call.output, model.prefix_tokens).cpu()

    module = model.module
    with eval_mode(module), torch.no_grad(), record(module, layers, keep):
        model(images.to(model.device))
    return {path: found[path] for path in layers}


def pool(output: Tensor, prefix: int) -> Tensor:
    """Average the output of a layer over patches, or over the positions of a feature map.

    Parameters
    ----------
    output : Tensor, shape (N, C), (N, tokens, C), (N, C, H, H) or (N, H, H, C)
        For square images. If four dimensions are ambiguous, channels are taken to come first.
    prefix : int
        Number of class, distillation and register tokens of the model. They are left out if the
        tokens without them form a square.

    Returns
    -------
    Tensor, shape (N, C)
        A copy.
    """
    if output.ndim == 2:
        return output.clone()
    if output.ndim == 3:
        tokens = output.shape[1]
        patches = tokens - prefix
        has_prefix = patches > 0 and round(patches**0.5) ** 2 == patches
        return output[:, prefix if has_prefix else 0 :].mean(1)
    channels_last = output.shape[1] == output.shape[2] != output.shape[3]
    return output.mean((1, 2) if channels_last else (2, 3))


def _top_level(module: nn.Module, path: str, positions: dict[str, int]) -> Iterator[str]:
    for name, child in module.named_children():
        child_path = f"{path}.{name}" if path else name
        if _contains_blocks(child, child_path, positions):
            yield from _top_level(child, child_path, positions)
        else:
            yield child_path


def _contains_blocks(module: nn.Module, path: str, positions: dict[str, int]) -> bool:
    """Whether a module is a container, or has a container of blocks."""
    if isinstance(module, _CONTAINERS):
        return True
    return any(
        # A block has at least two layers with more than one position; layers with a single one,
        # such as squeeze-and-excitation, are part of a block.
        sum(positions[owner] > 1 for owner in _inside(f"{path}.{name}.{index}", positions)) >= 2
        for name, part in module.named_children()
        if isinstance(part, _CONTAINERS)
        for index, _ in part.named_children()
    )


def _inside(path: str, owners: Iterable[str]) -> list[str]:
    return [owner for owner in owners if owner == path or owner.startswith(f"{path}.")]
