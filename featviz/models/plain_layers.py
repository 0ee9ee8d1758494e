"""Plain layers: torch's linear layers and convolutions that compute what their weights say.

From such a layer the rows of some units can be computed alone. Adapters such as LoRA and hooks add
to the output of a layer, so layers that have them must be run as a whole.
"""

from __future__ import annotations

from torch import nn

from featviz.models.hooks import is_hooked

# As torch defines them: a class may be patched later.
_METHODS: dict[type[nn.Module], dict[str, object]] = {
    nn.Linear: {"forward": nn.Linear.forward},
    nn.Conv2d: {"forward": nn.Conv2d.forward, "_conv_forward": nn.Conv2d._conv_forward},
}


def has_torch_forward(layer: nn.Module, kind: type[nn.Linear | nn.Conv2d]) -> bool:
    """Return whether the forward pass of a layer is that of torch's class, apart from hooks.

    Parameters
    ----------
    layer : nn.Module
    kind : type
        `torch.nn.Linear` or `torch.nn.Conv2d`. Parametrizations of the weight are part of it.

    Returns
    -------
    bool
    """
    # The layer's own method, not its class's: it may have been replaced.
    return isinstance(layer, kind) and all(
        getattr(getattr(layer, name), "__func__", None) is method
        for name, method in _METHODS[kind].items()
    )


def is_plain(layer: nn.Module, kind: type[nn.Linear | nn.Conv2d]) -> bool:
    """Return whether a layer has the forward pass of torch's class and no hooks.

    Parameters
    ----------
    layer : nn.Module
    kind : type
        `torch.nn.Linear` or `torch.nn.Conv2d`.

    Returns
    -------
    bool
    """
    return has_torch_forward(layer, kind) and not is_hooked(layer)
