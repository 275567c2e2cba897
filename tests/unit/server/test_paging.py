"""Page sizes and tokens."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.errors import InvalidIntent
from netctl.server import paging


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_sizes(asked: int, given: int) -> None:
    assert paging.page_size(asked) == given


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidIntent) as caught:
        paging.page_size(-1)
    assert caught.value.field == "page_size"


@given(st.text(max_size=63), st.text(max_size=30))
def test_a_token_comes_back(last: str, query: str) -> None:
    token = paging.render_token(last, query)
    assert token.isascii()
    assert paging.parse_token(token, query) == last


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_token_means_nothing_with_another_filter(query: str, other: str) -> None:
    if query != other:
        with pytest.raises(InvalidIntent, match="another list or filter"):
            paging.parse_token(paging.render_token("web", query), other)


@given(
    st.text(min_size=1, max_size=30)
    | st.binary(min_size=1, max_size=30).map(lambda b: base64.b64encode(b).decode())
)
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        paging.parse_token(token, "nics ")
    assert caught.value.field == "page_token"
