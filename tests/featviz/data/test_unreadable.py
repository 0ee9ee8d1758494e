from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from featviz._util.image_files import check_image
from featviz.data import folder as folder_module
from featviz.data import unreadable
from featviz.data.datasets import Dataset, open_data
from featviz.data.folder import Folder
from featviz.data.unreadable import find_unreadable
from featviz.errors import FeatvizError
from tests.featviz.data.test_datasets import pets, picture

DAMAGED = ("b/1.png", "b/3.jpg")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten images of two classes, of which an empty and a truncated one cannot be read."""
    for name in ("a/0.png", "a/1.png", "a/2.jpg", "a/3.png", "a/4.png"):
        picture(tmp_path / "set" / name, 16)
    for name in ("b/0.png", *DAMAGED, "b/2.png", "b/4.png"):
        picture(tmp_path / "set" / name, 16)
    (tmp_path / "set" / DAMAGED[0]).write_bytes(b"")
    truncated = tmp_path / "set" / DAMAGED[1]
    truncated.write_bytes(truncated.read_bytes()[:-60])
    return tmp_path / "set"


def skipping(path: Path) -> Dataset:
    return open_data(f"folder:{path}", skip_unreadable=True)


def test_all_unreadable_images_are_named_in_one_line_with_the_option(photos: Path) -> None:
    data = open_data(f"folder:{photos}")
    with pytest.raises(FeatvizError) as caught:
        data.readable(data.indices())
    line = str(caught.value)
    assert line.startswith(f"2 of 10 images of folder:{photos} cannot be read: {photos}/b/1.png ")
    assert f"; {photos}/b/3.jpg cannot be read as an image (image file is truncated" in line
    assert line.endswith("; replace or remove them, or leave them out with --skip-unreadable")
    assert "\n" not in line


def test_of_many_unreadable_images_the_first_are_named_and_the_others_counted(
    tmp_path: Path,
) -> None:
    picture(tmp_path / "z.png")
    for index in range(1007):
        (tmp_path / f"{index:04}.png").write_bytes(b"")
    data = open_data(f"folder:{tmp_path}")
    with pytest.raises(
        FeatvizError, match=r"^1,007 of 1,008 .*/0004\.png.*; and 1,002 more; "
    ) as e:
        data.readable(data.indices())
    assert "0005.png" not in str(e.value)


def test_only_the_images_of_the_job_are_read(photos: Path) -> None:
    data = open_data(f"folder:{photos}")
    assert data.readable([0, 1, 5, 9]) == data


def test_what_is_left_out_keeps_its_index_and_so_do_the_others(photos: Path) -> None:
    data, all_images = skipping(photos), open_data(f"folder:{photos}")
    found = data.readable(data.indices())
    assert found.left_out == {6: "b/1.png", 8: "b/3.jpg"}
    assert found.indices() == [0, 1, 2, 3, 4, 5, 7, 9]
    assert all_images.indices(5) == [0, 2, 4, 6, 8]
    assert found.indices(5) == [0, 2, 4]  # others do not take their place
    for index in found.indices():
        assert torch.equal(found.image(index, 8), all_images.image(index, 8))
    images, labels = next(found.batches(8, batch=64))
    assert torch.equal(images, found.images(found.indices(), 8))
    assert labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert found.fingerprint() == all_images.fingerprint()
    assert len(found) == len(all_images)


def test_a_configuration_names_what_is_left_out_and_restores_it(photos: Path) -> None:
    found = skipping(photos).readable(range(10))
    configuration = json.loads(json.dumps(found.configuration(8)))
    assert list(configuration) == ["data", "images", "unreadable"]
    assert configuration["unreadable"] == {"6": "b/1.png", "8": "b/3.jpg"}
    opened = open_data(f"folder:{photos}")
    restored = opened.without(configuration)
    assert restored.left_out == found.left_out
    assert restored.indices(5) == found.indices(5)
    assert opened.indices_of(configuration) == found.indices()
    assert opened.indices_of({"images": 5}) == opened.indices(5)
    assert opened.indices_of({"images": 2, "unreadable": {"6": "b/1.png"}}) == [0, 3]


def test_a_configuration_of_readable_images_is_the_one_of_earlier_versions(photos: Path) -> None:
    data = open_data(f"folder:{photos}")
    assert data.readable([0, 1]).configuration(2) == {
        "data": {"name": f"folder:{photos}", "fingerprint": data.fingerprint()},
        "images": 2,
    }


@pytest.mark.parametrize(
    ("skip", "recorded", "left_out", "is_read"),
    [
        (False, {"images": 10}, {}, False),
        (False, {"unreadable": {"6": "b/1.png"}}, {6: "b/1.png"}, False),
        (True, {"unreadable": {"6": "b/1.png"}}, {6: "b/1.png"}, False),
        (True, {"images": 10}, {6: "b/1.png", 8: "b/3.jpg"}, True),
    ],
)
def test_a_job_with_stored_rows_reads_no_image_to_know_what_it_left_out(
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    skip: bool,
    recorded: dict[str, Any],
    left_out: dict[int, str],
    is_read: bool,
) -> None:
    read: list[str] = []

    def log(path: Path) -> None:
        read.append(path.name)
        check_image(path)

    monkeypatch.setattr(folder_module, "check_image", log)
    data = open_data(f"folder:{photos}", skip_unreadable=skip)
    assert data.readable(range(10), recorded).left_out == left_out
    assert len(read) == (10 if is_read else 0)


def test_if_no_image_can_be_read_none_is_left_out(photos: Path) -> None:
    with pytest.raises(FeatvizError, match=r"^2 of 2 images .* replace or remove them$"):
        skipping(photos).readable([6, 8])


def test_a_broken_link_is_left_out_and_changes_the_fingerprint_when_it_is_repaired(
    photos: Path, tmp_path: Path
) -> None:
    (photos / DAMAGED[0]).unlink()
    (photos / DAMAGED[0]).symlink_to(tmp_path / "later.png")
    found = skipping(photos).readable(range(10))
    assert found.left_out == {6: "b/1.png", 8: "b/3.jpg"}
    before = found.fingerprint()
    picture(tmp_path / "later.png")
    assert open_data(f"folder:{photos}").fingerprint() != before


def test_drawn_images_are_always_readable() -> None:
    data = open_data("cueworld:20", skip_unreadable=True)
    assert data.readable(data.indices()) == data


# torchvision leaves a file open that it cannot decode.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_images_of_torchvision_are_checked_too(tmp_path: Path) -> None:
    pets(tmp_path)
    broken = tmp_path / "oxford-iiit-pet" / "images" / "beagle_7.jpg"
    broken.write_bytes(broken.read_bytes()[:-60])
    name = f"torchvision:OxfordIIITPet:{tmp_path}"
    data = open_data(name)
    with pytest.raises(FeatvizError, match=r"^1 of 2 images .*: image 1 of torchvision's Oxford"):
        data.readable([0, 1])
    found = open_data(name, skip_unreadable=True).readable([0, 1])
    assert found.left_out == {1: "image 1"}
    # It counts as unreadable, and changes the fingerprint when it is repaired.
    before = found.configuration(1)["data"]["fingerprint"]
    picture(broken)
    assert open_data(name).fingerprint() != before


def test_a_name_that_is_not_utf8_is_shown_and_stored(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    name = os.fsdecode(b"\xff.png")
    (tmp_path / name).write_bytes(b"")
    data = open_data(f"folder:{tmp_path}")
    with pytest.raises(FeatvizError, match=r"\\xff\.png"):
        data.readable([0, 1])
    found = skipping(tmp_path).readable([0, 1])
    assert json.loads(json.dumps(found.configuration(1)))["unreadable"] == {"1": name}


def test_a_large_photo_that_lacks_its_last_rows_is_found(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=90)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-2000])
    picture(tmp_path / "b.jpg")
    assert list(skipping(tmp_path).readable([0, 1]).left_out) == [0]


def test_a_long_check_is_announced_and_holds_few_images_at_a_time(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted, checked, waiting = 0, list[int](), list[int]()
    original = Folder.check

    def check(source: Folder, index: int) -> None:
        checked.append(index)
        original(source, index)

    class Pool(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            nonlocal submitted
            submitted += 1
            waiting.append(submitted - len(checked))
            return super().submit(*arguments, **options)

    monkeypatch.setattr(Folder, "check", check)
    monkeypatch.setattr(unreadable, "ThreadPoolExecutor", Pool)
    source, indices = Folder(photos), [*range(10)] * 310
    assert list(find_unreadable(source, indices)) == [6, 8]
    assert len(checked) == submitted == 3_100
    assert 1 < max(waiting) <= 1_000
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(unreadable, "ANNOUNCED", 3_000)
    find_unreadable(source, indices)
    assert capsys.readouterr().err == "checking that 3,100 images can be read ...\n"
