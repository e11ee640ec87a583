"""A record that cannot become a line keeps its bytes and its known properties."""

from __future__ import annotations

import pytest
from otlp_requests import NOON, record, span

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping.quarantine import Rejected
from otel_modeldata_receiver.mapping.rejection import Identity, identity_of_span, rejected, rejected_by_bug


def test_a_rejected_log_record_has_its_collection_and_its_time() -> None:
    raw = record("no json", time_ns=NOON).SerializeToString()
    assert rejected(raw, "reason", resource=b"resource", endpoint="credit") == Rejected(
        reason="reason", record=raw, resource=b"resource", endpoint="credit", collection="model_inputs", time_ns=NOON
    )


def test_the_time_of_a_rejected_log_record_may_be_that_of_its_observation() -> None:
    raw = record(time_ns=0, observed_time_unix_nano=NOON).SerializeToString()
    assert rejected(raw, "reason", resource=b"", endpoint=None).time_ns == NOON


def test_a_rejected_record_that_cannot_be_decoded_has_only_its_bytes() -> None:
    assert rejected(b"\xff", "reason", resource=b"resource", endpoint=None) == Rejected(
        reason="reason", record=b"\xff", resource=b"resource"
    )


def test_equal_records_are_kept_twice_unless_they_have_an_event_id() -> None:
    def ids(raw: bytes) -> int:
        return len({rejected(raw, "reason", resource=b"r", endpoint=None).id for _ in range(2)})

    known = {semconv.CLOUDEVENTS_EVENT_ID: "x"}, {semconv.CLOUDEVENTS_EVENT_ID: 7}, {semconv.CLOUDEVENTS_EVENT_ID: " "}
    assert [ids(record("no json", attributes).SerializeToString()) for attributes in known] == [1, 1, 1]
    unknown = {}, {"other": "x"}, {semconv.CLOUDEVENTS_EVENT_ID: None}, {semconv.CLOUDEVENTS_EVENT_ID: ""}
    assert [ids(record("no json", attributes, time_ns=1).SerializeToString()) for attributes in unknown] == [2] * 4
    assert ids(b"\xff") == 2


def test_equal_spans_are_kept_once_if_they_have_ids() -> None:
    def ids(**fields: bytes) -> int:
        raw = span(**fields).SerializeToString()
        found = (
            rejected(raw, "reason", resource=b"r", endpoint=None, identity=identity_of_span(raw)) for _ in range(2)
        )
        return len({one.id for one in found})

    assert (ids(), ids(trace_id=b""), ids(span_id=bytes(8)), ids(trace_id=b"short")) == (1, 2, 2, 1)


def test_a_rejected_span_belongs_to_the_collection_of_traces() -> None:
    assert identity_of_span(span().SerializeToString()) == Identity("app_traces", span().end_time_unix_nano)
    assert identity_of_span(b"\xff")[:2] == (None, 0)


@pytest.mark.parametrize("error", [KeyError("secret"), ValueError("secret")])
def test_the_reason_of_an_internal_error_has_only_its_type(error: Exception) -> None:
    found = rejected_by_bug(record().SerializeToString(), error, resource=b"", endpoint=None)
    assert found.reason == (
        f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
    )
    assert found.kind == "defect"
