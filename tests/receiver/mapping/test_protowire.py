"""The outline of a request, compared with the whole request."""

from __future__ import annotations

import otlp_requests
import pytest
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_requests import decoded, raw_request, record, request, resource, scopes_of

from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.mapping.protowire import (
    Embedded,
    EmbeddedMessages,
    content_of,
    field,
    fields,
    text_header,
    varint,
)

VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9) | st.text()
SIZES = [0, 1, 127, 128, 129, 16_383, 16_384, 70_000, 2_100_000]


def test_a_request_has_resources_scopes_and_records_as_they_were_sent() -> None:
    records = [record(event_id="1").SerializeToString(), b"\xff no record"]
    (scope,) = scopes_of(raw_request(records))
    assert (scope.resource, scope.records.contents()) == (resource().SerializeToString(), records)


@given(st.lists(st.binary(max_size=300)), st.binary(max_size=9), st.integers(1, 5))
def test_a_run_of_fields_ends_at_another_field_or_after_the_most(
    contents: list[bytes], other: bytes, most: int
) -> None:
    encoded = [field(2, one) for one in contents]
    raw = b"".join(encoded) + field(3, other)
    found = EmbeddedMessages(raw)
    position = found.add_run(0, len(raw), 0x12, most)
    assert (found.contents(), position) == (contents[:most], len(b"".join(encoded[:most])))


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1), st.binary(max_size=9), st.integers(0, 300))
def test_large_contents_of_a_run_may_stay_in_their_message(contents: list[bytes], before: bytes, copied: int) -> None:
    raw = before + b"".join(field(2, one) for one in contents)
    run = EmbeddedMessages(raw)
    assert run.add_run(len(before), len(raw), 0x12, len(contents)) == len(raw)
    found = run.contents(copied)
    assert [isinstance(one, Embedded) for one in found] == [len(one) > copied for one in contents]
    assert [*map(content_of, found)] == contents
    assert [*map(len, found)] == [*map(len, contents)]


@given(st.lists(st.binary(min_size=1, max_size=300)), st.slices(6))
def test_some_of_a_run_are_what_they_are_in_a_list(contents: list[bytes], some: slice) -> None:
    raw = b"".join(field(2, one) for one in contents)
    run = EmbeddedMessages(raw)
    run.add_run(0, len(raw), 0x12, len(contents))
    expected = contents[some]
    assert (run[some].contents(), len(run[some])) == (expected, len(expected))
    assert (run[some].size, run[some].largest) == (len(b"".join(expected)), max(map(len, expected), default=0))


@given(st.lists(st.binary(min_size=1, max_size=9)), st.integers(0, 9), st.integers(0, 9))
def test_some_of_a_run_follow_each_other(contents: list[bytes], start: int, count: int) -> None:
    raw = b"".join(field(2, one) for one in contents)
    run = EmbeddedMessages(raw)
    run.add_run(0, len(raw), 0x12, len(contents))
    assert run.some(start, count).contents() == contents[start : start + count]


@pytest.mark.parametrize("raw", [b"\x12\x05abc", b"\x12\xff\x01abc", b"\x12\xff\xff\x01a"])
def test_a_run_of_fields_that_are_too_long_is_undecodable(raw: bytes) -> None:
    with pytest.raises(UndecodableError, match="got a field that ends"):
        EmbeddedMessages(raw).add_run(0, len(raw), 0x12, 10)


@given(st.integers(1, 15), st.binary(max_size=300))
def test_a_field_is_written_as_protocol_buffers_write_it(number: int, content: bytes) -> None:
    assert field(number, content) == otlp_requests.field(number, content)


def test_the_positions_of_a_records_fields_are_correct() -> None:
    one = record(event_id="1", severity_number=9, trace_id=b"t" * 16, span_id=b"s" * 8, flags=1)
    raw = one.SerializeToString()
    found = [(tag, raw[start:end]) for tag, start, end in fields(raw, 0, len(raw))]
    attributes = [(0x32, attribute.SerializeToString()) for attribute in one.attributes]
    assert found == [
        (0x09, one.time_unix_nano.to_bytes(8, "little")),
        (0x10, b"\x09"),
        (0x2A, one.body.SerializeToString()),
        *attributes,
        (0x45, b"\x01\0\0\0"),
        (0x4A, b"t" * 16),
        (0x52, b"s" * 8),
    ]


@pytest.mark.parametrize(
    "raw", [b"\x0b", b"\x09" + bytes(7), b"\x0a\x02a", b"\x45", b"\x10\x80", b"\x80", b"\xff" * 11]
)
def test_bytes_that_are_not_a_sequence_of_fields_are_undecodable(raw: bytes) -> None:
    with pytest.raises(UndecodableError, match="expected an OTLP export request"):
        list(fields(raw, 0, len(raw)))


@given(st.lists(st.binary(max_size=9), max_size=4))
def test_the_outline_of_random_messages_has_the_same_records_as_the_whole_message(bodies: list[bytes]) -> None:
    raw = request(*(record(body, time_ns=1) for body in bodies))
    outlined = [one for scope in scopes_of(raw) for one in scope.records.contents()]
    whole = [one for logs in decoded(raw).resource_logs for part in logs.scope_logs for one in part.log_records]
    assert outlined == [one.SerializeToString() for one in whole]


def test_the_bytes_before_a_text_follow_from_the_size_of_both() -> None:
    """For each size of a text up to 20,000 bytes, and around the sizes whose length takes a byte more."""
    has_header = set()
    for size in [*range(20_000), *range(2**21 - 20, 2**21 + 20)]:
        value = AnyValue(string_value="x" * size).SerializeToString()
        raw = AnyValue(bytes_value=value).SerializeToString()[1:]
        assert text_header(len(raw)) == raw[: len(raw) - size]
        has_header.add(len(raw))
    assert all(text_header(size) == b"" for size in set(range(-20, 20_000)) - has_header)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
@example(2**7 - 1, b"")
@example(2**14 - 1, b"\xff")
@example(2**14, b"")
def test_a_number_is_read_as_it_is_encoded(number: int, rest: bytes) -> None:
    encoded = UInt64Value(value=number).SerializeToString()[1:] or b"\0"
    assert varint(b"?" + encoded + rest, 1) == (number, 1 + len(encoded))


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\x80\x80", b"\xff" * 12])
def test_an_endless_number_is_undecodable(raw: bytes) -> None:
    with pytest.raises(UndecodableError, match="got a number without end"):
        varint(raw, 0)
