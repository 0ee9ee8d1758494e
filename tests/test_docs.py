"""The commands, make targets, names and links in the documentation exist."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import featviz
import gallery
import patching
from cli.main import featviz as command_line
from featviz.errors import FeatvizError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
HELPS = [command_line.help or "", *(each.help or "" for each in command_line.commands.values())]
PACKAGES = {"featviz": featviz, "gallery": gallery, "patching": patching}


def code_lines(text: str, indentation: int) -> Iterator[str]:
    """Yield the lines inside fences, and those indented by at least `indentation` spaces."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith(" " * indentation):
            yield line


def shown_commands() -> dict[str, list[str]]:
    """Return the arguments of every command line shown, without comments and pipes."""
    lines = [line for text in TEXTS.values() for line in code_lines(text, 4)]
    lines += [line for text in HELPS for line in code_lines(text, 2)]
    shown = (re.split(r"\s{2,}|\s[|#]\s", line.strip())[0] for line in lines)
    return {line: shlex.split(line)[1:] for line in shown if re.match(r"featviz [a-z-]", line)}


COMMANDS = shown_commands()


def parse(arguments: list[str]) -> click.Context:
    """Parse a command line without running it."""
    name, *rest = arguments
    # A command keeps the names of its help option from its first context.
    group = click.Context(command_line, **command_line.context_settings)
    return command_line.commands[name].make_context(name, rest, parent=group)


def snippets(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_command_is_shown_somewhere() -> None:
    assert {arguments[0] for arguments in COMMANDS.values()} == set(command_line.commands)


def test_every_command_shown_parses() -> None:
    errors = []
    for line, arguments in COMMANDS.items():
        try:
            parse(arguments)
        except click.ClickException as error:
            errors.append(f"{line}: {error.format_message()}")
    assert errors == []


def test_every_unit_in_a_command_shown_exists() -> None:
    vit = featviz.load("cueworld/vit", device="cpu", saes={"s": "cueworld/sae"})
    lines = [line for line in COMMANDS if " cueworld/vit" in line]
    assert lines
    errors = []
    for line in lines:
        selectors = parse(COMMANDS[line]).params.get("selectors", ())
        try:
            assert not selectors or featviz.units(vit, *selectors), line
        except FeatvizError as error:
            errors.append(f"{line}: {error}")
    assert errors == []


def test_every_make_target_named_exists() -> None:
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = [
        (page.name, target)
        for page, text in TEXTS.items()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)(?:`|$)", text, re.MULTILINE)
    ]
    assert named
    assert [each for each in named if each[1] not in rules] == []


def test_the_readme_names_the_make_targets_of_continuous_integration() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    targets = re.findall(r"^make ([a-z-]+)$", script, re.MULTILINE)
    assert targets
    assert [each for each in targets if f"`make {each}`" not in TEXTS[ROOT / "README.md"]] == []


def test_every_link_to_a_file_resolves() -> None:
    links = [
        (page, link)
        for page, text in TEXTS.items()
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)
    ]
    assert links
    broken = [(page.name, link) for page, link in links if not (page.parent / link).exists()]
    assert broken == []


def test_python_snippets_use_public_names_with_valid_arguments() -> None:
    for page, text in TEXTS.items():
        for snippet in snippets(text):
            for node in ast.walk(ast.parse(snippet)):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    package = PACKAGES.get(node.value.id)
                    assert package is None or node.attr in package.__all__, (
                        page.name,
                        ast.unparse(node),
                    )
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in PACKAGES:
                    package_name, name = ast.unparse(node.func).split(".")
                    function = getattr(PACKAGES[package_name], name)
                    keywords = {word.arg: None for word in node.keywords if word.arg}
                    inspect.signature(function).bind(*node.args, **keywords)


def test_the_snippets_of_extending_run_as_they_are() -> None:
    names: dict[str, object] = {}
    found = snippets(TEXTS[ROOT / "docs" / "extending.md"])
    assert len(found) == 6
    for snippet in found:
        exec(snippet.replace("steps=16", "steps=2"), names)


def test_the_snippets_of_notebooks_run_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder: they make a store."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = snippets(TEXTS[ROOT / "docs" / "notebooks.md"])
    assert len(found) == 4
    for snippet in found:
        exec(snippet.replace("steps=64", "steps=2").replace("draw(8", "draw(1"), names)
    assert (tmp_path / "neurons" / "store.json").exists()
