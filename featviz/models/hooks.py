"""Forward hooks: run a model up to a module, record or replace activations, evaluation mode.

This is the only module of featviz and patching that registers forward hooks. Every hook is removed
when its function or ``with`` block ends, also after an exception. Hooks and flags belong to the
module and not to a thread, so one thread at a time uses a module; the others wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from inspect import Parameter, signature
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

Context = Mapping[str, Any]
"""Keyword arguments with which a module is called, such as ``rope``."""

InputCallback = Callable[[str, Tensor, Context], object]
"""Receives a module's path, its first input and the keyword arguments of its call."""

Side = Literal["input", "output"]
"""Whether a hook runs before a module (``"input"``) or after it (``"output"``)."""

_locks: WeakKeyDictionary[nn.Module, AbstractContextManager[bool]] = WeakKeyDictionary()
_guard = Lock()


class Call(NamedTuple):
    """One call of a module during a forward pass.

    Attributes
    ----------
    path : str
        Path of the module.
    inputs : tuple
        Positional arguments; the first argument is here even if it was passed by keyword.
    context : mapping
        The other keyword arguments.
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


def run_until(
    model: VisionModel, images: Tensor, paths: Collection[str], take: InputCallback
) -> None:
    """Run a model until every module of `paths` is called, and pass the input of each to `take`.

    The forward pass ends at the input of the deepest of these modules: that module and all later
    ones do not run. The model should be in `eval_mode`, which this function leaves to the caller.

    Parameters
    ----------
    model : VisionModel
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1]; H and W are the model's `image_size`.
    paths : collection of str
        Paths of submodules, at least one.
    take : callable
        Called as ``take(path, inputs, context)`` once for each module, in the order of the forward
        pass, with the module's first argument, and all others by name. It may run the module.

    Raises
    ------
    FeatvizError
        If the pass does not call each of these modules exactly once before it ends.
    """
    waiting, is_taking = set(paths), False

    def arrive(call: Call) -> None:
        nonlocal is_taking
        if is_taking:
            return  # `take` runs a module that contains this one; the pass will come to it
        if call.path not in waiting:
            raise FeatvizError(f"{call.path} is called more than once in one forward pass")
        waiting.discard(call.path)
        context = call.context
        if len(call.inputs) > 1:
            names = _positional_names(model.module.get_submodule(call.path))
            context = {**dict(zip(names[1:], call.inputs[1:], strict=False)), **context}
        if not waiting:
            raise _StopForward(call.path, call.inputs[0], context)
        # Now, not after the pass: a later layer may change this input in place.
        is_taking = True
        take(call.path, call.inputs[0], context)
        is_taking = False

    try:
        with record(model.module, set(paths), arrive, side="input"):
            model(images)
    except _StopForward as last:
        take(last.path, last.inputs, last.context)
    if waiting:
        raise FeatvizError(
            f"a forward pass of {model.name} does not call {', '.join(sorted(waiting))} as modules"
        )


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

    Raises
    ------
    AttributeError
        If there is no submodule of a path.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> calls: list[Call] = []
    >>> with record(net, ["0"], calls.append):
    ...     _ = net(torch.zeros(1, 3))
    >>> calls[0].output.shape
    torch.Size([1, 2])
    """

    def before(path: str, part: nn.Module, inputs: tuple[Any, ...], context: Any) -> None:
        take(Call(path, *_first_positional(part, inputs, context)))

    def after(
        path: str, part: nn.Module, inputs: tuple[Any, ...], context: Any, output: Any
    ) -> None:
        take(Call(path, *_first_positional(part, inputs, context), output))

    with exclusive(module), ExitStack() as hooks:
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

    It takes no lock, unlike `record` and `eval_mode`: hold `exclusive` of the whole model if other
    threads use it.

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

    def before(part: nn.Module, inputs: tuple[Any, ...], context: Any) -> tuple[Any, Any]:
        inputs, context = _first_positional(part, inputs, context)
        return (change(Call("", inputs, context)), *inputs[1:]), context

    def after(part: nn.Module, inputs: tuple[Any, ...], context: Any, output: Any) -> Any:
        return change(Call("", *_first_positional(part, inputs, context), output))

    if side == "input":
        hook = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        hook = module.register_forward_hook(after, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def exclusive(module: nn.Module) -> AbstractContextManager[bool]:
    """Return a lock of a `module` for a ``with`` block: other threads that enter it wait.

    The thread that holds it can enter it again.
    """
    with _guard:
        return _locks.setdefault(module, RLock())


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, without gradients to its weights, and restore it.

    The `training` flag of every submodule and `requires_grad` of every parameter are restored,
    also after an exception. Compiled submodules run as they were before `torch.compile`, because
    compiled code does not call the hooks of submodules. Gradient checkpointing of timm's models is
    off: a backward pass after the block would run the model again in another mode.

    Parameters
    ----------
    module : nn.Module
        Other threads wait until the block ends.
    """
    with exclusive(module), ExitStack() as restored:
        for part in module.modules():
            if part.training:
                part.training = False
                restored.callback(setattr, part, "training", True)
            if (compiled := part._compiled_call_impl) is not None:
                part._compiled_call_impl = None
                restored.callback(setattr, part, "_compiled_call_impl", compiled)
            if "_orig_mod" in part._modules and "forward" in vars(part):
                # What `torch.compile` returned for a submodule.
                restored.callback(vars(part).update, forward=vars(part)["forward"])
                vars(part)["forward"] = part._orig_mod
            if vars(part).get("grad_checkpointing"):
                restored.callback(vars(part).update, grad_checkpointing=part.grad_checkpointing)
                vars(part)["grad_checkpointing"] = False
        for weight in module.parameters():
            if weight.requires_grad:
                # An assignment works inside `torch.func` transforms, `requires_grad_` does not.
                weight.requires_grad = False
                restored.callback(setattr, weight, "requires_grad", True)
        yield


def is_hooked(module: nn.Module) -> bool:
    """Return whether a `module` has hooks of any kind, other than on its state dict."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def call_after_pre_hooks(module: nn.Module, inputs: Tensor, context: Context) -> Any:
    """Call a module with its other hooks, on an input that its forward pre-hooks have seen.

    Parameters
    ----------
    module : nn.Module
        The caller holds `exclusive` of the model, as in `eval_mode`: the pre-hooks of the module
        are removed during the call.
    inputs : Tensor
        The first argument, as `run_until` gives it.
    context : mapping
        The other arguments by name.

    Returns
    -------
    Any
        What the module returns.
    """
    pre_hooks = module._forward_pre_hooks
    module._forward_pre_hooks = OrderedDict()
    try:
        return module(inputs, **context)
    finally:
        module._forward_pre_hooks = pre_hooks


def _first_positional(
    module: nn.Module, inputs: tuple[Any, ...], context: Context
) -> tuple[tuple[Any, ...], Context]:
    """Move the first argument of a call from the keywords, if it is there."""
    if inputs or not context:
        return inputs, context
    name = next(iter(_positional_names(module)), "")
    if name not in context:
        return inputs, context
    return (context[name],), {key: value for key, value in context.items() if key != name}


def _positional_names(module: nn.Module) -> list[str]:
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature(module.forward).parameters.values()
    return [each.name for each in parameters if each.kind in kinds]
