"""Paths and names of models on the command line."""

from __future__ import annotations

import os
import re

import click

SELECTOR = re.compile(r"[\w.,-]+:(?:all\b|[0-9])[^/]*")
"""What a selector looks like and no name of a model does."""


class PathText(click.ParamType[str]):
    """A path, in which ``~`` is the home folder: the shell does not expand it in ``--option=~/x``.

    Parameters
    ----------
    name : str
        What the help calls it.
    may_be_folder : bool
        Whether a folder is allowed.
    """

    def __init__(self, name: str = "path", may_be_folder: bool = True) -> None:
        self.name = name
        self._may_be_folder = may_be_folder

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Expand ``~``; refuse an empty text, and a folder where a file is expected."""
        path = os.path.expanduser(str(value))  # noqa: PTH111 - a Path would lose a final slash
        if not path:
            self.fail("expected a path, got an empty text", param, ctx)
        if not self._may_be_folder and os.path.isdir(path):  # noqa: PTH112 - False for a long name
            self.fail(f"{path} is a folder; expected a file", param, ctx)
        return path


class ModelText(click.ParamType[str]):
    """The name of a model, or the path of its files."""

    name = "model"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002  click's signature
        ctx: click.Context | None,
    ) -> str:
        """Expand ``~`` and remove the final slash that a shell appends; refuse a selector."""
        name = os.path.expanduser(str(value))  # noqa: PTH111 - see `PathText`
        if SELECTOR.fullmatch(name) and not os.path.lexists(name) and ctx is not None:
            raise click.UsageError(
                f"{name} is a SELECTOR; MODEL comes first, as in {ctx.command_path} "
                f"cueworld/vit {name}",
                ctx,
            )
        return name.rstrip(os.sep) or name


FILE = PathText("file", may_be_folder=False)
FOLDER = PathText("folder")
PATH = PathText()
MODEL = ModelText()
