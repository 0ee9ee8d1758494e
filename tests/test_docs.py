"""What the documentation shows is there: commands, targets, names, links."""

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
from featviz.models.vision_model import VisionModel

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
HELPS = {
    "--help": command_line.help or "",
    **{f"{name} --help": command.help or "" for name, command in command_line.commands.items()},
}


def code(text: str, indentation: int) -> Iterator[str]:
    """Lines inside fences, or indented at least so far."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith(" " * indentation):
            yield line


def commands() -> dict[str, list[str]]:
    """Every command line shown, once: its words, without a comment or pipe after it."""
    lines = [line for text in TEXTS.values() for line in code(text, 4)]
    lines += [line for text in HELPS.values() for line in code(text, 2)]
    shown = (re.split(r"\s{2,}|\s[|#]\s", line.strip())[0] for line in lines)
    return {line: shlex.split(line)[1:] for line in shown if re.match(r"featviz [a-z-]", line)}


def parse(words: list[str]) -> click.Context:
    """Parse a command line, running nothing."""
    name, *rest = words
    # A command keeps the names of its help option from the first context that it is given.
    group = click.Context(command_line, **command_line.context_settings)
    return command_line.commands[name].make_context(name, rest, parent=group)


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.mark.parametrize("line", commands())
def test_a_command_that_is_shown_parses(line: str) -> None:
    assert parse(commands()[line]).command.name in command_line.commands


@pytest.mark.parametrize("line", [line for line in commands() if " cueworld/vit" in line])
def test_the_units_of_a_command_that_is_shown_are_there(line: str, vit: VisionModel) -> None:
    selectors = parse(commands()[line]).params.get("selectors", ())
    assert not selectors or featviz.units(vit, *selectors)


def test_enough_commands_are_shown() -> None:
    assert {words[0] for words in commands().values()} == set(command_line.commands)


@pytest.mark.parametrize("page", TEXTS)
def test_every_target_of_make_that_is_named_is_there(page: str) -> None:
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^)make ([a-z-]+)(?:`|$)", TEXTS[page], re.MULTILINE)
    assert set(named) <= set(rules)


def test_the_tests_are_run_as_the_readme_says() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    wanted = re.findall(r"^make ([a-z-]+)$", run, re.MULTILINE)
    assert wanted
    assert all(f"`make {target}`" in TEXTS["README.md"] for target in wanted)


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    folder = next(path for path in PAGES if path.name == page).parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[page])
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_python_that_is_shown_compiles_and_calls_what_there_is(page: str) -> None:
    packages = {"featviz": featviz, "gallery": gallery, "patching": patching}
    for snippet in re.findall(r"^```python\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                package = packages.get(node.value.id)
                assert package is None or node.attr in package.__all__, ast.unparse(node)
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in packages:
                owner, name = ast.unparse(node.func).split(".")
                names = {word.arg: None for word in node.keywords if word.arg}
                inspect.signature(getattr(packages[owner], name)).bind(*node.args, **names)


def test_the_examples_of_extending_run_as_they_are() -> None:
    names: dict[str, object] = {}
    snippets = re.findall(r"^```python\n(.*?)^```", TEXTS["extending.md"], re.MULTILINE | re.DOTALL)
    assert len(snippets) == 5
    for snippet in snippets:
        exec(snippet.replace("steps=16", "steps=2"), names)
