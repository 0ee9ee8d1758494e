"""The command group, and how its errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from featviz.errors import FeatvizError, did_you_mean

INTERRUPTED = 130

_HOMES = {
    "activations": "activations",
    "attention": "attention",
    "compare": "compare",
    "demo": "demo",
    "examples": "examples",
    "filters": "filters",
    "gallery": "export",
    "gradients": "gradients",
    "grid": "grid",
    "info": "stores",
    "models": "models",
    "modes": "modes",
    "pack": "stores",
    "render": "render",
    "score": "score",
    "tokens": "tokens",
    "trace": "trace",
    "units": "units",
    "validate": "validate",
    "verify": "stores",
}


class _Commands(Mapping[str, click.Command]):
    """The commands by name, each loaded when it is asked for.

    torch takes seconds and half a gigabyte, which those need not pay that only read stores.
    """

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"cli.{_HOMES[name]}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


class Commands(click.Group):
    """A group that names the nearest command to a wrong one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to it

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
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
