"""The layers by which models are compared: their blocks, and what each makes of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from featviz.models.hooks import Call, eval_mode, record

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

_CONTAINERS = (nn.Sequential, nn.ModuleList)


def find_layers(model: VisionModel) -> list[str]:
    """List the modules that an image passes one after the other, in that order.

    These are the stem, the blocks (of a transformer, of a ResNet's stages, of Inception) and the
    head: the children of the model and of its containers, where these hold blocks themselves. Left
    out are modules without a convolution or linear layer, and those that a forward pass of two
    images does not run exactly once, from two rows to two rows.
    """
    module = model.module
    weights = {site.owner: site.positions for site in model.sites.values() if site.kind == "layer"}
    paths = [path for path in _trunk(module, "", weights) if _inside(path, weights)]
    seen: dict[str, list[bool]] = {}

    def see(call: Call) -> None:
        output = call.output
        fits = isinstance(output, Tensor) and len(output) == 2 and 2 <= output.ndim <= 4
        seen.setdefault(call.path, []).append(fits)

    gray = torch.full((2, 3, model.image_size, model.image_size), 0.5, device=model.device)
    with eval_mode(module), torch.no_grad(), record(module, paths, see):
        model(gray)
    return [path for path, fits in seen.items() if fits == [True]]


def represent(model: VisionModel, images: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """Run a batch and keep what each layer makes of it; see `representations`.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.

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
    """Average an output over patches or places.

    Parameters
    ----------
    output : Tensor, shape (N, C), (N, tokens, C), (N, C, H, H) or (N, H, H, C)
        Of square images; where four sizes could be read both ways, channels come first.
    prefix : int
        Class, distillation and register tokens of the model. They come first where there are so
        many more tokens than a square of patches.

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


def _trunk(module: nn.Module, path: str, weights: dict[str, int]) -> Iterator[str]:
    for name, child in module.named_children():
        where = f"{path}.{name}" if path else name
        if _holds_blocks(child, where, weights):
            yield from _trunk(child, where, weights)
        else:
            yield where


def _holds_blocks(module: nn.Module, path: str, weights: dict[str, int]) -> bool:
    """Whether a module is but a list of layers, or has such a list of blocks."""
    if isinstance(module, _CONTAINERS):
        return True
    return any(
        # A block has at least two layers that see more than one place; what sees one place only,
        # such as squeeze-and-excitation, is a part of a block.
        sum(weights[owner] > 1 for owner in _inside(f"{path}.{name}.{number}", weights)) >= 2
        for name, part in module.named_children()
        if isinstance(part, _CONTAINERS)
        for number, _ in part.named_children()
    )


def _inside(path: str, weights: dict[str, int]) -> list[str]:
    return [owner for owner in weights if owner == path or owner.startswith(f"{path}.")]
