"""`featviz models`."""

from __future__ import annotations

import click

from cli.output import json_option, print_json, print_line
from cli.progress import loading_pytorch


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the names of models that can be loaded.

    Bundled models (cueworld/...) come first, then those of torchvision (torchvision/...) and of
    timm. Models without a name here: see MODEL in `featviz --help`.

    \b
    Examples:
      featviz models
      featviz models | grep deit
    """
    with loading_pytorch():
        from featviz.models.loading.registry import known_models

    names = known_models()
    if as_json:
        print_json(names)
    else:
        print_line("\n".join(names))
