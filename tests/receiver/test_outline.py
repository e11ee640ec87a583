"""The outline of a request, held against the whole of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_modeldata_receiver.outline import LogsRequest, int_of, read_record, string_of
from otlp_requests import any_value, decoded, raw_request, record, request, resource

VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9) | st.text()
SIZES = [0, 1, 127, 128, 129, 16_383, 16_384, 70_000, 2_100_000]


def test_a_request_has_resources_scopes_and_records_as_they_were_sent() -> None:
    records = [record(event_id="1").SerializeToString(), b"\xff no record"]
    (resource_logs,) = LogsRequest.FromString(raw_request(records)).resource_logs
    (scope_logs,) = resource_logs.scope_logs
    assert (resource_logs.resource, list(scope_logs.log_records)) == (resource().SerializeToString(), records)


def test_a_record_has_what_a_line_needs() -> None:
    one = record(event_id="1", trace_id=b"t" * 16, span_id=b"s" * 8, flags=1, observed_time_unix_nano=5)
    outline = read_record(one.SerializeToString())
    assert (outline.time_unix_nano, outline.observed_time_unix_nano, outline.flags) == (one.time_unix_nano, 5, 1)
    assert (outline.trace_id, outline.span_id) == (one.trace_id, one.span_id)
    assert outline.body == one.body.SerializeToString()
    assert list(outline.attributes) == [attribute.SerializeToString() for attribute in one.attributes]


@given(st.lists(st.binary(max_size=9), max_size=4))
def test_the_outline_of_noise_has_the_records_of_the_whole(bodies: list[bytes]) -> None:
    raw = request(*(record(body, time_ns=1) for body in bodies))
    outlined = [
        one
        for logs in LogsRequest.FromString(raw).resource_logs
        for part in logs.scope_logs
        for one in part.log_records
    ]
    whole = [one for logs in decoded(raw).resource_logs for part in logs.scope_logs for one in part.log_records]
    assert outlined == [one.SerializeToString() for one in whole]


@given(VALUES)
def test_a_value_is_a_string_a_number_or_neither(value: object) -> None:
    raw = any_value(value).SerializeToString()
    assert string_of(raw) == (value.encode() if isinstance(value, str) else None)
    small = type(value) is int and 0 <= value < 2**56
    assert int_of(raw) == (value if small else None)


@pytest.mark.parametrize("size", SIZES)
def test_a_string_of_any_size_is_read(size: int) -> None:
    for text in ("x" * size, "é" * size):
        assert string_of(AnyValue(string_value=text).SerializeToString()) == text.encode()


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\n\x01", b"\n\x02a", b"\n\x01ab", b"\n\x01\xff", b"\n\x80", b"\n" + b"\xff" * 12]
)
def test_a_string_that_is_not_whole_alone_and_utf_8_is_none(raw: bytes) -> None:
    assert string_of(raw) is None


@given(st.binary(max_size=12))
def test_noise_is_a_number_only_if_it_decodes_to_it(noise: bytes) -> None:
    number = int_of(b"\x18" + noise)
    assert number is None or AnyValue.FromString(b"\x18" + noise).int_value == number
