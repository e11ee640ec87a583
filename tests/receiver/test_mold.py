"""What a mold knows of its records. That it makes the right lines of them, and of no others, `test_splice.py` shows."""

from __future__ import annotations

from typing import Any

import pytest

from otel_modeldata import semconv
from otel_modeldata_receiver import event, mold, origin
from otel_modeldata_receiver.destinations import Destinations
from otlp_requests import NOON, ROWS, any_value, record, resource

RESOURCE = resource().SerializeToString()
SOURCE = event.Source(
    origin=origin.read(RESOURCE),
    resource=RESOURCE,
    agent="agent/1",
    destinations=Destinations().of_deployment("credit", "blue", None),
    arrival_ns=NOON,
    ids=event.Ids(),
)
TIME = b"\x09" + NOON.to_bytes(8, "little")
BODY = b"\x2a" + bytes([len(ROWS) + 2]) + any_value(ROWS).SerializeToString()
TAIL = record(None, event_id="e-1").SerializeToString()[11:]
SEVERITY = b"\x10\x09"


def learned(**fields: Any) -> mold.Mold | None:
    return mold.learn(record(**{"event_id": "e-1", "time_ns": NOON, **fields}).SerializeToString(), SOURCE)


def test_records_are_cut_where_they_differ() -> None:
    values = {semconv.AZUREML_PRODUCER_SEQUENCE: 300, semconv.AZUREML_REQUEST_ID: "r-1"}
    one = record(
        attributes=values,
        event_id="e-1",
        time_ns=NOON,
        severity_number=9,
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        flags=1,
    )
    raw = one.SerializeToString()
    found = mold.learn(raw, SOURCE)
    assert found is not None
    assert (found.opening, found.numbered, found.traced, found.collection) == (
        b"\x10\x09\x2a",
        True,
        True,
        "model_inputs",
    )
    start = len(raw) - found.tail_bytes
    assert raw[:start].endswith(ROWS.encode())
    parts = found.unpack(raw, start)
    assert b"".join(parts) == raw[start:]
    assert parts[::2] == found.common
    assert found.pick(parts) == (b"e-1", b"e-1", b"r-1", b"\xac\x02", b"t" * 16, b"s" * 8)
    assert sorted(found.pick_texts(parts)) == [b"", b"e-1", b"r-1"]


def test_the_line_is_cut_where_the_texts_belong() -> None:
    found = learned()
    assert found is not None
    at_id, at_time, at_rows, at_range, at_correlation, at_request, at_time_ns, *others, end = found.pieces
    assert at_id.endswith(b'"id":"')
    assert at_time.endswith(b'"time":"')
    assert at_rows == b'","data":'
    assert at_range == b',"contentrange":"'
    assert at_correlation == b'","correlationid":"'
    assert at_request == b'","xrequestid":"'
    assert at_time_ns.endswith(b'"agent":"agent/1","timens":"')
    assert others == [b"", b"", b""]
    assert end == b'"}\n'


@pytest.mark.parametrize(
    "raw",
    [
        TIME + BODY,
        BODY + TAIL,
        TIME + TAIL,
        SEVERITY + TIME + BODY + TAIL,
        TIME + TAIL + BODY,
        TIME + b"\x59" + bytes(8) + BODY + TAIL,
        TIME + BODY + BODY + TAIL,
        TIME + BODY + TAIL + TIME,
        b"\x89\0" + TIME[1:] + BODY + TAIL,
        TIME + b"\xaa\0" + BODY[1:] + TAIL,
        TIME + BODY + TAIL + b"\x52\x01",
        TIME + BODY + TAIL + b"\x1a\x01\xff",
    ],
)
def test_nothing_is_learned_of_a_record_in_another_order_or_of_a_damaged_one(raw: bytes) -> None:
    assert mold.learn(TIME + SEVERITY + BODY + TAIL, SOURCE) is not None
    assert mold.learn(raw, SOURCE) is None


def test_an_id_that_does_not_end_its_attribute_is_no_place() -> None:
    """Its bytes would be those of the key: `cloudevents.event_id` ends with this id."""
    key, value = b"\n\x14cloudevents.event_id", b"\x12\x04\n\x02id"
    usual, odd = (b"\x32" + bytes([len(one)]) + one for one in (key + value, value + key))
    collection = TAIL[: TAIL.index(b"cloudevents.event_id") - 4]
    assert mold.learn(TIME + BODY + collection + usual, SOURCE) is not None
    assert mold.learn(TIME + BODY + collection + odd, SOURCE) is None
