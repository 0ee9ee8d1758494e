"""Imports run one way: a package imports only what is above it in these lists."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("featviz", "patching", "gallery", "cli")
LAYERS = {
    "": ("featviz", "patching", "gallery", "cli"),
    "featviz": (
        "errors",
        "_util",
        "store",
        "cueworld",
        "models",
        "addressing",
        "activations",
        "data",
        "parametrization",
        "optimization",
        "rendering",
        "analysis",
    ),
    "patching": (
        "settings",
        "vit",
        "interventions",
        "forward",
        "effects",
        "attribution",
        "circuits",
        "plots",
        "validation",
        "sweeps",
    ),
    "featviz.analysis": (
        "attention",
        "examples",
        "filters",
        "logits",
        "reconstruction",
        "tokens",
        "compare",
        "scores",
        "paths",
        "evidence",
        "table",
    ),
}
SIBLINGS = {("patching", "gallery"), ("gallery", "patching")}
"""Packages of one layer, which do not import each other."""


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(module: str, types: bool = True) -> set[str]:
    """Modules of the project that a module imports, wherever in it, for types too or not."""
    found = set()
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not types:
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                full = f"{node.module}.{name.name}"
                found.add(full if full in MODULES else str(node.module))
    return found & MODULES.keys()


def part(module: str, package: str) -> str | None:
    """The part of a package that holds a module, such as `models` of `featviz`."""
    inside = module.removeprefix(f"{package}." if package else "")
    return None if package and inside == module else inside.split(".")[0]


def upward() -> set[tuple[str, str]]:
    found = set()
    for module in MODULES:
        for target in imports(module):
            for package, order in LAYERS.items():
                ours, theirs = part(module, package), part(target, package)
                if ours is None or theirs is None or module == package:
                    continue
                if order.index(theirs) > order.index(ours) or (ours, theirs) in SIBLINGS:
                    found.add((module, target))
    return found


def test_every_part_of_a_package_has_its_place_among_the_layers() -> None:
    for package, order in LAYERS.items():
        parts = {part(module, package) for module in MODULES if module != package}
        assert parts - {None} == set(order)


def test_no_import_runs_up() -> None:
    assert upward() == set()


def test_cueworld_imports_nothing_else_of_featviz() -> None:
    inside = [module for module in MODULES if module.startswith("featviz.cueworld")]
    targets = {target for module in inside for target in imports(module)}
    assert {target for target in targets if not target.startswith("featviz.cueworld")} <= {
        "featviz._util.lazy"
    }


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's own `__init__` names what is below it, and imports it when it is asked for.
    packages = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    left = {module: imports(module, types=False) - packages for module in MODULES.keys() - packages}
    while free := [module for module, needed in left.items() if not needed]:
        left = {module: needed - set(free) for module, needed in left.items() if module not in free}
    assert left == {}


def needed_by(module: str) -> set[str]:
    """Modules that importing a module imports, directly or not; its own packages left out."""
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    found: set[str] = set()
    waiting = [module]
    while waiting:
        tree = ast.parse(MODULES[waiting.pop()].read_text(encoding="utf-8"))
        for node in tree.body:  # not those inside functions and `if TYPE_CHECKING`
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    full = f"{node.module}.{name.name}"
                    target = full if full in MODULES else str(node.module)
                    if target in MODULES and target not in found | packages:
                        found.add(target)
                        waiting.append(target)
    return found


def test_rendering_needs_few_modules() -> None:
    assert len(needed_by("featviz.rendering.render")) <= 52


def test_filters_and_maps_need_no_optimizer() -> None:
    for job in ("filters.job", "attention.maps", "examples.job"):
        needed = needed_by(f"featviz.analysis.{job}")
        assert not [name for name in needed if ".optimization" in name or ".rendering" in name]


def test_every_folder_of_a_package_has_at_most_12_entries() -> None:
    left_out = {"__init__.py", "__pycache__", "py.typed", "node_modules"}
    for package in ("featviz", "patching", "gallery"):
        for folder in [ROOT / package, *(path for path in (ROOT / package).rglob("*"))]:
            if folder.is_dir() and not left_out & set(folder.parts):
                entries = {path.name for path in folder.iterdir()} - left_out
                assert len(entries) <= 12, folder


def loaded_with(module: str) -> set[str]:
    """Modules of the project that are loaded by importing one, apart from lazy imports."""
    found, waiting = set(), {module}
    while waiting:
        found |= waiting
        waiting = set().union(*(imports(each, types=False) for each in waiting)) - found
    return found


def test_activation_patching_loads_no_optimizer() -> None:
    rooms = ("featviz.optimization", "featviz.parametrization", "featviz.rendering")
    loaded = loaded_with("patching.sweeps.activation_patching") | loaded_with("patching.sweeps.job")
    assert [each for each in loaded if each.startswith(rooms)] == []
