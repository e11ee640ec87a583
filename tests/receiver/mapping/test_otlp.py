"""Requests: decoded whole, or record by record when a part is damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from otlp_requests import SCOPE, field, invalid_utf8, nested_record, raw_request, record, request, resource, scopes_of

from otel_modeldata_receiver.exceptions import BadRecordError, UndecodableError
from otel_modeldata_receiver.mapping import otlp

GOOD = record(event_id="good", time_ns=1)


def summary(request_bytes: bytes) -> list[tuple[bytes, str, list[bytes]]]:
    return [(part.resource, part.scope.name, part.records.contents()) for part in scopes_of(request_bytes)]


def test_records_come_with_their_resource_and_scope() -> None:
    first, second = record(event_id="1"), record(event_id="2")
    assert summary(request(first, second)) == [
        (resource().SerializeToString(), SCOPE.name, [first.SerializeToString(), second.SerializeToString()])
    ]


def test_an_empty_request_has_no_records() -> None:
    assert scopes_of(b"") == []


@pytest.mark.parametrize(
    "damaged",
    [
        invalid_utf8(record('[{"a":"BADTEXT"}]'), "BADTEXT"),
        invalid_utf8(record(attributes={"BADTEXT": 1}), "BADTEXT"),
        invalid_utf8(record(attributes={"k": "BADTEXT"}), "BADTEXT"),
        nested_record(60, "deep"),
        nested_record(5000, "abyss"),
    ],
    ids=["body", "attribute key", "attribute value", "nested 60", "nested 5000"],
)
def test_a_damaged_record_does_not_affect_the_others(damaged: bytes) -> None:
    good = GOOD.SerializeToString()
    (part,) = scopes_of(raw_request([good, damaged, good]))
    assert (part.records.contents(), part.scope) == ([good, damaged, good], SCOPE)
    assert otlp.log_record(good) == GOOD
    with pytest.raises(BadRecordError, match=r"^undecodable LogRecord: expected Protocol Buffers with UTF-8 strings"):
        otlp.log_record(damaged)


def test_a_record_that_nests_too_deep_only_inside_its_request_is_valid() -> None:
    deep = nested_record(49, "deep")
    (part,) = scopes_of(raw_request([deep]))
    assert [otlp.log_record(raw) for raw in part.records.contents()] == [LogRecord.FromString(deep)]


def test_a_damaged_resource_is_returned_as_it_is() -> None:
    bad_resource = field(1, field(1, b"\xff"))
    parts = scopes_of(raw_request([GOOD.SerializeToString()], bad_resource) + request(GOOD))
    assert [part.resource for part in parts] == [bad_resource, resource().SerializeToString()]


def test_a_damaged_scope_loses_only_its_name() -> None:
    good = GOOD.SerializeToString()
    raw = field(1, field(1, resource().SerializeToString()) + field(2, field(1, field(1, b"\xff")) + field(2, good)))
    (part,) = scopes_of(raw)
    assert (part.scope.name, part.records.contents()) == ("", [good])


def test_unknown_fields_are_skipped() -> None:
    unknown = b"\x78\x96\x01" + b"\x79" + b"8bytes.." + b"\x7d" + b"4byt" + field(15, b"anything")
    assert summary(unknown + request(GOOD)) == summary(request(GOOD))


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0b\x00",  # a group
        b"\x09short",
        b"\x80" * 11,
        b"\x0a" + b"\xff" * 9 + b"\x01",  # a length of 2**64 - 1
        field(1, field(2, field(2, b"\xff"))[:-2]),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_not_a_request_are_undecodable(raw: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^undecodable request: expected an OTLP export request, got "):
        scopes_of(raw)


@given(st.integers(min_value=0))
def test_a_torn_request_is_undecodable_or_has_fewer_records(cut: int) -> None:
    whole = raw_request([GOOD.SerializeToString()] * 3)
    torn = whole[: cut % (len(whole) + 1)]
    try:
        records = [one for part in scopes_of(torn) for one in part.records.contents()]
    except UndecodableError:
        return
    assert set(records) <= {GOOD.SerializeToString()}


@given(st.binary(max_size=64))
def test_random_bytes_are_decoded_or_undecodable_without_another_error(noise: bytes) -> None:
    for raw in (noise, field(1, noise), raw_request([noise]), raw_request([], noise)):
        try:
            scopes_of(raw)
        except UndecodableError:
            continue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(string_value="é"), "é"),
        (AnyValue(string_value=""), ""),
        (AnyValue(int_value=-5), "-5"),
        (AnyValue(double_value=0.29), "0.29"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(bool_value=False), "false"),
        (AnyValue(), None),
        (AnyValue(string_value_strindex=1), None),
        (AnyValue(string_value="\u2028\ue000"), "\u2028\ue000"),  # not printable, but not control characters
    ],
)
def test_scalar_attributes_are_printed(value: AnyValue, text: str | None) -> None:
    assert otlp.text_of("k", value) == text


@pytest.mark.parametrize("kind", ["array_value", "kvlist_value", "bytes_value"])
def test_other_attributes_are_rejected(kind: str) -> None:
    value = AnyValue()
    value.bytes_value = b"x"
    if kind != "bytes_value":
        getattr(value, kind).SetInParent()
    with pytest.raises(BadRecordError, match=f"^attribute type: expected a string as k, got {kind}"):
        otlp.text_of("k", value)


@pytest.mark.parametrize("text", ["a\r\nb", "\x00", "a\x7f", "\x85"])
def test_control_characters_in_attributes_are_rejected(text: str) -> None:
    with pytest.raises(BadRecordError, match=r"^attribute text: expected k without control characters"):
        otlp.text_of("k", AnyValue(string_value=text))


def test_full_success_is_an_empty_answer() -> None:
    assert otlp.response(0, []) == b""


def test_a_partial_success_counts_records_and_names_each_reason_once_within_bounds() -> None:
    reasons = ["b: 2", "a: 1", "b: 2", "c" * 2000]
    partial = ExportLogsServiceResponse.FromString(otlp.response(4, reasons)).partial_success
    assert partial.rejected_log_records == 4
    assert partial.error_message == ("b: 2; a: 1; " + "c" * 2000)[: otlp.MAX_REASON_CHARS]


def test_the_first_resource_is_found_without_reading_the_rest() -> None:
    first, second = resource({"service.name": "a"}), resource({"service.name": "b"})
    raw = raw_request([record().SerializeToString()], first.SerializeToString())
    raw += raw_request([], second.SerializeToString())
    assert otlp.first_resource(raw) == first.SerializeToString()
    assert otlp.first_resource(b"\x10\x01" + raw + b"\xff") == first.SerializeToString()


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x1f\x8b gzip", field(1, b""), field(1, b"\x0a\x7f"), field(2, b"x")])
def test_a_request_without_a_readable_resource_has_an_empty_first_resource(raw: bytes) -> None:
    assert otlp.first_resource(raw) == b""


@given(st.binary(max_size=50))
def test_first_resource_never_raises(noise: bytes) -> None:
    otlp.first_resource(noise)
    otlp.first_resource(field(1, noise))
