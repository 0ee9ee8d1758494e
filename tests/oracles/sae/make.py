"""Write the folders next to this file: small sparse autoencoders as libraries save them.

The library computes latents and reconstructions in ``expected.npz``, so the tests do not need it.
SAELens 6.54.12, dictionary_learning 0.1.0, Overcomplete 0.3.0 and saev 0.1.0 wrote the files in the
repository. ViT-Prisma, and saev from schema 1 on, are not in the package registry; their oracle is
`tests.oracles.sae.formulas`. Run from the root of the repository, with the library installed:

    python -m tests.oracles.sae.make saelens|dictionary_learning|overcomplete|saev
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent
WIDTH, LATENTS, OUTPUTS, TOKENS = 8, 24, 5, 6
TRANSCODER = {"d_out": OUTPUTS, "apply_b_dec_to_input": False}
SCALE = 1.7
"""The factor where SAELens scales activations by the mean norm of a dataset."""


def randomize(module: nn.Module) -> None:
    """Give all parameters random values, thresholds positive ones."""
    for name, parameter in module.named_parameters():
        values = 0.6 * torch.randn(parameter.shape)
        parameter.data = values.abs() if "threshold" in name else values


def write(folder: Path, inputs: Tensor, latents: Tensor, outputs: Tensor) -> None:
    arrays = {"inputs": inputs, "latents": latents, "outputs": outputs}
    found: dict[str, Any] = {name: each.detach().numpy() for name, each in arrays.items()}
    np.savez_compressed(folder / "expected.npz", **found)


def some_inputs() -> Tensor:
    return 1.5 * torch.randn(TOKENS, WIDTH) + 0.5


def new_folder(library: str, case: str) -> Path:
    folder = FOLDER / library / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(sum(case.encode()))
    return folder


def saelens() -> None:
    saes = import_module("sae_lens.saes.sae")
    names: dict[str, tuple[str, str, dict[str, Any]]] = {
        "standard": ("standard_sae", "StandardSAE", {}),
        "uncentered": ("standard_sae", "StandardSAE", {"apply_b_dec_to_input": False}),
        "layer_norm": ("standard_sae", "StandardSAE", {"normalize_activations": "layer_norm"}),
        "constant_norm": (
            "standard_sae",
            "StandardSAE",
            {"normalize_activations": "constant_norm_rescale"},
        ),
        "dataset_norm": (
            "standard_sae",
            "StandardSAE",
            {"normalize_activations": "expected_average_only_in"},
        ),
        "gated": ("gated_sae", "GatedSAE", {}),
        "topk": ("topk_sae", "TopKSAE", {"k": 4}),
        "topk_rescaled": ("topk_sae", "TopKSAE", {"k": 4, "rescale_acts_by_decoder_norm": True}),
        "jumprelu": ("jumprelu_sae", "JumpReLUSAE", {}),
        "batchtopk": ("batchtopk_sae", "BatchTopKTrainingSAE", {"k": 4.0}),
        "matryoshka": (
            "matryoshka_batchtopk_sae",
            "MatryoshkaBatchTopKTrainingSAE",
            {"k": 4.0, "matryoshka_widths": [8, LATENTS]},
        ),
        "transcoder": ("transcoder", "Transcoder", TRANSCODER),
        "skip_transcoder": ("transcoder", "SkipTranscoder", TRANSCODER),
        "jumprelu_transcoder": ("transcoder", "JumpReLUTranscoder", TRANSCODER),
        "jumprelu_skip_transcoder": ("transcoder", "JumpReLUSkipTranscoder", TRANSCODER),
    }
    for case, (module, name, options) in names.items():
        folder = new_folder("saelens", case)
        library = import_module(f"sae_lens.saes.{module}")
        metadata = saes.SAEMetadata(
            hook_name="blocks.9.hook_resid_post", model_name="vit_base_patch32_224"
        )
        config = getattr(library, f"{name}Config")(
            d_in=WIDTH, d_sae=LATENTS, metadata=metadata, **options
        )
        sae = getattr(library, name)(config)
        randomize(sae)
        if hasattr(sae, "topk_threshold"):
            sae.topk_threshold.fill_(0.8)
            sae.save_inference_model(folder)
        else:
            sae.save_model(folder)
        loaded = saes.SAE.load_from_disk(folder)
        if case == "dataset_norm":
            loaded.fold_activation_norm_scaling_factor(SCALE)
        inputs = some_inputs()
        # Decoding clears what it keeps of the inputs.
        write(folder, inputs, loaded.encode(inputs), loaded(inputs))
    _saelens_5()


def _saelens_5() -> None:
    """Write the configuration as version 5 did, which version 6 reads too."""
    saes = import_module("sae_lens.saes.sae")
    folder = new_folder("saelens", "version_5_topk")
    shutil.copy(FOLDER / "saelens/topk/sae_weights.safetensors", folder)
    config = {
        "architecture": "standard",
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 3},
        "d_in": WIDTH,
        "d_sae": LATENTS,
        "dtype": "float32",
        "model_name": "vit_base_patch32_224",
        "hook_name": "blocks.3.hook_mlp_out",
        "hook_layer": 3,
        "normalize_activations": False,
        "sae_lens_training_version": "5.0.0",
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    loaded = saes.SAE.load_from_disk(folder)
    inputs = some_inputs()
    write(folder, inputs, loaded.encode(inputs), loaded(inputs))


def dictionary_learning() -> None:
    # For training on language models only.
    for name in ("nnsight", "datasets", "zstandard", "wandb", "circuitsvis"):
        sys.modules.setdefault(name, MagicMock())
    dictionaries = import_module("dictionary_learning.dictionary")
    trainers = "dictionary_learning.trainers"
    cases: dict[str, tuple[Any, dict[str, Any]]] = {
        "standard": (dictionaries.AutoEncoder, {}),
        "standard_new": (dictionaries.AutoEncoderNew, {}),
        "gated": (dictionaries.GatedAutoEncoder, {}),
        "jumprelu": (dictionaries.JumpReluAutoEncoder, {}),
        "topk": (import_module(f"{trainers}.top_k").AutoEncoderTopK, {"k": 4}),
        "batchtopk": (import_module(f"{trainers}.batch_top_k").BatchTopKSAE, {"k": 4}),
        "matryoshka": (
            import_module(f"{trainers}.matryoshka_batch_top_k").MatryoshkaBatchTopKSAE,
            {"k": 4, "group_sizes": [8, LATENTS - 8]},
        ),
    }
    load = import_module("dictionary_learning.utils").load_dictionary
    for case, (kind, options) in cases.items():
        folder = new_folder("dictionary_learning", case)
        sae = kind(WIDTH, LATENTS, **options)
        randomize(sae)
        if case in ("batchtopk", "matryoshka"):
            sae.threshold.fill_(0.8)
        torch.save(sae.state_dict(), folder / "ae.pt")
        trainer = {
            "dict_class": kind.__name__,
            "activation_dim": WIDTH,
            "dict_size": LATENTS,
            "layer": 9,
            "lm_name": "vit_base_patch32_224",
            "submodule_name": "resid_post_layer_9",
            **options,
        }
        (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
        loaded, _ = load(str(folder), "cpu")
        inputs = some_inputs()
        latents = loaded.encode(inputs)
        write(folder, inputs, latents, loaded.decode(latents))


def overcomplete() -> None:
    # The pictures of the library need an old version of matplotlib.
    sys.modules["overcomplete.visualization"] = MagicMock()
    library = import_module("overcomplete.sae")
    make: dict[str, Callable[[], Any]] = {
        "relu": lambda: library.SAE(WIDTH, LATENTS),
        "topk": lambda: library.TopKSAE(WIDTH, LATENTS, top_k=4),
        "batchtopk": lambda: library.BatchTopKSAE(WIDTH, LATENTS, top_k=4),
        "jumprelu": lambda: library.JumpSAE(WIDTH, LATENTS),
        "tied": lambda: library.TopKSAE(WIDTH, LATENTS, top_k=4).tied(bias=True),
        "untied": lambda: library.SAE(WIDTH, LATENTS).untied(bias=True),
        "batch_norm": lambda: library.SAE(WIDTH, LATENTS, encoder_module="mlp_bn_1"),
        "multiplied": lambda: library.SAE(
            WIDTH, LATENTS, dictionary_params={"use_multiplier": True}
        ),
    }
    for case, build in make.items():
        folder = new_folder("overcomplete", case)
        sae = build()
        randomize(sae)
        if case == "jumprelu":
            sae.thresholds.data = -torch.rand(LATENTS)
        if case == "batch_norm":
            sae.encoder(3 * torch.randn(64, WIDTH))  # sets the running statistics
        sae.get_dictionary()  # normalizes it, as every step of a training does
        torch.save(sae.state_dict(), folder / "state.pt")
        sae.eval()
        if case == "batchtopk":
            sae.running_threshold = torch.tensor(0.8)
        inputs = some_inputs()
        latents = sae.encode(inputs)[1]
        write(folder, inputs, latents, sae.decode(latents))


def saev() -> None:
    library, configs = import_module("saev.nn"), import_module("saev.config")
    folder = new_folder("saev", "relu")
    sae = library.SparseAutoencoder(configs.SparseAutoencoder(d_vit=WIDTH, exp_factor=3))
    randomize(sae)
    library.dump(str(folder / "sae.pt"), sae)
    loaded = library.load(str(folder / "sae.pt"))
    inputs = some_inputs()
    outputs, latents, _ = loaded(inputs)
    write(folder, inputs, latents, outputs)
    run = {"data": {"layer": 10, "patches": "patches", "scale_mean": False, "scale_norm": False}}
    (folder / "config.json").write_text(json.dumps(run))


if __name__ == "__main__":
    for each in sys.argv[1:]:
        {
            "saelens": saelens,
            "dictionary_learning": dictionary_learning,
            "overcomplete": overcomplete,
            "saev": saev,
        }[each]()
