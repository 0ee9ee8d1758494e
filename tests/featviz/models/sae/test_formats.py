"""Latents and outputs equal those of the library that saved the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from featviz import SparseAutoencoder, load_sae
from tests.featviz.models.sae.files import (
    LATENTS,
    STANDARD,
    WIDTH,
    State,
    inputs_of,
    prisma_config,
    prisma_state,
    random_state,
    saev_header,
    write_prisma,
    write_saev,
)
from tests.oracles.sae import formulas

FOLDER = Path(__file__).parents[3] / "oracles/sae"
FACTS: dict[str, dict[str, Any]] = {
    "saelens/dataset_norm": {"input_scale": 1.7},
    "overcomplete/relu": {"architecture": "relu"},
    "overcomplete/untied": {"architecture": "relu"},
    "overcomplete/batch_norm": {"architecture": "relu"},
    "overcomplete/multiplied": {"architecture": "relu"},
    "overcomplete/topk": {"architecture": "topk", "top_k": 4},
    "overcomplete/tied": {"architecture": "topk", "top_k": 4},
    "overcomplete/batchtopk": {"architecture": "batchtopk", "threshold": 0.8},
}
SAVED = sorted(
    path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*/expected.npz")
)


def load(case: str) -> SparseAutoencoder:
    return load_sae(FOLDER / case, **FACTS.get(case, {}))


def expected(case: str) -> dict[str, Tensor]:
    with np.load(FOLDER / case / "expected.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def close(found: Tensor, wanted: Tensor | np.ndarray[Any, Any]) -> None:
    torch.testing.assert_close(found, torch.as_tensor(wanted).float(), rtol=0, atol=1e-5)


def test_there_are_files_of_every_library_in_the_registry() -> None:
    assert {case.partition("/")[0] for case in SAVED} == {
        "saelens",
        "dictionary_learning",
        "overcomplete",
        "saev",
    }


@pytest.mark.parametrize("case", SAVED)
def test_latents_and_outputs_are_those_of_the_library(case: str) -> None:
    sae, wanted = load(case), expected(case)
    close(sae.encode(wanted["inputs"]), wanted["latents"])
    close(sae.reconstruct(wanted["inputs"]), wanted["outputs"])


@pytest.mark.parametrize("case", SAVED)
def test_chosen_rows_are_those_of_all_pre_activations(case: str) -> None:
    sae, inputs = load(case), expected(case)["inputs"]
    every = sae.pre_activations(inputs)
    for chosen in ([5], [23, 0, 7], []):
        torch.testing.assert_close(sae.pre_activations(inputs, chosen), every[:, chosen])


@pytest.mark.parametrize("case", SAVED)
def test_an_open_latent_is_its_pre_activation(case: str) -> None:
    sae, inputs = load(case), expected(case)["inputs"]
    latents, before = sae.encode(inputs), sae.pre_activations(inputs)
    assert 0 < (latents != 0).sum() < latents.numel()
    torch.testing.assert_close(latents[latents != 0], before[latents != 0])


@pytest.mark.parametrize("normalization", ["layer_norm", "constant_norm_rescale", "none"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}},
        {"architecture": "gated"},
        {"is_transcoder": True, "transcoder_with_skip_connection": False},
        {"is_transcoder": True, "transcoder_with_skip_connection": True},
    ],
    ids=["standard", "topk", "gated", "transcoder", "skip transcoder"],
)
def test_prisma_is_computed_as_its_source_says(
    normalization: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    config = prisma_config(normalize_activations=normalization, **changes)
    state, inputs = prisma_state(config), inputs_of()
    sae = load_sae(write_prisma(tmp_path, config, state))
    latents, outputs = formulas.prisma(config, doubles(state), inputs.double().numpy())
    close(sae.encode(inputs), latents)
    close(sae.reconstruct(inputs), outputs)


def test_weights_of_prisma_may_be_inside_a_state_dict_entry(tmp_path: Path) -> None:
    config = prisma_config()
    plain, nested = tmp_path / "plain", tmp_path / "nested"
    plain.mkdir()
    nested.mkdir()
    state = prisma_state(config)
    write_prisma(plain, config, state)
    write_prisma(nested, config, {"state_dict": state})
    assert load_sae(plain).digest == load_sae(nested).digest


@pytest.mark.parametrize("schema", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["Relu", "TopK", "BatchTopK"])
def test_saev_is_computed_as_its_source_says(schema: int, name: str, tmp_path: Path) -> None:
    state, inputs = random_state(STANDARD), inputs_of()
    if name == "BatchTopK" and schema > 2:
        state["activation.threshold"] = torch.tensor(0.8)
    sae = load_sae(write_saev(tmp_path / "sae.pt", saev_header(schema, name), state))
    latents, outputs = formulas.saev(name, 4, doubles(state), inputs.double().numpy(), False)
    close(sae.encode(inputs), latents)
    close(sae.reconstruct(inputs), outputs)


def test_top_k_of_saev_keeps_negative_pre_activations(tmp_path: Path) -> None:
    state = random_state(STANDARD)
    state["b_enc"] -= 20  # every pre-activation is negative
    sae = load_sae(write_saev(tmp_path / "sae.pt", saev_header(5, "TopK"), state))
    latents = sae.encode(inputs_of())
    assert (latents < 0).sum(1).tolist() == [4] * 6
    assert not (latents > 0).any()


@pytest.mark.parametrize("threshold", [-0.5, 0.0])
def test_a_threshold_of_saev_that_was_never_trained_is_a_relu(
    threshold: float, tmp_path: Path
) -> None:
    state, inputs = random_state(STANDARD), inputs_of()
    relu = load_sae(write_saev(tmp_path / "relu.pt", saev_header(5, "Relu"), state))
    state["activation.threshold"] = torch.tensor(threshold)
    path = write_saev(tmp_path / "batchtopk.pt", saev_header(5, "BatchTopK"), state)
    assert torch.equal(load_sae(path).encode(inputs), relu.encode(inputs))


@pytest.mark.parametrize("subtracted", [True, False])
def test_files_of_schema_1_subtract_the_decoder_bias_as_they_are_asked_to(
    subtracted: bool, tmp_path: Path
) -> None:
    state, inputs = random_state(STANDARD), inputs_of()
    path = write_saev(tmp_path / "sae.pt", saev_header(1, "TopK"), state)
    sae = load_sae(path, subtract_decoder_bias=subtracted)
    latents, _ = formulas.saev("TopK", 4, doubles(state), inputs.double().numpy(), subtracted)
    close(sae.encode(inputs), latents)


def test_inputs_of_saev_are_scaled_as_its_data_loader_does(tmp_path: Path) -> None:
    state, inputs = random_state(STANDARD), inputs_of()
    mean, scale = torch.linspace(-1, 2, WIDTH), 0.4
    path = write_saev(tmp_path / "sae.pt", saev_header(5, "Relu"), state)
    scaled = load_sae(path, input_mean=mean, input_scale=scale)
    plain = load_sae(path)
    loaded = (inputs - mean) * scale
    torch.testing.assert_close(scaled.encode(inputs), plain.encode(loaded))
    # The output is an activation of the model again.
    torch.testing.assert_close(scaled.reconstruct(inputs), plain.reconstruct(loaded) / scale + mean)


def test_norms_of_the_decoder_are_folded_without_changing_the_output() -> None:
    folder = FOLDER / "saelens/topk_rescaled"
    sae = load_sae(folder)
    torch.testing.assert_close(sae.decoder.norm(dim=1), torch.ones(LATENTS))


def test_leading_axes_are_kept() -> None:
    sae, inputs = load("saelens/jumprelu_skip_transcoder"), torch.randn(2, 3, 4, WIDTH)
    assert sae.encode(inputs).shape == (2, 3, 4, LATENTS)
    flat = inputs.flatten(0, 2)
    torch.testing.assert_close(sae.reconstruct(inputs).flatten(0, 2), sae.reconstruct(flat))


def test_the_digest_depends_on_weights_and_settings_alone(tmp_path: Path) -> None:
    state = random_state(STANDARD)
    paths = [
        write_saev(tmp_path / f"{number}.pt", header, state)
        for number, header in enumerate(
            [saev_header(4, "TopK", 4), saev_header(5, "TopK", 4), saev_header(5, "TopK", 5)]
        )
    ]
    same, other = load_sae(paths[1], site="blocks.2.resid_post"), load_sae(paths[2])
    assert load_sae(paths[0]).digest == same.digest != other.digest
    state["b_enc"][3] += 1e-3
    changed = write_saev(tmp_path / "changed.pt", saev_header(5, "TopK", 4), state)
    assert load_sae(changed).digest != same.digest


def doubles(state: State) -> dict[str, formulas.Array]:
    return {name: tensor.double().numpy() for name, tensor in state.items()}
