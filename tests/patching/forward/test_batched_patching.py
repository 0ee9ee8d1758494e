"""How much a batched patched forward pass computes, and in what batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from featviz.models.loading.load import load
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import Patch, PatchTarget
from patching.vit.residual_vit import residual_vit
from tests.patching.models import two_runs, vit

TRAINED = "trained ViT"
DEPTH = 12


@contextmanager
def calls(kind: str) -> Iterator[list[tuple[str, int, int]]]:
    """Record path, images and tokens of every call of an attention or MLP."""
    found: list[tuple[str, int, int]] = []
    hooks = [
        sublayer.core.register_forward_pre_hook(
            lambda _core, inputs, path=sublayer.path: found.append((path, *inputs[0].shape[:2]))
        )
        for sublayer in vit(kind).sublayers
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def swept(patches: list[Patch], rows: int | None = None) -> list[tuple[str, int, int]]:
    base, donor = two_runs(TRAINED)
    with calls(TRAINED) as found, torch.no_grad():
        patched_logits(vit(TRAINED), base, donor, patches, rows)
    return found


def test_a_sweep_of_all_blocks_calls_each_sublayer_once_and_nothing_before_a_target() -> None:
    found = swept([(PatchTarget("attn_out", layer),) for layer in range(DEPTH)], 10**6)
    # Three images; the run patched at block n runs its MLP and all later sublayers.
    right = [("blocks.0.mlp", 3)]
    for block in range(1, DEPTH):
        right += [(f"blocks.{block}.attn", 3 * block), (f"blocks.{block}.mlp", 3 * (block + 1))]
    assert [(path, images) for path, images, _ in found] == right
    # Half of one full forward pass for each patch.
    assert sum(images for _, images, _ in found) == 3 * DEPTH**2


def test_patched_heads_and_neurons_do_not_run_the_core_that_they_are_in() -> None:
    patches: list[Patch] = [(PatchTarget("z", 3, None, (head,)),) for head in range(4)]
    patches += [(PatchTarget("neurons", 3, None, (neuron,)),) for neuron in range(5)]
    found = swept(patches, 10**6)
    assert found[:2] == [("blocks.3.mlp", 12, 65), ("blocks.4.attn", 27, 65)]


def test_the_last_mlp_runs_only_on_tokens_that_the_head_reads() -> None:
    found = swept([(PatchTarget("attn_out", 10),), (PatchTarget("attn_out", 11),)])
    assert found[-1] == ("blocks.11.mlp", 6, 1)


def test_windows_start_at_their_first_block_and_skip_what_they_replace() -> None:
    window = tuple(PatchTarget("attn_out", layer) for layer in (4, 5, 6))
    found = [path for path, _, _ in swept([window])]
    assert found[:4] == ["blocks.4.mlp", "blocks.5.mlp", "blocks.6.mlp", "blocks.7.attn"]


def test_whole_streams_and_empty_patches_run_nothing_that_is_replaced() -> None:
    assert swept([(), (PatchTarget("resid_post", 11),), (PatchTarget("mlp_out", 11),)]) == []
    assert swept([()]) == []


@pytest.mark.parametrize("rows", [1, 3, 6, 10, 24])
def test_batches_have_no_more_images_than_rows(rows: int) -> None:
    patches: list[Patch] = [(PatchTarget("z", layer, None, (1,)),) for layer in range(DEPTH)]
    found = swept(patches[::-1], rows)
    assert max(images for _, images, _ in found) == max(3, rows // 3 * 3)
    # Splitting makes nothing run twice: patches of late blocks share a chunk.
    assert sum(images for _, images, _ in found) == 3 * DEPTH**2


def test_the_batch_size_changes_only_rounding_in_single_precision() -> None:
    model = load("cueworld/vit", device="cpu")
    single = residual_vit(model)
    patches: list[Patch] = [(PatchTarget("attn_out", layer),) for layer in range(DEPTH)]
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(4, 3, 128, 128, generator=generator)
    with torch.no_grad():
        base, donor = (
            run_with_cache(single, single.embed(each), patches) for each in (pictures, 1 - pictures)
        )
        found: list[Tensor] = [
            patched_logits(single, base, donor, patches, rows) for rows in (1, 8, 48, None)
        ]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=2e-5)


def test_the_same_activation_twice_in_a_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="a patch replaces z of block 1 twice"):
        swept([(PatchTarget("z", 1, (0,)), PatchTarget("z", 1, (1,)))])
