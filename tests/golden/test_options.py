"""Command lines of version 0.1 are still understood."""

from __future__ import annotations

import click
import pytest

import cli.main
from tests.golden.running import golden

OPTIONS: dict[str, list[str]] = golden("options")


@pytest.mark.parametrize("name", OPTIONS)
def test_no_option_of_a_command_is_gone(name: str) -> None:
    (group,) = (each for each in vars(cli.main).values() if isinstance(each, click.Group))
    context = click.Context(group)
    command = group.get_command(context, name) if name else group
    assert command is not None
    known = {
        text
        for each in command.params
        if isinstance(each, click.Option)
        for text in (*each.opts, *each.secondary_opts)
    }
    assert set(OPTIONS[name]) - known == set()
