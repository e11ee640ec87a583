"""A large text is cut out of its record, and the line is the same as if all of it had been decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_requests import NOON, any_value, backwards, field, raw_request, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping.bounds import large_text
from otel_modeldata_receiver.mapping.request import decode, map_records

if TYPE_CHECKING:
    from otel_modeldata_receiver.mapping.outcomes import Mapped

ROWS = '[{"a":"' + "é" * 50 + '"},{"a":1}]'
BODIES = {
    "rows": ROWS,
    "a row": '{"a":1}' + " " * 50,
    "lines": "[\n" * 1 + '{"a":1},\r\n{"a":2}]' + " " * 50,
    "no rows": "[" + "1," * 50 + "1]",
    "no JSON": "x" * 100,
    "out of range": '[{"a":1e400}]' + " " * 50,
    "bytes of JSON": ROWS.encode(),
    "bytes of text": b"x" * 100,
    "bytes": b"\xff" * 100,
    "structured": [{"a": "x" * 100}],
    "empty": "",
}
RECORDS = {
    f"{name} in {collection}": record(body, collection=collection, event_id="1", time_ns=NOON).SerializeToString()
    for name, body in BODIES.items()
    for collection in ("model_inputs", "request")
}
GOOD = RECORDS["rows in model_inputs"]
RECORDS |= {
    "fields from the last to the first": backwards(GOOD),
    "bytes with a type": record(
        b"x" * 100, {semconv.AZUREML_DATA_CONTENT_TYPE: "text/plain"}, collection="request", event_id="1", time_ns=NOON
    ).SerializeToString(),
    "two bodies": GOOD + field(5, any_value("[{}]").SerializeToString()),
    "two values": GOOD + field(5, AnyValue(string_value=ROWS).SerializeToString() + b"\x10\x01"),
    "not UTF-8": GOOD.replace("é".encode(), b"\xff\xff"),
    "damaged": GOOD[:-1],
    "an unknown field": GOOD + b"\x78\x01",
    "a GenAI event": record(
        "x" * 100, collection=None, event_id="1", time_ns=NOON, event_name="gen_ai.user.message"
    ).SerializeToString(),
}


def mapped(raw: bytes) -> Mapped:
    request = raw_request([raw], resource().SerializeToString())
    return map_records(decode(request), arrival_ns=NOON, destinations=Destinations())


@pytest.mark.parametrize("name", RECORDS)
def test_the_line_of_a_record_is_the_same_with_its_text_cut_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = mapped(RECORDS[name])
    monkeypatch.setattr(large_text, "LEAST_BYTES", 0)
    assert mapped(RECORDS[name]) == expected


def test_a_large_text_is_cut_out_and_the_rest_is_small() -> None:
    rows = "[" + '{"a":1},' * 300_000 + "{}]"
    large = large_text.cut(record(rows, event_id="1").SerializeToString())
    assert large is not None
    assert (len(large.rest) < 200, large.text) == (True, rows.encode())


def test_small_records_and_large_attributes_are_decoded_whole() -> None:
    attributes = {"a": "x" * 3_000_000}
    assert [large_text.cut(raw) for raw in (GOOD, record(ROWS, attributes).SerializeToString())] == [None, None]
