from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Call, Context, eval_mode, record, replace, run_until
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit

IMAGES = torch.linspace(0, 1, 24).view(2, 3, 2, 2)


class Scale(nn.Module):
    """Multiplies by a keyword argument, in place if asked to."""

    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.in_place = in_place

    def forward(self, inputs: Tensor, by: float = 1.0) -> Tensor:
        return inputs.mul_(by) if self.in_place else inputs * by


class Net(nn.Module):
    """Adds one, multiplies by 2, then in place by 3, then by 5."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = Scale(), Scale(in_place=True), Scale()
        self.unused = nn.Linear(1, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.second(self.first(images + 1, by=2.0), by=3.0), 5.0)  # type: ignore[no-any-return]  # modules are untyped


def vision_model(module: nn.Module) -> VisionModel:
    return VisionModel("net", module, 2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def hook_count(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def test_a_run_gives_each_modules_input_and_keywords_and_stops_at_the_deepest() -> None:
    net, found = Net(), []
    ran: list[str] = []

    def take(path: str, inputs: Tensor, context: Context) -> None:
        found.append((path, inputs.clone(), dict(context)))

    with record(net, ["first", "second", "last"], lambda call: ran.append(call.path)):
        run_until(vision_model(net), IMAGES, ["second", "first"], take)
    (one, before, by_two), (two, after, by_three) = found
    assert (one, two, by_two, by_three) == ("first", "second", {"by": 2.0}, {"by": 3.0})
    assert torch.equal(before, IMAGES + 1)
    assert torch.equal(after, 2 * (IMAGES + 1))
    assert ran == ["first"]


def test_a_run_gives_an_input_before_a_later_module_changes_it_in_place() -> None:
    found: list[Tensor] = []
    run_until(
        vision_model(Net()), IMAGES, ["second", "last"], lambda _p, x, _c: found.append(x.clone())
    )
    assert torch.equal(found[0], 2 * (IMAGES + 1))


def test_a_run_that_never_reaches_a_module_is_refused() -> None:
    with pytest.raises(FeatvizError, match=r"^a forward pass of net does not call unused as"):
        run_until(vision_model(Net()), IMAGES, ["first", "unused"], lambda *_: None)


def test_a_run_that_calls_a_module_twice_is_refused() -> None:
    part = Scale()
    twice = vision_model(nn.Sequential(part, part, Scale()))
    with pytest.raises(FeatvizError, match=r"^0 is called more than once in one forward pass$"):
        run_until(twice, IMAGES, ["0", "2"], lambda *_: None)


def test_a_run_leaves_no_activation_for_the_garbage_collector() -> None:
    kept: list[weakref.ref[Tensor]] = []
    gc.collect()
    gc.disable()
    try:
        run_until(
            vision_model(Net()), IMAGES, ["last"], lambda _p, x, _c: kept.append(weakref.ref(x))
        )
        assert kept[0]() is None
    finally:
        gc.enable()


class ByKeyword(Net):
    """`Net` that passes the first argument by keyword, and the other one by position or keyword."""

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(by=2.0, inputs=images + 1), 5.0)  # type: ignore[no-any-return]


def test_a_first_argument_passed_by_keyword_is_found_and_replaced() -> None:
    net, calls = ByKeyword(), list[Call]()
    for side in ("input", "output"):
        with record(net, ["first"], calls.append, side=side):
            net(IMAGES)
    for call in calls:
        assert torch.equal(call.inputs[0], IMAGES + 1)
        assert (len(call.inputs), call.context) == (1, {"by": 2.0})
    with replace(net.first, lambda call: 0 * call.inputs[0] + 1, side="input"):
        assert torch.equal(net(IMAGES), torch.full_like(IMAGES, 10))


def test_a_run_names_the_arguments_that_were_passed_by_position() -> None:
    found: list[Context] = []
    run_until(
        vision_model(ByKeyword()), IMAGES, ["last"], lambda _p, _x, given: found.append(given)
    )
    assert found == [{"by": 5.0}]


def test_recorded_calls_come_in_order_with_arguments_and_outputs() -> None:
    net, calls = Net(), list[Call]()
    with record(net, ["last", "first", ""], calls.append):
        output = net(IMAGES)
    assert [call.path for call in calls] == ["first", "last", ""]
    assert calls[0].context == {"by": 2.0}
    assert calls[1].inputs[1:] == (5.0,)
    assert calls[1].output is output
    assert calls[2].inputs == (IMAGES,)


def test_recording_inputs_happens_before_the_module_runs() -> None:
    net, found = Net(), list[Tensor]()
    with record(net, ["second"], lambda call: found.append(call.inputs[0].clone()), side="input"):
        net(IMAGES)
    assert torch.equal(found[0], 2 * (IMAGES + 1))


def test_a_replaced_output_reaches_what_follows() -> None:
    net = Net()
    with replace(net.first, lambda call: call.inputs[0] - call.output * call.context["by"]):
        output = net(IMAGES)
    torch.testing.assert_close(output, -3 * 15 * (IMAGES + 1))


def test_a_replaced_input_keeps_the_other_arguments() -> None:
    net = Net()
    with replace(net.last, lambda call: call.inputs[0] * 0 + 1, side="input"):
        assert torch.equal(net(IMAGES), torch.full_like(IMAGES, 5))
    with replace(net.first, lambda call: call.inputs[0] * 0 + 1, side="input"):
        assert torch.equal(net(IMAGES), torch.full_like(IMAGES, 30))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(
    "hook",
    [
        lambda net, fail: record(net, ["first", "last"], fail),
        lambda net, fail: record(net, ["first", "last"], fail, side="input"),
        lambda net, fail: replace(net.first, fail),
        lambda net, fail: replace(net.first, fail, side="input"),
    ],
)
def test_hooks_are_removed_after_an_exception(
    error: type[BaseException],
    hook: Callable[[Net, Callable[[Call], None]], AbstractContextManager[None]],
) -> None:
    net = Net()

    def fail(_call: Call) -> None:
        raise error

    with hook(net, fail):
        assert hook_count(net)
        with pytest.raises(error):
            net(IMAGES)
    assert not hook_count(net)
    with pytest.raises(error):
        run_until(vision_model(net), IMAGES, ["first", "last"], lambda *_: fail(Call("", (), {})))
    assert not hook_count(net)


def test_a_path_that_does_not_exist_leaves_no_hook_on_the_others() -> None:
    net = Net()
    with pytest.raises(AttributeError), record(net, ["first", "missing"], print):
        pass
    assert not hook_count(net)


def some_flags_set() -> nn.Sequential:
    """A module of which one part trains, and one weight learns."""
    layers = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 2)).eval()
    layers.requires_grad_(False)
    layers[1].train()
    layers[2].bias.requires_grad_(True)
    return layers


def flags(layers: nn.Module) -> list[bool]:
    training = [part.training for part in layers.modules()]
    return training + [weight.requires_grad for weight in layers.parameters()]


def test_eval_mode_clears_every_flag_and_restores_it_also_when_nested() -> None:
    layers = some_flags_set()
    before = flags(layers)
    assert any(before)
    assert not all(before)
    with eval_mode(layers):
        with eval_mode(layers):
            assert not any(flags(layers))
        assert not any(flags(layers))
    assert flags(layers) == before


def test_eval_mode_restores_every_flag_after_an_exception() -> None:
    layers = some_flags_set()
    before = flags(layers)
    with pytest.raises(KeyboardInterrupt), eval_mode(layers):
        raise KeyboardInterrupt
    assert flags(layers) == before


@pytest.mark.parametrize("compiled_first", [True, False])
@pytest.mark.parametrize("how", ["module.compile", "torch.compile", "both"])
def test_hooks_of_compiled_modules_run_and_the_modules_stay_compiled(
    how: str, compiled_first: bool
) -> None:
    torch.compiler.reset()
    graphs: list[object] = []

    def backend(graph: Any, _inputs: object) -> Any:
        graphs.append(graph)
        return graph.forward

    inner = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    compiled: Any = torch.compile(inner, backend=backend)
    outer = nn.Sequential(inner if how == "module.compile" else compiled)
    if how != "torch.compile":
        outer.compile(backend=backend)
    images, found = torch.ones(1, 2), list[Tensor]()
    if compiled_first:
        outer(images)
    path = "0.1" if how == "module.compile" else "0._orig_mod.1"
    with eval_mode(outer), record(outer, [path], lambda call: found.append(call.output)):
        outer(images)
    assert torch.equal(found[0], inner[1](inner[0](images)))
    before = len(graphs)
    assert before == (1 if compiled_first else 0)
    outer(images)
    assert len(graphs) == 1


def test_other_threads_wait_until_evaluation_mode_ends() -> None:
    net, order = nn.Sequential(nn.Dropout()), list[str]()
    entered, release = Event(), Event()

    def hold() -> None:
        with eval_mode(net):
            entered.set()
            assert release.wait(60)
            order.append("first")

    first = Thread(target=hold)
    first.start()
    assert entered.wait(60)

    def follow() -> None:
        with eval_mode(net), record(net, ["0"], lambda _call: order.append("second")):
            net(IMAGES)

    second = Thread(target=follow)
    second.start()
    assert not net[0]._forward_hooks
    # Another module is free.
    with eval_mode(nn.Dropout()):
        release.set()
    first.join(60)
    second.join(60)
    assert order == ["first", "second"]
    assert all(part.training for part in net.modules())


def test_evaluation_mode_works_inside_function_transforms() -> None:
    layer = nn.Linear(2, 1)

    def total(images: Tensor) -> Tensor:
        with eval_mode(layer):
            return layer(images).sum()  # type: ignore[no-any-return]  # modules are untyped

    gradient = torch.func.grad(total)(torch.ones(3, 2))
    assert torch.equal(gradient, layer.weight.expand(3, 2))
    assert layer.weight.requires_grad


def test_evaluation_mode_turns_timms_gradient_checkpointing_off_and_on_again() -> None:
    module = toy_vit().module
    module.set_grad_checkpointing(True)  # type: ignore[operator]  # modules are untyped
    with eval_mode(module):
        assert vars(module)["grad_checkpointing"] is False
    assert vars(module)["grad_checkpointing"] is True
