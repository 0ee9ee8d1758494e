"""The command group, and how its errors end."""

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
from cli.export import gallery
from cli.filters import filters
from cli.gradients import gradients
from cli.grid import grid
from cli.models import models
from cli.modes import modes
from cli.render import render
from cli.score import score
from cli.stores import info, pack, verify
from cli.tokens import tokens
from cli.trace import trace
from cli.units import units
from cli.validate import validate
from featviz.errors import FeatvizError, nearest

INTERRUPTED = 130


class Commands(click.Group):
    """A group that names the nearest command to a wrong one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            raise click.UsageError(f"no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="featviz")
def featviz() -> None:
    """See what the units of a vision model look for.

    \b
    featviz units cueworld/vit                            what can be rendered
    featviz render cueworld/vit blocks.9.mlp.fc1:0-15 -o neurons
    featviz gallery neurons -o site                       then open site/index.html

    Exit status: 0 done, 1 error, 2 wrong usage, 3 finished but some units failed,
    130 interrupted.
    """


for command in (
    models,
    units,
    activations,
    attention,
    grid,
    gradients,
    modes,
    render,
    examples,
    tokens,
    score,
    gallery,
    info,
    verify,
    pack,
    filters,
    demo,
    compare,
    trace,
    validate,
):
    featviz.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its status; a user's mistake costs one line on stderr."""
    sys.exit(status(arguments))


def status(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        # What `featviz.main` does, which would answer a broken pipe with an exit of its own.
        with featviz.make_context("featviz", words) as context:
            featviz.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; what is stored is kept, the same command goes on", err=True)
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
        # The reader of our output went away, as `head` does. Python must not flush to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
