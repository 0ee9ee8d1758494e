"""`featviz models`."""

from __future__ import annotations

import click

from cli.output import json_option, print_json
from featviz.models.registry import known_models


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the models that can be named: bundled, torchvision's, timm's.

    Besides, MODEL may be a timm name with a tag or hf-hub:OWNER/NAME, a folder of a Hugging Face
    ViT, or a file of weights with --arch.

    \b
    featviz models
    featviz models | grep deit
    """
    names = known_models()
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names))
