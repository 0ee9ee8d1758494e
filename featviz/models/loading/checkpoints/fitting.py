"""Whether a state dict fits a module: by names and shapes, strictly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.state_dict import State

# BatchNorm counts batches in training; files of old versions of torch lack the counters.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Misfit:
    """How a state dict differs from that of a module.

    Attributes
    ----------
    missing, unexpected : list of str
        Names that only the module has, and that only the state dict has.
    shapes : dict of str to (shape, shape)
        Names of tensors of another shape: that in the state dict, and in the module.
    """

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.shapes)

    def __str__(self) -> str:
        shapes = [f"{name} is {found}, not {own}" for name, (found, own) in self.shapes.items()]
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "mis-shaped": shapes}
        return "; ".join(
            f"{len(names)} {kind}: {abbreviate(names)}" for kind, names in kinds.items() if names
        )


def compare(state: State, module: nn.Module, exclude: Sequence[str] = ()) -> Misfit:
    """Compare the names and shapes of a state dict with those of a module.

    Parameters
    ----------
    state : dict of str to Tensor
    module : nn.Module
    exclude : sequence of str
        Submodules that are not compared, such as the classifier.

    Returns
    -------
    Misfit
        False if everything fits.
    """
    excluded = tuple(f"{path}." for path in exclude)
    own = {
        name: part for name, part in module.state_dict().items() if not name.startswith(excluded)
    }
    found = {name: part for name, part in state.items() if not name.startswith(excluded)}
    return Misfit(
        [name for name in own if name not in found and not name.endswith(_COUNTER)],
        [name for name in found if name not in own],
        {
            name: (tuple(part.shape), tuple(own[name].shape))
            for name, part in found.items()
            if name in own and part.shape != own[name].shape
        },
    )


def load_strictly(module: nn.Module, state: State, path: Path) -> None:
    """Copy a state dict into a module whose names and shapes it must match exactly.

    Parameters
    ----------
    module : nn.Module
    state : dict of str to Tensor
        Other floating-point types are converted to those of the module.
    path : Path
        The file of the state dict, for error messages.

    Raises
    ------
    FeatvizError
        With the first few names that are missing, unexpected or of another shape, or the first
        tensor whose values cannot be weights: quantized, without values, NaN or infinite.
    """
    misfit = compare(state, module)
    if misfit:
        raise FeatvizError(f"{path} does not fit a {type(module).__name__} of this shape: {misfit}")
    _check_values(module, state, path)
    module.load_state_dict(dict(state), strict=False)


def _check_values(module: nn.Module, state: State, path: Path) -> None:
    own = module.state_dict()
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    for name, part in state.items():
        if part.is_meta:
            raise FeatvizError(f"{path}: {name} is on the meta device, without values")
        if own[name].is_floating_point() and not _is_plain_float(part):
            raise FeatvizError(
                f"{path}: {name} is of {part.dtype}, as quantized weights are; "
                "save them as floating-point numbers"
            )
        if name in parameters and not part.isfinite().all():
            count = int((~part.isfinite()).sum())
            raise FeatvizError(
                f"{path}: {name} has {count} of {part.numel()} values that are NaN or infinite"
            )


def _is_plain_float(part: Tensor) -> bool:
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    return part.layout == torch.strided and part.dtype in kinds


def abbreviate(names: Sequence[str]) -> str:
    """Join the first three names, and count the others.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str
    """
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
