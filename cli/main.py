"""The command line: its commands, errors and exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from cli.activations import activations
from cli.attention import attention
from cli.compare import compare
from cli.demo import demo
from cli.examples import examples
from cli.filters import filters
from cli.gallery import gallery
from cli.gradients import gradients
from cli.grid import grid
from cli.group import Group
from cli.info import info
from cli.models import models
from cli.modes import modes
from cli.pack import pack
from cli.render import render
from cli.score import score
from cli.tokens import tokens
from cli.trace import trace
from cli.units import units
from cli.validate import validate
from cli.verify import verify
from featviz.errors import FeatvizError

INTERRUPTED = 130

SECTIONS = {
    "Render images": (render, grid, tokens, demo),
    "View and check stores": (gallery, info, verify, pack),
    "Inspect a model": (models, units, activations, examples, filters, compare),
    "Inspect attention heads": (attention, modes, gradients),
    "Test explanations": (score, validate, trace),
}


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 error, 2 wrong usage, 3 finished but some units failed, "
    "130 interrupted. Most commands resume: run the same command again.",
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
    try:
        # As `featviz.main` does, which would exit by itself on a broken pipe.
        with featviz.make_context("featviz", words) as context:
            featviz.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            "\ninterrupted; stored results are kept, run the same command again to resume", err=True
        )
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"Error: {_one_line(error.format_message())}", err=True)
        return error.exit_code
    except FeatvizError as error:
        click.echo(f"Error: {_one_line(str(error))}", err=True)
        return 1
    except BrokenPipeError:
        # The reader of stdout is gone, as with `| head`. Python must not flush to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
