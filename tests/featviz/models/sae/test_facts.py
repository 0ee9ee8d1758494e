"""What files state, what they lack, and what contradicts them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from featviz import FeatvizError, VisionModel, load, load_sae
from featviz.models.sae.hook_names import site_of_hook
from featviz.models.sae.load import site_in
from tests.featviz.models.sae.files import (
    LATENTS,
    STANDARD,
    WIDTH,
    inputs_of,
    prisma_config,
    prisma_state,
    random_state,
    saev_header,
    write_prisma,
    write_saev,
)

FOLDER = Path(__file__).parents[3] / "oracles/sae"
TOPK: dict[str, Any] = {"architecture": "topk", "top_k": 4}


def test_site_and_model_are_those_in_the_file(tmp_path: Path) -> None:
    saelens = load_sae(FOLDER / "saelens/standard").origin
    assert (saelens.site, saelens.model) == ("blocks.9.resid_post", "vit_base_patch32_224")
    trained = load_sae(FOLDER / "dictionary_learning/topk").origin
    assert (trained.site, trained.model) == ("blocks.9.resid_post", "vit_base_patch32_224")
    saev = load_sae(FOLDER / "saev/relu").origin
    assert (saev.site, saev.tokens) == ("blocks.10.resid_post", "patches")
    config = prisma_config(cls_token_only=True, layer_subtype="hook_mlp_out")
    prisma = load_sae(write_prisma(tmp_path, config, prisma_state(config))).origin
    assert (prisma.site, prisma.tokens) == ("blocks.9.mlp_out", "cls")
    assert prisma.model == "open-clip:laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K"


@pytest.mark.parametrize(
    ("hook", "site"),
    [
        ("blocks.9.hook_resid_post", "blocks.9.resid_post"),
        ("blocks.0.attn.hook_z", "blocks.0.attn.z"),
        ("blocks.11.mlp.hook_post", "blocks.11.mlp_act"),
        ("blocks.9.ln2.hook_normalized", None),
        ("blocks.x.hook_resid_post", None),
        ("hook_embed", None),
        (None, None),
    ],
)
def test_hook_points_have_the_sites_of_their_activations(hook: Any, site: str | None) -> None:
    assert site_of_hook(hook) == site


def test_a_layer_counted_from_the_end_is_no_site(tmp_path: Path) -> None:
    path = write_saev(tmp_path / "sae.pt", saev_header(5, "Relu"), random_state(STANDARD))
    (tmp_path / "config.json").write_text(json.dumps({"train_data": {"layer": -2}}))
    assert load_sae(path).site is None
    assert load_sae(path, site="blocks.10.resid_post").site == "blocks.10.resid_post"


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return load("cueworld/vit")


def test_a_sparse_autoencoder_of_another_width_does_not_fit(model: VisionModel) -> None:
    sae = load_sae(FOLDER / "saelens/standard")
    width = model.site("blocks.9.resid_post").width
    complaint = rf"reads vectors of width 8; blocks\.9\.resid_post has width {width}"
    with pytest.raises(FeatvizError, match=complaint):
        site_in(model, sae)


def test_a_site_is_found_by_its_width(model: VisionModel, tmp_path: Path) -> None:
    width = model.site("blocks.2.resid_post").width
    shapes = {
        **STANDARD,
        "W_enc": (width, 4),
        "b_enc": (4,),
        "W_dec": (4, width),
        "b_dec": (width,),
    }
    header = saev_header(5, "Relu")
    header["cfg"] |= {"d_model": width, "d_sae": 4}
    path = write_saev(tmp_path / "sae.pt", header, random_state(shapes))
    site = site_in(model, load_sae(path, site="blocks.2.resid_post"))
    assert site.path == "blocks.2.resid_post"
    with pytest.raises(FeatvizError, match="does not say which site it reads"):
        site_in(model, load_sae(path))


@pytest.mark.parametrize(
    ("case", "given", "missing"),
    [
        ("overcomplete/topk", {}, "architecture"),
        ("overcomplete/topk", {"architecture": "topk"}, "top_k"),
        ("overcomplete/batchtopk", {"architecture": "batchtopk"}, "threshold"),
        ("saelens/dataset_norm", {}, "input_scale"),
    ],
)
def test_a_fact_that_the_file_loses_is_asked_for_by_name(
    case: str, given: dict[str, Any], missing: str
) -> None:
    with pytest.raises(FeatvizError, match=rf"does not state {missing}: .*pass {missing}="):
        load_sae(FOLDER / case, **given)


def test_the_normalization_of_a_dictionary_is_asked_for_unless_it_is_unit(tmp_path: Path) -> None:
    state = torch.load(FOLDER / "overcomplete/topk/state.pt")
    state["dictionary._weights"] *= 2
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(FeatvizError, match="pass dictionary_normalization="):
        load_sae(tmp_path, **TOPK)
    found = {
        name: load_sae(tmp_path, dictionary_normalization=name, **TOPK).decoder
        for name in ("l2", "max_l2", "l1", "identity")
    }
    torch.testing.assert_close(found["l2"].norm(dim=1), torch.ones(LATENTS))
    torch.testing.assert_close(found["max_l2"].norm(dim=1).max(), torch.tensor(1.0))
    torch.testing.assert_close(found["l1"].norm(p=1, dim=1), torch.ones(LATENTS))
    torch.testing.assert_close(found["identity"].norm(dim=1), torch.full((LATENTS,), 2.0))


def test_schema_1_of_saev_asks_whether_the_decoder_bias_is_subtracted(tmp_path: Path) -> None:
    path = write_saev(tmp_path / "sae.pt", saev_header(1, "Relu"), random_state(STANDARD))
    with pytest.raises(FeatvizError, match="pass subtract_decoder_bias="):
        load_sae(path)


def test_a_data_loader_that_scaled_asks_for_its_numbers(tmp_path: Path) -> None:
    path = write_saev(tmp_path / "sae.pt", saev_header(5, "Relu"), random_state(STANDARD))
    run = {"data": {"layer": 3, "scale_mean": True, "scale_norm": True}}
    (tmp_path / "config.json").write_text(json.dumps(run))
    with pytest.raises(FeatvizError, match="pass input_mean="):
        load_sae(path)
    with pytest.raises(FeatvizError, match="pass input_scale="):
        load_sae(path, input_mean=[0.0] * WIDTH)
    with pytest.raises(FeatvizError, match=r"input_mean must have the shape \(8,\), got \(3,\)"):
        load_sae(path, input_mean=[0.0] * 3, input_scale=1.0)
    assert load_sae(path, input_mean=[0.0] * WIDTH, input_scale=2).site == "blocks.3.resid_post"


@pytest.mark.parametrize(
    ("case", "given", "complaint"),
    [
        ("saelens/topk", {"top_k": 5}, r"states top_k=4, not 5; leave top_k out"),
        ("saelens/topk", {"site": "blocks.8.resid_post"}, r"states site='blocks\.9\.resid_post'"),
        ("saelens/topk", {"threshold": 0.5}, "threshold has no meaning for .*, a file of SAELens"),
        ("saelens/standard", {"site": 9}, "site must be the path of a site, .*, got 9"),
        ("saelens/dataset_norm", {"input_scale": 0}, "input_scale must be a finite number above 0"),
        ("overcomplete/jumprelu", {"architecture": "topk"}, "states architecture='jumprelu'"),
        ("overcomplete/topk", {"architecture": "jumprelu"}, "has no thresholds"),
        ("overcomplete/topk", {"architecture": "topk", "top_k": 25}, "top_k is 25, but there are"),
        (
            "overcomplete/topk",
            {"architecture": "top-k"},
            "no architecture 'top-k': choose from relu",
        ),
    ],
)
def test_an_argument_that_contradicts_the_file_is_refused(
    case: str, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FeatvizError, match=complaint):
        load_sae(FOLDER / case, **given)


@pytest.mark.parametrize(
    ("case", "file", "changes", "complaint"),
    [
        ("saelens/topk", "cfg.json", {"d_in": 9}, r"b_dec has shape \(8,\), not \(9\)"),
        (
            "saelens/topk",
            "cfg.json",
            {"architecture": "temporal"},
            "architecture is 'temporal', not",
        ),
        ("saelens/topk", "cfg.json", {"architecture": "batchtopk"}, "save_inference_model"),
        ("saelens/topk", "cfg.json", {"k": 25}, "top_k is 25, but there are 24 latents"),
        (
            "saelens/topk",
            "cfg.json",
            {"activation_fn": "tanh-relu"},
            "activation_fn is 'tanh-relu'",
        ),
        (
            "saelens/topk",
            "cfg.json",
            {"normalize_activations": "covariance_whitening"},
            "fold_activation_whitening",
        ),
        ("saelens/gated", "cfg.json", {"architecture": "standard"}, "lacks b_enc"),
        (
            "saelens/jumprelu",
            "cfg.json",
            {"architecture": "standard"},
            "has no place for threshold",
        ),
        (
            "dictionary_learning/topk",
            "config.json",
            {"trainer": {}},
            r"trainer\.dict_class is None",
        ),
        (
            "dictionary_learning/topk",
            "config.json",
            {"trainer": {"dict_class": "AutoEncoderTopK", "k": 5}},
            r"trainer\.k is 5, not that of ae\.pt, 4",
        ),
    ],
)
def test_a_configuration_that_contradicts_the_weights_is_refused(
    case: str, file: str, changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(FOLDER / case, folder)
    config = json.loads((folder / file).read_text()) | changes
    (folder / file).write_text(json.dumps(config))
    with pytest.raises(FeatvizError, match=complaint):
        load_sae(folder)


def test_latents_that_depend_on_others_are_refused(tmp_path: Path) -> None:
    for name in ("final_block.1.weight", "final_block.1.bias"):  # LayerNorm of the latents
        state = torch.load(FOLDER / "overcomplete/relu/state.pt")
        torch.save({**state, f"encoder.{name}": torch.ones(LATENTS)}, tmp_path / "state.pt")
        with pytest.raises(FeatvizError, match=r"not a linear layer|no place for"):
            load_sae(tmp_path, architecture="relu")
    path = write_saev(tmp_path / "sae.pt", saev_header(1, "BatchTopK"), random_state(STANDARD))
    with pytest.raises(FeatvizError, match="whose latents depend on the batch"):
        load_sae(path)


def test_a_relaxed_archetypal_dictionary_is_refused_with_what_converts_it(tmp_path: Path) -> None:
    state = {"dictionary.Relax": torch.zeros(LATENTS, WIDTH), "dictionary.W": torch.eye(LATENTS)}
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(
        FeatvizError, match=r"relaxed archetypal .*sae\.get_dictionary\(\)"
    ) as caught:
        load_sae(tmp_path)
    assert "\n" not in str(caught.value)


def test_paths_without_a_sparse_autoencoder_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="does not exist"):
        load_sae(tmp_path / "nothing")
    with pytest.raises(FeatvizError, match="has no weights of a sparse autoencoder"):
        load_sae(tmp_path)
    for name in ("one.pt", "two.pt"):
        torch.save(random_state(STANDARD), tmp_path / name)
    with pytest.raises(FeatvizError, match=r"several files of weights \(one\.pt, two\.pt\)"):
        load_sae(tmp_path)
    with pytest.raises(FeatvizError, match=r"one\.pt lacks dictionary\._weights: it has W_enc"):
        load_sae(tmp_path / "one.pt")


def test_inputs_of_another_width_and_latents_out_of_range_are_refused() -> None:
    sae = load_sae(FOLDER / "saelens/standard")
    with pytest.raises(FeatvizError, match=r"shape \(\.\.\., 8\), got \(2, 9\)"):
        sae.encode(torch.zeros(2, 9))
    for wrong in (24, -1):
        with pytest.raises(FeatvizError, match=f"latent {wrong} does not exist: there are 24"):
            sae.pre_activations(inputs_of(), [wrong])
