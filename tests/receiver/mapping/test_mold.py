"""What a mold knows of its records. That it makes the right lines of them, and of no others, `test_splice.py` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from otlp_requests import NOON, ROWS, any_value, backwards, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import log_record, mold
from otel_modeldata_receiver.mapping import resource as origin

if TYPE_CHECKING:
    from collections.abc import Callable

RESOURCE = resource().SerializeToString()
SOURCE = log_record.Source(
    origin=origin.read(RESOURCE),
    resource=RESOURCE,
    agent="agent/1",
    destinations=Destinations().of_deployment("credit", "blue", None),
    arrival_ns=NOON,
    ids=log_record.Ids(),
)
TIME = b"\x09" + NOON.to_bytes(8, "little")
BODY = b"\x2a" + bytes([len(ROWS) + 2]) + any_value(ROWS).SerializeToString()
TAIL = record(None, event_id="e-1").SerializeToString()[11:]
SEVERITY = b"\x10\x09"


def learned(**fields: Any) -> mold.Mold | None:
    return mold.learn(record(**{"event_id": "e-1", "time_ns": NOON, **fields}).SerializeToString(), SOURCE)


@pytest.mark.parametrize("order", [bytes, backwards], ids=["forwards", "backwards"])
def test_records_are_cut_where_they_differ(order: Callable[[bytes], bytes]) -> None:
    values = {semconv.AZUREML_PRODUCER_SEQUENCE: 300, semconv.AZUREML_REQUEST_ID: "r-1"}
    fields = {"observed_time_unix_nano": 5, "trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1}
    one = record(attributes=values, event_id="e-1", time_ns=NOON, severity_number=9, **fields)
    raw = order(one.SerializeToString())
    found = mold.learn(raw, SOURCE)
    assert found is not None
    assert (found.numbered, found.traced, found.collection) == (True, True, "model_inputs")
    fitting = found.fit(raw)
    assert fitting is not None
    text, parts = fitting
    assert text == ROWS.encode()
    assert parts[::2] == found.head.common + found.tail.common
    assert found.pick(parts) == (TIME[1:], b"e-1", b"e-1", b"r-1", b"\xac\x02", b"t" * 16, b"s" * 8)
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
        TIME + BODY + BODY + TAIL,
        TIME + BODY + TAIL + TIME,
        TIME + b"\xaa\0" + BODY[1:] + TAIL,
        TIME + BODY + TAIL + b"\x52\x01",
        TIME + BODY + TAIL + b"\x6b\x6c",
        TIME + BODY + TAIL + b"\x1a\x01\xff",
    ],
)
def test_nothing_is_learned_of_a_record_that_says_too_little_or_too_much_or_is_damaged(raw: bytes) -> None:
    for usual in (TIME + SEVERITY + BODY + TAIL, TAIL + BODY + SEVERITY + TIME, BODY + TIME + TAIL):
        assert mold.learn(usual, SOURCE) is not None
    assert mold.learn(raw, SOURCE) is None


def test_an_id_that_is_written_twice_in_its_attribute_is_no_place() -> None:
    """Which of them counts is not to be decided here."""
    key, value = b"\n\x14cloudevents.event_id", b"\x12\x04\n\x02id"
    collection = TAIL[: TAIL.index(b"cloudevents.event_id") - 4]

    def with_id(*parts: bytes) -> mold.Mold | None:
        attribute = b"".join(parts)
        return mold.learn(TIME + BODY + collection + b"\x32" + bytes([len(attribute)]) + attribute, SOURCE)

    assert with_id(key, value) is not None
    assert with_id(value, key) is not None
    assert with_id(value, value, key) is None
    assert with_id(value, key, key) is None
    assert with_id(value, key, b"\x1a\x02id") is None
