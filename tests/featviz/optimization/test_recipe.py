from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from timm.models.convnext import ConvNeXt
from timm.models.swin_transformer import SwinTransformer
from torch import nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.acceleration import fastest_precision
from featviz.models.vision_model import VisionModel
from featviz.optimization.presets import PRESETS, fit, preset_for
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.parametrization.fourier import Fourier
from featviz.parametrization.maco import Maco
from featviz.parametrization.pixel import Pixel
from featviz.parametrization.spectrum import Spectrum, power_law, spectrum_of_dataset

NATURAL = Spectrum("mine", (0.5, 0.5, 0.5), (0.1, 0.5), ((2.0, 0.1),) * 3)


def wrap(module: nn.Module, side: int = 32) -> VisionModel:
    return VisionModel("mine", module, side, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        (
            {"preset": "vitt"},
            "no preset 'vitt': choose from vit, cnn, naive; did you mean vit?",
        ),
        (
            {"param": "fourrier"},
            "no param 'fourrier': choose from fourier, pixel, maco; did you mean fourier?",
        ),
        ({"param": "zzz"}, "no param 'zzz': choose from fourier, pixel, maco"),
        (
            {"precision": "float16"},
            "no precision 'float16': choose from auto, float32, bfloat16; "
            "did you mean bfloat16, float32?",
        ),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"samples": -3}, "samples must be at least 1, got -3"),
        ({"size": 15}, "size must be at least 16, got 15"),
        ({"size": 0}, "size must be at least 16, got 0"),
        ({"diversity": -0.5}, "diversity must be a finite number of at least 0, got -0.5"),
        ({"diversity": math.nan}, "diversity must be a finite number of at least 0, got nan"),
        ({"tv_weight": math.inf}, "tv_weight must be a finite number of at least 0, got inf"),
        (
            {"spectrum": "cueworld:9"},
            "--spectrum needs --param maco, got fourier",
        ),
        ({"frequency_schedule": -0.1}, "frequency_schedule must lie in [0, 1], got -0.1"),
        ({"frequency_schedule": 1.5}, "frequency_schedule must lie in [0, 1], got 1.5"),
        ({"frequency_schedule": math.nan}, "frequency_schedule must lie in [0, 1], got nan"),
        (
            {"preset": "naive", "frequency_schedule": 0.5},
            "--frequency-schedule needs --param fourier or maco, got pixel",
        ),
        (
            {"param": "pixel", "spectrum": NATURAL},
            "--spectrum needs --param maco, got pixel",
        ),
        (
            {"param": "maco", "spectrum": "cueworld:0"},
            "expected cueworld[:COUNT] with a count from 1, got 'cueworld:0'",
        ),
    ],
)
def test_an_invalid_setting_raises_one_line(
    vit: VisionModel, choice: dict[str, Any], line: str
) -> None:
    with pytest.raises(FeatvizError) as refusal:
        make_recipe(vit, **choice)
    assert str(refusal.value) == line


@pytest.mark.parametrize(
    ("preset", "side", "patch", "shift"),
    [
        ("vit", 224, 16, 16),
        ("vit", 224, 14, 14),
        ("vit", 224, 32, 32),
        ("vit", 224, 8, 16),
        ("vit", 32, 4, 4),
        ("vit", 518, 14, 42),
        ("cnn", 128, 1, 6),
        ("cnn", 224, 1, 10.5),
        ("cnn", 32, 1, 1.5),
        ("naive", 224, 16, 0),
    ],
)
def test_shifts_scale_with_the_input_and_are_whole_patches(
    preset: str, side: int, patch: int, shift: float
) -> None:
    assert fit(PRESETS[preset], side, patch) == replace(PRESETS[preset].augmentation, shift=shift)


def test_a_preset_provides_the_defaults(vit: VisionModel) -> None:
    plain = make_recipe(vit)
    assert (plain.preset, plain.param, plain.size) == ("vit", "fourier", 128)
    assert (plain.samples, plain.steps, plain.seed) == (1, 512, 0)
    assert plain.augmentation == PRESETS["vit"].augmentation
    assert (plain.decay, plain.learning_rate) == (
        PRESETS["vit"].decay,
        PRESETS["vit"].learning_rate,
    )
    naive = make_recipe(vit, preset="naive")
    assert (naive.param, naive.augmentation) == ("pixel", PRESETS["naive"].augmentation)
    assert make_recipe(vit, preset="naive", param="fourier").param == "fourier"


def test_diversity_is_ignored_for_a_single_sample(vit: VisionModel) -> None:
    assert make_recipe(vit, samples=1, diversity=3) == make_recipe(vit, samples=1, diversity=0)
    assert make_recipe(vit, samples=2).diversity > 0


def variants(vit: VisionModel) -> list[Recipe]:
    """Recipes that differ pairwise in a setting that changes the pictures."""
    choices: list[dict[str, Any]] = [
        {"preset": "vit"},
        {"preset": "cnn"},
        {"preset": "naive"},
        {"param": "pixel"},
        {"size": 64},
        {"precision": "bfloat16"},
        {"samples": 2},
        {"samples": 2, "diversity": 1},
        {"tv_weight": 0.1},
        {"steps": 100},
        {"seed": 1},
        {"param": "maco"},
        {"param": "maco", "spectrum": NATURAL},
        {"param": "maco", "spectrum": replace(NATURAL, levels=((2.0, 0.2),) * 3)},
        {"param": "maco", "spectrum": replace(NATURAL, name="yours")},
        {"frequency_schedule": 0},
        {"frequency_schedule": 1},
        {"param": "maco", "frequency_schedule": 0.5},
    ]
    return [make_recipe(vit, **({"precision": "float32"} | choice)) for choice in choices]


def test_a_configuration_survives_json(vit: VisionModel) -> None:
    for each in variants(vit):
        configuration = each.to_json()
        assert json.loads(json.dumps(configuration, allow_nan=False)) == configuration


def test_configurations_are_equal_exactly_if_the_recipes_are(
    vit: VisionModel,
) -> None:
    first, second = variants(vit), variants(vit)
    assert [one.to_json() for one in first] == [one.to_json() for one in second]
    for one, other in itertools.combinations(first, 2):
        assert one != other
        assert one.to_json() != other.to_json()


def test_integers_and_floats_make_the_same_recipe(vit: VisionModel) -> None:
    integer, floating = (make_recipe(vit, samples=2, diversity=weight) for weight in (1, 1.0))
    assert json.dumps(integer.to_json()) == json.dumps(floating.to_json())


def test_automatic_precision_is_recorded_by_its_name(vit: VisionModel) -> None:
    named = make_recipe(vit, precision=fastest_precision(vit.device))
    assert make_recipe(vit, precision="auto") == named
    assert named.to_json()["precision"] in ("float32", "bfloat16")


def test_only_fourier_images_of_the_vit_preset_have_a_frequency_schedule_by_default(
    vit: VisionModel,
) -> None:
    assert make_recipe(vit).frequency_schedule == PRESETS["vit"].frequency_schedule > 0
    assert make_recipe(vit, preset="cnn").frequency_schedule == 0
    assert (
        make_recipe(vit, param="pixel").frequency_schedule
        == make_recipe(vit, param="maco").frequency_schedule
        == 0
    )
    assert make_recipe(vit, frequency_schedule=0).frequency_schedule == 0


def test_the_parametrization_is_that_of_the_recipe(vit: VisionModel) -> None:
    assert make_recipe(vit).parametrization(40) == Fourier(40, 40, PRESETS["vit"].decay)
    assert make_recipe(vit, param="pixel").parametrization(40) == Pixel(40, 40)
    spectrum = power_law(PRESETS["vit"].decay, 40, 40)
    assert make_recipe(vit, param="maco").parametrization(40) == Maco(40, 40, spectrum)
    assert make_recipe(vit, param="maco", spectrum=NATURAL).parametrization(40) == Maco(
        40, 40, NATURAL
    )


def test_the_spectrum_of_a_dataset_is_measured_at_the_size_of_the_pictures(
    vit: VisionModel,
) -> None:
    named = make_recipe(vit, param="maco", size=48, spectrum="cueworld:4")
    assert named.spectrum == spectrum_of_dataset("cueworld:4", 48)
    assert named == make_recipe(
        vit, param="maco", size=48, spectrum=spectrum_of_dataset("cueworld:4", 48)
    )


def test_unused_settings_are_not_recorded(vit: VisionModel) -> None:
    assert not {"spectrum", "sides"} & make_recipe(vit, param="maco").to_json().keys()
    recorded = make_recipe(vit, param="maco", spectrum=NATURAL).to_json()
    assert (recorded["spectrum"], recorded["spectrum_digest"]) == ("mine", NATURAL.digest)


@pytest.mark.parametrize("name", ["cueworld/vit", "cueworld/mixer", "cueworld/vit_colourblind"])
def test_models_with_patch_embeddings_get_the_vit_preset(name: str) -> None:
    model = featviz.load(name, device="cpu")
    assert preset_for(model) == "vit"
    assert make_recipe(model).preset == "vit"


def test_a_vit_of_torchvision_gets_the_vit_preset() -> None:
    assert preset_for(featviz.load("torchvision/vit_b_32", untrained=True, device="cpu")) == "vit"


def test_a_swin_transformer_gets_the_vit_preset() -> None:
    swin = SwinTransformer(32, 4, num_classes=2, embed_dim=8, depths=(1, 1), num_heads=(1, 1))
    assert preset_for(wrap(swin)) == "vit"


@pytest.mark.parametrize("name", ["cueworld/resnet", "test_resnet"])
def test_residual_networks_get_the_cnn_preset(name: str) -> None:
    bundled = name.startswith("cueworld/")
    assert preset_for(featviz.load(name, untrained=not bundled, device="cpu")) == "cnn"


def test_a_convnext_gets_the_cnn_preset() -> None:
    module = ConvNeXt(num_classes=2, depths=(1, 1, 1, 1), dims=(4, 4, 4, 4))
    assert preset_for(wrap(module)) == "cnn"
