"""Parked lines are delivered only if the folder stays readable with them."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.parking.parked_lines import read_parked

NOT_A_LINE = [
    b"8%\xf7\x05",
    b"8",
    b"null",
    b'"text"',
    b'[{"id":"1"}]',
    b"",
    b'{"id":"1"',
    b'{"id":"1"} 2',
    b'{"id":5} x',
    b'{"id":5,"x":\xff',
    b'{"id":"1","x":"\xff"}',
    b'{"id":"1","\xff":1}',
    b'{"id":"1","x":NaN}',
    b'{"id":"1","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("text", NOT_A_LINE, ids=lambda text: repr(text[:20]))
def test_what_is_no_json_object_in_utf_8_is_damaged(text: bytes) -> None:
    good = b'{"id":"1","x":"\xc3\xa4"}\n'
    assert read_parked(good + text + b"\n" + good) == ([Line("1", good), Line("1", good)], [text])


@pytest.mark.parametrize("text", [b"{}", b'{"id":5}', b'{"id":null,"x":"\xf0\x9f\x8d\x80"}'])
def test_a_line_without_an_id_is_known_by_its_content(text: bytes) -> None:
    assert read_parked(text + b"\n") == ([Line(hashlib.sha256(text).hexdigest(), text + b"\n")], [])


JSON = st.recursive(st.none() | st.integers() | st.text() | st.floats(), lambda inner: st.lists(inner, max_size=3))
PIECES = st.one_of(
    st.binary(max_size=30),
    st.builds(lambda value: json.dumps(value).encode(), JSON),
    st.builds(lambda value: json.dumps({"id": "1", "x": value}, ensure_ascii=False).encode(errors="replace"), JSON),
    st.sampled_from(NOT_A_LINE[:-1]),
)


@given(st.lists(PIECES, max_size=5))
@example([b"8%\xf7\x05"])
def test_every_piece_is_delivered_or_kept_and_what_is_delivered_can_be_read(pieces: list[bytes]) -> None:
    content = b"".join(piece + b"\n" for piece in pieces)
    lines, damaged = read_parked(content)
    given_lines = [text + b"\n" for text in content.split(b"\n")[:-1]]
    assert sorted([line.data for line in lines] + [text + b"\n" for text in damaged]) == sorted(given_lines)
    assert all(isinstance(json.loads(line.data), dict) for line in lines)
