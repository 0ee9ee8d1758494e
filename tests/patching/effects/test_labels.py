from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights

from featviz import FeatvizError, VisionModel
from featviz.data.datasets import Dataset, open_data
from patching.effects.labels import labels_for

IMAGENET = ImageNetInfo()
TIMM = tuple(IMAGENET.index_to_description(label) for label in range(1000))
TORCHVISION = tuple(ResNet18_Weights.DEFAULT.meta["categories"])
IDS = [IMAGENET.index_to_label_name(label) for label in range(1000)]
NUMBERS = tuple(str(number) for number in range(12))


class Constant(nn.Module):
    passes = 0

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return images.new_zeros(len(images), self.count)


def model(classes: Sequence[str], count: int | None = None) -> VisionModel:
    half = (0.5, 0.5, 0.5)
    return VisionModel("m", Constant(count or len(classes)), 4, half, half, tuple(classes))


def folder(root: Path, names: Sequence[str]) -> Dataset:
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(root / name / "a.png")
    return open_data(f"folder:{root}")


def by_folder(model: VisionModel, root: Path, names: Sequence[str]) -> dict[str, int]:
    """The logit of each folder."""
    data = folder(root, names)
    return dict(zip(sorted(names), labels_for(model, data, range(len(data))).logits, strict=True))


@pytest.mark.parametrize("classes", [(), tuple("abcdefghijkl"), NUMBERS])
def test_a_folder_that_is_a_number_is_the_logit_of_this_number(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    found = by_folder(model(classes, 12), tmp_path, NUMBERS)
    assert found == {name: int(name) for name in NUMBERS}
    some = by_folder(model(classes, 12), tmp_path / "some", ("0", "5", "11"))
    assert some == {"0": 0, "5": 5, "11": 11}


def test_numbers_that_a_model_has_as_names_are_matched_as_names(tmp_path: Path) -> None:
    # As torchvision's ImageFolder sorts them, with which this model was trained.
    classes = sorted(NUMBERS)
    found = by_folder(model(classes), tmp_path, NUMBERS)
    assert found == {name: classes.index(name) for name in NUMBERS}


def test_the_number_counts_also_where_torchvision_sorts_folders_as_text(tmp_path: Path) -> None:
    folder(tmp_path, NUMBERS)
    data = open_data(f"torchvision:ImageFolder:{tmp_path}")
    assert data.labels([2]) == [2]
    assert data.classes[2] == "10"
    assert labels_for(model((), 12), data, [2]).logits == [10]
    assert labels_for(model((), 12), data, [2]).names[10] == "10"


def test_numbers_that_count_from_1_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"class 3 of folder.* whose 3 classes are 0 to 2;"):
        by_folder(model("abc"), tmp_path, ("1", "2", "3"))


@pytest.mark.parametrize("classes", [TIMM, TORCHVISION, tuple(IDS), ()])
def test_wordnet_ids_are_the_logits_of_imagenet_whatever_its_classes_are_called(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    # A tench, two cranes, two maillots and two cardigans, which have names in common.
    logits = [0, 134, 517, 638, 639, 264, 474]
    names = [IDS[logit] for logit in logits]
    found = by_folder(model(classes, 1000), tmp_path, names)
    assert found == dict(zip(names, logits, strict=True))
    data = open_data(f"folder:{tmp_path}")
    shown = labels_for(model(classes, 1000), data, range(len(data))).names
    assert shown[0].split(",")[0] in ("tench", "n01440764")


def test_wordnet_ids_are_matched_by_name_with_a_model_of_few_classes(tmp_path: Path) -> None:
    names = ("n01440764", "n03000684")
    found = by_folder(model(("chain saw", "tench")), tmp_path, names)
    assert found == {"n01440764": 1, "n03000684": 0}
    # Fine-tuned on these folders, without names.
    assert by_folder(model((), 2), tmp_path / "2", names) == {"n01440764": 0, "n03000684": 1}


def test_a_wordnet_id_that_the_model_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="none of the 1000 classes of m is called 'organism, be"):
        by_folder(model(TIMM), tmp_path, ("n00004475", "n01440764"))


def test_names_of_folders_find_the_logits_of_imagenet(tmp_path: Path) -> None:
    expected = {"English_springer": 217, "chainsaw": 491, "tench": 0, "missile": 657}
    for root, classes in (("timm", TIMM), ("torchvision", TORCHVISION)):
        names = ["English_springer", "tench", "missile"]
        names += ["chainsaw"] if classes == TIMM else []
        found = by_folder(model(classes), tmp_path / root, names)
        assert found == {name: expected[name] for name in names}


def test_a_name_of_several_classes_is_refused_with_them(tmp_path: Path) -> None:
    expected = r"'crane' of .* may be class 134 \(crane\) or 517 \(crane\) of m; use its full name"
    with pytest.raises(FeatvizError, match=expected):
        by_folder(model(TIMM), tmp_path, ("crane", "tench"))
    with pytest.raises(FeatvizError, match=r"are both class 638 \(maillot\) of m; use full names"):
        by_folder(model(TORCHVISION), tmp_path / "two", ("maillot", "maillot, tank suit"))


def test_as_many_classes_by_other_names_are_matched_in_order_unless_a_name_contradicts(
    tmp_path: Path,
) -> None:
    data = folder(tmp_path, ("ape", "bee", "cat"))
    assert labels_for(model("xyz"), data, range(3)).logits == [0, 1, 2]
    assert labels_for(model(("ape", "y", "cat")), data, range(3)).logits == [0, 1, 2]
    assert labels_for(model(("cat", "bee", "ape")), data, range(3)).logits == [2, 1, 0]
    with pytest.raises(FeatvizError, match="none of the 3 classes of m is called 'bee'"):
        labels_for(model(("cat", "y", "ape")), data, range(3))


def test_names_that_match_partly_are_never_matched_by_position(tmp_path: Path) -> None:
    data = folder(tmp_path, ("automobile", "bird", "cat"))
    named = model(("car", "cat", "bird"))
    assert labels_for(named, data, [1, 2]).logits == [2, 1]
    with pytest.raises(FeatvizError, match="none of the 3 classes of m is called 'automobile'"):
        labels_for(named, data, range(3))


def test_names_match_whether_their_accents_are_composed_or_not(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    for number, (ours, theirs) in enumerate([(composed, decomposed), (decomposed, composed)]):
        found = by_folder(model((theirs, "a")), tmp_path / str(number), ("a", ours))
        assert found == {"a": 1, ours: 0}


def test_more_classes_than_logits_are_refused_for_images_of_these_classes(tmp_path: Path) -> None:
    data = folder(tmp_path, ("ape", "bee", "cat"))
    assert labels_for(model((), 2), data, [0, 1]).logits == [0, 1]
    with pytest.raises(
        FeatvizError,
        match=r"^class 'cat' of folder:.* has label 2, but the logits of m are 0 to 1$",
    ):
        labels_for(model((), 2), data, range(3))
    numbers = folder(tmp_path / "numbers", ("0", "5"))
    with pytest.raises(FeatvizError, match=r"has label 5, but the logits of m are 0 to 1$"):
        labels_for(model((), 2), numbers, range(2))


def test_a_model_without_names_is_run_once_and_left_as_it_was(tmp_path: Path) -> None:
    made = model((), 1000)
    made.module.train()
    before = torch.get_rng_state()
    by_folder(made, tmp_path, IDS[:2])
    assert made.module.passes == 1
    assert made.module.training
    assert torch.equal(torch.get_rng_state(), before)
