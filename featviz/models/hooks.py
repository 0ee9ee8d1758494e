"""Forward hooks: run a model up to a module, record or replace activations, evaluation mode.

This is the only module of featviz and patching that registers forward hooks. Every hook is removed
when its function or ``with`` block ends, also after an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

Context = Mapping[str, Any]
"""Keyword arguments with which a module is called, such as ``rope``."""

Take = Callable[[str, Tensor, Context], object]
"""Receives a module's path, its first input and the keyword arguments of its call."""

Side = Literal["input", "output"]
"""Whether a hook runs before a module (``"input"``) or after it (``"output"``)."""


class Call(NamedTuple):
    """One call of a module during a forward pass.

    Attributes
    ----------
    path : str
        Path of the module.
    inputs : tuple
        Positional arguments.
    context : mapping
        Keyword arguments.
    output : Any
        What the module returned; None for a hook on its input, which runs before the module.
    """

    path: str
    inputs: tuple[Any, ...]
    context: Context
    output: Any = None


class _StopForward(BaseException):
    """Ends a forward pass; not an `Exception`, so that no model code catches it."""

    def __init__(self, path: str, inputs: Tensor, context: Context) -> None:
        self.path, self.inputs, self.context = path, inputs, context


def run_until(model: VisionModel, images: Tensor, paths: Collection[str], take: Take) -> None:
    """Run a model until every module of `paths` is called, and pass the input of each to `take`.

    The forward pass ends at the input of the deepest of these modules: that module and all later
    ones do not run. If the pass never calls one of them, it runs to its end. The model should be
    in `eval_mode`, which this function leaves to the caller.

    Parameters
    ----------
    model : VisionModel
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.
    paths : collection of str
        Paths of submodules, at least one.
    take : callable
        Called as ``take(path, inputs, context)`` once for each module, in the order of the forward
        pass, with the module's first input and its keyword arguments.
    """
    waiting = set(paths)

    def arrive(call: Call) -> None:
        waiting.discard(call.path)
        if not waiting:
            raise _StopForward(call.path, call.inputs[0], call.context)
        # Now, not after the pass: a later layer may change this input in place.
        take(call.path, call.inputs[0], call.context)

    try:
        with record(model.module, paths, arrive, side="input"):
            model(images)
    except _StopForward as last:
        take(last.path, last.inputs, last.context)


@contextmanager
def record(
    module: nn.Module,
    paths: Iterable[str],
    take: Callable[[Call], object],
    side: Side = "output",
) -> Iterator[None]:
    """Pass every call of some submodules to a function while the ``with`` block runs.

    Parameters
    ----------
    module : nn.Module
    paths : iterable of str
        Paths of submodules; the empty path is the module itself.
    take : callable
        Called with a `Call` each time one of these submodules runs, such as ``calls.append``. A
        later layer may change a tensor in place: clone or reduce it here if that matters.
    side : str
        ``"output"``: call `take` after the submodule, with its output. ``"input"``: before it.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> calls: list[Call] = []
    >>> with record(net, ["0"], calls.append):
    ...     _ = net(torch.zeros(1, 3))
    >>> calls[0].output.shape
    torch.Size([1, 2])
    """

    def before(path: str, _module: nn.Module, inputs: tuple[Any, ...], context: Any) -> None:
        take(Call(path, inputs, context))

    def after(
        path: str, _module: nn.Module, inputs: tuple[Any, ...], context: Any, output: Any
    ) -> None:
        take(Call(path, inputs, context, output))

    with ExitStack() as hooks:
        for path in paths:
            part = module.get_submodule(path)
            if side == "input":
                hook = part.register_forward_pre_hook(partial(before, path), with_kwargs=True)
            else:
                hook = part.register_forward_hook(partial(after, path), with_kwargs=True)
            hooks.callback(hook.remove)
        yield


@contextmanager
def replace(
    module: nn.Module, change: Callable[[Call], Any], side: Side = "output"
) -> Iterator[None]:
    """Replace the output or the first input of a module while the ``with`` block runs.

    Parameters
    ----------
    module : nn.Module
        The submodule itself; the `path` of its calls is empty.
    change : callable
        Called with a `Call` each time the module runs. Returns the new output, or the new first
        input; the other arguments are kept.
    side : str
        ``"output"`` or ``"input"``.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> with replace(layer, lambda call: 2 * call.output):
    ...     doubled = layer(torch.ones(1, 3))
    >>> torch.equal(doubled, 2 * layer(torch.ones(1, 3)))
    True
    """

    def before(_module: nn.Module, inputs: tuple[Any, ...], context: Any) -> tuple[Any, Any]:
        return (change(Call("", inputs, context)), *inputs[1:]), context

    def after(_module: nn.Module, inputs: tuple[Any, ...], context: Any, output: Any) -> Any:
        return change(Call("", inputs, context, output))

    if side == "input":
        hook = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        hook = module.register_forward_hook(after, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, without gradients to its weights, and restore it.

    The `training` flag of every submodule and `requires_grad` of every parameter are restored,
    also after an exception. What `nn.Module.compile` compiled runs as it was before: compiled code
    does not call the hooks of submodules.

    Parameters
    ----------
    module : nn.Module
    """
    training = [part for part in module.modules() if part.training]
    trainable = [weight for weight in module.parameters() if weight.requires_grad]
    compiled = [(part, part._compiled_call_impl) for part in module.modules()]
    compiled = [(part, call) for part, call in compiled if call is not None]
    try:
        for part, _ in compiled:
            part._compiled_call_impl = None
        for part in training:
            part.training = False
        for weight in trainable:
            weight.requires_grad_(False)
        yield
    finally:
        for part in training:
            part.training = True
        for weight in trainable:
            weight.requires_grad_(True)
        for part, call in compiled:
            part._compiled_call_impl = call
