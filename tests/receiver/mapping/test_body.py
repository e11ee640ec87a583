"""Bodies: JSON text passes byte for byte, structured values become JSON, any other body is rejected."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_requests import any_value

from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.mapping import body
from otel_modeldata_receiver.mapping.body import PayloadContent, RowsText

JSON = "application/json"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(TEXT, CELLS, max_size=4), max_size=4)


def rows(value: object, content_type: str = JSON) -> RowsText:
    return body.rows(any_value(value), content_type)


def payload(value: object, content_type: str | None = JSON) -> PayloadContent:
    return body.payload(any_value(value), content_type)


def text(json: bytes, size: int, content_type: str = JSON) -> PayloadContent:
    """A payload that is stored in the line."""
    return PayloadContent(json, size, content_type, binary=False)


@given(ROWS, st.booleans(), st.sampled_from([None, (",", ":"), (" , ", " : ")]))
def test_any_rows_survive_byte_for_byte(value: list[Any], ascii_only: bool, separators: tuple[str, str] | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators)
    assert rows(text) == RowsText(text.encode(), len(text.encode()))


@given(CELLS)
def test_any_json_value_survives_in_a_payload_collection(value: Any) -> None:
    written = json.dumps(value)
    assert payload(written) == text(written.encode(), len(written))


def test_escapes_numbers_and_separators_stay_as_they_were_sent() -> None:
    text = '[{"a":1.0e+2,"b":"\\/\\u003c<\\ud83d\\ude00\u2028","c":100000000000000000000000000,"a":2}]'
    assert rows(text).json == text.encode()


def test_line_breaks_between_tokens_become_spaces() -> None:
    text = '[\r\n  {"a": "x\\ny"}\n]\n'
    assert rows(text) == RowsText(b'[    {"a": "x\\ny"} ] ', len(text))


def test_a_single_object_is_one_row_and_its_size_is_that_of_the_object() -> None:
    assert rows('{"a":1}') == RowsText(b'[{"a":1}]', 7)
    assert rows({"a": 1}) == RowsText(b'[{"a":1}]', 9)  # a structured body has no text of its own


def test_an_empty_array_has_no_rows() -> None:
    assert rows("[]") == RowsText(b"[]", 2)


def test_json_in_a_bytes_body_is_text() -> None:
    assert rows(b'[{"a":"\xc3\xa9"}]') == RowsText(b'[{"a":"\xc3\xa9"}]', 12)


def test_text_that_is_not_declared_json_becomes_a_json_string() -> None:
    """S50: a payload may be anything, not only rows."""
    html = "text/html; charset=utf-8"
    assert payload('say "hi"\n', html) == text(b'"say \\"hi\\"\\n"', 9, html)
    assert payload("", "text/plain") == text(b'""', 0, "text/plain")
    assert payload("[1]", "application/x-ndjson") == text(b'"[1]"', 3, "application/x-ndjson")


def test_bytes_are_text_where_json_or_text_is_declared_and_they_are_utf_8() -> None:
    assert payload(b'{"a":\r\n"\xc3\xa9"}') == text(b'{"a":  "\xc3\xa9"}', 12)
    assert payload("é".encode(), "Text/Plain") == text('"é"'.encode(), 2, "Text/Plain")


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"\x89PNG\r\n", "image/png"),
        (b"plain", "image/svg+xml"),
        (b"[1]", "application/octet-stream"),
        (b"\xff", "text/plain; charset=latin-1"),
        (b'{"a":"\xff"}', JSON),
        (b"", "image/png"),
    ],
)
def test_other_bytes_are_binary_and_keep_their_content_type(raw: bytes, content_type: str) -> None:
    """S70."""
    assert payload(raw, content_type) == PayloadContent(raw, len(raw), content_type, binary=True)


def test_a_payload_without_a_content_type_is_json_if_it_parses() -> None:
    assert payload('{"a":1}', None) == text(b'{"a":1}', 7)
    assert payload(b'{"a":1}', None) == text(b'{"a":1}', 7)
    assert payload("hello", None) == text(b'"hello"', 5)
    assert payload(b"\xff", None) == PayloadContent(b"\xff", 1, "application/octet-stream", binary=True)


@pytest.mark.parametrize("content_type", ["json", "a/b/c", "a b/c", "text/plain; \x00", "a/b; " + "x" * 256, ""])
def test_an_invalid_content_type_is_ignored_for_a_payload(content_type: str) -> None:
    octets = "application/octet-stream"
    assert payload("[1]", content_type) == text(b'"[1]"', 3, octets)
    assert payload(b"[1]", content_type) == PayloadContent(b"[1]", 3, octets, binary=True)


@pytest.mark.parametrize("content_type", ["application/json", "text/json", "Application/Ld+JSON; charset=utf-8"])
def test_json_content_types_are_known(content_type: str) -> None:
    assert body.is_json(content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonl", "application/octet-stream"])
def test_other_content_types_are_not_json(content_type: str) -> None:
    assert not body.is_json(content_type)
    with pytest.raises(BadRecordError, match=r"^content type: expected JSON rows"):
        rows("[]", content_type)


@pytest.mark.parametrize("content_type", ["json", "a/b/c", "a b/c", "text/plain; \x00", "a/b; " + "x" * 256])
def test_an_invalid_content_type_is_rejected_for_rows(content_type: str) -> None:
    with pytest.raises(BadRecordError, match=r"^content type: expected a media type"):
        rows("[]", content_type)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        " ",
        "hello",
        "[{]",
        '[{"a":1},]',
        '[{"a":NaN}]',
        '[{"a":Infinity}]',
        '[{"a":01}]',
        "[{'a':1}]",
        '[{"a":1}] x',
        '[{"a":1}',
        '[{"a":"\x01"}]',
        '[{"a":"x\ny"}]',
        '[{"a":"\\x"}]',
        '[{"a":"\\ud800"}]',
        "\ufeff[]",
        '{"a":1}{"a":2}',
    ],
)
def test_text_that_is_not_json_is_rejected_as_rows_and_a_json_string_as_a_payload(broken: str) -> None:
    with pytest.raises(BadRecordError, match=r"^body not JSON: "):
        rows(broken)
    read = payload(broken)
    assert (json.loads(read.content), read.size, read.content_type) == (broken, len(broken.encode()), JSON)
    assert b"\n" not in read.content


@pytest.mark.parametrize("value", ["null", "1", '"x"', "[1]", "[[1]]", '[{"a":1},null]', "true"])
def test_json_that_is_not_rows_is_rejected_in_a_tabular_collection(value: str) -> None:
    with pytest.raises(BadRecordError, match=r"^body not rows: "):
        rows(value)
    assert payload(value) == text(value.encode(), len(value))


@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["x"], [[{}]], [{"a": 1}, None]])
def test_a_structured_body_that_is_not_rows_is_rejected_in_a_tabular_collection(value: object) -> None:
    with pytest.raises(BadRecordError, match=r"^body not rows: "):
        rows(value)


@pytest.mark.parametrize("template", ["[{}]", "{}", '[{"a":{}}]'])
def test_json_that_nests_too_deep_is_rejected(template: str) -> None:
    deep = template.replace("{}", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(BadRecordError, match=r"^body too deep: "):
        rows(deep)
    assert json.loads(payload(deep).content) == deep


def test_bytes_that_are_not_text_are_rejected_as_rows() -> None:
    with pytest.raises(BadRecordError, match=r"^binary body: "):
        rows(b"\x89PNG\xff")


def test_a_reason_never_quotes_the_body() -> None:
    secret = "S3CRET"
    for body_text in (f'[{{"{secret}":}}]', f'["{secret}"]', secret, f'"{secret}"'):
        with pytest.raises(BadRecordError) as caught:
            rows(body_text)
        assert secret not in str(caught.value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=True, allow_infinity=True)
    | TEXT
    | st.binary(max_size=16)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def as_json(value: Any) -> Any:
    """The result of the documented rules for `value`."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key: as_json(item) for key, item in value.items()}
    return value


def no_constants(name: str) -> None:
    raise AssertionError(name)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_structured_value_becomes_strict_json_equal_to_it(value: dict[str, Any]) -> None:
    read = payload(value)
    parsed = json.loads(read.content, parse_constant=no_constants)
    assert parsed == as_json(value)
    assert repr(parsed) == repr(as_json(value))  # 1 is not 1.0, and -0.0 is not 0.0
    assert read == text(read.content, len(read.content))
    assert b"\n" not in read.content


@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=3))
def test_an_array_of_maps_becomes_rows(value: list[Any]) -> None:
    assert json.loads(rows(value).json) == as_json(value)


def test_a_structured_body_may_nest_up_to_the_limit() -> None:
    def nested(depth: int) -> AnyValue:
        value = innermost = AnyValue()
        for _ in range(depth):
            innermost = innermost.array_value.values.add()
        innermost.string_value = "x"
        return value

    assert payload(nested(body.MAX_DEPTH)).content == b"[" * body.MAX_DEPTH + b'"x"' + b"]" * body.MAX_DEPTH
    with pytest.raises(BadRecordError, match=r"^body too deep: "):
        payload(nested(body.MAX_DEPTH + 1))


def test_a_value_of_the_profiling_signal_counts_as_absent() -> None:
    assert payload([AnyValue(string_value_strindex=3)]).content == b"[null]"
