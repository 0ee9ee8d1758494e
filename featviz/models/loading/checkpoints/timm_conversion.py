"""timm's own conversion of weights from the names and shapes of their authors."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from typing import Any, TypeVar

import timm
import torch
from timm.models import _builder
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.state_dict import State

Built = TypeVar("Built")

_LOCK = threading.Lock()


class Conversion:
    """What timm does to published weights of an architecture before it loads them.

    DINOv2, DINOv3, OpenAI CLIP, Swin, ConvNeXt and many others were published under other names
    and shapes than timm's.

    Parameters
    ----------
    arch : str
        Name of an architecture of timm.
    """

    def __init__(self, arch: str) -> None:
        with _recorded() as filters:
            build_on_meta(lambda: timm.create_model(arch, pretrained=True))
        self._filter: Callable[..., Any] | None = filters[0] if filters else None

    def __call__(self, state: State, module: nn.Module) -> State:
        """Convert a state dict.

        Position embeddings and relative positions of another size are resampled to the module's.

        Parameters
        ----------
        state : dict of str to Tensor
        module : nn.Module
            Of the architecture.

        Returns
        -------
        dict of str to Tensor
            The same state dict if timm has no conversion, or if it fails on these names and shapes.
        """
        if self._filter is None:
            return state
        # A filter may change its argument; some print, or warn of the speed of their resampling.
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return dict(self._filter(dict(state), module))
            except TypeError:
                # Some take only the state dict.
                with suppress(Exception):
                    return dict(self._filter(dict(state)))
            except Exception:  # noqa: BLE001  they trust their files, and raise anything on others
                return state
        return state


@cache
def conversion_of(arch: str) -> Conversion:
    """Return the conversion of an architecture, which is built once for it.

    Parameters
    ----------
    arch : str
        Name of an architecture of timm.

    Returns
    -------
    Conversion
    """
    return Conversion(arch)


def build_on_meta(build: Callable[[], Built]) -> Built:
    """Build a module on the meta device, if it can be, for the names and shapes of its tensors.

    Parameters
    ----------
    build : callable
        Called again without the device if it fails: older versions of timm read values.

    Returns
    -------
    object
        What `build` returns.
    """
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, FeatvizError):
        return build()


@contextmanager
def _recorded() -> Iterator[list[Any]]:
    """Collect the filters of weights that timm would use in the ``with`` block, and load nothing.

    timm passes them to `load_pretrained` when it builds a model, and has them nowhere else.
    """
    load, thread, filters = _builder.load_pretrained, threading.get_ident(), []

    def record(*arguments: Any, **options: Any) -> None:
        if threading.get_ident() != thread:
            load(*arguments, **options)
        else:
            filters.append(options.get("filter_fn"))

    with _LOCK:
        _builder.load_pretrained = record
        try:
            yield filters
        finally:
            _builder.load_pretrained = load
