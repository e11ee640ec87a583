"""A piece is the same after it was sent to another process."""

from __future__ import annotations

import pickle
import time

import pytest
from otlp_requests import record, request

from otel_modeldata import semconv
from otel_modeldata_receiver.ingest.mapping_process.packed_piece import pack, unpack
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping.request import decode, map_records

ROW = '{"x":"' + "y" * (5 << 20) + '"}'
RECORDS = {
    "small": record('[{"x":1}]', time_ns=time.time_ns(), event_id="1"),
    "rows": record(f"[{ROW}]", time_ns=time.time_ns(), event_id="1"),
    "rows in lines": record(f"[\n{ROW}\n]", time_ns=time.time_ns(), event_id="1"),
    "binary": record(
        bytes(range(256)) * 400,
        {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"},
        collection="request",
        time_ns=time.time_ns(),
        event_id="1",
    ),
    "rejected": record("x" * (1 << 20), time_ns=time.time_ns(), event_id="1"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_piece_keeps_its_lines_payloads_and_records(name: str) -> None:
    mapped = map_records(decode(request(RECORDS[name])), arrival_ns=time.time_ns(), destinations=Destinations())
    header, parts = pack(mapped)
    received = unpack(pickle.loads(pickle.dumps(header)), parts)
    assert len(pickle.dumps(header)) < 10_000 or name == "rows in lines"
    assert {folder: tuple(lines) for folder, lines in received.lines.items()} == mapped.lines
    assert received.rejected == mapped.rejected
    assert [one.whole_record() for one in received.large] == [one.record for one in mapped.large]
    assert [one.content for one in received.large] == [one.content for one in mapped.large]
    assert [one.object_name() for one in received.large] == [one.object_name() for one in mapped.large]
    assert [one.line_at("url") for one in received.large] == [one.line_at("url") for one in mapped.large]
    assert len(mapped.large) == (0 if name in {"small", "rejected"} else 1)
