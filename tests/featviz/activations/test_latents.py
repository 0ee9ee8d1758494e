"""Latents of sparse autoencoders as units: values, gradients, and what is computed."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featviz import FeatvizError, VisionModel, load_sae, readout, render, units, wrap
from featviz.activations.patch_maps import PatchReader
from featviz.analysis.examples.argmax_tokens import TokenLocator
from featviz.models.acceleration import in_precision
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from tests.featviz.models.sae.files import write_random
from tests.featviz.toys import toy_vit

SITE = "blocks.2.resid_post"
HALF = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> SparseAutoencoder:
    return load_sae(write_random(tmp_path_factory.mktemp("sae") / "gated", 16, layer=2))


@pytest.fixture(scope="module")
def model(sae: SparseAutoencoder) -> VisionModel:
    return toy_vit().with_saes({"x": sae})


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def expected(model: VisionModel, sae: SparseAutoencoder, images: Tensor) -> Tensor:
    """Pre-activations of all latents at all tokens, (images, tokens, latents)."""
    stream: list[Tensor] = []
    block = model.module.get_submodule("blocks.2")
    hook = block.register_forward_hook(lambda _module, _inputs, output: stream.append(output))
    with torch.no_grad():
        model(images)
    hook.remove()
    return sae.pre_activations(stream[0])


def test_latents_at_every_form_of_token_are_pre_activations_of_the_hooked_stream(
    model: VisionModel, images: Tensor, expected: Tensor
) -> None:
    selectors = ["sae.x:3,7", "sae.x:3,7@2", "sae.x:3,7@cls", "sae.x:3,7@max"]
    chosen = units(model, *selectors)
    assert [str(unit) for unit in chosen][::2] == [text.replace(",7", "") for text in selectors]
    values = expected[..., [3, 7]]
    patches = values[:, 1:]
    wanted = [patches.mean(1), values[:, 2], values[:, 0], patches.amax(1)]
    read = readout(model, chosen)
    with torch.no_grad():
        torch.testing.assert_close(read(images), torch.cat(wanted, 1))
        for unit in range(len(chosen)):
            own = readout(model, chosen[unit]).paired(images[:1])
            torch.testing.assert_close(own[0], torch.cat(wanted, 1)[0, unit])


def test_latents_add_up_with_other_units(model: VisionModel, images: Tensor) -> None:
    parts = readout(model, units(model, "sae.x:3@cls", "head:1"))(images)
    total = readout(model, units(model, "sae.x:3@cls+-2~head:1"))(images)
    torch.testing.assert_close(total[:, 0], parts[:, 0] - 2 * parts[:, 1])


def test_only_the_wanted_rows_are_multiplied_and_no_later_block_runs(
    model: VisionModel, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    linear = F.linear

    def spied(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        shapes.append(tuple(weight.shape))
        return linear(inputs, weight, bias)

    read = readout(model, units(model, "sae.x:4,9@max"))
    later = model.module.get_submodule("blocks.3").register_forward_pre_hook(
        lambda _module, _inputs: pytest.fail("block 3 ran")
    )
    monkeypatch.setattr(F, "linear", spied)
    read(images)
    later.remove()
    assert shapes[-1] == (2, 16)
    assert (20, 16) not in shapes


def test_a_closed_latent_rises_in_rendering_whatever_shares_its_batch(
    model: VisionModel, sae: SparseAutoencoder
) -> None:
    chosen = units(model, "sae.x:0,5@max", "sae.x:5@cls")
    together = render(model, chosen, steps=8, size=32)
    again = render(model, chosen, steps=8, size=32)
    alone = render(model, chosen[1], batch=1, steps=8, size=32)
    np.testing.assert_array_equal(together.images, again.images)
    assert (together.trajectory[:, 0, -1] > together.trajectory[:, 0, 0]).all()
    np.testing.assert_allclose(alone.activation[0], together.activation[1], rtol=1e-3)
    assert np.abs(alone.images[0].astype(int) - together.images[1]).max() <= 1


def test_the_value_of_a_rendered_latent_is_its_pre_activation(
    model: VisionModel, sae: SparseAutoencoder
) -> None:
    made = render(model, "sae.x:5@2", steps=2, size=32)
    picture = torch.from_numpy(made.images[0]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        stream = readout(model, units(model, f"{SITE}:all@2"))(picture)
    value = sae.pre_activations(stream, [5])[0, 0].item()
    assert made.activation[0, 0] == pytest.approx(value, rel=1e-4)


def test_maps_and_tokens_are_those_of_the_patches(
    model: VisionModel, images: Tensor, expected: Tensor
) -> None:
    chosen = units(model, "sae.x:11,2@max")
    pairs = np.array([[0, 0], [2, 1]], np.int32)
    maps: dict[int, np.ndarray] = {}

    def take(_cells: object, rows: np.ndarray, values: np.ndarray) -> None:
        maps.update(zip(rows.tolist(), values, strict=True))

    PatchReader(model, chosen).read(images, pairs, take)
    wanted = [expected[0, 1:, 11], expected[2, 1:, 2]]
    for row in range(2):
        np.testing.assert_allclose(maps[row], wanted[row], rtol=1e-4, atol=1e-5)
    found = TokenLocator(model, chosen)(images, pairs)
    assert found[:, 0].tolist() == [1 + int(each.argmax()) for each in wanted]


def test_the_objective_can_use_the_cosine_with_the_encoder_row(
    model: VisionModel, sae: SparseAutoencoder, images: Tensor
) -> None:
    (unit,) = units(model, "sae.x:7@2")
    with torch.no_grad():
        stream = readout(model, units(model, f"{SITE}:all@2"))(images[:1])
        reading = readout(model, unit).read_pairs(images[:1], cosine_power=1.0)
    centered, row = sae.center_inputs(stream)[0], sae.encoder[7]
    value = centered @ row + sae.encoder_bias[7]
    cosine = centered @ row / (centered.norm() * row.norm())
    wanted = value * (cosine.clamp(min=0.01) if value > 0 else 0.01)
    torch.testing.assert_close(reading.objective[0], wanted)


def test_a_model_without_the_autoencoder_is_unchanged(sae: SparseAutoencoder) -> None:
    alone = toy_vit()
    with_latents = alone.with_saes({"x": sae})
    assert not any(path.startswith("sae.") for path in alone.sites)
    assert [path for path in with_latents.sites if path not in alone.sites] == ["sae.x"]
    assert with_latents.module is alone.module
    assert with_latents.fingerprint == alone.fingerprint
    assert alone.load_options.saes == {}
    with pytest.raises(FeatvizError, match=r"^sae\.x is not loaded: --sae x=PATH loads"):
        units(alone, "sae.x:0")


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("sae.x:20", "sae.x has latents 0-19, not 20"),
        ("sae.y:0", "sae.y is not loaded: --sae y=PATH loads a sparse autoencoder; loaded are sae"),
        ("sae.x:0@5", "sae.x has tokens 0-4, not 5"),
        ("sae.x:0@same", "sae.x is read at one of its tokens"),
    ],
)
def test_a_latent_that_does_not_exist_is_refused_with_those_that_do(
    model: VisionModel, selector: str, said: str
) -> None:
    with pytest.raises(FeatvizError) as refused:
        units(model, selector)
    assert str(refused.value).startswith(said)


def test_a_direction_among_latents_is_refused(
    model: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("probe.npy", np.ones(20, np.float32))
    with pytest.raises(FeatvizError, match="has latents; only layers and activations"):
        units(model, "sae.x:probe.npy")


@pytest.mark.parametrize("name", ["a", "16k", "0-3", "all", "_-"])
def test_a_name_that_looks_like_a_range_is_a_name(sae: SparseAutoencoder, name: str) -> None:
    model = toy_vit().with_saes({name: sae})
    assert [str(unit) for unit in units(model, f"sae.{name}:0-1")] == [
        f"sae.{name}:0",
        f"sae.{name}:1",
    ]


def test_latents_come_after_the_site_that_they_read(model: VisionModel) -> None:
    paths = list(model.sites)
    assert paths.index("sae.x") == paths.index(SITE) + 1


def test_a_copy_in_half_precision_computes_latents_in_float32(
    model: VisionModel, images: Tensor, expected: Tensor
) -> None:
    half = in_precision(model, "bfloat16")
    read = readout(half, units(half, "sae.x:3@cls"))
    with torch.no_grad():
        values = read(images)
        stream = readout(half, units(half, f"{SITE}:all@cls"))(images)
    assert values.dtype == torch.float32
    assert model.saes["x"].encoder.dtype == torch.float32
    torch.testing.assert_close(values[:, 0], model.saes["x"].pre_activations(stream)[:, 3])
    torch.testing.assert_close(values[:, 0], expected[:, 0, 3], rtol=0.05, atol=0.2)


def test_latents_of_a_model_in_float64_are_read_in_float64(
    sae: SparseAutoencoder, images: Tensor
) -> None:
    model = toy_vit().with_saes({"x": sae})  # in float32
    model.module.double()
    chosen = units(model, "sae.x:3,5,7")
    pictures = images.double().requires_grad_()
    values = readout(model, chosen).paired(pictures)
    assert values.dtype == torch.float64
    (gradient,) = torch.autograd.grad(values.sum(), pictures)
    with torch.no_grad():
        ahead, back = (
            readout(model, chosen).paired(pictures + step * gradient) for step in (1e-6, -1e-6)
        )
    slope = gradient.square().flatten(1).sum(1)
    # In float32 this difference would be lost in rounding.
    torch.testing.assert_close((ahead - back) / 2e-6, slope, rtol=1e-5, atol=0)


def test_an_autoencoder_on_another_device_is_read_on_that_of_the_model(
    sae: SparseAutoencoder,
) -> None:
    model = toy_vit().with_saes({"x": sae})
    model.module.to("meta")
    read = readout(model, units(model, "sae.x:3,5"))
    assert read.paired(torch.zeros(2, 3, 32, 32, device="meta")).device.type == "meta"


def test_a_model_may_have_modules_of_that_name(sae: SparseAutoencoder) -> None:
    module = toy_vit().module
    layers = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 6))
    net = wrap(nn.Sequential(OrderedDict(vit=module, sae=layers)), 32, HALF, HALF)
    assert [str(unit) for unit in units(net, "sae.0-1:3")] == ["sae.0:3", "sae.1:3"]
    with pytest.raises(FeatvizError, match=r"^the model has a site sae\.1; give the autoencoder"):
        net.with_saes({"1": _reading(sae, "vit.blocks.2.resid_post")})


def _reading(sae: SparseAutoencoder, site: str) -> SparseAutoencoder:
    copied = copy.copy(sae)
    copied.origin = replace(sae.origin, site=site)
    return copied
