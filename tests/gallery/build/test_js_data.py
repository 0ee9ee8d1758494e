from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.build.js_data import rounded, script

texts = st.text() | st.sampled_from(
    ["</script>", "<!--", "\u2028\u2029", "__proto__", '"};alert(1)//', "\ud800"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def payload(text: str) -> Any:
    head, tail = '(globalThis.featviz??={})["data"]=', ";\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    return json.loads(text[len(head) : -len(tail)])


@given(values)
def test_a_script_carries_any_value_unchanged(value: Any) -> None:
    assert payload(script("data", value)) == value


@given(values)
def test_a_script_is_one_ascii_line_that_no_markup_can_end(value: Any) -> None:
    text = script("data", value)
    assert text.isascii()
    assert text.splitlines() == [text[:-1]]
    assert not set("<>&") & set(text)


def test_a_script_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        script("data", float("nan"))


def test_numbers_keep_four_digits_and_turn_what_is_not_finite_into_null() -> None:
    given_ = np.array([1.23456, -123456.0, 0.000123456, 0, np.nan, np.inf, -np.inf], np.float32)
    assert rounded(given_) == [1.235, -123500.0, 0.0001235, 0, None, None, None]
