"""Events of other protocols as OTLP: times, traces, and values that are left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import decoded, key_values

from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.listeners.external_event import ExternalEvent, request_of, time_of

NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1795348800", 1_795_348_800 * NS),
        ("1795348800.25", 1_795_348_800 * NS + 250_000_000),
        ("1795348800.1234567891", 1_795_348_800 * NS + 123_456_789),
        ("2026-11-22T12:00:00Z", 1_795_348_800 * NS),
        ("2026-11-22 13:00:00.5+01:00", 1_795_348_800 * NS + NS // 2),
        ("2021-04-10T00:23:26.080736102Z", 1_618_014_206_080_736_102),
        ("2021-04-10t00:23:26.0807361029z", 1_618_014_206_080_736_102),
    ],
)
def test_a_time_is_seconds_or_a_date_down_to_the_nanosecond(text: str, time_ns: int) -> None:
    assert time_of(text) == time_ns


BAD_TIMES = ["", "0", "-1", "1e9", "nan", "٣", "9999999999", "99999999999", "1795348800s", "2026-11-22", "T12:00:00Z"]
BAD_TIMES += ["2026-13-22T12:00:00Z", "2026-11-22T12:00:00", "1969-12-31T23:59:59Z", "2500-01-01T00:00:00Z"]
BAD_TIMES += ["2026-11-22T25:00:00Z", "2026-11-22T12:00:00+99:00", "0001-01-01T00:00:00+23:59", "1 ", "x" * 10_000]


@pytest.mark.parametrize("text", BAD_TIMES)
def test_anything_else_is_not_a_time(text: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        time_of(text)
    assert str(caught.value) == (
        "undecodable time: expected seconds since 1970 or a time like 2026-11-22T12:00:00Z, "
        f"got {text[:80]!r}; correct the sender"
    )


@given(st.integers(1, 9_000_000_000), st.integers(0, 999_999))
def test_every_formatted_time_is_parsed_back(seconds: int, microseconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    assert time_of(moment.isoformat()) == seconds * NS + microseconds * 1000


def test_an_event_is_one_record_under_its_own_resource() -> None:
    event = ExternalEvent(
        body=b"\xff",
        attributes={"a": "1", "empty": ""},
        resource={"r": "x", "none": ""},
        extensions={"tenant": "acme", "Bad": "x", "too-long": "x", "empty": ""},
        time_ns=5,
        traceparent=f"00-{'0a' * 16}-{'0b' * 8}-01",
    )
    made = decoded(request_of([event, event]))
    assert len(made.resource_logs) == 2
    (scope_logs,) = made.resource_logs[0].scope_logs
    (record,) = scope_logs.log_records
    assert list(made.resource_logs[0].resource.attributes) == key_values({"r": "x"})
    assert list(record.attributes) == key_values({"a": "1", "cloudevents.extension.tenant": "acme"})
    assert (record.body.bytes_value, record.time_unix_nano) == (b"\xff", 5)
    assert (record.trace_id, record.span_id, record.flags) == (b"\x0a" * 16, b"\x0b" * 8, 1)


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0a' * 16}-{'0b' * 8}", f"00-{'0A' * 16}-{'0b' * 8}-01"])
def test_an_invalid_traceparent_is_left_out(traceparent: str) -> None:
    made = decoded(request_of([ExternalEvent(body=b"", attributes={}, resource={}, traceparent=traceparent)]))
    record = made.resource_logs[0].scope_logs[0].log_records[0]
    assert (record.trace_id, record.span_id, record.flags) == (b"", b"", 0)
