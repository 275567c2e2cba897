"""Documents come out of the framer whole and once, wherever the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.ovsdb.framing import Framer, Json

_TEXT = st.text(alphabet=st.sampled_from('{}"\\\n[],: aé😀'), max_size=12)
_DOCUMENTS = st.lists(
    st.dictionaries(_TEXT, st.one_of(_TEXT, st.integers(-5, 5), st.lists(st.dictionaries(_TEXT, _TEXT)))),
    max_size=5,
)


def feed(stream: bytes, cuts: list[int]) -> list[Json]:
    """Return what a framer makes of `stream` cut at `cuts`."""
    framer = Framer()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    return [document for piece in pieces if piece for document in framer.feed(piece)]


@given(_DOCUMENTS, st.sampled_from([b"", b"\n", b" \r\n\t"]), st.lists(st.integers(0, 10_000), max_size=8))
def test_documents_survive_any_cut(documents: list[Json], between: bytes, cuts: list[int]) -> None:
    stream = b"".join(orjson.dumps(document) + between for document in documents)
    assert feed(stream, cuts) == documents


def test_byte_by_byte() -> None:
    documents = [{"id": 1, "result": ['a"}{"b', "\\", {}]}, {"method": "echo", "params": [{"x": "}{"}]}]
    stream = b"".join(map(orjson.dumps, documents))
    assert feed(stream, list(range(len(stream)))) == documents


def test_a_document_is_given_out_although_the_next_has_begun() -> None:
    framer = Framer()
    assert framer.feed(b'{"id":1}{"id"') == [{"id": 1}]
    assert framer.feed(b":2}") == [{"id": 2}]


@pytest.mark.parametrize("garbage", [b"}", b"GET / HTTP/1.1\r\n", b'{"a":}', b'{"a":"\xff"}'])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Framer().feed(garbage)
