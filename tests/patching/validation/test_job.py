from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

import featviz
from benchmarks.planted import SIDE, SITE, WIDTH, planted, store_renders
from featviz import FeatvizError, Store
from featviz.data.datasets import Dataset
from featviz.models.loading.options import LoadOptions
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights
from featviz.models.vision_model import VisionModel
from featviz.store.columns import Row
from featviz.store.jobs import JobSummary, open_writer
from featviz.store.packing import pack
from patching.effects.accuracy import LowAccuracyError
from patching.validation.job import stream_units, validate_to_store
from patching.vit.residual_vit import residual_vit
from tests.cli.running import tree
from tests.patching.autoencoders import autoencoder
from tests.patching.validation.worlds import ManyClasses

KIND = "validations"
OF_OTHERS = {"dose", "sufficiency", "sufficiency_interval", "converted", "picture_p"}
"""Columns that depend on the render of another neuron of the layer."""


@pytest.fixture(scope="module")
def world() -> tuple[VisionModel, Dataset]:
    return planted(1)


def validated(
    world: tuple[VisionModel, Dataset], store: Path, neurons: list[int]
) -> dict[str, Row]:
    store_renders(*world, store, neurons)
    validate_to_store(world[0], store, world[1])
    return {row["address"]: row for row in Store(store).rows(KIND)}


@pytest.fixture(scope="module")
def three(
    world: tuple[VisionModel, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Row]]:
    store = tmp_path_factory.mktemp("three") / "store"
    return store, validated(world, store, [0, 5, 2])


def test_a_row_does_not_depend_on_the_neurons_that_are_validated_together(
    world: tuple[VisionModel, Dataset], three: tuple[Path, dict[str, Row]], tmp_path: Path
) -> None:
    address = f"{SITE}:0"
    alone = validated(world, tmp_path / "store", [0])[address]
    for name, value in three[1][address].items():
        if name not in OF_OTHERS:
            np.testing.assert_array_equal(value, alone[name], err_msg=name)
    assert (alone["dose"][:4] == three[1][address]["dose"][:4]).all()
    assert np.isnan(alone["dose"][4])
    assert np.isnan(alone["picture_p"])


def test_rows_that_the_store_holds_are_not_measured_again(
    world: tuple[VisionModel, Dataset], three: tuple[Path, dict[str, Row]]
) -> None:
    calls: list[tuple[float, int]] = []
    before = sorted((three[0] / "shards").iterdir())
    summary = validate_to_store(
        world[0], three[0], world[1], progress=lambda *each: calls.append(each)
    )
    assert summary == JobSummary(0, 3)
    assert not calls
    assert sorted((three[0] / "shards").iterdir()) == before


def test_a_job_that_was_interrupted_goes_on_with_the_next_layer(
    world: tuple[VisionModel, Dataset], tmp_path: Path
) -> None:
    model, dataset = world
    addresses = [f"blocks.{layer}.mlp.fc1:4" for layer in (0, 1)]
    for store in (tmp_path / "stopped", tmp_path / "whole"):
        render(model, dataset, store, addresses)

    def stop(finished: float, total: int) -> None:
        if finished == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validate_to_store(model, tmp_path / "stopped", dataset, progress=stop)
    assert Store(tmp_path / "stopped").addresses(KIND) == addresses[:1]
    assert validate_to_store(model, tmp_path / "stopped", dataset) == JobSummary(1, 1)
    validate_to_store(model, tmp_path / "whole", dataset)
    rows = [list(Store(tmp_path / name).rows(KIND)) for name in ("stopped", "whole")]
    for one, other in zip(*rows, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


def render(model: VisionModel, dataset: Dataset, store: Path, addresses: list[str]) -> None:
    """Store an image as the render of each unit."""
    pixels = (dataset.image(0, SIDE) * 255).byte().permute(1, 2, 0).numpy()
    flat = np.zeros((len(addresses), 1), np.float32)
    columns = {"activation": flat, "trajectory": flat[:, :, None]}
    images = np.stack([pixels[None]] * len(addresses))
    writer = open_writer(model, store, "renders", {"steps": 0})
    writer.add({"address": addresses, "images": images, **columns})


def test_packed_validations_equal_those_of_the_folder_and_are_verified(
    three: tuple[Path, dict[str, Row]], tmp_path: Path
) -> None:
    pack(Store(three[0]), tmp_path / "one.h5")
    packed = Store(tmp_path / "one.h5")
    assert not packed.verify()
    assert not Store(three[0]).verify()
    for row in packed.rows(KIND):
        np.testing.assert_array_equal(row["necessity_p"], three[1][row["address"]]["necessity_p"])
    assert packed.configuration[KIND]["doses"] == ["50", "90", "99", "picture", "other"]
    assert packed.configuration[KIND]["classes"] == [f"mark {number}" for number in range(4)]


def test_a_dead_neuron_is_silent_and_nothing_is_measured(
    three: tuple[Path, dict[str, Row]],
) -> None:
    row = three[1][f"{SITE}:2"]
    assert row["silent"] == 1
    assert row["class"] == -1
    assert row["level"] == 0
    for name in ("necessity", "necessity_p", "sufficiency", "mediation", "total", "agreement"):
        assert np.isnan(row[name]).all()


def test_units_other_than_neurons_and_latents_are_skipped_and_reported(
    world: tuple[VisionModel, Dataset], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    render(*world, store, ["head:1", f"{SITE}:2@3", "blocks.0.attn.qk:0@same"])
    summary = validate_to_store(world[0], store, world[1])
    assert set(summary.skipped) == {"head:1", "blocks.0.attn.qk:0@same"}
    assert "neither a neuron of an MLP" in summary.skipped["head:1"]
    assert Store(store).addresses(KIND) == [f"{SITE}:2@3"]


def test_latents_that_are_the_neurons_have_the_same_effects(
    world: tuple[VisionModel, Dataset], three: tuple[Path, dict[str, Row]], tmp_path: Path
) -> None:
    model, dataset = world
    weight, bias = (
        model.module.get_parameter(f"blocks.0.mlp.fc2.{name}").double()
        for name in ("weight", "bias")
    )
    decoder = weight.T.contiguous()
    zero = torch.zeros(len(decoder)).double()
    weights = Weights(torch.linalg.pinv(decoder.T), zero, decoder, bias, center=bias)
    origin = Origin("tests", "identity", model.name, "blocks.0.mlp_out")
    exact = model.with_saes({"x": SparseAutoencoder(weights, nn.Identity(), origin)})
    store_renders(exact, dataset, tmp_path / "store", [0, 5], "sae.x")
    validate_to_store(exact, tmp_path / "store", dataset)
    for row in Store(tmp_path / "store").rows(KIND):
        right = three[1][row["address"].replace("sae.x", SITE)]
        assert row["class"] == right["class"]
        for name in ("level", "necessity", "total", "direct", "induced", "mediation"):
            np.testing.assert_allclose(row[name], right[name], atol=2e-3, err_msg=name)
        np.testing.assert_allclose(row["dose"][:3], right["dose"][:3], atol=2e-3)
        np.testing.assert_allclose(row["sufficiency"][:3], right["sufficiency"][:3], atol=2e-3)


def test_latents_of_other_activations_are_skipped_with_the_reason(
    world: tuple[VisionModel, Dataset], tmp_path: Path
) -> None:
    model = world[0].with_saes({"x": autoencoder(WIDTH, "blocks.0.mlp_act")})
    found, skipped = stream_units(model, residual_vit(model), ["sae.x:1", f"{SITE}:2"])
    assert [each.address for each in found] == [f"{SITE}:2"]
    assert "sae.x reads blocks.0.mlp_act, which is neither" in skipped["sae.x:1"]


def test_the_global_random_state_and_the_model_are_left_unchanged(
    world: tuple[VisionModel, Dataset], tmp_path: Path
) -> None:
    model, dataset = world
    model.module.blocks[0].mlp.fc1.weight.requires_grad_(True)  # type: ignore[index, union-attr]
    before = torch.get_rng_state()
    validated((model, dataset), tmp_path / "store", [2])
    assert torch.equal(torch.get_rng_state(), before)
    weights = [name for name, each in model.module.named_parameters() if each.requires_grad]
    assert weights == [f"{SITE}.weight"]
    assert not any(each._forward_pre_hooks for each in model.module.modules())
    assert not any(each._forward_hooks for each in model.module.modules())
    model.module.requires_grad_(False)


def test_other_images_are_another_configuration(
    world: tuple[VisionModel, Dataset], three: tuple[Path, dict[str, Row]]
) -> None:
    with pytest.raises(FeatvizError, match="configuration"):
        validate_to_store(world[0], three[0], world[1], count=100)


def test_data_of_300_classes_are_validated_on_66_of_them_with_20_held_out_images_each(
    tmp_path: Path,
) -> None:
    source, half = ManyClasses(), (0.5, 0.5, 0.5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(
            "vit_tiny_patch16_224",
            img_size=SIDE,
            patch_size=16,
            embed_dim=16,
            depth=1,
            num_heads=2,
            num_classes=300,
        )
    module.eval().requires_grad_(False)
    options = LoadOptions(untrained=True)
    model = VisionModel("many", module, SIDE, half, half, source.classes, options)
    dataset = Dataset("many", source.classes, source)
    render(model, dataset, tmp_path / "store", [f"{SITE}:3"])
    validate_to_store(model, tmp_path / "store", dataset)
    (row,) = Store(tmp_path / "store").rows(KIND)
    configuration = Store(tmp_path / "store").configuration[KIND]
    assert (configuration["images"], len(configuration["classes"])) == (1980, 66)
    assert (row["images"], row["neutral"]) == (20, 36)
    assert np.isfinite(row["necessity_p"][:, 0]).any()
    assert np.isfinite(row["total"]).all()


def test_nothing_is_tested_if_a_trained_model_gets_most_images_wrong(
    world: tuple[VisionModel, Dataset], tmp_path: Path
) -> None:
    random, dataset = world
    store_renders(random, dataset, tmp_path / "store", [0])
    trained = replace(random, load_options=LoadOptions())
    with pytest.raises(
        LowAccuracyError, match=r"planted-1 classifies \d+ of 128 images of marked-1 cor"
    ):
        validate_to_store(trained, tmp_path / "store", dataset)
    assert KIND not in Store(tmp_path / "store").kinds
    # Results that are stored already are not renamed for nothing.
    validate_to_store(random, tmp_path / "store", dataset)
    before = tree(tmp_path)
    with pytest.raises(LowAccuracyError):
        validate_to_store(trained, tmp_path / "store", dataset, seed=1, force=True)
    assert tree(tmp_path) == before


def test_the_configuration_has_every_setting_that_affects_a_row(
    three: tuple[Path, dict[str, Row]],
) -> None:
    configuration = Store(three[0]).configuration[KIND]
    right = {
        "turns": 3,
        "least_images": 30,
        "shortlist": 3,
        "trials": 8,
        "silent": 1e-3,
        "pool": 64,
        "neurons": 39,
        "directions": 19,
        "neutral": 36,
        "least_neutral": 8,
        "profile": {"each": 4, "most": 100},
    }
    assert configuration.items() >= right.items()


def test_renders_of_another_model_are_refused(
    world: tuple[VisionModel, Dataset], three: tuple[Path, dict[str, Row]]
) -> None:
    other = featviz.load("cueworld/vit", device="cpu")
    with pytest.raises(FeatvizError, match="has renders of planted-1, not of cueworld/vit"):
        validate_to_store(other, three[0], world[1])


def test_an_address_that_cannot_be_parsed_is_skipped_and_the_other_neurons_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    monkeypatch.chdir(tmp_path)
    np.save("probe.npy", np.ones(model.sites["blocks.3.mlp.fc2"].width, np.float32))
    (direction,) = map(str, featviz.units(model, "blocks.3.mlp.fc2:probe.npy"))
    addresses = ["blocks.3.mlp.fc1:1@cls", direction, "blocks.2.mlp.fc1:5"]
    addresses += ["blocks.2.mlp_act:6@max"]
    found, skipped = stream_units(model, residual_vit(model), addresses)
    assert [(each.address, each.layer.path, each.index, each.token) for each in found] == [
        (addresses[2], "blocks.2.mlp", 5, None),
        (addresses[3], "blocks.2.mlp", 6, None),
        (addresses[0], "blocks.3.mlp", 1, 0),
    ]
    assert found[0].layer is found[1].layer
    assert list(skipped) == [direction]
    assert "neither a neuron of an MLP" in skipped[direction]
    Path("probe.npy").unlink()
    again, skipped = stream_units(model, residual_vit(model), addresses)
    assert [each.address for each in again] == [each.address for each in found]
    assert list(skipped) == [direction]
    assert "probe.npy" in skipped[direction]
