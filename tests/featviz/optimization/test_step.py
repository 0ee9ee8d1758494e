"""A step of an optimization: one graph of static shapes, in which nothing waits for a device."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import featviz
from benchmarks.compiled_step import compiled
from featviz.optimization.optimize import Step, optimize
from featviz.optimization.recipe import make_recipe

# Of a model, units, and settings of the recipe.
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "neurons": ("vit", "blocks.1.mlp.fc1:0-2", {}),
    "neurons at a token": ("vit", "blocks.1.mlp.fc1:0-2@cls", {}),
    "neurons at their maximum": ("vit", "blocks.1.mlp.fc1:0-2@max", {"cosine_power": 1.0}),
    "activations": ("vit", "blocks.1.mlp_act:0-2", {"tv_weight": 0.1}),
    "logits": ("vit", "blocks.1.attn.qk:0-2@same", {}),
    "logits of two images": ("vit", "blocks.1.attn.qk:0-2@max", {"split_qk": True}),
    "filters": ("resnet", "layer1.0.conv1:0-2", {}),
    "diverse filters": ("resnet", "layer1.0.conv1:0", {"samples": 3, "diversity": 0.5}),
    "latents": ("vit", "sae.s:0-2", {}),
}
READS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal.default")
"""Operators whose result the host waits for, or whose shape depends on values."""

cases = pytest.mark.parametrize("name", CASES)


def load(name: str) -> featviz.VisionModel:
    saes = {"s": "cueworld/sae"} if name == "vit" else {}
    return featviz.load(f"cueworld/{name}", device="cpu", saes=saes)


class FinishedError(Exception):
    """Ends an optimization whose steps were observed."""


class Record(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which operators run, and the devices of what they take and make."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, set[str]]] = []

    def __torch_dispatch__(
        self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, found))
        devices = {leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)}
        self.calls.append((str(function), devices))
        return found


@contextmanager
def on_imagined_gpu(model: featviz.VisionModel) -> Iterator[featviz.VisionModel]:
    """A copy on a GPU of tensors without values: reading a value raises an error."""
    module = copy.deepcopy(model.module)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        for part in [module, *model.saes.values()]:
            for owner in part.modules():
                for name, weight in list(owner._parameters.items()):
                    if weight is not None:
                        moved = fake.from_tensor(weight.detach()).to("cuda")
                        owner._parameters[name] = nn.Parameter(moved, requires_grad=False)
                for name, buffer in list(owner._buffers.items()):
                    if buffer is not None:
                        owner._buffers[name] = fake.from_tensor(buffer).to("cuda")
        yield model.with_module(module)


@cases
def test_a_step_on_a_gpu_neither_waits_for_it_nor_copies_to_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, selector, settings = CASES[name]
    model = load(kind)
    units = featviz.units(model, selector)
    recipe = make_recipe(model, steps=4, precision="float32", **settings)
    record, steps = Record(), 0

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps == 1:  # the first step makes constants and the moments of Adam
            record.__enter__()  # type: ignore[no-untyped-call]
        elif steps == 3:
            record.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            raise FinishedError

    # A backward pass needs a real device; the other test observes it.
    monkeypatch.setattr(torch.autograd, "grad", lambda _, inputs: (torch.zeros_like(inputs),))
    with on_imagined_gpu(model) as imagined, suppress(FinishedError):
        optimize(imagined, units, recipe, tick)
    assert any("_fused_adam_" in operator for operator, _ in record.calls)
    assert [call for call in record.calls if "cpu" in call[1]] == []
    assert [call for call in record.calls if any(read in call[0] for read in READS)] == []


@cases
def test_forward_and_backward_pass_of_a_step_are_one_graph_with_the_same_values(
    name: str,
) -> None:
    kind, selector, settings = CASES[name]
    model = load(kind)
    units = featviz.units(model, selector)
    recipe = make_recipe(model, steps=3, precision="float32", **settings)
    traced: list[torch.fx.GraphModule] = []

    def trace(compute: Step) -> Step:
        def run(parameters: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
            if not traced:
                compute(parameters, draws)  # makes constants, which are then no part of the graph
                traced.append(make_fx(compute)(parameters, draws))
            with torch.no_grad():
                found: tuple[Tensor, Tensor] = traced[0](parameters, draws)
            return found

        return run

    # Later steps run the graph of the first on other values.
    graph, eager = optimize(model, units, recipe, transform=trace), optimize(model, units, recipe)
    torch.testing.assert_close(graph.trajectory, eager.trajectory, rtol=0, atol=0)
    assert torch.equal(graph.images, eager.images)
    operators = [str(node.target) for node in traced[0].graph.nodes if node.op == "call_function"]
    assert len(operators) > 100
    assert [each for each in operators if any(read in each for read in READS)] == []
    # Constants that a step copies from Python to tensors would be copied to the device each time.
    assert [each for each in operators if "lift_fresh" in each] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's compiler
@pytest.mark.parametrize("name", ["neurons", "logits", "filters", "latents"])
def test_a_compiled_step_without_graph_breaks_gives_the_same_picture(name: str) -> None:
    kind, selector, settings = CASES[name]
    model = load(kind)
    units = featviz.units(model, selector)
    recipe = make_recipe(model, steps=4, precision="float32", **settings)
    fast, eager = (
        optimize(model, units, recipe, transform=each) for each in (compiled, lambda c: c)
    )
    torch.testing.assert_close(fast.trajectory, eager.trajectory, rtol=1e-4, atol=1e-4)
    assert (fast.images.int() - eager.images.int()).abs().max() <= 1
