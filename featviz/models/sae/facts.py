"""`Facts`: what the caller says about a sparse autoencoder, checked against what its file says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from featviz._util.arguments import real_number, whole_number
from featviz.errors import FeatvizError


class Facts:
    """Keyword arguments of `featviz.models.sae.load.load_sae` that state facts about a file.

    Parameters
    ----------
    path : Path
        The file, for error messages.
    given : mapping of str to object
        The arguments by name; those that are None are not given.
    """

    def __init__(self, path: Path, given: Mapping[str, Any]) -> None:
        self.path = path
        self._given = {name: value for name, value in given.items() if value is not None}
        self._used: set[str] = set()

    def settle(self, name: str, stated: Any = None) -> Any:
        """Return a fact that the file, the caller, both or neither state.

        Parameters
        ----------
        name : str
            Of the argument.
        stated : object
            What the file states; None for nothing.

        Returns
        -------
        object
            None if neither states it.

        Raises
        ------
        FeatvizError
            If they contradict each other.
        """
        self._used.add(name)
        value = self._given.get(name)
        if value is None or stated is None:
            return stated if value is None else value
        if value != stated:
            raise FeatvizError(
                f"{self.path} states {name}={stated!r}, not {value!r}; leave {name} out"
            )
        return stated

    def require(self, name: str, why: str) -> Any:
        """Return a fact that only the caller can state.

        Parameters
        ----------
        name : str
            Of the argument.
        why : str
            Why the file does not have it, and what it is, for the error message.

        Returns
        -------
        object

        Raises
        ------
        FeatvizError
            If it is not given.
        """
        value = self.settle(name)
        if value is None:
            raise FeatvizError(f"{self.path} does not state {name}: {why}; pass {name}=...")
        return value

    def check_all_used(self, library: str) -> None:
        """Refuse arguments that have no meaning for the file.

        Parameters
        ----------
        library : str
            For error messages.

        Raises
        ------
        FeatvizError
            If there is one.
        """
        for name in self._given:
            if name not in self._used:
                raise FeatvizError(f"{name} has no meaning for {self.path}, a file of {library}")


def checked_top_k(k: Any, latents: int) -> int:
    """Check a number of latents to keep.

    Parameters
    ----------
    k : object
    latents : int
        How many there are.

    Returns
    -------
    int

    Raises
    ------
    FeatvizError
        If it is not a whole number of at least 1 and at most `latents`.
    """
    count = whole_number("top_k", k, least=1)
    if count > latents:
        raise FeatvizError(f"top_k is {count}, but there are {latents} latents")
    return count


def checked_scale(scale: Any) -> float:
    """Check a factor of the activations.

    Parameters
    ----------
    scale : object

    Returns
    -------
    float

    Raises
    ------
    FeatvizError
        If it is not a finite number above 0.
    """
    factor = real_number("input_scale", scale)
    if not 0 < factor < math.inf:
        raise FeatvizError(f"input_scale must be a finite number above 0, got {factor}")
    return factor
