from __future__ import annotations

import subprocess
import sys

import pytest

import featviz


def test_each_name_is_what_its_module_defines() -> None:
    for name in featviz.__all__:
        assert getattr(featviz, name).__module__.startswith("featviz.")
        assert getattr(featviz, name).__name__ == name


@pytest.mark.parametrize("package", ["featviz", "featviz.cueworld", "gallery", "patching"])
def test_dir_lists_the_public_names_before_they_are_imported(package: str) -> None:
    code = f"import {package} as p, sys; sys.exit(not set(p.__all__) <= set(dir(p)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("package", ["featviz", "featviz.cueworld", "gallery", "patching"])
def test_no_submodule_has_the_name_of_a_public_name(package: str) -> None:
    code = (
        f"import {package} as p, pkgutil, sys;"
        "sys.exit(bool({m.name for m in pkgutil.iter_modules(p.__path__)} & set(p.__all__)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'featviz' has no attribute 'rendr'"):
        getattr(featviz, "rendr")  # noqa: B009  mypy knows that it is not there
