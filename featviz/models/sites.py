"""Sites: layers of a model whose output channels are units, its attention logits and latents."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.attention import NORMS, Heads, heads_of, unsupported_reason
from featviz.models.blocks.activations import (
    VECTORS,
    Activation,
    RecordedBlocks,
    Source,
    missing_reason,
    record_blocks,
)
from featviz.models.blocks.order import in_order
from featviz.models.hooks import Call, eval_mode, record
from featviz.models.input_checks import like_weights
from featviz.models.loading.sae_files import LATENTS
from featviz.models.reproducibility import irreproducible, sample
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.token_grid import layout


@dataclass(frozen=True)
class Site:
    """A layer whose output channels are units, an activation, an attention's logits, or latents.

    Attributes
    ----------
    path : str
        The name in addresses: timm's module path, or ``patch_embed`` for the patch embedding. For
        the logits of an attention module, its path with ``.qk``; for their modes, ``.qk_mode``; for
        an activation of a block or attention, its path with the name of the activation; for the
        latents of a sparse autoencoder, ``sae.`` with its name.
    owner : str
        Module path of the layer or attention itself; of an activation, the module whose input it
        is computed from.
    width : int
        Number of units: neurons, coordinates, channels, filters, classes or heads.
    positions : int
        Number of tokens, or of positions in a feature map; 0 if each unit has a single value.
    grid : (int, int) or None
        Rows and columns of the patches or the feature map, without prefix tokens. None if positions
        are something else (channels, pairs) or in another order (windows).
    prefix : int
        Number of class, distillation and register tokens among the positions; they come first.
    kind : str
        ``"layer"``, ``"activation"``, ``"qk"``, ``"qk_mode"`` or ``"latents"``.
    modes : int
        For ``"qk_mode"``: number of modes of each head.
    norm : str or None
        For ``"qk_mode"``: path of the normalization whose output the attention reads.
    source : Source or None
        For ``"activation"``: how it follows from the input of its owner.
    sae : SparseAutoencoder or None
        For ``"latents"``: what computes them.
    read : Site or None
        For ``"latents"``: the site whose vectors it reads.
    """

    path: str
    owner: str
    width: int
    positions: int
    grid: tuple[int, int] | None
    prefix: int
    kind: Literal["layer", "activation", "qk", "qk_mode", "latents"] = "layer"
    modes: int = 0
    norm: str | None = None
    source: Source | None = None
    sae: SparseAutoencoder | None = field(default=None, repr=False)
    read: Site | None = field(default=None, repr=False)

    @property
    def is_logit(self) -> bool:
        """Whether units are logits of an attention, or their modes, and not channels."""
        return self.kind in ("qk", "qk_mode")


_LAYERS = (nn.Linear, nn.Conv2d, nn.Conv1d)


PROJECTIONS = ("proj", "out_proj")
"""Names of the output projection of an attention."""


class NoSiteError(FeatvizError, KeyError):
    """A path at which a model has no site."""

    __str__ = Exception.__str__  # `KeyError` would put the message in quotes


class Sites(Mapping[str, Site]):
    """The sites of a model by path, in the order of a forward pass.

    A patch embedding is listed by its short path, and also found by the path of its layer.
    """

    def __init__(
        self,
        found: dict[str, Site],
        aliases: dict[str, str],
        refused: dict[str, str],
        module: nn.Module,
    ) -> None:
        self._found, self._aliases, self._refused = found, aliases, refused
        parts = {path: part for path, part in module.named_modules() if path}
        self._modules = {path: type(part).__name__ for path, part in parts.items()}
        # Why a module that is not an attention, or is an unusual one, has no logits.
        self._reasons = {path: unsupported_reason(part) for path, part in parts.items()}
        first = {part: path for path, part in parts.items()}
        self._shared = {
            path: first[part]
            for path, part in module.named_modules(remove_duplicate=False)
            if path and path not in parts
        }

    def __getitem__(self, path: str) -> Site:
        """Return the site at `path`; `NoSiteError` says why there is none."""
        site = self._found.get(self._aliases.get(path, path))
        if site is not None:
            return site
        if path in self._refused:
            raise NoSiteError(f"{path} has no units: {self._refused[path]}")
        owner, _, quantity = path.rpartition(".")
        if quantity in ("qk", "qk_mode", *VECTORS) and owner in self._reasons:
            raise NoSiteError(f"{path} has no units: {owner} is {self._reasons[owner]}")
        for projection in (f"{owner}.{name}" for name in PROJECTIONS if quantity == "z"):
            if projection in self._refused:
                why = self._refused[projection]
                raise NoSiteError(f"{path} has no units: of {projection}, {why}")
        if reason := missing_reason(path, self._modules):
            raise NoSiteError(f"{path} has no units: {reason}")
        if path in self._shared:
            raise NoSiteError(f"{path} is another name of {self._shared[path]}; use that one")
        if path in self._modules:
            inside = [name for name in self._found if name.startswith(f"{path}.")][:4]
            hint = f"; it contains {', '.join(inside)}" if inside else ""
            kind = self._modules[path]
            raise NoSiteError(f"{path} is a {kind}, not a convolution or linear layer{hint}")
        if path.startswith(LATENTS):
            name = path.removeprefix(LATENTS)
            loaded = [each for each, site in self._found.items() if site.kind == "latents"]
            there = f"; loaded are {', '.join(loaded)}" if loaded else ""
            raise NoSiteError(
                f"{path} is not loaded: --sae {name}=PATH loads a sparse autoencoder{there}"
            )
        raise NoSiteError(f"the model has no module {path}{did_you_mean(path, self._found)}")

    def with_found(self, found: dict[str, Site]) -> Sites:
        """Return a copy that has the sites `found`, by path and in their order."""
        copied = copy.copy(self)
        copied._found = found
        return copied

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def find_sites(module: nn.Module, image_size: int, prefix_tokens: int) -> Sites:
    """Find all sites by recording two forward passes of two images.

    The second pass has another first image. Layers whose values for the second image change are
    refused, as are layers that two equal passes give different values.

    Parameters
    ----------
    module : nn.Module
        A vision model that takes images of shape (N, 3, image_size, image_size).
    image_size : int
        Side of the images in pixels.
    prefix_tokens : int
        Number of class, distillation and register tokens of the model.

    Returns
    -------
    Sites
    """
    # A gray image and noise in the range of normalized images: a module that sees the same of both
    # does not depend on the image.
    images = torch.zeros(2, 3, image_size, image_size, dtype=torch.float32, device="cpu")
    images[1].uniform_(-2, 2, generator=torch.Generator("cpu").manual_seed(0))
    images = like_weights(module, images)
    devices = [images.device] if images.is_cuda else []
    with eval_mode(module), torch.no_grad(), torch.random.fork_rng(devices):
        return _find_sites(module, images, prefix_tokens)


def _find_sites(module: nn.Module, images: Tensor, prefix_tokens: int) -> Sites:
    seen = _record(module, images)
    changing = irreproducible(
        module, images, seen.samples, lambda inputs: _record(module, inputs).samples
    )
    aliases = {
        f"{path}.proj": path
        for path, part in module.named_modules()
        if isinstance(part, PatchEmbed)
    }
    found, refused = {}, {}
    for owner, layer in module.named_modules():
        if isinstance(layer, _LAYERS):
            reason = _refusal(seen.shapes.get(owner, []), owner in seen.blind)
            reason = reason or changing.get(owner)
            if reason:
                refused[aliases.get(owner, owner)] = refused[owner] = reason
    for owner, shapes in seen.shapes.items():
        layer = module.get_submodule(owner)
        if (heads := heads_of(layer)) is not None:
            sites = _attention_sites(module, owner, heads, shapes[0], prefix_tokens, seen.norms)
            for site in sites:
                reason = _refusal(shapes, owner in seen.blind) or _mode_refusal(site, heads)
                if owner in seen.crossed:
                    reason = "it is cross-attention: queries and keys come from different inputs"
                reason = reason or changing.get(owner)
                if reason:
                    refused[site.path] = reason
                else:
                    found[site.path] = site
        elif owner not in refused:
            path = aliases.get(owner, owner)
            found[path] = _site(module, path, owner, shapes[0], prefix_tokens)
    refused |= seen.blocks.refused | {
        path: reason for path, reason in changing.items() if path in seen.blocks.found
    }
    found |= _output_vector_sites(module, found)
    found |= {
        path: _block_site(module, activation, prefix_tokens)
        for path, activation in seen.blocks.found.items()
        if path not in changing
    }
    activations = [path for path, site in found.items() if site.kind == "activation"]
    layers = [path for path in found if found[path].kind != "activation"]
    found = {path: found[path] for path in in_order(layers, activations)}
    return Sites(found, aliases, refused, module)


@dataclass
class _Recorded:
    """Shapes and samples of a forward pass.

    Attributes
    ----------
    shapes : dict of str to list of tuple
        By path, in the order of the calls: the shape of each output of a layer, and of each input
        of an attention.
    samples : dict of str to Tensor
        Some values of the same tensors, see `featviz.models.reproducibility.sample`; of the first
        call.
    norms : dict of str to str
        For each attention, the normalization whose output is its input.
    blind : set of str
        Layers and attentions with the same input for both images.
    crossed : set of str
        Attentions whose keys have another input than their queries.
    blocks : RecordedBlocks
        Activations of blocks.
    """

    shapes: dict[str, list[tuple[int, ...]]]
    samples: dict[str, Tensor]
    norms: dict[str, str]
    blind: set[str]
    crossed: set[str]
    blocks: RecordedBlocks


def _record(module: nn.Module, images: Tensor) -> _Recorded:
    seen = _Recorded({}, {}, {}, set(), set(), RecordedBlocks())
    latest: list[tuple[str, Tensor]] = []

    def layer_output(call: Call) -> None:
        seen.shapes.setdefault(call.path, []).append(tuple(call.output.shape))
        seen.samples.setdefault(call.path, sample(call.output))
        if _is_blind(call.inputs[0]):
            seen.blind.add(call.path)

    def norm_output(call: Call) -> None:
        latest[:] = [(call.path, call.output)]

    def attention_input(call: Call) -> None:
        inputs = call.inputs
        seen.shapes.setdefault(call.path, []).append(tuple(inputs[0].shape))
        seen.samples.setdefault(call.path, sample(inputs[0]))
        if _is_blind(inputs[0]):
            seen.blind.add(call.path)
        keys = inputs[1] if len(inputs) > 1 else call.context.get("key", inputs[0])
        if keys is not inputs[0]:
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
    with (
        record(module, layers, layer_output),
        record(module, norms, norm_output),
        record(module, attentions, attention_input, side="input"),
        record_blocks(module) as seen.blocks,
    ):
        module(images.clone())  # a module may change its input in place
    seen.samples |= {path: each.sample for path, each in seen.blocks.found.items()}
    return seen


def _attention_sites(
    module: nn.Module,
    owner: str,
    heads: Heads,
    shape: tuple[int, ...],
    prefix_tokens: int,
    norms: Mapping[str, str],
) -> Iterator[Site]:
    axes = shape[1:-1]
    grid, prefix = layout(module, owner, axes, prefix_tokens)
    logits = Site(f"{owner}.qk", owner, heads.count, math.prod(axes), grid, prefix, "qk")
    width = heads.query.weight.shape[1]
    yield logits
    yield replace(
        logits, path=f"{owner}.qk_mode", kind="qk_mode", modes=width, norm=norms.get(owner)
    )
    for name in VECTORS:
        width = heads.projection(name).weight.flatten(0, 1).shape[0]
        source = Source(vectors=name)
        yield replace(logits, path=f"{owner}.{name}", width=width, kind="activation", source=source)


def _output_vector_sites(module: nn.Module, found: Mapping[str, Site]) -> dict[str, Site]:
    """Make the sites of what the output projection of each attention reads."""
    sites = {}
    for projection in found.values():
        owner, _, name = projection.path.rpartition(".")
        layer = module.get_submodule(projection.owner)
        heads = getattr(module.get_submodule(owner), "num_heads", None)
        if name not in PROJECTIONS or not isinstance(layer, nn.Linear) or not heads:
            continue
        sites[f"{owner}.z"] = replace(
            projection,
            path=f"{owner}.z",
            width=layer.in_features,
            kind="activation",
            source=Source("input"),
        )
    return sites


def _block_site(module: nn.Module, activation: Activation, prefix_tokens: int) -> Site:
    axes, width = activation.shape[1:-1], activation.shape[-1]
    grid, prefix = layout(module, activation.owner, axes, prefix_tokens)
    return Site(
        activation.path,
        activation.owner,
        width,
        math.prod(axes),
        grid,
        prefix,
        "activation",
        source=activation.source,
    )


def _mode_refusal(site: Site, heads: Heads) -> str | None:
    if site.kind == "qk_mode" and not heads.bilinear:
        return "its queries or keys are normalized or rotated, so its logits are not bilinear"
    return None


def _refusal(shapes: list[tuple[int, ...]], blind: bool) -> str | None:
    if not shapes:
        return "its forward is never called as a module"
    if len(shapes) > 1:
        return f"it is called {len(shapes)} times in one forward pass"
    if shapes[0][0] != 2:
        return "its output does not keep one row for each image (windows or merged dimensions)"
    if blind:
        return "its input does not depend on the image"
    return None


def _is_blind(inputs: Tensor) -> bool:
    return len(inputs) == 2 and torch.equal(inputs[0], inputs[1])


def _site(
    module: nn.Module, path: str, owner: str, shape: tuple[int, ...], prefix_tokens: int
) -> Site:
    layer = module.get_submodule(owner)
    if isinstance(layer, nn.Linear):
        width, axes = shape[-1], shape[1:-1]
    else:
        width, axes = shape[1], shape[2:]
    grid, prefix = layout(module, owner, axes, prefix_tokens, isinstance(layer, nn.Conv2d))
    return Site(path, owner, width, math.prod(axes) if axes else 0, grid, prefix)


def require_grid(site: Site) -> tuple[int, int]:
    """Return the rows and columns of the patches of a `site`.

    Raises
    ------
    FeatvizError
        If it has no known token grid.
    """
    if site.grid is None:
        raise FeatvizError(f"{site.path} has no known grid of patches")
    return site.grid
