"""Quality of sparse autoencoders on models small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import Tensor, nn

from featviz.analysis.reconstruction import quality, token_statistics
from featviz.analysis.reconstruction.quality import measure_quality
from featviz.errors import FeatvizError
from featviz.models.hooks import is_hooked
from featviz.models.sae.activation_functions import ReLU
from featviz.models.sae.sparse_autoencoder import Origin, SparseAutoencoder
from featviz.models.sae.weights import Weights
from featviz.models.vision_model import VisionModel
from tests.featviz.toy_dictionary import dataset
from tests.featviz.toys import toy_vit

SITE = "blocks.1.resid_post"


def autoencoder(
    encoder: Tensor,
    decoder: Tensor,
    encoder_bias: Tensor | None = None,
    decoder_bias: Tensor | None = None,
    origin: Origin | None = None,
) -> SparseAutoencoder:
    latents, width = decoder.shape
    weights = Weights(
        encoder,
        torch.zeros(latents) if encoder_bias is None else encoder_bias,
        decoder,
        torch.zeros(width) if decoder_bias is None else decoder_bias,
    )
    return SparseAutoencoder(weights, ReLU(), origin or Origin("tests", "standard", "toy", SITE))


def identity(width: int = 16, origin: Origin | None = None) -> SparseAutoencoder:
    """Return one whose latents are the positive and the negative part of each channel."""
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    return autoencoder(both, both, origin=origin)


def noise(count: int, side: int = 32) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def stream_of(model: VisionModel, images: Tensor) -> Tensor:
    """Return the values of `SITE`."""
    stream: list[Tensor] = []
    hook = model.module.get_submodule("blocks.1").register_forward_hook(
        lambda _module, _inputs, output: stream.append(output)
    )
    model(images)
    hook.remove()
    return stream[0]


def test_every_figure_agrees_with_an_example_computed_by_hand() -> None:
    """Tokens are (red, green) pixels: one red in image 0, nine green in image 1, eight black.

    Latent 0 is red, latent 1 is green and writes half of it, latent 2 never fires.
    """
    module = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    head_bias = torch.tensor([0.1, 0.0])
    convolution = torch.eye(2, 3)[..., None, None]
    module.load_state_dict(
        {"0.weight": convolution, "3.weight": 2 * torch.eye(2), "3.bias": head_bias}
    )
    model = VisionModel("by hand", module.eval(), 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    images = torch.zeros(2, 3, 3, 3)
    images[0, 0, 1, 2] = 1
    images[1, 1] = 1
    encoder = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    decoder = torch.tensor([[1.0, 0], [0, 0.5], [1, 1]])
    origin = Origin("tests", "standard", "by hand", "0")
    sae = autoencoder(encoder, decoder, torch.tensor([0.0, 0, -3]), origin=origin)
    found = measure_quality(model, sae, dataset(images))

    assert (found.images, found.tokens) == (2, 18)
    variance = (1 - 18 / 18**2) + (9 - 18 / 4)  # of red and of green
    assert found.explained_variance == pytest.approx(1 - 9 / 4 / variance)
    assert found.l0 == pytest.approx(10 / 18)
    assert found.alive == pytest.approx(2 / 3)
    assert found.dense == pytest.approx(1 / 3)  # red fires on 1 of 18 tokens, green on 9

    def divergence(logits: list[float], others: list[float]) -> float:
        p, q = ([math.exp(each) for each in row] for row in (logits, others))
        return sum(
            a / sum(p) * math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q, strict=True)
        )

    def cosine(one: list[float], other: list[float]) -> float:
        products = sum(a * b for a, b in zip(one, other, strict=True))
        return products / math.hypot(*one) / math.hypot(*other)

    red, green, zero = [0.1 + 2 / 9, 0.0], [0.1, 2.0], [0.1, 0.0]
    half = [0.1, 1.0]
    changed = found.reconstruction
    assert changed.kl == pytest.approx(divergence(green, half) / 2)
    assert changed.same_top1 == 1
    assert changed.cosine == pytest.approx((1 + cosine(green, half)) / 2)
    ablated = found.zero_ablation
    assert ablated.kl == pytest.approx((divergence(red, zero) + divergence(green, zero)) / 2)
    assert ablated.same_top1 == 0.5
    assert ablated.cosine == pytest.approx((1 + cosine(green, zero)) / 2)


def test_the_identity_explains_all_variance_and_changes_no_prediction() -> None:
    found = measure_quality(toy_vit(), identity(), dataset(noise(3)))
    assert found.explained_variance == 1
    assert found.l0 == 16
    assert (found.reconstruction.kl, found.reconstruction.same_top1) == (0, 1)
    assert found.reconstruction.cosine == pytest.approx(1)
    assert found.zero_ablation.kl is not None
    assert found.zero_ablation.kl > 1e-4


def test_an_autoencoder_that_writes_nothing_is_zero_ablation() -> None:
    sae = autoencoder(torch.eye(16), torch.zeros(16, 16))
    found = measure_quality(toy_vit(), sae, dataset(noise(3)))
    assert found.reconstruction == found.zero_ablation


def test_the_mean_token_explains_no_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = toy_vit(), noise(5)
    mean = stream_of(model, images).flatten(0, 1).double().mean(0).float()
    sae = autoencoder(torch.zeros(4, 16), torch.zeros(4, 16), decoder_bias=mean)
    monkeypatch.setattr(quality, "BATCH", 2)
    found = measure_quality(model, sae, dataset(images))
    assert found.explained_variance == pytest.approx(0, abs=1e-6)
    assert (found.l0, found.alive, found.dense) == (0, 0, 0)


def test_figures_do_not_depend_on_batches_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = toy_vit(), noise(5)
    generator = torch.Generator().manual_seed(1)
    encoder = torch.randn(40, 16, generator=generator)
    sae = autoencoder(encoder, encoder / 40)
    whole = measure_quality(model, sae, dataset(images))
    monkeypatch.setattr(quality, "BATCH", 2)
    monkeypatch.setattr(token_statistics, "MAX_VALUES", 120)
    parts = measure_quality(model, sae, dataset(images))
    assert parts.explained_variance == pytest.approx(whole.explained_variance, rel=1e-6)
    assert (parts.l0, parts.alive, parts.dense) == (whole.l0, whole.alive, whole.dense)
    assert parts.reconstruction.kl == pytest.approx(whole.reconstruction.kl, rel=1e-3)


@pytest.mark.parametrize(("tokens", "positions"), [("cls", slice(0, 1)), ("patches", slice(1, 5))])
def test_only_the_tokens_that_it_was_trained_on_count_and_are_replaced(
    tokens: str, positions: slice
) -> None:
    model, images = toy_vit(), noise(2)
    origin = Origin("tests", "standard", "toy", SITE, tokens=tokens)  # type: ignore[arg-type]
    found = measure_quality(model, identity(origin=origin), dataset(images))
    assert found.tokens == 2 * len(range(5)[positions])

    def without(_module: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> Tensor:
        output = output.clone()
        output[:, positions] = 0
        return output

    clean = model(images)
    hook = model.module.get_submodule("blocks.1").register_forward_hook(without)
    ablated = model(images)
    hook.remove()
    wanted = torch.cosine_similarity(clean, ablated).mean()
    assert found.zero_ablation.cosine == pytest.approx(float(wanted), abs=1e-6)


def test_a_model_without_a_head_has_the_cosine_of_its_class_token_only() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.models.vision_transformer.VisionTransformer(
            32, 16, num_classes=0, embed_dim=16, depth=2, num_heads=2
        ).eval()
    model = VisionModel("headless", module, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    found = measure_quality(model, autoencoder(torch.eye(16), torch.eye(16) / 2), dataset(noise(2)))
    assert found.reconstruction.kl is None
    assert found.reconstruction.same_top1 is None
    # SITE is the last block: half of the positive part of the class token, normalized.
    with torch.no_grad():
        token = stream_of(model, noise(2))[:, 0]
        wanted = torch.cosine_similarity(module.norm(token), module.norm(token.relu() / 2)).mean()
    assert found.reconstruction.cosine == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (Origin("tests", "skip_transcoder", "toy", SITE), "toy is a transcoder"),
        (Origin("tests", "standard", "toy", "blocks.1.attn.q"), "blocks.1.attn.q cannot be repl"),
        (Origin("tests", "standard", "toy", "blocks.1.mlp.fc1"), "width 16.* width 64"),
        (Origin("tests", "standard", "toy"), "does not say which site"),
    ],
)
def test_what_has_no_reconstruction_to_put_in_is_refused(origin: Origin, reason: str) -> None:
    with pytest.raises(FeatvizError, match=reason):
        measure_quality(toy_vit(), identity(origin=origin), dataset(noise(1)))


def test_the_model_is_left_as_found_also_after_an_error() -> None:
    model = toy_vit()
    model.module.train()
    sae = identity()

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_quality(model, sae, dataset(noise(1)), progress=fail)
    sae.encoder = torch.zeros(32, 15)  # fails inside the hook
    with pytest.raises(FeatvizError):
        measure_quality(model, sae, dataset(noise(1)))
    assert all(part.training for part in model.module.modules())
    assert not any(is_hooked(part) for part in model.module.modules())
