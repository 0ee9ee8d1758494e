"""Class vectors as the head of a model, against NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

import featviz
from featviz.errors import FeatvizError
from featviz.models.loading.model_of_store import load_model_of
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter

ARCH = "vit_tiny_patch16_224"
SMALL: dict[str, Any] = {"embed_dim": 24, "num_heads": 2, "depth": 2}
NAMES = np.array(["cat", "dog, hound", "eel"])


def draw(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a model without a classifier."""
    return _weights(tmp_path_factory.mktemp("tower") / "tower.safetensors", 0)


@pytest.fixture(scope="module")
def projected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a model with a head from 24 to 10, as the projection of CLIP."""
    return _weights(tmp_path_factory.mktemp("projected") / "projected.safetensors", 10)


def _weights(path: Path, outputs: int) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(ARCH, num_classes=outputs, img_size=32, **SMALL)
    save_file(module.state_dict(), path)
    return path


def load(path: Path, outputs: int, head: Path | None = None) -> VisionModel:
    arguments = {**SMALL, "num_classes": outputs}
    return featviz.load(path, arch=ARCH, image_size=32, model_args=arguments, head=head)


def run(model: VisionModel) -> NDArray[np.float64]:
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(images).double().numpy()


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_linear_probe_is_applied_to_the_embedding(tower: Path, tmp_path: Path) -> None:
    weight, bias = draw(3, 24), draw(3, seed=1)
    embedding = run(load(tower, 0))
    for arrays, added in (({}, 0.0), ({"bias": bias}, bias), ({"bias": 2.0}, 2.0)):
        head = saved(tmp_path / "h.npz", weight=weight, names=NAMES, **arrays)
        model = load(tower, 0, head)
        np.testing.assert_allclose(run(model), embedding @ weight.T + added, atol=1e-5)
        assert model.classes == tuple(NAMES)
        assert model.site("head").width == 3


def test_a_matrix_has_its_names_in_a_text_file(tower: Path, tmp_path: Path) -> None:
    weight, head = draw(3, 24), tmp_path / "h.npy"
    np.save(head, weight)
    names = head.with_suffix(".txt")
    names.write_text("\n".join(NAMES) + "\n")
    model = load(tower, 0, head)
    np.testing.assert_allclose(run(model), run(load(tower, 0)) @ weight.T, atol=1e-5)
    assert model.classes == tuple(NAMES)
    names.write_text("cat\ndog\n")
    with pytest.raises(FeatvizError, match=r"has names of shape \(2,\) .*, not 3 texts"):
        load(tower, 0, head)


def test_zero_shot_classes_are_scaled_cosines(tower: Path, projected: Path, tmp_path: Path) -> None:
    for path, outputs, width in ((tower, 0, 24), (projected, 10, 10)):
        weight = 5 * draw(3, width)
        head = saved(tmp_path / "h.npz", weight=weight, names=NAMES, logit_scale=100, bias=-10)
        embedding = run(load(path, outputs))
        cosines = (embedding / np.linalg.norm(embedding, axis=1, keepdims=True)) @ (
            weight / np.linalg.norm(weight, axis=1, keepdims=True)
        ).T
        found = load(path, outputs, head)
        np.testing.assert_allclose(run(found), 100 * cosines - 10, atol=2e-4)


def test_vectors_as_wide_as_the_input_of_the_head_replace_it(
    projected: Path, tower: Path, tmp_path: Path
) -> None:
    weight = draw(3, 24)
    head = saved(tmp_path / "h.npz", weight=weight, names=NAMES)
    module: Any = load(projected, 10).module
    module.head = torch.nn.Identity()
    embedding = run(featviz.wrap(module, image_size=32, mean=(0.5,) * 3, std=(0.5,) * 3))
    np.testing.assert_allclose(run(load(projected, 10, head)), embedding @ weight.T, atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": NAMES}, "has no weight; it needs weight"),
        ({"weight": draw(3, 24)}, "has no names; it needs weight"),
        ({"weight": draw(3, 23), "names": NAMES}, "class vectors of width 23, but .* of width 24$"),
        ({"weight": draw(24), "names": NAMES}, r"has a weight of shape \(24,\), not \(K, C\)"),
        ({"weight": draw(2, 24), "names": NAMES}, r"has names of shape \(3,\) .*, not 2 texts"),
        ({"weight": draw(3, 24), "names": np.arange(3)}, "not 3 texts"),
        (
            {"weight": np.full((3, 24), np.inf), "names": NAMES},
            "a weight that is not of finite real",
        ),
        ({"weight": draw(3, 24), "names": NAMES, "bias": draw(2)}, r"has a bias of shape \(2,\)"),
        (
            {"weight": draw(3, 24), "names": NAMES, "logit_scale": 0},
            "logit_scale that is no number",
        ),
        ({"weight": np.eye(3, 24) * [[0], [1], [1]], "names": NAMES, "logit_scale": 1}, "of zeros"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    tower: Path, tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    head = saved(tmp_path / "h.npz", **arrays)
    with pytest.raises(FeatvizError, match=message) as caught:
        load(tower, 0, head)
    assert str(caught.value).startswith(str(head))
    assert "\n" not in str(caught.value)


def test_files_of_another_kind_and_models_of_another_are_refused(
    tower: Path, tmp_path: Path
) -> None:
    with pytest.raises(FeatvizError, match=r"there is no file .*none\.npz"):
        load(tower, 0, tmp_path / "none.npz")
    np.save(tmp_path / "h.npy", draw(3, 24))
    with pytest.raises(FeatvizError, match=r"there is no file .*h\.txt with the names"):
        load(tower, 0, tmp_path / "h.npy")
    for name, content in (("text.npz", b"weight"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
    for name in ("text.npz", "empty.npz"):
        with pytest.raises(FeatvizError, match=r"is not an \.npz file with weight and names"):
            load(tower, 0, tmp_path / name)
    head = saved(tmp_path / "h.npz", weight=draw(3, 24), names=NAMES)
    with pytest.raises(FeatvizError, match=r"no layer 'head'; --head needs a vision transformer"):
        featviz.load("resnet18", untrained=True, head=head)
    with pytest.raises(FeatvizError, match="averages two heads; --head needs a model with one"):
        featviz.load("deit_tiny_distilled_patch16_224", untrained=True, head=head)
    np.save(tmp_path / "h.npy", draw(3, 24))
    (tmp_path / "h.txt").write_bytes(b"caf\xe9")
    with pytest.raises(FeatvizError, match=r"h\.txt is not a text file in UTF-8"):
        load(tower, 0, tmp_path / "h.npy")


def test_a_store_is_of_the_model_with_its_class_vectors(tower: Path, tmp_path: Path) -> None:
    head = saved(tmp_path / "h.npz", weight=draw(3, 24), names=NAMES)
    model, plain = load(tower, 0, head), load(tower, 0)
    other = load(tower, 0, saved(tmp_path / "o.npz", weight=draw(3, 24, seed=2), names=NAMES))
    assert len({each.fingerprint for each in (model, plain, other)}) == 3
    StoreWriter(
        tmp_path / "s",
        model=model.name,
        fingerprint=model.fingerprint,
        load=model.load_options.to_json(),
        sites=["head"],
        kind="failures",
        configuration={},
    )
    found = load_model_of(Store(tmp_path / "s"))
    assert found.fingerprint == model.fingerprint
    np.testing.assert_array_equal(run(found), run(model))
