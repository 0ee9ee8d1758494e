"""`StateDict`: the tensors of a file by name, checked as they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.loading.checkpoints.fitting import abbreviate
from featviz.models.loading.checkpoints.read_file import PickledCodeError, read_content

_CONVERSIONS = {
    "vit_prisma": (
        "sae = torch.load('FILE', weights_only=False); "
        "torch.save(sae['state_dict'], 'weights.pt'); sae['cfg'].save_config('config.json')"
    ),
    "overcomplete": (
        "sae = torch.load('FILE', weights_only=False); "
        "print(type(sae), getattr(sae, 'top_k', None)); torch.save(sae.state_dict(), 'state.pt')"
    ),
    "dictionary_learning": (
        "sae = torch.load('FILE', weights_only=False); torch.save(sae.state_dict(), 'ae.pt'); "
        "json.dump({'trainer': {'dict_class': type(sae).__name__}}, open('config.json', 'w'))"
    ),
    "saev": (
        "import saev.nn; sae = torch.load('FILE', weights_only=False); "
        "saev.nn.dump('converted/sae.pt', sae)"
    ),
}
"""By the package of the first object in a pickle: three statements that save only tensors."""


class StateDict:
    """Tensors of a state dict.

    Parameters
    ----------
    path : Path
        Their file, for error messages.
    tensors : mapping of str to Tensor
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]) -> None:
        self.path = path
        self._tensors = tensors
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Return whether there is a tensor of a name."""
        return name in self._tensors

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Return a tensor of an expected shape.

        Parameters
        ----------
        name : str
        *shape : int or None
            Sizes of its axes; None for any.

        Returns
        -------
        Tensor
            Of float32, or float64 if it is stored so.

        Raises
        ------
        FeatvizError
            If it is missing, of another shape, not of floating-point numbers, or not finite.
        """
        tensor = self._get(name)
        if tensor.layout != torch.strided or not tensor.is_floating_point():
            raise FeatvizError(
                f"{self.path}: {name} is not a dense tensor of floating-point numbers"
            )
        found = tuple(tensor.shape)
        if len(found) != len(shape) or any(
            wanted not in (None, size) for wanted, size in zip(shape, found, strict=True)
        ):
            wanted_shape = ", ".join("any" if size is None else str(size) for size in shape)
            raise FeatvizError(f"{self.path}: {name} has shape {found}, not ({wanted_shape})")
        if not tensor.isfinite().all():
            raise FeatvizError(f"{self.path}: {name} has values that are not finite")
        wide = torch.promote_types(tensor.dtype, torch.float32)
        # A copy releases the memory of the file, which has what is not kept, such as a transpose.
        return tensor.detach().to(wide, copy=True).contiguous()

    def whole_number(self, name: str) -> int:
        """Return a tensor that is a single whole number.

        Parameters
        ----------
        name : str

        Raises
        ------
        FeatvizError
            If it is missing or something else.
        """
        tensor = self._get(name)
        if tensor.numel() != 1 or tensor.is_floating_point() or tensor.is_complex():
            raise FeatvizError(f"{self.path}: {name} is not a single whole number")
        return int(tensor.item())

    def leave_out(self, *names: str) -> None:
        """Accept tensors that decide no latent.

        Parameters
        ----------
        *names : str
            They need not exist.
        """
        self._used.update(names)

    def check_all_used(self, what: str) -> None:
        """Refuse tensors that have no place.

        Parameters
        ----------
        what : str
            Library and architecture, for error messages.

        Raises
        ------
        FeatvizError
            If there is one.
        """
        unused = [name for name in self._tensors if name not in self._used]
        if unused:
            raise FeatvizError(f"{self.path}: {what} has no place for {abbreviate(unused)}")

    def _get(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise FeatvizError(
                f"{self.path} lacks {name}: it has {abbreviate(list(self._tensors)) or 'nothing'}"
            )
        self._used.add(name)
        return self._tensors[name]


def read_state_dict(path: Path, start: int = 0) -> StateDict:
    """Read the state dict of a sparse autoencoder, without executing code.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or a pickle of torch. A state dict under ``"state_dict"`` counts.
    start : int
        Position in the file at which the pickle begins.

    Returns
    -------
    StateDict

    Raises
    ------
    FeatvizError
        If the file cannot be read, has pickled code, or is not a state dict. For code of a known
        library the message has the statements that convert the file.
    """
    try:
        content = read_content(path, start)
    except PickledCodeError as error:
        library = error.name.partition(".")[0]
        if library not in _CONVERSIONS:
            raise
        raise FeatvizError(
            f"{path} is refused: it has Python objects ({error.name}), not only weights; if you "
            f"trust it, convert it where {library} is installed: {_CONVERSIONS[library]}"
        ) from error
    return StateDict(path, _state_dict(path, content))


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(name, str) for name in content)
        or not all(isinstance(tensor, Tensor) for tensor in content.values())
    ):
        raise FeatvizError(f"{path} is not a state dict: it must have tensors by name, no others")
    return dict(content)
