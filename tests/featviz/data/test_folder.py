"""Folders of images: what their names mean, and links."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError


def image(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), level).save(path)


def folder(root: Path, *names: str) -> Dataset:
    """One image in each folder, whose gray level is its number."""
    for number, name in enumerate(names):
        image(root / name / "a.png", number)
    return open_data(f"folder:{root}")


def levels(data: Dataset) -> list[int]:
    return [round(255 * float(data.image(index, 4)[0, 0, 0])) for index in range(len(data))]


def test_a_class_folder_that_is_a_number_has_this_label(tmp_path: Path) -> None:
    names = [str(number) for number in range(12)]
    data = folder(tmp_path, *names)
    assert data.classes == tuple(names)
    assert data.labels(range(12)) == levels(data)
    # The order of images, and with it the fingerprint, is still that of the names.
    assert levels(data) == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]


def test_numbers_without_a_folder_are_classes_without_images(tmp_path: Path) -> None:
    data = folder(tmp_path / "gaps", "0", "5", "12")
    assert data.labels(range(3)) == [0, 12, 5]
    assert data.classes == tuple(str(number) for number in range(13))
    padded = folder(tmp_path / "padded", "001", "003")
    assert padded.labels(range(2)) == [1, 3]
    assert padded.classes == ("000", "001", "002", "003")


def test_dates_are_names_and_not_labels(tmp_path: Path) -> None:
    data = folder(tmp_path, "20210304", "20210305")
    assert data.labels(range(2)) == [0, 1]
    assert data.classes == ("20210304", "20210305")


def test_two_folders_of_the_same_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"sub-folders 01 and 1 of .* are the same number"):
        folder(tmp_path, "1", "01", "2")


def test_an_empty_folder_is_refused_since_it_may_be_a_class_or_not(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / ".DS_Store").touch()
    with pytest.raises(FeatvizError) as caught:
        folder(tmp_path, "ape", "dog")
    assert str(caught.value) == (
        f"the sub-folder Annotations of {tmp_path} is empty; delete it, or put images into it if "
        "it is a class"
    )
    (tmp_path / "Annotations" / "list.csv").touch()
    data = open_data(f"folder:{tmp_path}")
    assert (data.classes, data.labels(range(2))) == (("ape", "dog"), [0, 1])


def test_an_empty_folder_among_numbers_shifts_no_label_and_is_ignored(tmp_path: Path) -> None:
    for name in ("numbers/7", "numbers/cache", "ids/n01443537"):
        (tmp_path / name).mkdir(parents=True)
    numbers = folder(tmp_path / "numbers", "2", "10")
    assert (len(numbers.classes), sorted(numbers.labels(range(2)))) == (11, [2, 10])
    # A model that was trained on these folders has their order.
    with pytest.raises(FeatvizError, match=r"sub-folder n01443537 of .* is empty; delete it"):
        folder(tmp_path / "ids", "n01440764", "n03000684")


def test_only_numbers_with_images_count_as_classes(tmp_path: Path) -> None:
    data = folder(tmp_path, "3", "700")
    assert (len(data.classes), data.count_classes()) == (701, 2)
    image(tmp_path / "flat" / "a.png")
    assert open_data(f"folder:{tmp_path / 'flat'}").count_classes() == 0
    assert open_data("cueworld").count_classes() == 18


def test_an_empty_folder_next_to_images_without_labels_is_no_class(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    image(tmp_path / "a.png")
    data = open_data(f"folder:{tmp_path}")
    assert (data.classes, data.labels([0])) == ((), [-1])


def test_wordnet_ids_are_named_in_the_order_of_the_ids(tmp_path: Path) -> None:
    data = folder(tmp_path, "n03000684", "n01440764")
    assert data.classes == ("tench, Tinca tinca", "chain saw, chainsaw")
    assert data.wordnet_ids == ("n01440764", "n03000684")
    assert levels(data) == [1, 0]
    mixed = folder(tmp_path / "mixed", "n01440764", "other")
    assert (mixed.classes, mixed.wordnet_ids) == (("n01440764", "other"), ())


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (("train/ape", "train/bee", "val/ape", "val/bee"), "val"),
        (("train/ape", "val/ape", "test/ape"), "test"),
        # A test split without labels, as of ImageNet.
        (("train/ape", "valid/ape", "test"), "valid"),
        (("Training/ape", "Validation/ape"), "Validation"),
        (("train2017/ape", "val2017/ape"), "train2017"),
        (("train", "test"), "test"),
        (("train/ape", "train/bee"), "train"),
        (("train/ape", "val/ape", "annotations"), "val"),
    ],
)
def test_splits_are_refused_and_the_one_that_is_meant_is_named(
    tmp_path: Path, names: tuple[str, ...], meant: str
) -> None:
    with pytest.raises(FeatvizError, match=r"are splits \(.*, such as folder:") as caught:
        folder(tmp_path, *names)
    assert str(caught.value).endswith(f"folder:{tmp_path / meant}")
    open_data(f"folder:{tmp_path / meant}")


@pytest.mark.parametrize(
    "names",
    [
        ("train", "car", "plane"),
        ("train/steam", "car/sports"),
        ("train", "test", "car"),
        ("train",),
        # The layout of MVTec AD.
        ("bottle/train/good", "bottle/test/good", "cable/train/good"),
    ],
)
def test_classes_may_have_the_names_of_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    data = folder(tmp_path, *names)
    assert data.classes == tuple(sorted({name.split("/")[0] for name in names}))


def test_a_linked_folder_inside_of_a_class_is_followed(tmp_path: Path) -> None:
    image(tmp_path / "elsewhere" / "sub" / "b.png", 7)
    (tmp_path / "root" / "ape").mkdir(parents=True)
    (tmp_path / "root" / "ape" / "more").symlink_to(tmp_path / "elsewhere")
    data = folder(tmp_path / "root", "bee")
    assert data.classes == ("ape", "bee")
    assert levels(data) == [7, 0]
    assert data.labels(range(2)) == [0, 1]
    before = data.fingerprint()
    image(tmp_path / "elsewhere" / "sub" / "b.png", 8)
    assert data.fingerprint() != before


def test_a_class_folder_may_be_a_link(tmp_path: Path) -> None:
    image(tmp_path / "elsewhere" / "b.png", 7)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "ape").symlink_to("../elsewhere")
    assert levels(folder(tmp_path / "root", "bee")) == [7, 0]


def test_circles_of_links_end(tmp_path: Path) -> None:
    data = folder(tmp_path, "ape/deep", "bee")
    before = data.fingerprint()
    for name, target in (
        ("ape/own", "."),
        ("ape/deep/up", ".."),
        ("ape/root", ".."),
        ("ape/above", "../.."),
        ("all", "."),
    ):
        (tmp_path / name).symlink_to(target)
    data = open_data(f"folder:{tmp_path}")
    assert data.classes == ("ape", "bee")
    assert levels(data) == [0, 1]
    assert data.fingerprint() == before


def test_two_links_that_lead_to_each_other_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        image(tmp_path / one / "x.png", ord(one))
        (tmp_path / one / "link").symlink_to(f"../{other}")
    (tmp_path / "root" / "ape").mkdir(parents=True)
    (tmp_path / "root" / "ape" / "a").symlink_to(tmp_path / "a")
    # In the order of the paths ape/a/link/x.png and ape/a/x.png.
    assert levels(open_data(f"folder:{tmp_path / 'root'}")) == [ord("b"), ord("a")]


def test_a_folder_that_is_reached_twice_is_read_once_by_its_own_path(tmp_path: Path) -> None:
    data = folder(tmp_path, "ape/middle", "bee")
    before = data.fingerprint()
    # Before and after the folder itself by name.
    (tmp_path / "ape" / "first").symlink_to("middle")
    (tmp_path / "ape" / "zoo").symlink_to("middle")
    again = open_data(f"folder:{tmp_path}")
    assert levels(again) == [0, 1]
    assert again.fingerprint() == before
    # In another class it counts again.
    (tmp_path / "bee" / "apes").symlink_to("../ape/middle")
    assert open_data(f"folder:{tmp_path}").labels(range(3)) == [0, 1, 1]


@pytest.mark.parametrize("target", ["/gone/bad", "bad"])
def test_a_broken_link_is_named(tmp_path: Path, target: str) -> None:
    folder(tmp_path, "ape", "bee")
    (tmp_path / "ape" / "b.png").symlink_to("/gone/b.png")
    (tmp_path / "ape" / "notes.txt").symlink_to("/gone/notes.txt")
    data = open_data(f"folder:{tmp_path}")
    with pytest.raises(FeatvizError, match=r"there is no file .*ape/b\.png"):
        data.image(1, 4)
    # It may be a folder of images, and all labels after it would be others.
    (tmp_path / "bad").symlink_to(target)
    with pytest.raises(FeatvizError, match=f"/bad is a broken link, to {target}; restore"):
        open_data(f"folder:{tmp_path}")


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, "ape", "bee")
    original = Path.iterdir

    def refuse(path: Path) -> object:
        if path.name == "ape":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(FeatvizError, match=r"ape cannot be read \(Permission denied\)"):
        open_data(f"folder:{tmp_path}")
