"""Where units live: the modules of a model that own them, and the shape of what they put out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.attention import NORMS, Heads, heads_of, why_not
from featviz.models.hooks import Call, eval_mode, record
from featviz.models.token_grid import layout


@dataclass(frozen=True)
class Site:
    """A convolution or linear layer whose output channels are units, or an attention's logits.

    Attributes
    ----------
    path : str
        The name in addresses: timm's module path, or ``patch_embed`` for the patch embedding. The
        logits of an attention module are at its path and ``.qk``, their modes at ``.qk_mode``.
    owner : str
        Module path of the layer or attention itself.
    width : int
        Number of units: neurons, channels, filters, classes or heads.
    positions : int
        Number of tokens or places at which each unit has a value; 0 if it has only one.
    grid : (int, int) or None
        Rows and columns of the patches or places, without the prefix tokens. None if positions
        are something else (channels, pairs) or in another order (windows).
    prefix : int
        How many positions are class, distillation or register tokens; they come first.
    kind : str
        ``"layer"``, ``"qk"`` or ``"qk_mode"``.
    modes : int
        Of ``qk_mode``, how many modes each head has.
    norm : str or None
        Of ``qk_mode``, path of the normalization whose output the attention reads.
    """

    path: str
    owner: str
    width: int
    positions: int
    grid: tuple[int, int] | None
    prefix: int
    kind: Literal["layer", "qk", "qk_mode"] = "layer"
    modes: int = 0
    norm: str | None = None


_LAYERS = (nn.Linear, nn.Conv2d, nn.Conv1d)


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
        owner, _, quantity = path.rpartition(".")
        if quantity in ("qk", "qk_mode") and owner in self._modules:
            reason = why_not(self._modules[owner])
            raise NoSiteError(f"{path} has no units here: {owner} is {reason}")
        if path in self._modules:
            inside = [name for name in self._found if name.startswith(f"{path}.")][:4]
            hint = f"; inside it are {', '.join(inside)}" if inside else ""
            kind = self._modules[path]
            raise NoSiteError(f"{path} is a {kind}, not a convolution or linear layer{hint}")
        raise NoSiteError(f"the model has no module {path}{did_you_mean(path, self._found)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def find_sites(module: nn.Module, image_size: int, prefix_tokens: int) -> Sites:
    """Find every site by watching one forward pass of two images.

    Parameters
    ----------
    module : nn.Module
        A vision model that takes (N, 3, image_size, image_size).
    prefix_tokens : int
        Class, distillation and register tokens of the model.
    """
    seen = _watch(module, image_size)
    aliases = {
        f"{path}.proj": path
        for path, part in module.named_modules()
        if isinstance(part, PatchEmbed)
    }
    found, refused = {}, {}
    for owner, layer in module.named_modules():
        if isinstance(layer, _LAYERS):
            reason = _refusal(seen.shapes.get(owner, []), owner in seen.blind)
            if reason:
                refused[aliases.get(owner, owner)] = refused[owner] = reason
    for owner, shapes in seen.shapes.items():
        layer = module.get_submodule(owner)
        if (heads := heads_of(layer)) is not None:
            sites = _attention_sites(module, owner, heads, shapes[0], prefix_tokens, seen.norms)
            for site in sites:
                reason = _refusal(shapes, owner in seen.blind) or _mode_refusal(site, heads)
                if owner in seen.crossed:
                    reason = "its keys are read from something else than its queries"
                if reason:
                    refused[site.path] = reason
                else:
                    found[site.path] = site
        elif owner not in refused:
            path = aliases.get(owner, owner)
            found[path] = _site(module, path, owner, shapes[0], prefix_tokens)
    modules = {path: type(part).__name__ for path, part in module.named_modules() if path}
    return Sites(found, aliases, refused, modules)


@dataclass
class _Seen:
    """What a forward pass showed: shapes by path, in the order of the calls.

    Of a layer, the shape of each output; of an attention, of each input, and the normalization
    that put this input out. The blind ones see the same of both images; the crossed ones read
    keys from something else than queries.
    """

    shapes: dict[str, list[tuple[int, ...]]]
    norms: dict[str, str]
    blind: set[str]
    crossed: set[str]


def _watch(module: nn.Module, image_size: int) -> _Seen:
    seen = _Seen({}, {}, set(), set())
    latest: list[tuple[str, Tensor]] = []

    def layer_output(call: Call) -> None:
        seen.shapes.setdefault(call.path, []).append(tuple(call.output.shape))
        if _is_blind(call.inputs[0]):
            seen.blind.add(call.path)

    def norm_output(call: Call) -> None:
        latest[:] = [(call.path, call.output)]

    def attention_input(call: Call) -> None:
        inputs = call.inputs
        seen.shapes.setdefault(call.path, []).append(tuple(inputs[0].shape))
        if _is_blind(inputs[0]):
            seen.blind.add(call.path)
        if len(inputs) > 1 and inputs[1] is not inputs[0]:
            seen.crossed.add(call.path)
        if latest and latest[0][1] is inputs[0]:
            seen.norms[call.path] = latest[0][0]

    parts = dict(module.named_modules())
    layers = [path for path, part in parts.items() if isinstance(part, _LAYERS)]
    norms = [path for path, part in parts.items() if isinstance(part, NORMS)]
    attentions = [
        path
        for path, part in parts.items()
        if not isinstance(part, (*_LAYERS, *NORMS)) and heads_of(part) is not None
    ]
    like = next(module.parameters(), torch.empty(0))
    # A gray image and noise: a module that sees the same of both does not depend on the image.
    images = torch.zeros(2, 3, image_size, image_size)
    images[1] = torch.rand(3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    with (
        eval_mode(module),
        torch.no_grad(),
        record(module, layers, layer_output),
        record(module, norms, norm_output),
        record(module, attentions, attention_input, side="input"),
    ):
        module(images.to(like))
    return seen


def _attention_sites(
    module: nn.Module,
    owner: str,
    heads: Heads,
    shape: tuple[int, ...],
    prefix_tokens: int,
    norms: Mapping[str, str],
) -> tuple[Site, Site]:
    places = shape[1:-1]
    positions = math.prod(places)
    grid, prefix = layout(module, owner, places, prefix_tokens)
    logits = Site(f"{owner}.qk", owner, heads.count, positions, grid, prefix, "qk")
    width = heads.query.weight.shape[1]
    return logits, replace(
        logits, path=f"{owner}.qk_mode", kind="qk_mode", modes=width, norm=norms.get(owner)
    )


def _mode_refusal(site: Site, heads: Heads) -> str | None:
    if site.kind == "qk_mode" and not heads.bilinear:
        return "its queries and keys are normalized or turned, so that no matrix lies between them"
    return None


def _refusal(shapes: list[tuple[int, ...]], blind: bool) -> str | None:
    if not shapes:
        return "its forward is never called as a module"
    if len(shapes) > 1:
        return f"it is called {len(shapes)} times in one forward pass"
    if shapes[0][0] != 2:
        return "it does not keep one row for each image (windows or merged dimensions)"
    if blind:
        return "it sees the same whatever the image is"
    return None


def _is_blind(inputs: Tensor) -> bool:
    return len(inputs) == 2 and torch.equal(inputs[0], inputs[1])


def _site(
    module: nn.Module, path: str, owner: str, shape: tuple[int, ...], prefix_tokens: int
) -> Site:
    if isinstance(module.get_submodule(owner), nn.Linear):
        width, places = shape[-1], shape[1:-1]
    else:
        width, places = shape[1], shape[2:]
    grid, prefix = layout(module, owner, places, prefix_tokens)
    return Site(path, owner, width, math.prod(places) if places else 0, grid, prefix)


def require_grid(site: Site) -> tuple[int, int]:
    """Return the rows and columns of a site's patches.

    Raises
    ------
    FeatvizError
        If they stand on no grid.
    """
    if site.grid is None:
        raise FeatvizError(f"the patches of {site.path} stand on no grid that is known")
    return site.grid
