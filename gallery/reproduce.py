"""The shell command that makes a picture again."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

# Keys of a store's configuration that `featviz render` takes as options of the same name. The
# others are what the options resolve to, such as the constants of a preset.
OPTIONS = (
    "samples",
    "diversity",
    "smoothness",
    "steps",
    "size",
    "preset",
    "param",
    "precision",
    "seed",
    "spectrum",
    "progressive",
    "cosine",
)


def render_command(
    model: str,
    address: str,
    load: Mapping[str, Any],
    configuration: Mapping[str, Any],
    flags: Sequence[str] = (),
) -> str | None:
    """Write the command line that renders one unit again.

    It writes to a new store, named after the configuration: rendered into the old store, the unit
    would be found there and not be made again.

    Parameters
    ----------
    load : mapping
        How the model was loaded: ``untrained`` and ``arch``.
    configuration : mapping
        Of the renders; options that are None were not given.
    flags : sequence of str
        Options without a value, as they are.

    Returns
    -------
    str or None
        Quoted for a POSIX shell. None if that cannot be made safe: quoting protects from the
        shell, but control and direction characters act on the terminal that the text is pasted
        into, and a model named like an option would be taken for one.
    """
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    words = ["featviz", "render", model, address, "-o", f"again-{digest[:8]}"]
    for name in OPTIONS:
        if configuration.get(name) is not None:
            words += [f"--{name}", str(configuration[name])]
    words += flags
    if load.get("untrained"):
        words.append("--untrained")
    if load.get("arch") is not None:
        words += ["--arch", str(load["arch"])]
    if (
        not all(word.isprintable() for word in words)
        or model.startswith("-")
        or address.startswith("-")
    ):
        return None
    return shlex.join(words)
