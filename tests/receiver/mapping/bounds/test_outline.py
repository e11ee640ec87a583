"""The outline of a request is read in steps, and what is beyond a bound is kept together for its deployment."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import (
    NOON,
    ROWS,
    any_value,
    field,
    raw_request,
    record,
    request,
    resource,
    span_request,
)
from otlp_requests import span as span_of

from otel_modeldata import semconv
from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import otlp
from otel_modeldata_receiver.mapping.bounds import outline as outlines
from otel_modeldata_receiver.mapping.bounds.event_time import ANY_TIME, event_times
from otel_modeldata_receiver.mapping.bounds.record_cost import check_values, is_light
from otel_modeldata_receiver.mapping.outcomes import MOST_SINGLE, PIECE_BYTES, Mapped
from otel_modeldata_receiver.mapping.request import decode, map_records, steps
from otel_modeldata_receiver.mapping.resource import ReadResource, try_read
from otel_modeldata_receiver.mapping.signal import spans

EVIL = resource({semconv.AZUREML_ENDPOINT_NAME: "evil"}).SerializeToString()
GOOD = request(record(event_id="good", time_ns=NOON))
ANY = LimitsConfig(backfill=("*",))


def mapped(raw: bytes, **limits: object) -> Mapped:
    return map_records(
        decode(raw), arrival_ns=NOON, destinations=Destinations(), limits=msgspec.structs.replace(ANY, **limits)
    )


def ids(found: Mapped) -> list[str]:
    return [line.id for lines in found.lines.values() for line in lines]


def kept(found: Mapped) -> list[tuple[str, int, str]]:
    """Kind, number of records and deployment of what is kept together."""
    return [(one.kind, one.records, one.tenant) for one in found.rejected if one.request]


def events(count: int, **values: object) -> list[bytes]:
    return [record(event_id=str(n), time_ns=NOON, **values).SerializeToString() for n in range(count)]


# --- Records, parts, bytes ----------------------------------------------------------------------------------------


def test_large_records_beyond_a_bound_are_kept_whole() -> None:
    large = [record("[" + ",".join([ROWS[1:-1]] * 300) + "]", event_id=str(n), time_ns=NOON) for n in range(3)]
    found = mapped(raw_request([one.SerializeToString() for one in large], EVIL), max_request_records=1)
    assert (ids(found), kept(found)) == (["0"], [("too many records", 2, "evil/default")])
    (rest,) = (one.request for one in found.rejected)
    assert ids(mapped(rest)) == ["1", "2"]


def test_records_beyond_the_bound_are_kept_together_and_other_deployments_are_stored() -> None:
    found = mapped(raw_request(events(10), EVIL) + GOOD, max_request_records=4)
    assert ids(found) == ["0", "1", "2", "3", "good"]
    assert kept(found) == [("too many records", 6, "evil/default")]
    (rest,) = (one.request for one in found.rejected)
    assert ids(mapped(rest)) == ["4", "5", "6", "7", "8", "9"]
    assert found.records_by_tenant == {"evil/default": 10, "credit/blue": 1}


@given(st.lists(st.integers(0, 12), max_size=5), st.integers(1, 8))
def test_every_record_is_stored_or_kept_whatever_the_bounds(sizes: list[int], most: int) -> None:
    raw = b"".join(raw_request(events(size)) for size in sizes)
    found = mapped(raw, max_request_records=most, max_request_parts=2 * most)
    stored = len(ids(found))
    rest = b"".join(one.request for one in found.rejected)
    assert stored + len(ids(mapped(rest))) == sum(sizes)
    assert stored <= most


def test_many_small_parts_do_not_hide_a_large_one() -> None:
    small = field(1, field(2, field(2, b"")))
    found = mapped(small * 100 + GOOD, max_request_parts=10)
    assert ids(found) == ["good"]
    assert [(kind, tenant) for kind, _, tenant in kept(found)] == [("too many parts", "")]


def test_empty_resources_and_scopes_are_no_records() -> None:
    found = mapped(b"\x0a\x00" * 5000 + field(1, field(1, EVIL) + b"\x12\x00" * 5000) + GOOD)
    assert (ids(found), found.rejected, found.records) == (["good"], (), 1)


def test_what_follows_too_many_fields_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "MOST_FIELDS", 100)
    raw = b"\x78\x00" * 200 + GOOD
    found = mapped(raw)
    assert kept(found) == [("too many parts", 1, "")]
    (rest,) = (one.request for one in found.rejected)
    assert ids(mapped(rest[-len(GOOD) :])) == ["good"]


@pytest.mark.parametrize("number", [1, 2], ids=["of a resource", "of a scope"])
def test_what_follows_too_many_unknown_fields_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """They take as long to skip as others to read."""
    monkeypatch.setattr(outlines, "MOST_FIELDS", 100)
    unknown, one = b"\x78\x00" * 2_000, field(2, events(1)[0])
    first = field(1, resource().SerializeToString())
    scope = field(2, one) if number == 1 else field(2, unknown + one)
    found = mapped(field(1, first + (unknown if number == 1 else b"") + scope))
    (rest,) = found.rejected
    assert (ids(found), rest.kind, rest.tenant) == ([], "too many parts", "credit/blue")
    assert rest.request.count(one) == 1


def test_lines_that_grow_beyond_the_bound_are_kept_as_records() -> None:
    """A resource id of 2,000 characters is repeated in each line, as 12,000 bytes."""
    long_id = resource({semconv.AZUREML_ENDPOINT_NAME: "evil", semconv.CLOUD_RESOURCE_ID: "é" * 2000})
    raw = raw_request(events(200), long_id.SerializeToString())
    found = mapped(raw + GOOD)
    size = found.bytes_by_tenant["evil/default"] - sum(len(one.request) for one in found.rejected)
    assert size < 32 * len(raw) + outlines.ALLOWANCE_BYTES + 17 * 12_500  # of which 4,000 bytes are the resource
    ((kind, count, tenant),) = kept(found)
    assert (kind, tenant) == ("too many bytes of lines", "evil/default")
    assert len(ids(found)) == 200 - count + 1
    assert "good" in ids(found)


def test_the_rejected_records_of_a_deployment_have_a_line_each_up_to_a_bound() -> None:
    bad = [record("no json", event_id=str(n), time_ns=NOON).SerializeToString() for n in range(MOST_SINGLE + 50)]
    good = record(event_id="good", time_ns=NOON).SerializeToString()
    found = mapped(raw_request([*bad, good]))
    assert ids(found) == ["good"]
    assert kept(found) == [("body not JSON", 50, "credit/blue")]
    assert (sum(one.records for one in found.rejected), found.records) == (MOST_SINGLE + 50, MOST_SINGLE + 51)


def test_the_lines_of_a_bomb_come_in_pieces() -> None:
    long_id = resource({semconv.CLOUD_RESOURCE_ID: "é" * 2000}).SerializeToString()
    raw = raw_request(events(2000, body=ROWS), long_id)
    mapping = steps(decode(raw), arrival_ns=NOON, destinations=Destinations(), limits=ANY)
    pieces = [step.line_bytes for step in mapping if isinstance(step, Mapped)]
    assert len(pieces) > 3
    assert max(pieces) < PIECE_BYTES + 2 * len(raw) + 40 * 12_500


def test_an_ordinary_request_is_one_piece() -> None:
    raw = raw_request(events(3000, body="[" + ",".join(['{"x":1.5}'] * 40) + "]"))
    mapping = steps(decode(raw), arrival_ns=NOON, destinations=Destinations(), limits=ANY)
    assert sum(isinstance(step, Mapped) for step in mapping) == 1


def test_deployments_above_their_rate_are_refused_without_the_others() -> None:
    raw = raw_request(events(3), EVIL) + GOOD
    mapping = steps(
        decode(raw),
        arrival_ns=NOON,
        destinations=Destinations(),
        limits=ANY,
        admit=lambda _: {"evil/default": "rate: too high"},
    )
    (found,) = (step for step in mapping if isinstance(step, Mapped))
    assert (ids(found), found.refused, found.records) == (["good"], {"rate: too high": 3}, 4)


# --- Values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (record().SerializeToString() + b"\x32\x00" * 50_000, "LogRecord"),
        (field(5, any_value([1] * 50_000).SerializeToString()), "LogRecord"),
        (field(5, any_value({str(n): 1 for n in range(50_000)}).SerializeToString()), "LogRecord"),
        (span_of().SerializeToString() + field(13, b"") * 50_000, "Span"),
        (span_of().SerializeToString() + field(11, field(3, b"") * 50_000), "Span"),
    ],
    ids=["attributes", "array", "map", "links", "attributes of an event"],
)
def test_a_record_of_too_many_values_is_rejected_before_it_is_decoded(raw: bytes, message: str) -> None:
    assert not is_light(raw, message)
    requested = raw_request([raw]) if message == "LogRecord" else span_request() + raw_request([raw])
    if message == "LogRecord":
        (one,) = mapped(requested, max_record_values=1000).rejected
        assert (one.kind, one.record) == ("too many values", raw)
    check_values(raw, message, 60_000)


def test_text_of_any_size_is_one_value() -> None:
    large = record('[{"a":"%s"}]' % ("x" * 200_000)).SerializeToString()
    assert is_light(large, "LogRecord")
    check_values(large, "LogRecord", 20)


def test_a_structured_body_of_many_values_is_stored() -> None:
    rows = [{f"c{column}": float(row) for column in range(50)} for row in range(200)]
    found = mapped(request(record(rows, event_id="1", time_ns=NOON)))
    assert (ids(found), found.rejected) == (["1"], ())


# --- Times --------------------------------------------------------------------------------------------------------

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("time_ns", "is_stored"),
    [
        (1, False),
        (NOON - 32 * DAY, False),
        (NOON - 31 * DAY, True),
        (NOON, True),
        (NOON + 600 * 10**9, True),
        (NOON + 602 * 10**9, False),
        (2**63, False),
        (0, True),
    ],
)
def test_events_out_of_the_bounds_of_time_are_rejected_into_the_hour_of_arrival(time_ns: int, is_stored: bool) -> None:
    raw = request(*(record(event_id=str(n), time_ns=time_ns) for n in range(4)))
    found = map_records(decode(raw), arrival_ns=NOON, destinations=Destinations(), limits=LimitsConfig())
    assert (len(ids(found)), len(found.rejected)) == ((4, 0) if is_stored else (0, 4))
    assert {(one.kind, one.time_ns) for one in found.rejected} <= {("event time", 0)}


def test_the_time_of_a_span_has_the_same_bounds() -> None:
    raw = span_request(span_of(start_time_unix_nano=1, end_time_unix_nano=2))
    signal = spans(KeptSpans.ALL)
    opened = decode(raw, signal)
    found = map_records(opened, arrival_ns=NOON, destinations=Destinations(), limits=LimitsConfig())
    assert [one.kind for one in found.rejected] == ["event time"]


@pytest.mark.parametrize(
    ("pattern", "is_named"), [("*", True), ("credit/*", True), ("credit/blue", True), ("credit/green", False)]
)
def test_backfill_names_deployments_whose_events_may_have_any_time(pattern: str, is_named: bool) -> None:
    times = event_times(LimitsConfig(backfill=(pattern,)), NOON, "credit", "blue")
    assert (times == ANY_TIME) is is_named


# --- Ordinary requests --------------------------------------------------------------------------------------------


def outline_of(raw: bytes, first: ReadResource, *, quickly: bool, **limits: Any) -> str:
    """The outline of a request, or the error, as text: equal errors are different objects."""
    with pytest.MonkeyPatch.context() as patch:
        if not quickly:
            patch.setattr(outlines, "_ordinary", lambda *_: None)
        reading = outlines.outline(raw, first, LimitsConfig(**limits))
        try:
            while True:
                next(reading)
        except StopIteration as end:
            return repr((list(end.value.parts), list(end.value.shares)))
        except UndecodableError as error:
            return str(error)


CHANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=2)


@given(st.integers(0, 4), st.sampled_from([0, 1, 40, 300, 20_000]), CHANGES, st.sampled_from([b"", GOOD, b"\x1a\x01x"]))
def test_an_ordinary_request_has_the_outline_that_the_reader_finds(
    count: int, size: int, changes: list[tuple[int, int]], more: bytes
) -> None:
    sender = resource({semconv.SERVICE_INSTANCE_ID: "x" * size}).SerializeToString()
    raw = bytearray(raw_request(events(count, body="[{}]" + " " * size), sender) + more)
    for position, byte in changes:
        raw[position % len(raw)] = byte
    changed = bytes(raw)
    first = try_read(otlp.first_resource(changed))
    assert outline_of(changed, first, quickly=True) == outline_of(changed, first, quickly=False)


@pytest.mark.parametrize("last", [field(3, b"schema"), field(2, b""), field(2, field(2, b"")), b"\x20\x01"])
def test_a_request_with_more_than_one_scope_is_left_to_the_reader(last: bytes) -> None:
    first = try_read(EVIL)
    scope = field(1, b"\n\x01s") + b"".join(field(2, one) for one in events(2))
    raw = field(1, field(1, EVIL) + field(2, scope) + last)
    assert outline_of(raw, first, quickly=True) == outline_of(raw, first, quickly=False)


def test_few_records_of_one_scope_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "_Reader", None)
    assert ids(mapped(raw_request(events(3), EVIL))) == ["0", "1", "2"]


def test_the_bound_on_parts_counts_those_of_a_request_of_few_records() -> None:
    small = record("[]", collection="m", event_id="0", time_ns=NOON)
    scope = field(1, b"") + field(2, small.SerializeToString()[-50:])
    raw = field(1, field(1, EVIL) + field(2, scope)) * 400
    read = [outline_of(raw, try_read(EVIL), quickly=quickly, max_request_parts=600) for quickly in (True, False)]
    assert read[0] == read[1]


@pytest.mark.parametrize("producers", ["aa", "ab", "aab", "abb", "abab", "aaaabbbb"])
def test_joined_requests_of_one_deployment_have_the_lines_of_each(
    producers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(number: int, producer: str) -> bytes:
        values = {semconv.AZUREML_ENDPOINT_NAME: "credit", semconv.SERVICE_INSTANCE_ID: producer}
        return request(record(event_id=str(number), time_ns=NOON), resource_values=values)

    requests = [sent(number, producer) for number, producer in enumerate(producers)]
    monkeypatch.setattr(outlines, "_Reader", None)
    together, alone = mapped(b"".join(requests)), [mapped(one) for one in requests]
    assert together.lines == {
        folder: tuple(line for one in alone for line in one.lines[folder]) for folder in alone[0].lines
    }
    assert together.records_by_tenant == {"credit/default": len(producers)}
    assert together.bytes_by_tenant == {"credit/default": sum(one.line_bytes for one in alone)}


@pytest.mark.parametrize("last", [GOOD, request(resource_values={semconv.AZUREML_ENDPOINT_NAME: "a" * 9_000})])
def test_joined_requests_of_several_deployments_and_of_huge_resources_are_left_to_the_reader(last: bytes) -> None:
    raw = raw_request(events(2), EVIL) + last
    assert outline_of(raw, try_read(EVIL), quickly=True) == outline_of(raw, try_read(EVIL), quickly=False)
