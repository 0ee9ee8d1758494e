"""Sweeps over datasets, stored image by image."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import datasets

from featviz import FeatvizError, Store, VisionModel, load
from featviz.data.datasets import Dataset, open_data
from featviz.models.loading.options import LoadOptions
from patching.effects.image_groups import Grouping
from patching.effects.labels import labels_for
from patching.effects.table import Table, read_traces
from patching.forward.memory import BATCH
from patching.interventions.corruptions import corruption
from patching.interventions.selection import Selection
from patching.sweeps.activation_patching import Experiment, sweep
from patching.sweeps.job import Settings, trace_to_store
from tests.featviz.data.test_datasets import cifar
from tests.featviz.models.attention_models import attention_model

FOLDER = Path(__file__).parents[2] / "oracles" / "huggingface" / "vit" / "usual"
GRAY = Settings(Selection("attn", (1, 3)), corruption("grayscale"))


@pytest.fixture
def data() -> Dataset:
    return open_data("cueworld:24")


@pytest.fixture
def model() -> VisionModel:
    return replace(attention_model("ViT"), load_options=LoadOptions(untrained=True))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BATCH, "cpu", 5)


def images(data: Dataset, numbers: list[int]) -> torch.Tensor:
    return torch.stack([data.image(number, 64) for number in numbers])


def same(one: Table, other: Table) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.label, other.label)
    np.testing.assert_array_equal(one.right, other.right)
    for name in ("clean", "corrupted", "restored"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=2e-5, atol=2e-6)
    for name in ("site", "layer", "head", "token", "window"):
        np.testing.assert_array_equal(getattr(one.sites, name), getattr(other.sites, name))
    assert (one.mode, one.metric) == (other.mode, other.metric)


def test_what_is_stored_is_what_a_sweep_of_the_images_gives(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    summary = trace_to_store(model, data, GRAY, tmp_path / "s")
    assert (summary.stored, summary.done) == (24, 0)
    pixels, numbers = images(data, list(range(24))), range(24)
    gray = corruption("grayscale").bind(model, data, numbers).images(pixels, numbers)
    labels = torch.tensor(data.labels(numbers))
    same(read_traces(tmp_path / "s"), sweep(model, pixels, gray, labels, window=(1, 3)))
    assert Store(tmp_path / "s").verify() == []


def test_a_second_call_computes_nothing(
    model: VisionModel, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_to_store(model, data, GRAY, tmp_path / "s")
    monkeypatch.setattr(Experiment, "measure", None)
    summary = trace_to_store(model, data, GRAY, tmp_path / "s")
    assert (summary.stored, summary.done) == (0, 24)


class StoppedError(Exception):
    """Simulates a crash."""


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_job_resumes_and_ends_with_the_same_effects(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = Settings(Selection("head"), corruption("noise:0.3"))
    trace_to_store(model, data, settings, tmp_path / "whole")

    def stop(finished: float, _total: int) -> None:
        if finished >= 10:
            raise StoppedError

    with pytest.raises(StoppedError):
        trace_to_store(model, data, settings, tmp_path / "s", progress=stop)
    assert len(read_traces(tmp_path / "s").image) == 10
    assert "effects" not in Store(tmp_path / "s").kinds  # averages are over all images of the job
    calls: list[tuple[float, int]] = []
    summary = trace_to_store(
        model,
        data,
        settings,
        tmp_path / "s",
        progress=lambda *one: calls.append(one),
        all_images=True,
    )
    assert (summary.stored, summary.done) == (14, 10)
    assert max(int(row["images"]) for row in Store(tmp_path / "s").rows("effects")) == 24
    assert calls == [(0, 14), (5, 14), (10, 14), (14, 14)]
    resumed, whole = (read_traces(tmp_path / name) for name in ("s", "whole"))
    np.testing.assert_array_equal(resumed.restored, whole.restored)
    assert len(Store(tmp_path / "s").addresses("trace_sites")) == 6


def test_images_do_not_depend_on_their_batch(
    model: VisionModel, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(Selection("attn"), corruption("shuffle"))
    for batch in (24, 7):
        monkeypatch.setitem(BATCH, "cpu", batch)
        trace_to_store(model, data, settings, tmp_path / str(batch))
    same(*(read_traces(tmp_path / str(batch)) for batch in (24, 7)))


@pytest.mark.parametrize(
    "other",
    [
        Settings(Selection("attn", (1,)), corruption("grayscale")),
        Settings(Selection("mlp", (1, 3)), corruption("grayscale")),
        Settings(Selection("attn", (1, 3)), corruption("blur")),
        Settings(Selection("attn", (1, 3)), corruption("grayscale"), mode="noising"),
        Settings(Selection("attn", (1, 3)), corruption("grayscale"), frozen=True),
        Settings(Selection("attn", (1, 3)), ablate="mean"),
    ],
)
def test_another_configuration_is_refused_and_nothing_is_touched(
    model: VisionModel, data: Dataset, tmp_path: Path, other: Settings
) -> None:
    trace_to_store(model, data, GRAY, tmp_path / "s", count=2)
    before = sorted(path.name for path in (tmp_path / "s").rglob("*"))
    with pytest.raises(FeatvizError, match="has traces of another configuration"):
        trace_to_store(model, data, other, tmp_path / "s", count=2)
    assert sorted(path.name for path in (tmp_path / "s").rglob("*")) == before


def test_the_same_site_by_its_other_name_is_the_same_configuration(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    trace_to_store(model, data, GRAY, tmp_path / "s", count=2)
    renamed = Settings(Selection("attn_out", (1, 3), by="layer"), corruption("grayscale"))
    assert trace_to_store(model, data, renamed, tmp_path / "s", count=2).stored == 0


def test_noise_on_embeddings_leaves_images_alone_and_has_effects(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = Settings(Selection("patch_embed"), corruption("embedding:2"))
    trace_to_store(model, data, settings, tmp_path / "s", count=4)
    found = read_traces(tmp_path / "s")
    assert np.abs(found.total[1]).min() > 1e-4
    # The noise is all in the patch embeddings: with the clean ones the run is the clean one.
    np.testing.assert_allclose(found.restored[:, 0], found.clean, rtol=1e-4, atol=1e-5)


def test_resampling_takes_the_runs_of_swapped_images(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    trace_to_store(model, data, Settings(Selection("mlp"), ablate="resample"), tmp_path / "a")
    swapped = Settings(Selection("mlp"), corruption("swap"), mode="noising")
    trace_to_store(model, data, swapped, tmp_path / "b")
    one, other = (read_traces(tmp_path / name) for name in ("a", "b"))
    same(one, other)
    partners = corruption("swap").bind(model, data, range(24)).partners
    logit = {int(n): one.clean[1, place] for place, n in enumerate(one.image)}
    assert len(logit) == 24
    assert all(partners[partners[number]] == number for number in logit)


@pytest.mark.usefixtures("small_batches")
def test_a_mean_is_over_all_images_of_the_job_also_after_a_stop(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = Settings(Selection("mlp"), ablate="mean")

    def stop(finished: float, _total: int) -> None:
        if finished:
            raise StoppedError

    with pytest.raises(StoppedError):
        trace_to_store(model, data, settings, tmp_path / "s", progress=stop)
    trace_to_store(model, data, settings, tmp_path / "s")
    pixels, labels = images(data, list(range(24))), torch.tensor(data.labels(range(24)))
    same(read_traces(tmp_path / "s"), sweep(model, pixels, None, labels, site="mlp", ablate="mean"))


def test_a_donor_is_part_of_the_configuration(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    donor = replace(model, name="twin", module=copy.deepcopy(model.module))
    with torch.no_grad():
        donor.module.blocks[0].attn.proj.weight.mul_(1.5)  # type: ignore[index, union-attr]
    settings = Settings(Selection("attn"))
    trace_to_store(model, data, settings, tmp_path / "s", count=3, donor=donor)
    stored = Store(tmp_path / "s").configuration["traces"]["donor"]
    assert stored == {"model": "twin", "fingerprint": donor.fingerprint}
    found = read_traces(tmp_path / "s")
    np.testing.assert_allclose(found.effect[:, 0], found.total, atol=1e-5)
    with pytest.raises(FeatvizError, match="nothing to patch with"):
        trace_to_store(model, data, settings, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_ablation_with_a_corruption_is_refused(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    settings = Settings(Selection("attn"), corruption("grayscale"), ablate="mean")
    with pytest.raises(FeatvizError, match="an ablation patches the clean run"):
        trace_to_store(model, data, settings, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_store_of_something_else_holds_no_effects(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="there is no store"):
        read_traces(tmp_path / "s")


def test_images_without_labels_are_refused(model: VisionModel, tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.png")
    with pytest.raises(FeatvizError, match="images without labels"):
        trace_to_store(model, open_data(f"folder:{tmp_path / 'flat'}"), GRAY, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def named(model: VisionModel, *classes: str) -> VisionModel:
    return VisionModel("named", model.module, 64, model.mean, model.std, classes)


def pets(root: Path) -> Dataset:
    for name in ("bee", "Sea_cat"):
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / name / "a.png")
    return open_data(f"folder:{root}")


def test_classes_are_found_by_their_names(model: VisionModel, tmp_path: Path) -> None:
    dataset = pets(tmp_path / "pets")
    assert dataset.classes == ("Sea_cat", "bee")
    assert labels_for(named(model, "ape", "bee", "sea cat"), dataset, [0, 1]).logits == [2, 1]
    assert labels_for(named(model), dataset, [0, 1]).logits == [0, 1]
    # As many, under other names: in the same order.
    assert labels_for(named(model, "x", "y"), dataset, [0, 1]).logits == [0, 1]
    with pytest.raises(FeatvizError, match="is called 'Sea_cat'"):
        labels_for(named(model, "ape", "bee", "cat"), dataset, [0, 1])


def huggingface(folder: Path) -> Path:
    """A folder as Hugging Face saves it, with ten classes of CIFAR, in another order."""
    shutil.copytree(FOLDER, folder)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {str(i): f"name {(i + 1) % 10}" for i in range(10)}
    config["label2id"] = {name: int(i) for i, name in config["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    state = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    state["classifier.weight"] = torch.randn(10, 12, generator=generator)
    state["classifier.bias"] = torch.randn(10, generator=generator)
    save_file(state, folder / "model.safetensors")
    return folder


def test_a_hugging_face_folder_is_traced_on_cifar_in_its_real_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels: Any = cifar(tmp_path / "cifar", datasets.CIFAR10, monkeypatch)
    model = load(str(huggingface(tmp_path / "vit")), device="cpu")
    dataset = open_data(f"cifar10:{tmp_path / 'cifar'}")
    with pytest.warns(UserWarning, match="classifies 0 of 3 images of cifar10"):
        trace_to_store(model, dataset, GRAY, tmp_path / "s", all_images=True)
    found = read_traces(tmp_path / "s")
    # Labels 5, 0, 9, each of which is one place earlier among the model's classes.
    assert found.label.tolist() == [4, 9, 8]
    assert pixels.shape == (3, 32, 32, 3)
    clean = torch.stack([dataset.image(number, 24) for number in range(3)])
    with torch.no_grad():
        chances = model.module(model.normalize(clean)).softmax(1)
    expected = chances[torch.arange(3), torch.tensor(found.label)]
    np.testing.assert_allclose(found.clean[0], expected, rtol=1e-5)
    assert np.abs(found.total[0]).min() > 1e-6


def tower(model: VisionModel) -> VisionModel:
    """The model without its classifier."""
    module = copy.deepcopy(model.module)
    module.head = torch.nn.Identity()
    return replace(model, module=module, name="tower")


def test_a_tower_is_traced_by_the_cosine_of_its_embedding_without_labels(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "flat").mkdir()
    for index in range(4):
        pixels = (data.image(index, 64).permute(1, 2, 0) * 255).byte().numpy()
        Image.fromarray(pixels).save(tmp_path / "flat" / f"{index}.png")
    flat, own = open_data(f"folder:{tmp_path / 'flat'}"), tower(model)
    with pytest.raises(FeatvizError, match="has images without labels"):
        trace_to_store(own, flat, GRAY, tmp_path / "s")
    selection = Selection("resid", (1, 3), layers="1")
    settings = replace(GRAY, selection=selection, metrics=("cosine",))
    trace_to_store(own, flat, settings, tmp_path / "s")
    table = read_traces(tmp_path / "s")
    clean = flat.images(range(4), 64)
    gray = corruption("grayscale").bind(own, flat, range(4)).images(clean, range(4))
    with torch.no_grad():
        cosines = torch.nn.functional.cosine_similarity(own(clean), own(gray)).numpy()
    assert table.metric == ("cosine",)
    assert table.label.tolist() == [-1] * 4
    assert table.right.all()
    np.testing.assert_allclose(table.clean[0], 1, rtol=1e-6)
    np.testing.assert_allclose(table.corrupted[0], cosines, rtol=1e-5)
    same(table, sweep(own, clean, gray, None, site="resid", layers=1, window=(1, 3)))
    last = len(own.module.blocks) - 1  # type: ignore[arg-type]
    whole = replace(settings, selection=Selection("resid", layers=str(last)))
    trace_to_store(own, flat, whole, tmp_path / "whole")
    np.testing.assert_allclose(read_traces(tmp_path / "whole").restored, 1, rtol=1e-6)


def test_a_group_of_one_image_is_refused_before_any_run(
    model: VisionModel, data: Dataset, tmp_path: Path
) -> None:
    grouping = Grouping(difference=("red", "texture"))
    with pytest.raises(
        FeatvizError, match="at least 2 images in each group, but 'red' has 1 image"
    ):
        trace_to_store(model, data, GRAY, tmp_path / "s", count=18, grouping=grouping)
    assert not (tmp_path / "s").exists()
