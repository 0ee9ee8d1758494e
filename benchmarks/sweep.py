"""How much is computed in a sweep of patched runs, and how long it takes.

``python -m benchmarks.sweep`` prints one JSON line. The clean run's attention outputs of each
block, and then z of each head, are put into the corrupted run, one at a time, in three ways: by
patching's batched forward; by one full forward pass per patch with a hook, as TransformerLens does;
and by nnsight, if it is installed. Each starts from images, so the clean and the corrupted run count
too; the cost without these two is printed as well, since every way needs them.
One block-image is one image in one block, half of it in its attention and half in its MLP. The ways
alternate, and medians over the rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

import featviz
from benchmarks.machine import describe
from featviz import VisionModel
from featviz.models.hooks import eval_mode
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import Patch, PatchTarget
from patching.vit.residual_vit import residual_vit

MODELS = ("cueworld/vit", "deit_small_patch16_224")
Sweep = Callable[[Tensor, Tensor], Tensor]
"""From clean and corrupted images (N, 3, H, W) to logits (sites, N, classes)."""


def by_staircase(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep as patching does."""
    vit = residual_vit(model)

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        donor, base = (
            run_with_cache(vit, vit.embed(images), patches) for images in (clean, corrupted)
        )
        return patched_logits(vit, base, donor, patches)

    return sweep


def by_hooks(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep by one full forward pass for each site.

    Source: Nanda and Bloom, TransformerLens, ``patching.generic_activation_patch``, 2022.
    """
    module: Any = model.module
    layers = [_layer(block, patches[0][0].kind) for block in module.blocks]
    heads = [block.attn.num_heads for block in module.blocks]

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        cache: dict[int, Tensor] = {}

        def keep(number: int, _layer: nn.Module, inputs: Any, output: Any = None) -> None:
            cache[number] = inputs[0] if output is None else output

        with _hooked(layers, keep, patches[0][0].kind):
            module(model.normalize(clean))
        module(model.normalize(corrupted))
        logits = []
        for (target,) in patches:
            change = partial(_put, target, heads[target.layer], cache[target.layer])
            with _hooked([layers[target.layer]], change, target.kind):
                logits.append(module(model.normalize(corrupted)))
        return torch.stack(logits)

    return sweep


def by_nnsight(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep by one trace of nnsight for each site.

    Source: Fiotto-Kaufman et al., "NNsight and NDIF", 2024.
    """
    nnsight = import_module("nnsight")
    wrapped = nnsight.NNsight(model.module)
    heads = [block.attn.num_heads for block in wrapped.blocks]
    inner = patches[0][0].kind == "z"

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        inputs = model.normalize(corrupted)
        with wrapped.trace(model.normalize(clean)):
            cache = nnsight.save(
                [block.attn.proj.input if inner else block.attn.output for block in wrapped.blocks]
            )
        with wrapped.trace(inputs):
            wrapped.output.save()
        logits = []
        for (target,) in patches:
            with wrapped.trace(inputs):
                attention = wrapped.blocks[target.layer].attn
                if inner:
                    own, other = attention.proj.input, cache[target.layer]
                    attention.proj.input = _mixed(target, heads[target.layer], own, other)
                else:
                    attention.output = cache[target.layer]
                found = wrapped.output.save()
            logits.append(found)
        return torch.stack(logits)

    return sweep


def _layer(block: Any, kind: str) -> nn.Module:
    layer: nn.Module = block.attn.proj if kind == "z" else block.attn
    return layer


def _mixed(target: PatchTarget, heads: int, own: Tensor, other: Tensor) -> Tensor:
    mixed = own.clone()
    for head in target.groups or ():
        width = own.shape[-1] // heads
        mixed[..., head * width : (head + 1) * width] = other[
            ..., head * width : (head + 1) * width
        ]
    return mixed


def _put(
    target: PatchTarget,
    heads: int,
    other: Tensor,
    _number: int,
    _layer: nn.Module,
    inputs: tuple[Tensor, ...],
    _output: Tensor | None = None,
) -> Tensor:
    return _mixed(target, heads, inputs[0], other) if target.kind == "z" else other


@contextmanager
def _hooked(layers: list[nn.Module], hook: Callable[..., Any], kind: str) -> Iterator[None]:
    handles = []
    for number, layer in enumerate(layers):
        called = partial(hook, number)
        at_input = kind == "z"
        register = layer.register_forward_pre_hook if at_input else layer.register_forward_hook
        handles.append(register(called))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Count:
    """Calls of blocks and images in them, a sublayer for attention and a sublayer for the MLP."""

    calls: float = 0
    images: float = 0


@contextmanager
def counted(model: VisionModel) -> Iterator[Count]:
    """Count while this lasts."""
    count = Count()
    module: Any = model.module

    def add(_core: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        count.calls += 0.5
        count.images += len(inputs[0]) / 2

    handles = [
        core.register_forward_pre_hook(add)
        for block in module.blocks
        for core in (block.attn, block.mlp)
    ]
    try:
        yield count
    finally:
        for handle in handles:
            handle.remove()


def two_runs(model: VisionModel) -> Sweep:
    """Make the clean and the corrupted run only, as timm does."""

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        return torch.stack([model.module(model.normalize(each)) for each in (clean, corrupted)])

    return sweep


def compare(
    model: VisionModel, patches: list[Patch], images: tuple[Tensor, Tensor], turns: int
) -> dict[str, Any]:
    """Measure every way on the same sites and images."""
    ways = {"staircase": by_staircase(model, patches), "hooks": by_hooks(model, patches)}
    absent = None
    try:
        ways["nnsight"] = by_nnsight(model, patches)
    except ImportError as missing:
        absent = f"not measured: {missing}"
    costs: dict[str, dict[str, float]] = {}
    right = ways["hooks"](*images)
    measured = {**ways, "two runs": two_runs(model)}
    for name, sweep in measured.items():
        with counted(model) as count:
            logits = sweep(*images)
        costs[name] = {"block_calls": count.calls, "block_images": count.images}
        if name in ways:
            costs[name]["largest_difference_from_hooks"] = float((logits - right).abs().max())
    for name, times in _timed(measured, images, turns).items():
        costs[name] |= times
    found: dict[str, Any] = {**costs, "sites": len(patches)}
    for peer in ways.keys() - {"staircase"}:
        found[f"times_less_than_{peer}"] = _ratios(costs, peer)
    return found if absent is None else found | {"nnsight": None, "why_no_nnsight": absent}


def _timed(
    ways: dict[str, Sweep], images: tuple[Tensor, Tensor], turns: int
) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, sweep in ways.items():
            start = time.perf_counter(), time.process_time()
            sweep(*images)
            end = time.perf_counter(), time.process_time()
            seconds[name].append((end[0] - start[0], end[1] - start[1]))
    medians = {
        name: [statistics.median(side) for side in zip(*pairs, strict=True)]
        for name, pairs in seconds.items()
    }
    return {
        name: {"seconds": round(wall, 4), "processor_seconds": round(processor, 4)}
        for name, (wall, processor) in medians.items()
    }


def _ratios(costs: dict[str, dict[str, float]], peer: str) -> dict[str, float]:
    ratios = {}
    for unit in ("block_calls", "block_images", "seconds", "processor_seconds"):
        own, other, shared = (costs[name][unit] for name in ("staircase", peer, "two runs"))
        ratios[unit] = round(other / own, 3)
        ratios[f"{unit}_besides_the_two_runs"] = round((other - shared) / (own - shared), 3)
    return ratios


def sites(model: VisionModel) -> dict[str, list[Patch]]:
    """List what is swept."""
    module: Any = model.module
    layers = range(len(module.blocks))
    return {
        "attention outputs": [(PatchTarget("attn_out", layer),) for layer in layers],
        "z of heads": [
            (PatchTarget("z", layer, None, (head,)),)
            for layer in layers
            for head in range(module.blocks[layer].attn.num_heads)
        ],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a sweep of patched runs costs.")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=MODELS)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name in arguments.models:
        model = featviz.load(name, device="cpu", untrained=not name.startswith("cueworld"))
        shape = (arguments.batch, 3, model.image_size, model.image_size)
        clean = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        corrupted = clean.mean(1, keepdim=True).expand(shape).contiguous()
        with eval_mode(model.module), torch.inference_mode():
            results[name] = {
                what: compare(model, patches, (clean, corrupted), arguments.turns)
                for what, patches in sites(model).items()
            }
    settings = {"machine": describe(), "batch": arguments.batch, "turns": arguments.turns}
    print(json.dumps({"benchmark": "sweep", **settings, "models": results}))


if __name__ == "__main__":
    main()
