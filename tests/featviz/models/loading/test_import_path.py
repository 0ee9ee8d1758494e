"""Models of your own: `wrap`, and functions that make one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel

HALF = (0.5, 0.5, 0.5)
INPUTS: dict[str, Any] = {"image_size": 32, "mean": HALF, "std": HALF}
MODELS = """
import sys
import featviz
import torch
from torch import nn

from own_helpers import WIDTH

number = 3


class Net(nn.Sequential):
    pass


def net(width=WIDTH):
    print("made")
    return Net(nn.Conv2d(3, width, 4, stride=4), nn.ReLU())


def compiled():
    return torch.compile(net())


def wrapped():
    half = (0.5, 0.5, 0.5)
    return featviz.wrap(net(), image_size=32, mean=half, std=half, classes=["a", "b"])


def gray():
    return nn.Sequential(nn.Conv2d(1, 2, 3))


def nothing():
    return None


def fails():
    raise ValueError("no weights\\nhere")


def leaves():
    sys.exit("bye")


class Lazy(nn.Module):
    def forward(self, images):
        from own_lazily import SCALE

        return SCALE * images


def lazy():
    return Lazy()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a package of functions; its modules are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "own_models"
    package.mkdir()
    (package / "nets.py").write_text(MODELS)
    (package / "broken.py").write_text("import nothing_like_this\n")
    (tmp_path / "own_helpers.py").write_text("WIDTH = 8\n")
    (tmp_path / "own_lazily.py").write_text("SCALE = 3\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU())


def test_a_function_in_the_current_folder_makes_a_model(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load("py:own_models.nets:net", device="cpu", **INPUTS)
    assert (model.name, model.image_size) == ("py:own_models.nets:net", 32)
    assert (model.mean, model.std) == (HALF, HALF)
    assert model.sites["0"].width == 8
    assert not model.module.training
    assert not any(weight.requires_grad for weight in model.module.parameters())
    # stdout is for results.
    assert capsys.readouterr() == ("", "made\n")
    # After the modules of Python and its packages.
    assert sys.path[-1] == str(own)
    assert sys.path.count(str(own)) == 1


def test_random_weights_of_a_function_are_the_same_every_time(own: Path) -> None:
    del own
    before = torch.get_rng_state()
    one, same = (load("py:own_models.nets:net", device="cpu", **INPUTS) for _ in range(2))
    assert one.fingerprint == same.fingerprint
    assert torch.equal(torch.get_rng_state(), before)


def test_a_function_is_found_from_any_folder_by_its_location(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("py:own_models.nets:wrapped", device="cpu")
    assert model.location == f"py:{own}/own_models.nets:wrapped"
    monkeypatch.chdir("/")
    assert load(model.location, device="cpu").fingerprint == model.fingerprint
    monkeypatch.chdir(own.parent)
    relative = load(f"py:{own.name}/own_models.nets:wrapped", device="cpu")
    assert relative.location == model.location


def test_a_function_may_return_a_vision_model(own: Path) -> None:
    del own
    model = load("py:own_models.nets:wrapped", device="cpu")
    assert (model.classes, model.image_size) == (("a", "b"), 32)
    larger = load("py:own_models.nets:wrapped", image_size=64, std=(1, 1, 1), device="cpu")
    assert (larger.image_size, larger.std) == (64, (1, 1, 1))
    assert larger.sites["0"].grid == (16, 16)
    assert larger.fingerprint != model.fingerprint


def test_a_forward_pass_may_import_from_the_folder_of_its_function(own: Path) -> None:
    del own
    model = load("py:own_models.nets:lazy", device="cpu", **INPUTS)
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(model(images), 3 * (images - 0.5) / 0.5)


FORMS = {
    "a module": ("own_twice.py",),
    "a package": ("own_twice/__init__.py",),
    "a package without __init__": ("own_twice/nets.py",),
    "a package with submodules": ("own_twice/__init__.py", "own_twice/nets.py"),
}


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_modules_of_the_same_name_in_two_folders_are_two_models(
    first: str, second: str, own: Path
) -> None:
    made = []
    for folder, form, width in (("a", first, 3), ("b", second, 5), ("a", first, 3)):
        for file in FORMS[form]:
            path = own / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                "from torch import nn\nfrom own_size import WIDTH\n"
                "def net(): return nn.Sequential(nn.Conv2d(3, WIDTH, 4, stride=4))\n"
            )
        (own / folder / "own_size.py").write_text(f"WIDTH = {width}\n")
        module = "own_twice.nets" if "nets" in FORMS[form][-1] else "own_twice"
        made.append(load(f"py:{folder}/{module}:net", device="cpu", **INPUTS))
    assert [model.sites["0"].width for model in made] == [3, 5, 3]


def test_the_folder_of_another_model_has_no_modules_for_this_one(own: Path) -> None:
    for folder in ("a", "b"):
        (own / folder).mkdir()
    (own / "a" / "own_only.py").write_text(
        "from own_helpers import WIDTH\nfrom torch import nn\n"
        "def net(): return nn.Sequential(nn.Conv2d(3, 4, 4))\n"
    )
    (own / "a" / "own_helpers.py").write_text("WIDTH = 4\n")
    load("py:a/own_only:net", device="cpu", **INPUTS)
    with pytest.raises(FeatvizError, match=r"^py:b/own_only:net: there is no module own_only in"):
        load("py:b/own_only:net", device="cpu", **INPUTS)


@pytest.mark.parametrize("name", ["cli", "gallery", "patching", "featviz", "timm", "json"])
def test_a_module_named_as_one_that_featviz_needs_is_refused(name: str, own: Path) -> None:
    (own / f"{name}.py").write_text("def net(): return None\n")
    before = sys.modules.get(name)
    complaint = rf"^py:{name}:net: {own}/{name}\.py has the name of .*; rename it$"
    with pytest.raises(FeatvizError, match=complaint):
        load(f"py:{name}:net", device="cpu", **INPUTS)
    assert sys.modules.get(name) is before


def test_model_arguments_are_those_of_the_function(own: Path) -> None:
    del own
    model = load("py:own_models.nets:net", model_args={"width": 4}, device="cpu", **INPUTS)
    assert model.sites["0"].width == 4


def test_a_compiled_module_is_replaced_by_the_original(own: Path) -> None:
    del own
    model = load("py:own_models.nets:compiled", device="cpu", **INPUTS)
    assert list(model.sites) == ["0"]
    plain = load("py:own_models.nets:net", device="cpu", **INPUTS)
    assert model.fingerprint == plain.fingerprint
    module = net()
    assert featviz.wrap(torch.compile(module), **INPUTS).module is module  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        (
            "own_models.nets",
            INPUTS,
            r"^py:own_models\.nets is not of the form py:PACKAGE\.MODULE:F",
        ),
        ("own_models.nets:make it", INPUTS, r"is not of the form"),
        ("own_modls.nets:net", INPUTS, r"there is no module own_modls in /"),
        ("own_models.net:net", INPUTS, r"there is no module own_models\.net in /"),
        (
            "own_models.broken:net",
            INPUTS,
            r"importing .* raised ModuleNotFoundError: .*, line 1\)$",
        ),
        (
            "own_models.nets:nett",
            INPUTS,
            r"own_models\.nets has no function nett; did you mean net",
        ),
        ("own_models.nets:number", INPUTS, r"number is of type int, not a function$"),
        (
            "own_models.nets:nothing",
            INPUTS,
            r"returned NoneType, not a torch\.nn\.Module or feat",
        ),
        (
            "own_models.nets:fails",
            INPUTS,
            r"fails\(\) raised ValueError: no weights \(.*nets\.py, l",
        ),
        ("own_models.nets:leaves", INPUTS, r"leaves\(\) raised SystemExit: bye"),
        (
            "own_models.nets:net",
            {},
            r"returned Net, which needs image_size \(--image-size\), mean \(--mean\), std .*; or ",
        ),
        (
            "own_models.nets:net",
            INPUTS | {"model_args": {"depth": 3}},
            r"net\(\) raised TypeError: net\(\) got an unexpected keyword argument 'depth'",
        ),
        ("own_models.nets:gray", INPUTS, r"gray takes images of 1 channel; featviz needs RGB"),
        (
            "own_models.nets:net",
            {"arch": "vit"},
            r"^arch \(--arch\) cannot be combined with py:own_m",
        ),
        (
            "own_models.nets:net",
            {"untrained": True},
            r"^untrained \(--untrained\) cannot be combined with py:own",
        ),
    ],
)
def test_a_function_that_makes_no_model_is_refused_in_one_line(
    name: str, given: dict[str, Any], complaint: str, own: Path
) -> None:
    path = list(sys.path)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load(f"py:{name}", device="cpu", **given)
    assert "\n" not in str(caught.value)
    assert sys.path == path
    assert own


def test_the_home_folder_of_an_unknown_user_is_an_ordinary_name(own: Path) -> None:
    with pytest.raises(FeatvizError, match=f"no module nets in {own}/~nobody-here/models$"):
        load("py:~nobody-here/models/nets:net", device="cpu", **INPUTS)


def test_a_wrapped_module_is_left_as_it_was() -> None:
    module = net().train()
    model = featviz.wrap(module, **INPUTS)
    assert isinstance(model, VisionModel)
    assert model.module is module
    assert module.training
    assert all(weight.requires_grad for weight in module.parameters())
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(model(images), module((images - 0.5) / 0.5))


def test_wrapped_modules_with_other_inputs_have_other_fingerprints() -> None:
    module = net()
    others: list[dict[str, Any]] = [
        {},
        {"image_size": 64},
        {"mean": (0.4, 0.5, 0.5)},
        {"std": (0.4, 0.5, 0.5)},
    ]
    found = {featviz.wrap(module, **INPUTS | other).fingerprint for other in others}
    assert len(found) == len(others)


def test_a_wrapped_module_of_timm_equals_the_loaded_one() -> None:
    loaded = [
        load("test_vit", untrained=True, image_size=size, device="cpu") for size in (None, 96)
    ]
    for model in loaded:
        wrapped = featviz.wrap(model.module)
        assert wrapped.fingerprint == model.fingerprint
        for key in ("image_size", "mean", "std"):
            assert getattr(wrapped, key) == getattr(model, key)


@pytest.mark.parametrize(
    ("module", "given", "complaint"),
    [
        (3, INPUTS, r"^wrap needs a torch\.nn\.Module, got int$"),
        (nn.Identity(), {"image_size": 32}, r"^Identity needs mean, std; see featviz\.wrap$"),
        (nn.Identity(), INPUTS | {"image_size": (32, 64)}, r"inputs are square"),
        (
            nn.Identity(),
            INPUTS | {"std": (0, 1, 1)},
            r"^std .* is 0,1,1, not three positive numbers$",
        ),
        (nn.Conv2d(1, 2, 3), INPUTS, r"^Conv2d takes images of 1 channel; featviz needs RGB"),
        (nn.Linear(3, 2), INPUTS, r"^Linear cannot run on RGB images of 32 x 32 pixels: "),
        (nn.Identity(), INPUTS | {"classes": 5}, r"^classes must be the names of the outputs, got"),
        (nn.Identity(), INPUTS | {"classes": "abc"}, r"^classes must be .*, got 'abc'$"),
        (nn.Identity(), INPUTS | {"classes": [1]}, r"^each of classes must be a text, got 1$"),
    ],
)
def test_what_is_no_model_of_square_rgb_images_is_not_wrapped(
    module: Any, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FeatvizError, match=complaint):
        featviz.wrap(module, **given)


def test_the_inputs_of_a_module_of_timm_can_be_replaced() -> None:
    module = timm.create_model("test_vit")
    model = featviz.wrap(module, mean=(0.1, 0.2, 0.3))
    assert (model.image_size, model.mean) == (160, (0.1, 0.2, 0.3))
