"""Checks of the arguments of public functions: one line says what is wrong, and what is right.

Public functions call them first. All other code relies on them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from featviz.errors import FeatvizError, did_you_mean

T = TypeVar("T")


def described(value: object) -> str:
    """Return a short text for a value in an error message: itself, or its type.

    Parameters
    ----------
    value : object
    """
    text = repr(value)
    plain = value is None or isinstance(value, str | int | float)
    return text if plain and len(text) <= 60 else f"an object of type {type(value).__name__}"


def instance(name: str, value: object, kind: type[T], wanted: str) -> T:
    """Check that an argument is an instance of a class.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object
    kind : type
    wanted : str
        What the argument should be, and how to get it.

    Returns
    -------
    object
        `value` itself.

    Raises
    ------
    FeatvizError
        If it is not.
    """
    if not isinstance(value, kind):
        raise FeatvizError(f"{name} must be {wanted}, got {described(value)}")
    return value


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    """Check that an argument is a whole number, of Python, NumPy or PyTorch, and not a bool.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object
    least : int, optional
        The smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    FeatvizError
        If it is something else, or smaller.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    # Tensors of bool have an index too.
    if number is None or str(getattr(value, "dtype", type(value).__name__)).endswith("bool"):
        limit = "" if least is None else f" of at least {least}"
        raise FeatvizError(f"{name} must be a whole number{limit}, got {described(value)}")
    if least is not None and number < least:
        raise FeatvizError(f"{name} must be at least {least}, got {number}")
    return number


def real_number(name: str, value: Any) -> float:
    """Check that an argument is a number, of Python, NumPy or PyTorch, and not a bool.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object

    Returns
    -------
    float
        NaN and infinities are numbers.

    Raises
    ------
    FeatvizError
        If it is something else.
    """
    number = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(number, bool) or not isinstance(number, Real):
        raise FeatvizError(f"{name} must be a number, got {described(value)}")
    return float(number)


def choice(name: str, value: Any, known: Iterable[str]) -> str:
    """Check that an argument is one of some names.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object
    known : iterable of str

    Returns
    -------
    str

    Raises
    ------
    FeatvizError
        If it is not; the message lists the names, and the similar ones.
    """
    names = ", ".join(known)
    if not isinstance(value, str):
        raise FeatvizError(f"{name} must be one of {names}, got {described(value)}")
    if value not in known:
        raise FeatvizError(f"no {name} {value!r}: choose from {names}{did_you_mean(value, known)}")
    return value


def sequence(name: str, value: Any, wanted: str) -> Sequence[Any]:
    """Check that an argument is an iterable, and make it a list.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object
        Generators are read.
    wanted : str
        What the argument should be.

    Returns
    -------
    list

    Raises
    ------
    FeatvizError
        If it is a text, or not an iterable.
    """
    # An array or tensor without axes has `__iter__` too.
    is_scalar = getattr(value, "ndim", None) == 0
    if isinstance(value, str) or is_scalar or not isinstance(value, Iterable):
        raise FeatvizError(f"{name} must be {wanted}, got {described(value)}")
    return list(value)


def file_path(name: str, value: Any) -> Path:
    """Check that an argument is a path.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : object

    Returns
    -------
    Path

    Raises
    ------
    FeatvizError
        If it is something else, or empty.
    """
    if not isinstance(value, str | PathLike) or not str(value):
        raise FeatvizError(f"{name} must be a path, got {described(value)}")
    return Path(value)
