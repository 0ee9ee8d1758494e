"""Groups of images from files, and by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from patching.effects.image_groups import Grouping, read_attributes


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    for name in ("a/one.png", "a/two.png", "b/one.png", "b/three.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    return open_data(f"folder:{tmp_path / 'photos'}")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_every_value_of_every_column_is_a_group(data: Dataset, tmp_path: Path) -> None:
    path = written(
        tmp_path, "size,file,side\nbig,a/one.png,left\nsmall,b/three.png,\nbig,b/one.png\n"
    )
    found = read_attributes(path, data)
    assert {group.name: set(group.images or ()) for group in found} == {
        "size=big": {0, 2},
        "size=small": {3},
        "side=left": {0},
    }
    assert all((group.kind, group.labels) == ("attribute", None) for group in found)


def test_images_without_files_have_their_index(tmp_path: Path) -> None:
    (group,) = read_attributes(written(tmp_path, "file,x\n3,y\n5,y\n"), open_data("cueworld:6"))
    assert group.images == frozenset({3, 5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,x\na/one.png,y\n", "needs a column file and a column for each attribute"),
        ("file\na/one.png\n", "needs a column file and a column for each attribute"),
        ("", "needs a column file and a column for each attribute"),
        ("file,x\none.png,y\n", "names 'one.png', which is no image of folder:"),
        ("file,x\na/one.png,y\na/one.png,z\n", "names 'a/one.png' twice"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    data: Dataset, tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FeatvizError, match=message) as caught:
        read_attributes(path, data)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_cannot_be_read_is_refused(data: Dataset, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FeatvizError, match="cannot be read as a CSV file"):
            read_attributes(path, data)


def test_the_groups_of_a_difference_are_found_by_name(data: Dataset, tmp_path: Path) -> None:
    attributes = read_attributes(written(tmp_path, "file,x\na/one.png,y\n"), data)
    first, second, whole = Grouping(attributes, ("x=y", "b")).groups(data.classes)
    assert first == attributes[0]
    assert (second.kind, second.labels) == ("class", frozenset({1}))
    assert (whole.kind, whole.name, whole.parts) == (
        "difference",
        "x=y minus b",
        (first, second),
    )
    assert Grouping(attributes).groups(data.classes) == list(attributes)
    assert Grouping().groups(data.classes) == []
    with pytest.raises(FeatvizError, match="there is no group of images 'c'; there are a, b, x=y"):
        Grouping(attributes, ("x=y", "c")).groups(data.classes)
    with pytest.raises(FeatvizError, match="there are 2 groups of images called 'b'"):
        Grouping((), ("a", "b")).groups(("a", "b", "b"))
