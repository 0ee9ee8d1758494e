"""Change all values of a site during a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import Call, Side, replace
from featviz.models.sites import Site
from featviz.models.vision_model import VisionModel

Change = Callable[[Tensor], Tensor]
"""From the values of a site, (N, positions, channels), to new ones of the same shape."""


@contextmanager
def change_values(model: VisionModel, site: Site, change: Change) -> Iterator[None]:
    """Pass the values of a site through a function while the ``with`` block runs.

    All that the model computes from the values follows the new ones: those of ``resid_mid`` also
    go on in the residual stream.

    Parameters
    ----------
    model : VisionModel
        In `featviz.models.hooks.eval_mode`, which also makes other threads wait.
    site : Site
    change : callable
        Called with the values, (N, positions, channels), in each forward pass. A function that
        returns them as they are only observes.

    Raises
    ------
    FeatvizError
        If no module takes or returns the values, such as queries, keys and logits.
    """
    path, side = _module(site)
    layer = model.module.get_submodule(path)
    channels_first = isinstance(layer, nn.Conv1d | nn.Conv2d)
    added: list[Tensor] = []

    def changed(call: Call) -> Any:
        whole = call.inputs[0] if side == "input" else call.output
        values: Tensor = whole[0] if isinstance(whole, tuple) else whole
        ordered = values.movedim(1, -1) if channels_first else values
        flat = ordered.reshape(len(values), -1, ordered.shape[-1])
        new = change(flat).to(values).reshape(ordered.shape)
        new = new.movedim(-1, 1) if channels_first else new
        added[:] = [new - values]
        return (new, *whole[1:]) if isinstance(whole, tuple) else new

    with ExitStack() as hooks:
        hooks.enter_context(replace(layer, changed, side))
        block, _, name = site.path.rpartition(".")
        if site.kind == "activation" and name == "resid_mid":
            # The norm of the MLP reads it; the block adds the MLP's output to it.
            stream = model.module.get_submodule(block)
            hooks.enter_context(
                replace(stream, lambda call: call.output + added[0].view_as(call.output))
            )
        yield


def _module(site: Site) -> tuple[str, Side]:
    """Return the module whose input or output the values of a site are."""
    if site.kind == "layer":
        return site.owner, "output"
    source = site.source
    if source is None or source.vectors or source.scale:
        raise FeatvizError(f"{site.path} cannot be replaced: no module takes or returns it")
    return (source.nonlinearity, "output") if source.nonlinearity else (site.owner, source.side)
