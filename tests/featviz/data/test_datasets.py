from __future__ import annotations

import pickle
import shutil
from collections import Counter
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets

from featviz import cueworld
from featviz._util.image_files import read_image
from featviz.data import cueworld_images
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError

RANDOM = np.random.default_rng(0)


def picture(path: Path, side: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def classed(tmp_path: Path) -> Path:
    """Two apes, three bees (one of them deeper), and things that are no images."""
    for name in ("ape/1.png", "ape/2.PNG", "bee/a.bmp", "bee/far/b.png", "bee/z.png"):
        picture(tmp_path / "set" / name)
    for name in (".hidden/x.png", "bee/.cache/x.png", "notes.txt", "empty/readme.md"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"no image")
    return tmp_path / "set"


def everything(data: Dataset, size: int, count: int | None = None) -> tuple[Any, Any]:
    parts = list(data.batches(size, batch=2, count=count))
    return torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts])


def test_cueworld_gives_held_out_images_of_the_given_size() -> None:
    for size in (32, 40):
        images, labels = everything(open_data("cueworld:20"), size)
        expected = cueworld.draw(20, seed=10_000, size=size)
        assert torch.equal(images, expected.images)
        assert torch.equal(labels, expected.labels)
    assert open_data("cueworld:20").classes == cueworld.CLASSES


def test_an_image_of_cueworld_does_not_depend_on_what_was_read_before() -> None:
    expected = cueworld.draw(60, seed=10_000, size=16).images
    data = open_data("cueworld:60")
    for number in (59, 3, 40, 40, 59, 19, 0):
        assert torch.equal(data.image(number, 16), expected[number])
        assert not torch.equal(data.image(number, 8), expected[number, :, :8, :8])


def test_few_checkpoints_of_cueworlds_generator_are_kept_and_every_image_stays_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cueworld_images, "MAX_CHECKPOINTS", 6)
    expected = cueworld.draw(540, seed=10_000, size=8).images
    source = cueworld_images.Cueworld(540)
    order = [539, *range(0, 540, 18), *np.random.default_rng(0).permutation(540)[:60].tolist()]
    for number in order:
        assert torch.equal(source.read(number, 8)[0], expected[number])
        assert len(source._checkpoints[8]) <= 6
    assert 0 in source._checkpoints[8]


def test_cueworld_has_1000_images_by_default() -> None:
    assert len(open_data("cueworld")) == 1000
    assert len(open_data("cueworld:7")) == 7


def test_global_random_state_is_not_touched() -> None:
    before = torch.get_rng_state()
    everything(open_data("cueworld:3"), 16)
    assert torch.equal(torch.get_rng_state(), before)


def test_sub_folders_are_classes_in_order_of_their_names(classed: Path) -> None:
    data = open_data(f"folder:{classed}")
    images, labels = everything(data, 8)
    assert data.classes == ("ape", "bee")
    assert labels.tolist() == [0, 0, 1, 1, 1]
    files = ["ape/1.png", "ape/2.PNG", "bee/a.bmp", "bee/far/b.png", "bee/z.png"]
    assert torch.equal(images, torch.stack([read_image(classed / name, 8) for name in files]))


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        picture(tmp_path / name)
    data = open_data(f"folder:{tmp_path}")
    images, labels = everything(data, 8)
    assert data.classes == ()
    assert labels.tolist() == [-1, -1]
    assert labels.dtype == torch.int64
    assert torch.equal(images[0], read_image(tmp_path / "a.png", 8))


def test_images_are_squares_as_image_files_makes_them(tmp_path: Path) -> None:
    Image.fromarray(RANDOM.integers(0, 256, (20, 31, 3), np.uint8)).save(tmp_path / "wide.png")
    data = open_data(f"folder:{tmp_path}")
    assert torch.equal(data.image(0, 12), read_image(tmp_path / "wide.png", 12))


def test_a_path_is_expanded_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    picture(tmp_path / "mine" / "a.png")
    assert len(open_data("folder:~/mine")) == 1


def test_a_subset_of_a_folder_sorted_by_class_holds_every_class_alike(tmp_path: Path) -> None:
    for label in "abc":
        for index in range(6):
            picture(tmp_path / label / f"{index}.png", side=2)
    data = open_data(f"folder:{tmp_path}")
    assert data.indices(6) == [0, 3, 6, 9, 12, 15]
    _, labels = everything(data, 2, count=6)
    assert Counter(labels.tolist()) == {0: 2, 1: 2, 2: 2}


def test_a_subset_of_cueworld_is_its_beginning_which_shows_the_classes_in_turn() -> None:
    # Evenly spaced, every 18th image of 1,800 would show the same class.
    data = open_data("cueworld:1800")
    assert data.indices(100) == list(range(100))
    _, labels = everything(data, 8, count=36)
    assert Counter(labels.tolist()) == dict.fromkeys(range(18), 2)


class Counted:
    """A source of a length, and nothing else."""

    classes = ()
    interleaved = False

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


@given(length=st.integers(1, 500), count=st.integers(1, 600))
def test_a_subset_has_the_given_size_and_is_evenly_spaced(length: int, count: int) -> None:
    numbers = Dataset("counted", (), Counted(length)).indices(count)  # type: ignore[arg-type]
    steps = {b - a for a, b in zip(numbers, [*numbers[1:], length], strict=True)}
    assert len(numbers) == min(length, count)
    assert numbers[0] == 0
    assert max(steps) - min(steps) <= 1
    assert min(steps) >= 1


def test_batches_join_to_the_same_images_whatever_their_size(classed: Path) -> None:
    data = open_data(f"folder:{classed}")
    whole, _ = next(data.batches(8, batch=64))
    parts = [images for images, _ in data.batches(8, batch=3)]
    assert [len(part) for part in parts] == [3, 2]
    assert torch.equal(torch.cat(parts), whole)
    assert whole.dtype == torch.float32


def test_a_fingerprint_depends_on_the_content_and_not_on_the_location(classed: Path) -> None:
    moved = shutil.copytree(classed, classed.parent / "moved")
    same = open_data(f"folder:{moved}").fingerprint()
    assert open_data(f"folder:{classed}").fingerprint() == same
    assert len(same) == 64


@pytest.mark.parametrize("change", ["pixel", "name", "class", "fewer", "more"])
def test_a_fingerprint_changes_with_a_files_bytes_its_name_or_its_class(
    classed: Path, change: str
) -> None:
    before = open_data(f"folder:{classed}").fingerprint()
    bmp = classed / "bee/a.bmp"  # uncompressed: its size stays when a pixel changes
    if change == "pixel":
        content = bytearray(bmp.read_bytes())
        content[-1] ^= 1
        bmp.write_bytes(content)
    elif change == "name":
        bmp.rename(bmp.with_stem("aa"))
    elif change == "class":
        bmp.rename(classed / "ape" / "a.bmp")
    elif change == "fewer":
        bmp.unlink()
    else:
        picture(classed / "cat" / "1.png")
    assert open_data(f"folder:{classed}").fingerprint() != before


def test_fingerprints_of_cueworld_differ_by_count_alone() -> None:
    assert open_data("cueworld").fingerprint() == open_data("cueworld:1000").fingerprint()
    assert open_data("cueworld:999").fingerprint() != open_data("cueworld:1000").fingerprint()


def cifar(root: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> np.ndarray[Any, Any]:
    """Write a CIFAR of three test images in its published format, and its sums into the class.

    The class checks files by MD5 sums that it holds; everything else of it runs as it is.
    """
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    pixels = RANDOM.integers(0, 256, (3, 32, 32, 3), np.uint8)
    key = "labels" if kind is datasets.CIFAR10 else "fine_labels"
    names = [f"name {index}" for index in range(10 if kind is datasets.CIFAR10 else 100)]
    sums = {}

    def write(name: str, content: dict[str, Any]) -> None:
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        sums[name] = md5(data, usedforsecurity=False).hexdigest()

    for name, _ in kind.train_list:
        write(name, {"data": np.zeros((1, 3072), np.uint8), key: [0]})
    for name, _ in kind.test_list:
        write(name, {"data": pixels.transpose(0, 3, 1, 2).reshape(3, 3072), key: [5, 0, 9]})
    write(kind.meta["filename"], {kind.meta["key"]: names})
    for files in ("train_list", "test_list"):
        summed = [[name, sums[name]] for name, _ in getattr(kind, files)]
        monkeypatch.setattr(kind, files, summed)
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": sums[kind.meta["filename"]]})
    return pixels


@pytest.mark.parametrize("kind", [datasets.CIFAR10, datasets.CIFAR100])
def test_cifar_is_read_from_its_published_files(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = cifar(tmp_path, kind, monkeypatch)
    data = open_data(f"{kind.__name__.lower()}:{tmp_path}")
    images, labels = everything(data, 32)
    assert torch.equal(images, torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    assert labels.tolist() == [5, 0, 9]
    assert data.classes[9] == "name 9"
    assert data.image(0, 48).shape == (3, 48, 48)
    same = open_data(f"torchvision:{kind.__name__}:{tmp_path}")
    assert same.fingerprint() == data.fingerprint()


def test_a_folder_inside_of_the_root_of_a_torchvision_class_is_refused_with_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    pets(tmp_path)
    for name, inside, kind in (
        ("cifar10", "cifar-10-batches-py", "CIFAR10"),
        ("torchvision:OxfordIIITPet", "oxford-iiit-pet", "OxfordIIITPet"),
        ("torchvision:OxfordIIITPet", "oxford-iiit-pet/images", "OxfordIIITPet"),
    ):
        expected = f"{tmp_path / inside} is a folder inside of ROOT, which is {tmp_path} for {kind}"
        with pytest.raises(FeatvizError) as caught:
            open_data(f"{name}:{tmp_path / inside}")
        assert str(caught.value) == expected


def test_a_folder_without_classes_is_refused_without_a_look_at_its_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("data/mistyped", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    read: list[str] = []

    class Read(datasets.ImageFolder):  # type: ignore[misc]
        def __init__(self, root: str) -> None:
            read.append(root)
            super().__init__(root)

    monkeypatch.setattr(datasets, "ImageFolder", Read)
    root = tmp_path / "data" / "mistyped"
    with pytest.raises(FeatvizError, match=f"in {root}: Couldn't find any class folder in {root}"):
        open_data(f"torchvision:ImageFolder:{root}")
    assert read == [str(root)]


def test_a_cifar_file_that_was_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar(tmp_path, datasets.CIFAR10, monkeypatch)
    with (tmp_path / "cifar-10-batches-py" / "test_batch").open("ab") as file:
        file.write(b"x")
    with pytest.raises(FeatvizError, match=r"CIFAR10 in .*corrupted.*--download"):
        open_data(f"cifar10:{tmp_path}")


def pets(root: Path) -> None:
    """Write three Oxford-IIIT pets, two of them in the test split, in the published format."""
    for name in ("Abyssinian_1", "Abyssinian_2", "beagle_7"):
        picture(root / "oxford-iiit-pet" / "images" / f"{name}.jpg", side=20)
    lists = root / "oxford-iiit-pet" / "annotations"
    lists.mkdir()
    (lists / "trainval.txt").write_text("Abyssinian_1 1 1 1\n")
    (lists / "test.txt").write_text("Abyssinian_2 1 1 1\nbeagle_7 2 2 1\n")


def test_a_torchvision_class_gives_its_test_split(tmp_path: Path) -> None:
    pets(tmp_path)
    data = open_data(f"torchvision:OxfordIIITPet:{tmp_path}")
    images, labels = everything(data, 20)
    assert data.classes == ("Abyssinian", "Beagle")
    assert labels.tolist() == [0, 1]
    path = tmp_path / "oxford-iiit-pet" / "images" / "Abyssinian_2.jpg"
    assert torch.equal(images[0], read_image(path, 20))
    assert data.fingerprint() == open_data(f"torchvision:OxfordIIITPet:{tmp_path}").fingerprint()


def test_another_image_changes_the_fingerprint_of_a_torchvision_class(tmp_path: Path) -> None:
    pets(tmp_path)
    before = open_data(f"torchvision:OxfordIIITPet:{tmp_path}").fingerprint()
    picture(tmp_path / "oxford-iiit-pet" / "images" / "beagle_7.jpg", side=20)
    assert open_data(f"torchvision:OxfordIIITPet:{tmp_path}").fingerprint() != before


def test_a_class_without_a_test_split_gives_its_validation_split(tmp_path: Path) -> None:
    for split, name in (("train", "n01440764"), ("val", "n02102040")):
        for wnid in datasets.Imagenette._WNID_TO_CLASS:
            (tmp_path / "imagenette2" / split / wnid).mkdir(parents=True)
            picture(tmp_path / "imagenette2" / split / wnid / f"{name}.JPEG")
    data = open_data(f"torchvision:Imagenette:{tmp_path}")
    assert len(data) == 10
    assert data.classes[0] == "tench, Tinca tinca"
    assert data.wordnet_ids[:2] == ("n01440764", "n02102040")
    assert torch.equal(
        data.image(0, 8), read_image(tmp_path / "imagenette2/val/n01440764/n02102040.JPEG", 8)
    )


def test_gray_images_are_read_as_rgb(tmp_path: Path) -> None:
    pixels, raw = RANDOM.integers(0, 256, (2, 28, 28), np.uint8), tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        content = np.array([0x803, 2, 28, 28], ">i4").tobytes() + pixels.tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(content)
        content = np.array([0x801, 2], ">i4").tobytes() + bytes([7, 3])
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(content)
    images, labels = everything(open_data(f"torchvision:KMNIST:{tmp_path}"), 28)
    assert labels.tolist() == [7, 3]
    assert torch.equal(images, (torch.from_numpy(pixels)[:, None] / 255).expand(2, 3, 28, 28))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cueword", r"unknown dataset 'cueword'; did you mean cueworld\?"),
        ("CIFAR10:/x", r"did you mean cifar10"),
        ("zzz", r"available are cueworld\[:COUNT\], folder:PATH, .*torchvision:CLASS:ROOT"),
        ("{tmp}", r"did you mean folder:{tmp}\?"),
        ("cueworld:", r"expected cueworld\[:COUNT\] with a count from 1, got 'cueworld:'"),
        ("cueworld:0", "count from 1, got"),
        ("cueworld:-3", "count from 1, got"),
        ("cueworld:9999999999", "count from 1, got"),
        ("cueworld:²", "count from 1, got"),
        ("folder", "expected folder:PATH, got 'folder'"),
        ("folder:", "expected folder:PATH, got 'folder:'"),
        ("folder:{tmp}/none", r"{tmp}/none does not exist; folder:PATH needs a folder"),
        ("folder:{tmp}/file", r"{tmp}/file is not a folder"),
        ("folder:~nobody-here/x", "^~nobody-here/x does not exist;"),
        ("~nobody-here/x", "unknown dataset '~nobody-here/x'; available are"),
        ("folder:{tmp}", r"folder:{tmp} has no images"),
        ("cifar10", "expected cifar10:ROOT, got 'cifar10'"),
        ("cifar10:{tmp}/none", r"{tmp}/none is not a folder; it must contain the data of CIFAR10"),
        ("cifar100:{tmp}", "CIFAR100 in {tmp}: Dataset not found or corrupted.*--download"),
        ("torchvision:CIFAR10", "expected torchvision:CLASS:ROOT, got"),
        ("torchvision:Flower102:{tmp}", r"no dataset 'Flower102'; did you mean Flowers102"),
        ("torchvision:os:{tmp}", r"no dataset 'os'"),
        ("torchvision:CocoDetection:{tmp}", r"CocoDetection takes annFile; supported are"),
        ("torchvision:FakeData:{tmp}", r"FakeData takes no root; supported are"),
        ("torchvision:EMNIST:{tmp}", r"EMNIST in {tmp}: .*split"),
    ],
)
def test_a_dataset_that_cannot_be_opened_is_refused_in_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FeatvizError, match=message.replace("{tmp}", str(tmp_path))) as caught:
        open_data(text.replace("{tmp}", str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_nothing_is_downloaded_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(self: object) -> None:
        raise AssertionError("fetched")

    # Of all classes this one would fetch unless told not to.
    monkeypatch.setattr(datasets.SEMEION, "download", fetch)
    with pytest.raises(FeatvizError, match="not found or corrupted"):
        open_data(f"torchvision:SEMEION:{tmp_path}")
    with pytest.raises(FeatvizError, match="fetched"):
        open_data(f"torchvision:SEMEION:{tmp_path}", download=True)


@pytest.mark.parametrize("text", ["cueworld", "folder:{tmp}", "torchvision:FER2013:{tmp}"])
def test_an_unsupported_download_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="download"):
        open_data(text.replace("{tmp}", str(tmp_path)), download=True)


def test_images_outside_of_class_folders_are_refused(classed: Path) -> None:
    picture(classed / "stray.png")
    with pytest.raises(FeatvizError, match=r"such as ape, and outside of them, such as stray\.png"):
        open_data(f"folder:{classed}")


def test_an_image_that_cannot_be_read_is_named(classed: Path) -> None:
    (classed / "bee" / "z.png").write_bytes(b"no image")
    data = open_data(f"folder:{classed}")
    with pytest.raises(FeatvizError, match=r"bee/z\.png cannot be read as an image"):
        everything(data, 8)


def test_an_image_that_torchvision_cannot_read_is_named(tmp_path: Path) -> None:
    pets(tmp_path)
    data = open_data(f"torchvision:OxfordIIITPet:{tmp_path}")
    (tmp_path / "oxford-iiit-pet" / "images" / "beagle_7.jpg").unlink()
    with pytest.raises(FeatvizError, match=r"image 1 of torchvision's OxfordIIITPet.*beagle_7"):
        data.image(1, 8)


@pytest.mark.parametrize("number", [-1, 5])
def test_an_image_that_is_not_there_is_refused(classed: Path, number: int) -> None:
    with pytest.raises(FeatvizError, match=f"has images 0 to 4, not {number}"):
        open_data(f"folder:{classed}").image(number, 8)


def test_no_images_and_empty_batches_are_refused(classed: Path) -> None:
    data = open_data(f"folder:{classed}")
    with pytest.raises(FeatvizError, match="at least 1 image"):
        next(data.batches(8, count=0))
    with pytest.raises(FeatvizError, match="at least 1 image"):
        next(data.batches(8, batch=0))


def test_labels_are_those_of_the_images(classed: Path, tmp_path: Path) -> None:
    pets(tmp_path)
    for name in (f"folder:{classed}", "cueworld:40", f"torchvision:OxfordIIITPet:{tmp_path}"):
        data = open_data(name)
        _, labels = everything(data, 8)
        assert data.labels(range(len(data))) == labels.tolist()
        assert data.labels([1, 0]) == [int(labels[1]), int(labels[0])]
        with pytest.raises(FeatvizError, match=f"has images 0 to {len(data) - 1}, not -1"):
            data.labels([0, -1])


def test_cueworld_s_masks_are_those_of_its_stream() -> None:
    expected = cueworld.draw(40, seed=10_000, size=16).masks
    data = open_data("cueworld:40")
    assert torch.equal(data.masks([39, 2, 20], 16), expected[[39, 2, 20]])
    with pytest.raises(FeatvizError, match="has images 0 to 39, not 40"):
        data.masks([40], 16)


def test_other_datasets_have_no_masks(classed: Path) -> None:
    with pytest.raises(FeatvizError, match="has no object masks; only cueworld does"):
        open_data(f"folder:{classed}").masks([0], 16)
