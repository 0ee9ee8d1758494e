"""The command group: its help by section, and suggestions for misspelled commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import click

from featviz.errors import did_you_mean

ARGUMENTS = {
    "MODEL": "A name that `featviz models` lists, such as cueworld/vit, optionally with timm's tag "
    "of the weights; hf-hub:OWNER/NAME; a folder of transformers or timm; a file of weights with "
    "--arch; or py:PACKAGE.MODULE:FUNCTION, a function of yours that returns a torch.nn.Module.",
    "SELECTOR": "One or more units, as LAYER:UNITS or LAYER:UNITS@TOKENS. Examples: "
    "blocks.9.mlp.fc1:42, a neuron, averaged over the patches; blocks.9.mlp.fc1:42@cls, the same "
    "neuron at the class token, and @max at the patch where it is largest; blocks.9.resid_post:7, "
    "a coordinate of the residual stream; head:5, a class; blocks.2.attn.qk:0@q20.k30, the "
    "attention logit of head 0 for query token 20 and key token 30. Each number may be a range "
    "0-15, a list 1,4,9 or 'all'. `featviz units MODEL` lists the layers and activations.",
    "DATA": "A dataset: cueworld or cueworld:COUNT (bundled), folder:PATH, cifar10:ROOT, "
    "cifar100:ROOT or torchvision:CLASS:ROOT.",
    "STORE": "A folder of results, which commands create and resume; or an HDF5 file that "
    "`featviz pack` wrote, to read from.",
}
"""Arguments that several commands share, explained once."""

SPACING = 2


class Group(click.Group):
    """A group whose help lists the commands by section and explains the shared arguments."""

    sections: dict[str, list[str]]

    def add_sections(self, sections: Mapping[str, Sequence[click.Command]]) -> None:
        """Add commands.

        Parameters
        ----------
        sections : mapping of str to sequence of Command
            Commands by the heading under which the help lists them, in this order.
        """
        self.sections = {
            title: [str(each.name) for each in some] for title, some in sections.items()
        }
        for command in (each for some in sections.values() for each in some):
            names = [name for name in ARGUMENTS if name in _metavars(command)]
            if names:
                command.epilog = f"{', '.join(names)}: see `featviz --help`."
            self.add_command(command)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the sections of commands, then the shared arguments."""
        width = max(map(len, self.commands))
        limit = formatter.width - formatter.indent_increment - width - SPACING
        for title, names in self.sections.items():
            with formatter.section(title):
                rows = [
                    (name.ljust(width), self.commands[name].get_short_help_str(limit))
                    for name in names
                ]
                formatter.write_dl(rows, col_spacing=SPACING)
        with formatter.section("Arguments of the commands"):
            formatter.write_dl(list(ARGUMENTS.items()), col_spacing=SPACING)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names, or suggest the nearest one."""
        # click would take the equals sign of `-o=DIR` as the first character of the value.
        args = [re.sub("^-o=", "--output=", each) for each in args]
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            hint = did_you_mean(name, known) or f"; the commands are {', '.join(known)}"
            raise click.UsageError(f"no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


def explained(error: click.ClickException) -> str:
    """Return the message of an error of usage, with the explanation of an argument that is missing.

    Parameters
    ----------
    error : click.ClickException
    """
    message = error.format_message()
    if isinstance(error, click.MissingParameter) and error.param is not None:
        about, _, _ = ARGUMENTS.get(_metavar(error.param), "").partition(". ")
        return f"{message} {about}".strip()
    return message


def _metavars(command: click.Command) -> set[str]:
    """Names of values in the usage and options of a command."""
    return {_metavar(each) for each in command.params}


def _metavar(parameter: click.Parameter) -> str:
    """Name of a value in the usage, without brackets and dots."""
    is_argument = isinstance(parameter, click.Argument)
    name = parameter.metavar or (str(parameter.name).upper() if is_argument else "")
    return name.strip("[].").removesuffix("_A").removesuffix("_B")
