"""State dicts in a checkpoint: its entries with weights, and the prefixes of their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

State = dict[str, Tensor]
"""A state dict."""

# Entries with weights, the preferred ones first: averages over the steps of the training, then what
# a teacher of self-distillation is (DINO evaluates it, not its student), then the usual names.
_ENTRIES = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "teacher",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "backbone",
    "encoder",
    "student",
)

# Entries with tensors that are no weights.
_NO_WEIGHTS = re.compile(
    r"optim|scheduler|scaler|loss|hyper_parameters|args|config|callbacks|loops"
)

_DEPTH = 4

# Wrappers that torch puts around a model, and around modules inside it.
_WRAPPERS = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_DISTRIBUTED = "module."


def find_state_dicts(content: Any) -> list[tuple[str, State]]:
    """Find the state dicts in the content of a file.

    Parameters
    ----------
    content : object
        As ``torch.load`` returns it.

    Returns
    -------
    list of (str, dict of str to Tensor)
        The entry that has the state dict, such as ``"model"``, ``""`` for the whole, and its
        tensors; see `unwrapped`. Averaged weights come first, then those of a teacher, then others.
    """
    return list(_find(content, "", _DEPTH))


def _find(content: Any, entry: str, depth: int) -> Iterator[tuple[str, State]]:
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        return
    state = {key: part for key, part in content.items() if isinstance(part, Tensor)}
    if state:
        yield entry, unwrapped(state)
    if depth:
        ranks = {key: rank for rank, key in enumerate(_ENTRIES)}
        inner = [key for key in content if not _NO_WEIGHTS.search(key)]
        for key in sorted(inner, key=lambda key: ranks.get(key, len(ranks))):
            yield from _find(content[key], f"{entry}.{key}" if entry else key, depth - 1)


def unwrapped(state: State) -> State:
    """Remove what ``DataParallel``, ``torch.compile``, FSDP and checkpointing add to names.

    Parameters
    ----------
    state : dict of str to Tensor

    Returns
    -------
    dict of str to Tensor
        With ``module.`` at the start of names unless it is at the start of all: then it is the
        prefix of a part, as next to the counter of averaged weights or the queue of MoCo.
    """
    short = {_WRAPPERS.sub("", name): part for name, part in state.items()}
    while short and all(name.startswith(_DISTRIBUTED) for name in short):
        short = {name.removeprefix(_DISTRIBUTED): part for name, part in short.items()}
    return short if len(short) == len(state) else dict(state)


def parts(state: State, min_tensors: int) -> Iterator[tuple[str, State]]:
    """Split a state dict by the prefixes of its names.

    Parameters
    ----------
    state : dict of str to Tensor
    min_tensors : int
        Fewest tensors of a part.

    Yields
    ------
    (str, dict of str to Tensor)
        A prefix, such as ``"model.visual."``, and the tensors whose names start with it, without
        it: first the whole with ``""``, then by the number of tensors, largest first.
    """
    yield "", state
    counts = Counter(name[: dot.end()] for name in state for dot in re.finditer(r"\.", name))
    # A prefix with the same tensors as a shorter one comes after it.
    for prefix in sorted(counts, key=lambda prefix: (-counts[prefix], len(prefix))):
        if counts[prefix] >= min_tensors:
            found = {name: part for name, part in state.items() if name.startswith(prefix)}
            yield prefix, {name.removeprefix(prefix): part for name, part in found.items()}
