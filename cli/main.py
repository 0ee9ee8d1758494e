"""The command line: its commands, errors and exit status."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from cli.activations import activations
from cli.attention import attention
from cli.attribute import attribute
from cli.circuit import circuit
from cli.compare import compare
from cli.demo import demo
from cli.examples import examples
from cli.export import export
from cli.filters import filters
from cli.gallery import gallery
from cli.gradients import gradients
from cli.grid import grid
from cli.group import Group, explained
from cli.info import info
from cli.logits import logits
from cli.models import models
from cli.modes import modes
from cli.output import print_message
from cli.pack import pack
from cli.render import render
from cli.sae import sae
from cli.score import score
from cli.streams import open_closed_streams, unfailing_streams
from cli.tokens import tokens
from cli.trace import trace
from cli.units import units
from cli.validate import validate
from cli.verify import verify
from featviz.errors import FeatvizError

INTERRUPTED = 130

SECTIONS = {
    "Render images": (render, grid, tokens, demo),
    "View and check stores": (gallery, export, info, verify, pack),
    "Inspect a model": (models, units, activations, examples, filters, logits, compare, sae),
    "Inspect attention heads": (attention, modes, gradients),
    "Test explanations": (score, validate, trace, attribute, circuit),
}


def _allow_large_images(context: click.Context, _option: click.Parameter, allow: bool) -> None:
    """Lift Pillow's limit on the size of images until the command ends."""
    if allow:
        from PIL import Image

        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        context.call_on_close(lambda: setattr(Image, "MAX_IMAGE_PIXELS", limit))


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 error, 2 wrong usage, 3 finished but some units failed, "
    "130 interrupted. Most commands resume: run the same command again.",
)
@click.option(
    "--large-images",
    is_flag=True,
    expose_value=False,
    callback=_allow_large_images,
    help="Read images of more than 179 million pixels, which are refused as a precaution against "
    "files that fill the memory.",
)
@click.version_option(package_name="featviz")
def featviz() -> None:
    """Show what the units of a vision model respond to, and test it.

    A unit is a neuron, a channel, a class or an attention logit. featviz optimizes images that
    maximize a unit's activation, finds dataset images that do, and tests both by intervention.
    Results go to a folder (the store); a static website (the gallery) shows them.

    \b
    Examples:
      # List the layers of the bundled vision transformer
      featviz units cueworld/vit
      # Render 16 MLP neurons of block 9
      featviz render cueworld/vit blocks.9.mlp.fc1:0-15 -o neurons
      # Build the gallery; then open site/index.html
      featviz gallery neurons -o site
    """


featviz.add_sections(SECTIONS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``featviz``; those of the process by default.
    """
    open_closed_streams()
    sys.exit(status(arguments))


def status(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; an error is one line on stderr.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``featviz``; those of the process by default.

    Returns
    -------
    int
        0 done, 1 error, 2 wrong usage, 3 finished but some units failed, 130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    with unfailing_streams() as output, warnings.catch_warnings():
        warnings.showwarning = _show_warning
        code = _status(words)
        sys.stdout.flush()
        # A reader that needs no more, as in `| head`, is not an error.
        if output.error is not None and not isinstance(output.error, BrokenPipeError):
            print_message(f"Error: cannot write to stdout: {output.error.strerror}")
            code = code or 1
    return code


def _status(words: list[str]) -> int:
    try:
        # As `featviz.main` does, which would print errors in its own form.
        with featviz.make_context("featviz", words) as context:
            featviz.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        print_message("")
        print_message("interrupted; stored results are kept, run the same command again to resume")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        print_message(f"Error: {_one_line(explained(error))}")
        return error.exit_code
    except (FeatvizError, OSError) as error:
        print_message(f"Error: {_one_line(_reason(error))}")
        return 1
    return 0


def _reason(error: FeatvizError | OSError) -> str:
    """Return the message of an error; of one that no module expected, with the name of the file.

    Such as a name that is too long for the file system, wherever it is looked up.
    """
    if isinstance(error, FeatvizError) or error.filename is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print_message(f"Warning: {_one_line(str(message))}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
