"""Where units live: the modules of a model that own them, and the shape of what they put out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from featviz.errors import FeatvizError, nearest
from featviz.layouts import layout
from featviz.state import undisturbed


@dataclass(frozen=True)
class Site:
    """A convolution or linear layer whose output channels are units.

    Attributes
    ----------
    path : str
        The name in addresses: timm's module path, or ``patch_embed`` for the patch embedding.
    owner : str
        Module path of the layer itself.
    width : int
        Number of units: neurons, channels, filters or classes.
    positions : int
        Number of tokens or places at which each unit has a value; 0 if it has only one.
    grid : (int, int) or None
        Rows and columns of the patches or places, without the prefix tokens. None if positions
        are something else (channels, pairs) or in another order (windows).
    prefix : int
        How many positions are class, distillation or register tokens; they come first.
    """

    path: str
    owner: str
    width: int
    positions: int
    grid: tuple[int, int] | None
    prefix: int


class NoSiteError(FeatvizError, KeyError):
    """A path at which a model has no site."""

    __str__ = Exception.__str__  # that of KeyError puts the line in quotes


class Sites(Mapping[str, Site]):
    """The sites of a model by path, in the order in which a forward pass reaches them.

    A patch embedding is one site, listed by its short path and found by its layer's path too.
    """

    def __init__(
        self,
        found: dict[str, Site],
        aliases: dict[str, str],
        refused: dict[str, str],
        modules: dict[str, str],
    ) -> None:
        self._found, self._aliases = found, aliases
        self._refused, self._modules = refused, modules

    def __getitem__(self, path: str) -> Site:
        """Return a site; raise `NoSiteError`, a `FeatvizError` that says why `path` is none."""
        site = self._found.get(self._aliases.get(path, path))
        if site is not None:
            return site
        if path in self._refused:
            raise NoSiteError(f"{path} has no units here: {self._refused[path]}")
        if path in self._modules:
            inside = [name for name in self._found if name.startswith(f"{path}.")][:4]
            hint = f"; inside it are {', '.join(inside)}" if inside else ""
            kind = self._modules[path]
            raise NoSiteError(f"{path} is a {kind}, not a convolution or linear layer{hint}")
        raise NoSiteError(f"the model has no module {path}{nearest(path, self._found)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def find_sites(module: nn.Module, image_size: int, prefix_tokens: int) -> Sites:
    """Find every site by watching one forward pass of two grey images.

    Parameters
    ----------
    module : nn.Module
        A vision model that takes (N, 3, image_size, image_size).
    prefix_tokens : int
        Class, distillation and register tokens of the model.
    """
    layers = {
        path: layer
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv1d)
    }
    calls: dict[str, list[tuple[int, ...]]] = {}

    def record(path: str, _layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        calls.setdefault(path, []).append(tuple(output.shape))

    hooks = [layer.register_forward_hook(partial(record, path)) for path, layer in layers.items()]
    like = next(module.parameters(), torch.empty(0))
    images = torch.zeros(2, 3, image_size, image_size, dtype=like.dtype, device=like.device)
    try:
        with undisturbed(module), torch.no_grad():
            module(images)
    finally:
        for hook in hooks:
            hook.remove()

    aliases = {
        f"{path}.proj": path
        for path, part in module.named_modules()
        if isinstance(part, PatchEmbed)
    }
    found, refused = {}, {}
    for owner in layers:
        path = aliases.get(owner, owner)
        reason = _refusal(calls.get(owner, []))
        if reason:
            refused[path] = refused[owner] = reason
    for owner, shapes in calls.items():
        if owner in refused:
            continue
        path = aliases.get(owner, owner)
        found[path] = _site(module, path, owner, shapes[0], prefix_tokens)
    modules = {path: type(part).__name__ for path, part in module.named_modules() if path}
    return Sites(found, aliases, refused, modules)


def _refusal(shapes: list[tuple[int, ...]]) -> str | None:
    if not shapes:
        return "its forward is never called as a module"
    if len(shapes) > 1:
        return f"it is called {len(shapes)} times in one forward pass"
    if shapes[0][0] != 2:
        return "it does not keep one row for each image (windows or merged dimensions)"
    return None


def _site(
    module: nn.Module, path: str, owner: str, shape: tuple[int, ...], prefix_tokens: int
) -> Site:
    if isinstance(module.get_submodule(owner), nn.Linear):
        width, places = shape[-1], shape[1:-1]
    else:
        width, places = shape[1], shape[2:]
    grid, prefix = layout(module, owner, places, prefix_tokens)
    return Site(path, owner, width, math.prod(places) if places else 0, grid, prefix)
