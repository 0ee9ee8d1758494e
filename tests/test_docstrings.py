"""Public functions explain their arguments and what they return."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("featviz", "patching", "gallery")
SHARE = 0.95
PLAIN = {"None", "bool", "int", "float", "str", "NoReturn", "Self"}
"""Types that a summary line explains well enough."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Public:
    """A function that others may call."""

    name: str
    node: Function

    @property
    def text(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def arguments(self) -> list[str]:
        given = self.node.args
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        starred = [each.arg for each in (given.vararg, given.kwarg) if each is not None]
        return [
            name
            for name in (*names, *starred)
            if name not in {"self", "cls"} and not name.startswith("_")
        ]

    def section(self, title: str) -> str:
        found = re.search(
            rf"^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", self.text, re.MULTILINE | re.DOTALL
        )
        return found[1] if found else ""

    def explains_arguments(self) -> bool:
        """Whether each has an entry, is named in the text, or another place explains them all."""
        if re.search(r"\b[Ss]ee `[\w.]+`", self.text):
            return True
        entries = re.findall(r"^([\w*, ]+?)(?: :.*)?$", self.section("Parameters"), re.MULTILINE)
        listed = {name.strip(" *") for entry in entries for name in entry.split(",")}
        return all(name in listed or f"`{name}`" in self.text for name in self.arguments)

    def explains_return(self) -> bool:
        kind = ast.unparse(self.node.returns) if self.node.returns else "None"
        return (
            kind in PLAIN
            or bool(self.section("Returns") or self.section("Yields"))
            or self.text.startswith(("Return ", "Iterate ", "Yield "))
            or bool(re.search(r"\b[Ss]ee `[\w.]+`", self.text))
        )


def publics(package: str = "") -> Iterator[Public]:
    """Functions of modules and methods of classes whose names have no leading underscore."""
    for name in PACKAGES:
        for path in sorted((ROOT / name).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if place.startswith(package):
                yield from _in(tree.body, place)


def _in(body: list[ast.stmt], place: str) -> Iterator[Public]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _in(node.body, f"{place}:{node.name}")
        elif isinstance(node, Function) and not node.name.startswith("_"):
            decorators = {ast.unparse(each) for each in node.decorator_list}
            if not decorators & {"property", "cached_property"}:
                yield Public(f"{place}:{node.lineno} {node.name}", node)


def unexplained(package: str = "") -> tuple[list[str], list[str]]:
    """Functions that leave an argument, or their return, without a word."""
    found = list(publics(package))
    return (
        [each.name for each in found if not each.explains_arguments()],
        [each.name for each in found if not each.explains_return()],
    )


def test_nearly_all_public_functions_explain_their_arguments() -> None:
    with_arguments = [each for each in publics() if each.arguments]
    silent = [each.name for each in with_arguments if not each.explains_arguments()]
    assert len(silent) <= (1 - SHARE) * len(with_arguments), "\n".join(silent)


def test_nearly_all_public_functions_explain_what_they_return() -> None:
    found = list(publics())
    silent = [each.name for each in found if not each.explains_return()]
    assert len(silent) <= (1 - SHARE) * len(found), "\n".join(silent)


if __name__ == "__main__":  # python -m tests.test_docstrings featviz/store
    for title, names in zip(("arguments", "returns"), unexplained(*sys.argv[1:]), strict=True):
        print(title, *names, sep="\n  ")
