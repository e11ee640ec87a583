"""One id leads to every event that has it, in all collections."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import HOUR, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import FoundEvent, Place, UnknownNameError
from otel_modeldata_reader.blobs import store_access

if TYPE_CHECKING:
    from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def write_request(store: Path) -> None:
    """Inputs, outputs, a label and a span of request-1 among others."""
    inputs = [line(number=number, traceparent=TRACEPARENT if number == 1 else None) for number in range(3)]
    inputs[1] = line([{"age": 1}, {"age": 2}], number=1, traceparent=TRACEPARENT)
    write(store, inputs)
    write(
        store,
        [line([{"p": 0.5}, {"p": 0.25}], id="output-1", correlationid="request-1", number=5)],
        collection="shop/blue/model_outputs",
    )
    label = [{"row_id": "request-1_1", "fraud": True}]
    write(store, [line(label, id="label", correlationid="label", number=7)], collection="shop/blue/ground_truth")
    span = [{"name": "POST /score", "context": {"trace_id": TRACE}}]
    write(store, [line(span, id="span", correlationid="span", number=6)], collection="shop/blue/app_traces")


def shown(store: Path, wanted: str, **window: Any) -> list[tuple[str, Any]]:
    found = reader.open(store).show(wanted, **window)
    return [(event.collection.rpartition("/")[2], event.rows) for event in found.events]


INPUTS = ("model_inputs", [{"age": 1}, {"age": 2}])
OUTPUTS = ("model_outputs", [{"p": 0.5}, {"p": 0.25}])
SPAN = ("app_traces", [{"name": "POST /score", "context": {"trace_id": TRACE}}])
LABEL = ("ground_truth", [{"row_id": "request-1_1", "fraud": True}])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("request-1", [INPUTS, OUTPUTS, SPAN, LABEL]),
        (
            "request-1_1",
            [("model_inputs", [{"age": 2}]), ("model_outputs", [{"p": 0.25}]), SPAN, LABEL],
        ),
        ("output-1", [OUTPUTS]),
        (TRACE, [INPUTS, SPAN]),
    ],
)
def test_an_id_leads_to_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, expected: list[tuple[str, Any]]
) -> None:
    write_request(tmp_path)
    assert shown(tmp_path, wanted) == expected
    monkeypatch.setattr(store_access, "_READ_BYTES", 11)
    assert shown(tmp_path, wanted) == expected


@pytest.mark.parametrize("read_bytes", [11, 1 << 20])
def test_an_event_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_bytes: int) -> None:
    monkeypatch.setattr(store_access, "_READ_BYTES", read_bytes)
    write_request(tmp_path)
    found = reader.open(tmp_path).show("event-1")
    place = Place(blob=f"shop/blue/model_inputs/{HOUR}/{0:032x}000000.jsonl", line=2)
    assert found.events == (
        FoundEvent(
            collection="shop/blue/model_inputs",
            place=place,
            time_ns=NOON_NS - 7_200_000_000_000 + 1,
            event_id="event-1",
            correlation_id="request-1",
            trace_id=TRACE,
            span_id="b7ad6b7169203331",
            content=b'[{"age": 1}, {"age": 2}]',
        ),
        *found.events[1:],
    )
    assert found.events[0].time == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert found.scanned > 0


@pytest.mark.parametrize("wanted", ["é", 'a"b', "a\\b", "x_7"])
def test_an_id_of_any_characters_is_found(tmp_path: Path, wanted: str) -> None:
    write(tmp_path, [line(correlationid=wanted), line(number=1)])
    assert shown(tmp_path, wanted) == [("model_inputs", [{"age": 0}])]


def test_a_window_limits_the_search(tmp_path: Path) -> None:
    write_request(tmp_path)
    assert shown(tmp_path, "request-2", since="2026-11-22T10", until="2026-11-22T11") != []
    with pytest.raises(UnknownNameError, match="no line of 0 bytes has it"):
        shown(tmp_path, "request-2", since="2026-11-22T11")


def test_an_id_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [line(timens=str(NOON_NS))])
    for wanted in ("request", "request-00", "age", ""):
        with pytest.raises(UnknownNameError, match="expected a correlation id, row id, event id or trace id"):
            shown(tmp_path, wanted)
