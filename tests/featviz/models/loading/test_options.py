"""How a model is loaded: the options, their JSON and their words on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.options import model_options
from featviz.errors import FeatvizError
from featviz.models.loading.options import LoadOptions, parse_model_arg, parse_rgb, parse_size
from featviz.models.loading.sae_files import SaeFile, parse_sae

values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
arguments = st.recursive(values | st.text(), lambda part: st.lists(part, max_size=3), max_leaves=4)
names = st.from_regex("[A-Za-z0-9_][A-Za-z0-9_-]*", fullmatch=True).filter(
    lambda name: "qk" not in name
)
paths = st.from_regex("[a-z0-9_./=-]+", fullmatch=True).map(lambda path: f"missing/{path}")
sites = st.none() | st.from_regex("blocks.[0-9]+.(resid_post|attn.z)", fullmatch=True)
keys = st.sampled_from(["global_pool", "depth", "a", "b_2"])
options = st.builds(
    LoadOptions,
    untrained=st.booleans(),
    arch=st.none() | st.from_regex("[a-z0-9_]+", fullmatch=True),
    image_size=st.none() | st.integers(1, 10**6),
    mean=st.none() | st.tuples(*[st.floats(0, 1)] * 3),
    std=st.none() | st.tuples(*[st.floats(1e-300, 1e300)] * 3),
    model_args=st.dictionaries(keys, arguments, max_size=3),
    head=st.none() | paths,
    saes=st.dictionaries(names, st.builds(SaeFile, paths, sites), max_size=2),
)


@given(options)
def test_options_survive_the_json_of_a_store(chosen: LoadOptions) -> None:
    assert LoadOptions.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


@given(options)
def test_options_survive_the_command_line(chosen: LoadOptions) -> None:
    seen: list[LoadOptions] = []

    @click.command()
    @model_options
    def command(model: str, options: LoadOptions, device: str) -> None:
        assert (model, device) == ("vit", "auto")
        seen.append(options)

    result = CliRunner().invoke(command, ["vit", *chosen.to_words()], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert seen == [chosen]


def test_the_json_of_an_ordinary_model_has_two_entries() -> None:
    assert LoadOptions().to_json() == {"untrained": False, "arch": None}
    assert LoadOptions.from_json({"untrained": True, "arch": "vit"}) == LoadOptions(True, "vit")


def test_options_can_be_compared_and_hashed() -> None:
    one, same = (
        LoadOptions.from_json({"mean": [0, 0.5, 1], "model_args": {"a": [1, [2]]}})
        for _ in range(2)
    )
    assert one == same
    assert hash(one) == hash(same)
    assert one.mean == (0.0, 0.5, 1.0)
    assert one.model_args == {"a": (1, (2,))}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("avg", "avg"),
        ("3", 3),
        ("1e-6", 1e-6),
        ("true", "true"),
        ("False", False),
        ("None", None),
        ("(2, 2)", (2, 2)),
        ("'3'", "3"),
        ("a=b", "a=b"),
        ("", ""),
        ("{'a': 1}", "{'a': 1}"),
        ("1e999", "1e999"),
    ],
)
def test_a_model_argument_is_a_literal_or_a_text(text: str, value: object) -> None:
    assert parse_model_arg(f"key={text}") == ("key", value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"image_size": 0}, r"^image_size \(--image-size\) must be at least 1, got 0$"),
        ({"image_size": (224, 196)}, r"^image_size .* must be one number: inputs are square$"),
        ({"image_size": 224.0}, r"^image_size .* must be a whole number .*, got 224\.0$"),
        ({"image_size": True}, r"^image_size .* must be a whole number .*, got True$"),
        ({"head": 3}, r"^head \(--head\) must be a path, got 3"),
        ({"mean": 0.5}, r"^mean \(--mean\) must be three numbers for red, green and blue, got 0"),
        ({"mean": np.array(0.5)}, r"^mean \(--mean\) must be three numbers for red, green"),
        ({"mean": (0.5, 0.5)}, r"^mean .* must be three numbers .*, got 2$"),
        ({"std": (0.5, "a", 0.5)}, r"^std .* must be a number, got 'a'$"),
        ({"mean": (123.7, 116.3, 103.5)}, r"^mean .* is 123\.7,116\.3,103\.5, .*; divide by 255"),
        ({"std": (0.2, 0.0, 0.2)}, r"^std \(--std\) is 0\.2,0,0\.2, not three positive numbers$"),
        ({"std": (0.2, float("nan"), 0.2)}, r"^std .* is 0\.2,nan,0\.2, not three positive"),
        ({"model_args": {"img_size": 64}}, r"^model_args .* cannot set img_size: --image-size"),
        ({"model_args": {"norm": dict}}, r"^model_args\['norm'\] is .*; .* featviz\.wrap$"),
        ({"model_args": [1]}, r"^model_args .* must be a dict of arguments by name, got an"),
        ({"untrained": 1}, r"^untrained .* must be True or False, got 1$"),
        ({"arch": 3}, r"^arch .* must be the name of an architecture, got 3$"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(FeatvizError, match=complaint) as caught:
        LoadOptions(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [np.array, torch.tensor, list, iter])
def test_numbers_of_numpy_and_torch_are_numbers(make: Any) -> None:
    size: Any = np.int64(64)
    given = LoadOptions(image_size=size, mean=make([0.25, 0.5, 1]), std=make([1, 2, 4]))
    assert given == LoadOptions(image_size=64, mean=(0.25, 0.5, 1.0), std=(1.0, 2.0, 4.0))
    assert json.dumps(given.to_json())


def test_model_arguments_of_numpy_are_stored_as_numbers() -> None:
    given = LoadOptions(model_args={"depth": np.int64(2), "ratio": np.float32(0.5)})
    assert json.loads(json.dumps(given.to_json()))["model_args"] == {"depth": 2, "ratio": 0.5}


@pytest.mark.parametrize("text", ["224x224", "224,196", "-5", "2.5", "", "\u0663"])
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(FeatvizError, match=r"^expected a side in pixels, such as 224, "):
        parse_size(text)


@pytest.mark.parametrize("text", ["0.5", "0.5,0.5", "a,b,c", "0.5 0.5 0.5", ""])
def test_a_text_that_is_not_three_numbers_is_refused(text: str) -> None:
    with pytest.raises(FeatvizError, match=r"^expected R,G,B, such as 0\.5,0\.5,0\.5, got"):
        parse_rgb(text)


@pytest.mark.parametrize("text", ["avg", "=avg", "global pool=avg", ""])
def test_a_model_argument_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(FeatvizError, match=r"^expected KEY=VALUE, such as global_pool=avg"):
        parse_model_arg(text)


def test_an_option_of_a_newer_version_is_refused() -> None:
    with pytest.raises(FeatvizError, match=r"no option 'rotation' .*; use a newer featviz"):
        LoadOptions.from_json({"untrained": False, "arch": None, "rotation": 90})


@pytest.mark.parametrize(
    ("text", "sae"),
    [
        ("x=a/b", ("x", SaeFile("a/b"))),
        ("x=a@blocks.2.resid_post", ("x", SaeFile("a", "blocks.2.resid_post"))),
        ("16k-l_9=a=b@1@c", ("16k-l_9", SaeFile("a=b@1", "c"))),
    ],
)
def test_a_sparse_autoencoder_is_a_name_a_path_and_a_site(
    text: str, sae: tuple[str, SaeFile]
) -> None:
    assert parse_sae(text) == sae


def test_a_path_that_exists_has_no_site(tmp_path: Path) -> None:
    (tmp_path / "run@2").touch()
    assert parse_sae(f"x={tmp_path}/run@2") == ("x", SaeFile(f"{tmp_path}/run@2"))
    assert parse_sae(f"x={tmp_path}/run@3") == ("x", SaeFile(f"{tmp_path}/run", "3"))


@given(st.text(max_size=20) | st.text("ax=@./ \n", max_size=8))
def test_any_text_is_a_sparse_autoencoder_or_refused_in_one_line(text: str) -> None:
    said = ""
    try:
        name, sae = parse_sae(text)
    except FeatvizError as error:
        said = str(error)
    else:
        assert text in (f"{name}={sae.path}", f"{name}={sae.path}@{sae.site}")
    assert said.isprintable()


@pytest.mark.parametrize(
    ("saes", "complaint"),
    [
        ("a", "saes (--sae) must be a dict of paths by name, got 'a'"),
        (
            {"a b": "x"},
            "digits, '_' and '-' (not first), and not 'qk' or 'qk_mode'; got 'a b'",
        ),
        ({"qk": "x"}, "and not 'qk' or 'qk_mode'; got 'qk'"),
        ({"a": 3}, "saes['a'] must be a path, got 3"),
        (
            {"a": {"path": "x", "other": "y"}},
            "saes['a'] must be a path, got an object of type dict",
        ),
    ],
)
def test_other_sparse_autoencoders_are_refused(saes: Any, complaint: str) -> None:
    with pytest.raises(FeatvizError) as refused:
        LoadOptions(saes=saes)
    assert complaint in str(refused.value)
