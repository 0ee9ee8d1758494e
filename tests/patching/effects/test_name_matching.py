from __future__ import annotations

import pytest
from timm.data.imagenet_info import ImageNetInfo
from torchvision.models import ResNet18_Weights

from patching.effects.name_matching import matches, same_order

IMAGENET = ImageNetInfo()
TIMM = [IMAGENET.index_to_description(label) for label in range(1000)]
TORCHVISION = ResNet18_Weights.DEFAULT.meta["categories"]


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["Sea_cat"], ["ape", "sea cat"], [[1]]),
        # As Hugging Face and timm, and as torchvision name it.
        (["tench"], ["goldfish, Carassius auratus", "tench, Tinca tinca"], [[1]]),
        (["tench, Tinca tinca"], ["goldfish", "tench"], [[1]]),
        (["chainsaw"], ["chain saw, chainsaw"], [[0]]),
        (["n01440764"], ["goldfish", "tench"], [[1]]),
        (["tench"], ["n01443537", "n01440764"], [[1]]),
        (["ape"], ["bee"], [[]]),
        # Equal before alike, case included; then the first synonym; then most in common.
        (["missile"], ["projectile, missile", "missile"], [[1]]),
        (["Cardigan"], ["cardigan", "Cardigan, Cardigan Welsh corgi"], [[1]]),
        (["horn, cornet"], ["French horn, horn", "horn, trumpet"], [[1]]),
        (["x, a, b"], ["y, a", "z, a, b"], [[1]]),
        # Equally alike: the one at its own position, or all.
        (["crane"], ["bird", "crane", "crane"], [[1, 2]]),
        (["bird", "crane"], ["bird", "crane", "crane"], [[0], [1]]),
    ],
)
def test_names_match_by_their_synonyms(
    names: list[str], others: list[str], expected: list[list[int]]
) -> None:
    assert matches(names, others) == expected


@pytest.mark.parametrize(("names", "others"), [(TIMM, TORCHVISION), (TORCHVISION, TIMM)])
def test_the_classes_of_imagenet_are_in_the_same_order_by_the_names_of_timm_and_torchvision(
    names: list[str], others: list[str]
) -> None:
    found = matches(names, others)
    assert same_order(found, 1000)
    # Two cranes, and "maillot tank suit" without its comma.
    assert sum(best == [label] for label, best in enumerate(found)) == 998
    swapped = [*others[1::-1], *others[2:]]
    assert not same_order(matches(names, swapped), 1000)


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (["x", "y"], ["ape", "bee"], True),
        (["ape", "y"], ["ape", "bee"], True),
        (["y", "ape"], ["ape", "bee"], False),
        (["bee", "ape"], ["ape", "bee"], False),
        (["x"], ["ape", "bee"], False),
    ],
)
def test_names_that_contradict_the_order_are_noticed(
    names: list[str], others: list[str], expected: bool
) -> None:
    assert same_order(matches(names, others), len(others)) == expected
