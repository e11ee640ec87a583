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
            content_type="application/json",
        ),
        *found.events[1:],
    )
    assert found.events[0].line == (tmp_path / place.blob).read_bytes().splitlines()[place.line - 1]
    assert found.events[0].time == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert found.scanned > 0


@pytest.mark.parametrize("wanted", ["é", 'a"b', "a\\b", "x_7"])
def test_an_id_of_any_characters_is_found(tmp_path: Path, wanted: str) -> None:
    write(tmp_path, [line(correlationid=wanted), line(number=1)])
    assert shown(tmp_path, wanted) == [("model_inputs", [{"age": 0}])]


def test_an_x_request_id_leads_to_the_requests_that_came_with_it(tmp_path: Path) -> None:
    write_request(tmp_path)
    bodies = [line({"number": number}, number=number, id=f"body-{number}", xrequestid="retried") for number in (1, 2)]
    write(tmp_path, bodies, collection="shop/blue/request")
    found = reader.open(tmp_path).show("retried")
    assert found.notes == ("'retried' is the x-request-id of 'request-1', 'request-2'",)
    by_name = sorted((event.collection.rpartition("/")[2], event.event_id) for event in found.events)
    assert by_name == [
        ("app_traces", "span"),
        ("ground_truth", "label"),
        ("model_inputs", "event-1"),
        ("model_inputs", "event-2"),
        ("model_outputs", "output-1"),
        ("request", "body-1"),
        ("request", "body-2"),
    ]


def test_of_an_x_request_id_that_very_many_requests_have_some_are_shown(tmp_path: Path) -> None:
    write(tmp_path, [line(number=number, xrequestid="constant") for number in range(100, 150)])
    found = reader.open(tmp_path).show("constant")
    assert len(found.events) == 20
    assert found.notes[0].endswith(" and others, which are not shown")


def test_a_correlation_id_that_is_another_requests_x_request_id_is_that_of_its_own_request(tmp_path: Path) -> None:
    write(tmp_path, [line(number=1, xrequestid="request-2"), line(number=2, xrequestid="request-1")])
    found = reader.open(tmp_path).show("request-1")
    assert ([event.event_id for event in found.events], found.notes) == (["event-1"], ())


def test_a_window_limits_the_search(tmp_path: Path) -> None:
    write_request(tmp_path)
    assert shown(tmp_path, "request-2", since="2026-11-22T10", until="2026-11-22T11") != []
    with pytest.raises(UnknownNameError, match="there are no events to search in; correct the store or the window"):
        shown(tmp_path, "request-2", since="2026-11-22T11")


def test_an_id_that_there_is_not_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [line(timens=str(NOON_NS))])
    for wanted in ("request", "request-00", "request-0_00", "request-0_\u0663", "age", "", "\ud800"):
        with pytest.raises(
            UnknownNameError, match="expected a correlation id, row id, event id, trace id or x-request-id"
        ):
            shown(tmp_path, wanted)


@pytest.mark.parametrize(
    ("wanted", "since", "sentence"),
    [
        ("nothing", None, "no event has it; correct the id"),
        ("nothing", "2026-11-22", "no event has it; correct the id or the window"),
        ("", None, "no event can have it"),
        ("x" * 5_000, None, "no event has it; correct the id"),
        ("\ud800" * 400, None, "no event can have it"),
    ],
)
def test_the_error_says_what_can_be_corrected(tmp_path: Path, wanted: str, since: str | None, sentence: str) -> None:
    write(tmp_path, [line(timens=str(NOON_NS))])
    with pytest.raises(UnknownNameError) as error:
        shown(tmp_path, wanted, since=since)
    assert str(error.value).endswith(f", got {wanted!r:.200}: {sentence}")


def test_a_damaged_line_with_the_text_of_an_id_is_named(tmp_path: Path) -> None:
    blob = write(tmp_path, [line(), line(number=1), line(number=2)[:-20]])
    with pytest.raises(
        UnknownNameError, match=r"has it; .*000000\.jsonl, line 3 has its text, and is damaged; correct"
    ):
        reader.open(tmp_path).show("event-2")
    blob.write_bytes(blob.read_bytes().replace(b"event-2", b"event-1"))
    found = reader.open(tmp_path).show("event-1")
    place = Place(blob=blob.relative_to(tmp_path).as_posix(), line=3)
    assert (len(found.events), found.notes) == (1, (f"expected an event, got a damaged line in {place}",))


def test_a_payload_that_is_missing_is_not_an_empty_one(tmp_path: Path) -> None:
    write(tmp_path, [line(None, dataref="/etc/passwd"), line(number=1)])
    store = reader.open(tmp_path)
    assert [store.show(f"event-{number}").events[0].is_missing for number in (0, 1)] == [True, False]


def test_of_many_labels_only_those_of_the_id_are_shown(tmp_path: Path) -> None:
    labels = [{"row_id": f"request-{number}_0", "n": number / 2} for number in range(100)]
    write(tmp_path, [line(labels, id="labels", correlationid="labels")], collection="shop/blue/ground_truth")
    expected = [("ground_truth", [{"row_id": "request-7_0", "n": 3.5}])]
    assert shown(tmp_path, "request-7_0") == shown(tmp_path, "request-7") == expected
    assert len(shown(tmp_path, "labels")[0][1]) == 100
