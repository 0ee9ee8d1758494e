"""A forward pass that ends at the input of the deepest module that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

Context = Mapping[str, Any]
"""Keyword arguments with which a layer was called, such as ``rope``."""

Take = Callable[[str, Tensor, Context], object]
"""Told a module's path, its input, and the keyword arguments of its call."""


class _Reached(BaseException):
    """Ends a forward pass; not an `Exception`, so that no model code catches it."""

    def __init__(self, owner: str, inputs: Tensor, context: Context) -> None:
        self.owner, self.inputs, self.context = owner, inputs, context


def reach(model: VisionModel, images: Tensor, owners: Collection[str], take: Take) -> None:
    """Run a model until every owner is reached, and hand the input of each to `take`.

    The last owner and all that comes after it do not run. Hooks are removed whatever happens; who
    calls this holds the model `featviz.models.hooks.eval_mode`.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
        RGB in [0, 1], of the model's size.
    owners : collection of str
        Module paths, at least one.
    take : callable
        Called once for each owner, in the order of the forward pass.
    """
    module = model.module
    waiting = set(owners)

    def arrive(
        owner: str, _layer: nn.Module, arguments: tuple[Any, ...], context: dict[str, Any]
    ) -> None:
        waiting.discard(owner)
        if not waiting:
            raise _Reached(owner, arguments[0], context)
        # At once: a later layer may change this input in place.
        take(owner, arguments[0], context)

    hooks = [
        module.get_submodule(owner).register_forward_pre_hook(
            partial(arrive, owner), with_kwargs=True
        )
        for owner in owners
    ]
    try:
        module(model.normalize(images).to(next(module.parameters(), images)))
    except _Reached as last:
        take(last.owner, last.inputs, last.context)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, with no gradient to its weights, and leave it as found.

    The `training` flag of every submodule and `requires_grad` of every parameter are restored,
    also after an exception.
    """
    training = [part for part in module.modules() if part.training]
    learning = [weight for weight in module.parameters() if weight.requires_grad]
    try:
        for part in training:
            part.training = False
        for weight in learning:
            weight.requires_grad_(False)
        yield
    finally:
        for part in training:
            part.training = True
        for weight in learning:
            weight.requires_grad_(True)
