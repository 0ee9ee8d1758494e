"""A QK unit is the logit that timm's attention passes to its softmax."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

import featviz
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.loading.load import load
from featviz.models.vision_model import VisionModel
from tests.featviz.models.attention_models import EVERY, NAMES, TRAINED, attention_model
from tests.oracles.unfused import mean_of_shift, unfused_logits

BLOCK = "blocks.1.attn"


def pictures(model: VisionModel, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def logits(model: VisionModel, images: Tensor, attention: str = BLOCK) -> Tensor:
    with eval_mode(model.module):
        return unfused_logits(model.module, model.normalize(images), attention)


def relative_error(values: Tensor, right: Tensor) -> float:
    return float((values - right).abs().max() / right.abs().max())


@pytest.mark.parametrize("kind", EVERY)
def test_qk_value_equals_unfused_attention_logit(kind: str) -> None:
    model = attention_model(kind)
    images = pictures(model)
    right = logits(model, images)
    heads, tokens = right.shape[1:3]
    last = tokens - 1
    for queries, keys in (("0,3", "0-5"), (f"{last}", f"1,{last}")):
        chosen = units(model, f"{BLOCK}.qk:all@q{queries}.k{keys}")
        values = featviz.readout(model, chosen)(images)
        wanted = torch.stack(
            [
                right[:, head, query, key]
                for head in range(heads)
                for query in ([0, 3] if queries == "0,3" else [last])
                for key in (range(6) if queries == "0,3" else (1, last))
            ],
            1,
        )
        assert relative_error(values, wanted) <= 1e-5


@pytest.mark.parametrize("kind", EVERY)
def test_same_and_shifted_logits_are_means_over_the_patches(kind: str) -> None:
    model = attention_model(kind)
    images = pictures(model)
    right = logits(model, images)
    prefix, side = (1, 8) if kind == TRAINED else NAMES[kind][2:]
    shifts = [(0, 0), (1, -2), (0, 1), (1 - side, side - 1)]
    names = ["same", *(f"shift.{rows}.{columns}" for rows, columns in shifts)]
    for name, shift in zip(names, [(0, 0), *shifts], strict=True):
        values = featviz.readout(model, units(model, f"{BLOCK}.qk:all@{name}"))(images)
        wanted = torch.stack(
            [
                mean_of_shift(right[:, head], (side, side), prefix, shift)
                for head in range(right.shape[1])
            ],
            1,
        )
        assert relative_error(values, wanted) <= 1e-5


def test_the_class_token_is_token_0_of_a_pair() -> None:
    model = attention_model("DINOv2 with registers")
    images = pictures(model)
    named, numbered = (
        featviz.readout(model, units(model, f"{BLOCK}.qk:2@{pair}"))(images)
        for pair in ("qcls.k4", "q0.k4")
    )
    assert torch.equal(named, numbered)


@pytest.mark.parametrize("kind", [TRAINED, "EVA", "qk-norm", "BEiT"])
def test_paired_logits_and_their_gradients_are_those_of_unit_i_on_image_i(kind: str) -> None:
    model = attention_model(kind)
    selectors = (f"{BLOCK}.qk:0@q2.k3,7", f"{BLOCK}.qk:1,2@same", f"{BLOCK}.qk:0-1@shift.1.-1")
    chosen = units(model, *selectors)
    images = pictures(model, len(chosen)).requires_grad_()
    read = featviz.readout(model, chosen)
    values, right = read.paired(images), read(images).diagonal()
    torch.testing.assert_close(values, right, rtol=1e-4, atol=1e-5)
    weights = torch.arange(1.0, 1 + len(chosen))
    (own,) = torch.autograd.grad((values * weights).sum(), images)
    (whole,) = torch.autograd.grad((right * weights).sum(), images)
    torch.testing.assert_close(own, whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))


class _Products(TorchFunctionMode):
    """Records the shapes of batched matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.bmm:
            self.shapes += [tuple(args[0].shape), tuple(args[1].shape)]
        return func(*args, **(kwargs or {}))


def test_only_the_required_tokens_are_projected_by_the_required_head() -> None:
    model = attention_model(TRAINED)
    read = featviz.readout(model, units(model, f"{BLOCK}.qk:2@q5.k9"))
    with _Products() as products:
        read(pictures(model, 1))
    one_token, one_head = (1, 1, 128), (1, 128, 32)
    assert products.shapes == [one_token, one_head] * 2


def test_earlier_attention_stays_fused_and_later_layers_never_run() -> None:
    model = attention_model(TRAINED)
    called: list[str] = []
    parts = {f"blocks.{block}.{name}" for block in range(12) for name in ("attn.proj", "mlp")}
    hooks = [
        model.module.get_submodule(path).register_forward_hook(
            lambda *_, path=path: called.append(path)
        )
        for path in sorted(parts)
    ]
    fused = [part.fused_attn for part in model.module.modules() if hasattr(part, "fused_attn")]
    featviz.readout(model, units(model, f"{BLOCK}.qk:0@same"))(pictures(model))
    for hook in hooks:
        hook.remove()
    assert called == ["blocks.0.attn.proj", "blocks.0.mlp"]
    assert all(fused)
    assert fused == [
        part.fused_attn for part in model.module.modules() if hasattr(part, "fused_attn")
    ]


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("swin_tiny_patch4_window7_224", "layers.0.blocks.1.attn", "WindowAttention.*windows"),
        ("xcit_nano_12_p16_224", "blocks.0.attn", "XCA.*channels"),
        ("cait_xxs24_224", "blocks.0.attn", "TalkingHeadAttn.*mixed"),
        ("cait_xxs24_224", "blocks_token_only.0.attn", "ClassAttn.*class token"),
        ("mobilevitv2_050", "stages.2.1.transformer.0.attn", "LinearSelfAttention.*linear"),
        ("twins_svt_small", "blocks.0.0.attn", "LocallyGroupedAttn.*windows"),
    ],
)
def test_attention_of_another_kind_is_refused_by_name(name: str, path: str, reason: str) -> None:
    module = timm.create_model(name, pretrained=False).eval()
    model = VisionModel(name, module, 224, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(FeatvizError, match=rf"{path}\.qk has no units: .*{reason}"):
        units(model, f"{path}.qk:0@same")


@pytest.mark.parametrize("kind", ["qk-norm", "EVA"])
def test_modes_of_a_head_that_is_not_bilinear_are_refused(kind: str) -> None:
    with pytest.raises(FeatvizError, match="queries or keys are normalized or rotated"):
        units(attention_model(kind), f"{BLOCK}.qk_mode:0.0")


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("blocks.1.attn.qk:0", "needs its tokens: @same, @max, @q20.k30 or @shift"),
        ("blocks.1.attn.qk:0@7", "not @7"),
        ("blocks.1.attn.qk:4@same", "has heads 0-3, not 4"),
        ("blocks.1.attn.qk:0@q65.k0", "has tokens 0-64, not 65"),
        ("blocks.1.attn.qk:0@shift.0.8", "shift its columns by -7 to 7, not 8"),
        ("blocks.1.attn.qk:0@shift.1", "not @shift.1"),
        ("blocks.1.mlp.fc1:0@same", "read at one of its tokens 0-64, not @same"),
        ("blocks.1.attn.qk_mode:0", "is written HEAD.MODE"),
        ("blocks.1.attn.qk_mode:0.32", "has modes 0-31, not 32"),
        ("blocks.1.mlp.qk:0@same", "blocks.1.mlp is Mlp"),
    ],
)
def test_a_wrong_logit_is_refused_with_what_would_be_right(selector: str, said: str) -> None:
    with pytest.raises(FeatvizError) as caught:
        units(attention_model(TRAINED), selector)
    assert said in str(caught.value)


def test_a_selector_of_pairs_is_the_grid_of_queries_and_keys() -> None:
    model = load("cueworld/vit", device="cpu")
    chosen = [str(unit) for unit in units(model, "blocks.2.attn.qk:1@q10,20-21.kcls")]
    assert chosen == [f"blocks.2.attn.qk:1@q{query}.kcls" for query in (10, 20, 21)]
    assert len(units(model, "blocks.2.attn.qk:0@qall.kall")) == 65 * 65
    assert len(units(model, "blocks.2.attn.qk:0@shift.all.-1-1")) == 15 * 3
    assert len(units(model, "blocks.all.attn.qk:all@same")) == 48
