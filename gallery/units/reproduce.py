"""The shell command that reproduces a picture."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from featviz.errors import FeatvizError
from featviz.models.loading.options import LoadOptions
from featviz.models.loading.sae_files import LATENTS
from featviz.optimization.settings import KEYS


def render_command(
    model: str,
    address: str,
    load: Mapping[str, Any],
    configuration: Mapping[str, Any],
    flags: Sequence[str] = (),
) -> str | None:
    """Return the command line that renders one unit again.

    It writes to a new store, named after the configuration: in the old one the unit exists, and
    would be skipped.

    Parameters
    ----------
    model : str
        Name of the model.
    address : str
        Of the unit.
    load : mapping
        How the model was loaded, as `featviz.models.loading.options.LoadOptions.to_json` returns
        it. Only sparse autoencoders that the address names are loaded again.
    configuration : mapping
        Of the renders, as the store records it.
    flags : sequence of str
        Options without a value.

    Returns
    -------
    str or None
        Quoted for a POSIX shell. None if a safe command line is impossible: quoting protects the
        shell, but control and bidirectional characters act on the terminal into which the text is
        pasted, and a model name that starts with a dash would be read as an option. Also None if
        this version cannot load a model so, or the command line cannot.
    """
    try:
        options = LoadOptions.from_json(load)
    except FeatvizError:
        return None
    named = {name: sae for name, sae in options.saes.items() if f"{LATENTS}{name}:" in address}
    if any(sae.facts for sae in named.values()):
        return None  # only Python takes them
    options = replace(options, saes=named)
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    words = ["featviz", "render", model, address, "-o", f"again-{digest[:8]}"]
    for name, key in KEYS.items():
        if configuration.get(key) is not None:
            words += [f"--{name.replace('_', '-')}", str(configuration[key])]
    words += [*flags, *options.to_words()]
    if (
        not all(word.isprintable() for word in words)
        or model.startswith("-")
        or address.startswith("-")
    ):
        return None
    return shlex.join(words)
