"""Computation and time of a sweep of activation patching.

``python -m benchmarks.sweep`` prints one JSON line. The attention output of each block, and then
`z` of each head, are patched from the clean into the corrupted run, one at a time, by three
methods: the batched forward of `patching`; one full forward pass with a hook per target, as in
TransformerLens; and nnsight, if it is installed. Each method starts from images, so the clean and
the corrupted run are included; ratios are also given without these two, which every method needs.
A block-image is one image in one block, half of it in the attention and half in the MLP. The
methods alternate, and the times are medians over the rounds.
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
"""From clean and corrupted images (N, 3, H, W) to logits (targets, N, classes)."""


def by_batched_forward(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep with the batched forward of `patching`."""
    vit = residual_vit(model)

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        donor, base = (
            run_with_cache(vit, vit.embed(images), patches) for images in (clean, corrupted)
        )
        return patched_logits(vit, base, donor, patches)

    return sweep


def by_hooks(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep with one full forward pass per target.

    Source: Nanda and Bloom, TransformerLens, ``patching.generic_activation_patch``, 2022.
    """
    module: Any = model.module
    layers = [_layer(block, patches[0][0].kind) for block in module.blocks]
    heads = [block.attn.num_heads for block in module.blocks]

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        cache: dict[int, Tensor] = {}

        def record(layer: int, _module: nn.Module, inputs: Any, output: Any = None) -> None:
            cache[layer] = inputs[0] if output is None else output

        with _hooked(layers, record, patches[0][0].kind):
            module(model.normalize(clean))
        module(model.normalize(corrupted))
        logits = []
        for (target,) in patches:
            replace = partial(_replace, target, heads[target.layer], cache[target.layer])
            with _hooked([layers[target.layer]], replace, target.kind):
                logits.append(module(model.normalize(corrupted)))
        return torch.stack(logits)

    return sweep


def by_nnsight(model: VisionModel, patches: list[Patch]) -> Sweep:
    """Sweep with one trace of nnsight per target.

    Source: Fiotto-Kaufman et al., "NNsight and NDIF", 2024.
    """
    nnsight = import_module("nnsight")
    wrapped = nnsight.NNsight(model.module)
    heads = [block.attn.num_heads for block in wrapped.blocks]
    at_z = patches[0][0].kind == "z"

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        inputs = model.normalize(corrupted)
        with wrapped.trace(model.normalize(clean)):
            cache = nnsight.save(
                [block.attn.proj.input if at_z else block.attn.output for block in wrapped.blocks]
            )
        with wrapped.trace(inputs):
            wrapped.output.save()
        logits = []
        for (target,) in patches:
            with wrapped.trace(inputs):
                attention = wrapped.blocks[target.layer].attn
                if at_z:
                    own, donor = attention.proj.input, cache[target.layer]
                    attention.proj.input = _patch_heads(target, heads[target.layer], own, donor)
                else:
                    attention.output = cache[target.layer]
                patched = wrapped.output.save()
            logits.append(patched)
        return torch.stack(logits)

    return sweep


def _layer(block: Any, kind: str) -> nn.Module:
    layer: nn.Module = block.attn.proj if kind == "z" else block.attn
    return layer


def _patch_heads(target: PatchTarget, heads: int, own: Tensor, donor: Tensor) -> Tensor:
    patched = own.clone()
    width = own.shape[-1] // heads
    for head in target.groups or ():
        channels = slice(head * width, (head + 1) * width)
        patched[..., channels] = donor[..., channels]
    return patched


def _replace(
    target: PatchTarget,
    heads: int,
    donor: Tensor,
    _layer: int,
    _module: nn.Module,
    inputs: tuple[Tensor, ...],
    _output: Tensor | None = None,
) -> Tensor:
    return _patch_heads(target, heads, inputs[0], donor) if target.kind == "z" else donor


@contextmanager
def _hooked(layers: list[nn.Module], hook: Callable[..., Any], kind: str) -> Iterator[None]:
    handles = []
    for index, layer in enumerate(layers):
        at_input = kind == "z"
        register = layer.register_forward_pre_hook if at_input else layer.register_forward_hook
        handles.append(register(partial(hook, index)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Count:
    """Calls of blocks, and images in them; each sublayer of a block counts as half."""

    calls: float = 0
    images: float = 0


@contextmanager
def counted(model: VisionModel) -> Iterator[Count]:
    """Count calls of the blocks of a model within the context."""
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
    """Run the clean and the corrupted images only, without a patch."""

    def sweep(clean: Tensor, corrupted: Tensor) -> Tensor:
        return torch.stack([model.module(model.normalize(each)) for each in (clean, corrupted)])

    return sweep


def compare(
    model: VisionModel, patches: list[Patch], images: tuple[Tensor, Tensor], rounds: int
) -> dict[str, Any]:
    """Measure each method on the same patches and images.

    Parameters
    ----------
    model : VisionModel
    patches : list of Patch
        One target each, all of one kind.
    images : (Tensor, Tensor)
        Clean and corrupted, (N, 3, H, W).
    rounds : int

    Returns
    -------
    dict
        Costs by method, and the ratio of those of each other method to those of the batched
        forward.
    """
    methods = {"batched": by_batched_forward(model, patches), "hooks": by_hooks(model, patches)}
    absent = None
    try:
        methods["nnsight"] = by_nnsight(model, patches)
    except ImportError as missing:
        absent = f"not measured: {missing}"
    costs: dict[str, dict[str, float]] = {}
    expected = methods["hooks"](*images)
    measured = {**methods, "two runs": two_runs(model)}
    for name, sweep in measured.items():
        with counted(model) as count:
            logits = sweep(*images)
        costs[name] = {"block_calls": count.calls, "block_images": count.images}
        if name in methods:
            costs[name]["largest_difference_from_hooks"] = float((logits - expected).abs().max())
    for name, times in _timed(measured, images, rounds).items():
        costs[name] |= times
    found: dict[str, Any] = {**costs, "targets": len(patches)}
    for peer in methods.keys() - {"batched"}:
        found[f"times_less_than_{peer}"] = _ratios(costs, peer)
    return found if absent is None else found | {"nnsight": None, "why_no_nnsight": absent}


def _timed(
    methods: dict[str, Sweep], images: tuple[Tensor, Tensor], rounds: int
) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, sweep in methods.items():
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
        own, other, shared = (costs[name][unit] for name in ("batched", peer, "two runs"))
        ratios[unit] = round(other / own, 3)
        ratios[f"{unit}_without_the_two_runs"] = round((other - shared) / (own - shared), 3)
    return ratios


def sweeps(model: VisionModel) -> dict[str, list[Patch]]:
    """Return the patches of each sweep by its name."""
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
    """Run the benchmark and print its results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
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
                name: compare(model, patches, (clean, corrupted), arguments.rounds)
                for name, patches in sweeps(model).items()
            }
    settings = {"machine": describe(), "batch": arguments.batch, "rounds": arguments.rounds}
    print(json.dumps({"benchmark": "sweep", **settings, "models": results}))


if __name__ == "__main__":
    main()
