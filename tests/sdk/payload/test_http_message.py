from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata._payload.http_message import HttpMessage
from otel_modeldata._settings.payload import PayloadSettings, load_payload_settings
from otel_modeldata._settings.variables import DEFAULT_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = {"content-type": "text/plain"}


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    """`content` in chunks, some of them empty."""
    ends = [*sorted(min(place, len(content)) for place in places), len(content)]
    starts = [0, *ends]
    return [content[start:end] for start, end in zip(starts, ends, strict=False)]


@given(content=st.binary(max_size=200), places=st.lists(st.integers(0, 200)), limit=st.integers(0, 250))
def test_any_split_into_chunks_gives_the_beginning_of_the_body(content: bytes, places: list[int], limit: int) -> None:
    message = HttpMessage({}.get, limit)
    for number, chunk in enumerate(cut(content, places)):
        message.take((chunk, bytearray(chunk), memoryview(chunk))[number % 3])
    payload, attributes = message.payload(message.size)
    assert message.size == len(content)
    assert payload.content == content[:limit]
    assert payload.is_text == (not content[:limit])
    assert attributes.get("azureml.data.total_bytes", len(content[:limit])) == len(content)


@given(text=st.text(max_size=100), limit=st.integers(0, 400))
def test_text_is_cut_after_a_whole_character(text: str, limit: int) -> None:
    content = text.encode()
    message = HttpMessage(TEXT.get, limit)
    message.take(content)
    payload, attributes = message.payload(len(content))
    assert payload.is_text
    assert content.startswith(payload.content)
    assert text.startswith(payload.content.decode())
    assert min(limit, len(content)) - len(payload.content) < 4
    assert attributes.get("azureml.data.total_bytes", len(payload.content)) == len(content)


@pytest.mark.parametrize("content", [b"\xff", b"a\xffb", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80"])
def test_a_body_declared_as_text_that_is_not_utf8_is_bytes(content: bytes) -> None:
    message = HttpMessage(TEXT.get, 100)
    message.take(content)
    assert not message.payload(len(content))[0].is_text


@pytest.mark.parametrize("length", ["", "-1", "1e3", "0x10", "٣", "9" * 19, "1, 2"])
def test_an_invalid_content_length_is_ignored(length: str) -> None:
    assert HttpMessage({"content-length": length}.get, 0).declared_bytes is None


def test_names_of_types_and_codings_are_bounded() -> None:
    message = HttpMessage({"content-type": "a/" + "b" * 5000, "content-encoding": "c" * 5000}.get, 0)
    message.take(b"x")
    _, attributes = message.payload(1)
    assert {key: len(str(value)) for key, value in attributes.items()} == {
        "azureml.data.content_type": 256,
        "cloudevents.extension.contentencoding": 64,
        "azureml.data.total_bytes": 1,
    }


def test_without_variables_ten_mebibytes_of_each_body_are_kept() -> None:
    assert load_payload_settings({}) == PayloadSettings(max_bytes=DEFAULT_PAYLOAD_BYTES, paths=())
    assert load_payload_settings({"OTEL_MODELDATA_PAYLOAD_BYTES": "0"}).max_bytes == 0
