"""Frames that are close in time share an event (S72); frames of different requests never do (S73)."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interruption import interrupt
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk.trace import TracerProvider

from otel_modeldata import Collector, semconv
from otel_modeldata._delivery.memory_queue import MemoryQueue
from otel_modeldata._delivery.pending import RECORD_OVERHEAD_BYTES, PendingRecord, merge_key
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.log_record import Record
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import QueueFullError
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata.testing import CollectedEvent

_COLUMN_NAMES = ColumnNameCache("test")
TRACER = TracerProvider().get_tracer("test")


@pytest.fixture(autouse=True)
def _ten_seconds_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the tests independent of a slow machine."""
    monkeypatch.setenv("OTEL_MODELDATA_BATCH_MS", "10000")


def _frame(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"a": list(values)})


def _record(value: str) -> Record:
    return Record(
        collection="model_inputs",
        fixed=b"",
        time_ns=1,
        attributes={},
        span_context=None,
        body=Rows(_frame(value), _COLUMN_NAMES),
    )


def _summary(events: list[CollectedEvent]) -> list[tuple[str, str, list[Any], int]]:
    sequence = semconv.AZUREML_PRODUCER_SEQUENCE
    return [(event.collection, event.correlation_id, event.rows, event.attributes[sequence]) for event in events]


def test_frames_of_one_id_that_are_close_in_time_share_an_event() -> None:  # S72
    with capture() as captured:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        context = inputs.collect(_frame(1, 2), BasicCorrelationContext("a"))
        outputs.collect(_frame(10), context)
        inputs.collect(_frame(3), context)
        Collector(name="model_inputs").collect(_frame(4), BasicCorrelationContext("a"))
    assert _summary(captured.events) == [
        ("model_inputs", "a", [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}], 0),
        ("model_outputs", "a", [{"a": 10}], 0),
    ]


def test_frames_of_different_ids_never_share_an_event() -> None:  # S20, S73
    with capture() as captured:
        inputs = Collector(name="model_inputs")
        for name in ("a", "b", "a"):
            inputs.collect(_frame(name), BasicCorrelationContext(name))
        inputs.collect(_frame("c"))
        inputs.collect(_frame("d"))
    summary = _summary(captured.events)
    assert [(rows, sequence) for _, _, rows, sequence in summary] == [
        ([{"a": "a"}, {"a": "a"}], 0),
        ([{"a": "b"}], 1),
        ([{"a": "c"}], 2),
        ([{"a": "d"}], 3),
    ]
    assert len({correlation_id for _, correlation_id, _, _ in summary}) == 4


def _of_another_trace(inputs: Collector) -> None:
    with TRACER.start_as_current_span("a"):
        inputs.collect(_frame(1), BasicCorrelationContext("a"))
    with TRACER.start_as_current_span("b"):
        inputs.collect(_frame(2), BasicCorrelationContext("a"))


def _of_another_time(inputs: Collector) -> None:
    inputs.collect(_frame(1), BasicCorrelationContext("a"))
    inputs.collect(_frame(2), BasicCorrelationContext("a", timestamp=7))


def _with_other_headers(inputs: Collector) -> None:
    inputs.collect(_frame(1), BasicCorrelationContext("a"))
    inputs.collect(_frame(2), BasicCorrelationContext("a", headers={"tenant": "b"}))


def _with_other_columns(inputs: Collector) -> None:
    inputs.collect(_frame(1), BasicCorrelationContext("a"))
    inputs.collect(pd.DataFrame({"b": [2]}), BasicCorrelationContext("a"))


def _too_large_for_one(inputs: Collector) -> None:
    inputs.collect(_frame("x" * 600_000), BasicCorrelationContext("a"))
    inputs.collect(_frame("y" * 600_000), BasicCorrelationContext("a"))


@pytest.mark.parametrize(
    "collect", [_of_another_trace, _of_another_time, _with_other_headers, _with_other_columns, _too_large_for_one]
)
def test_frames_that_differ_in_more_than_their_rows_have_separate_events(collect: Callable[[Collector], None]) -> None:
    with capture() as captured:
        collect(Collector(name="model_inputs"))
    assert [len(event.rows) for event in captured.events] == [1, 1]


def test_with_0_ms_each_frame_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_BATCH_MS", "0")
    with capture() as captured:
        for value in (1, 2):
            Collector(name="model_inputs").collect(_frame(value), BasicCorrelationContext("a"))
    assert [event.rows for event in captured.events] == [[{"a": 1}], [{"a": 2}]]


def test_later_frames_do_not_join_a_flushed_event() -> None:
    with capture() as captured:
        inputs = Collector(name="model_inputs")
        inputs.collect(_frame(1), BasicCorrelationContext("a"))
        assert len(captured.events) == 1
        inputs.collect(_frame(2), BasicCorrelationContext("a"))
        assert [event.rows for event in captured.events] == [[{"a": 1}], [{"a": 2}]]


def test_row_ids_equal_the_ids_of_azures_consumer_with_any_batching() -> None:  # S21
    with capture() as captured:
        inputs = Collector(name="model_inputs")
        context = BasicCorrelationContext("a")
        offered = []
        for frame in (_frame(1, 2), _frame(3), _frame()):
            assert inputs.collect(frame, context) is context
            offered.append(context.row_ids)
    (event,) = captured.events
    assert offered == [["a_0", "a_1"], ["a_2"], []]
    # The consumer numbers the elements of `data` from 0 (posexplode).
    assert list(itertools.chain(*offered)) == [f"{event.correlation_id}_{n}" for n in range(len(event.rows))]


# S22
def test_an_id_that_is_a_column_stays_with_its_row_with_any_batching() -> None:
    with capture() as captured:
        inputs = Collector(name="model_inputs")
        for order in ("o-1", "o-2"):
            inputs.collect(pd.DataFrame({"order": [order], "price": [1.5]}), BasicCorrelationContext("request"))
    (event,) = captured.events
    assert event.rows == [{"order": "o-1", "price": 1.5}, {"order": "o-2", "price": 1.5}]


def test_each_span_names_the_event_that_its_rows_joined() -> None:
    with capture() as captured, TRACER.start_as_current_span("request") as span:
        inputs = Collector(name="model_inputs")
        for value in (1, 2):
            inputs.collect(_frame(value), BasicCorrelationContext("a"))
    (event,) = captured.events
    assert [about.attributes["cloudevents.event_id"] for about in span.events] == [event.event_id] * 2  # type: ignore[attr-defined]
    assert [about.attributes["azureml.data.rows"] for about in span.events] == [1, 1]  # type: ignore[attr-defined]


def test_joined_rows_count_against_the_limit_of_the_queue() -> None:
    queue = MemoryQueue(DeliveryLimits(merge_seconds=1000.0, queue_bytes=5000))
    key = ("model_inputs", "a", 0, None)
    charges = []
    while not charges or queue.has_room(charges[-1]):
        record = _record("x" * 400)
        charges.append(record.body.nbytes)
        if not queue.join(key, record, charges[-1]):
            queue.add(PendingRecord(record, charges[-1], time.monotonic(), None, None, None, key))  # type: ignore[arg-type]
    assert queue.nbytes == sum(charges) <= 5000
    (waiting,) = queue.take(urgent=True)
    rows = json.loads(LogRecord.FromString(waiting.record.encode()).body.string_value)
    assert (waiting.charge, len(rows)) == (sum(charges), len(charges))


@given(
    records=st.none() | st.integers(1, 6),
    queue_bytes=st.integers(0, 6 * RECORD_OVERHEAD_BYTES),
    charges=st.lists(st.integers(RECORD_OVERHEAD_BYTES, 2 * RECORD_OVERHEAD_BYTES), max_size=8),
)
def test_a_record_is_accepted_if_there_is_room_and_says_whether_half_of_a_limit_is_used(
    records: int | None, queue_bytes: int, charges: list[int]
) -> None:
    queue = MemoryQueue(DeliveryLimits(merge_seconds=0.0, queue_bytes=queue_bytes, queue_records=records))
    for charge in charges:
        has_room, before = queue.has_room(charge), queue.nbytes
        try:
            _, is_crowded = queue.accept(_record("x"), charge, None, None, None)  # type: ignore[arg-type]
        except QueueFullError:
            assert (has_room, queue.nbytes) == (False, before)
        else:
            assert (has_room, queue.nbytes) == (True, before + charge)
            assert is_crowded == queue.is_crowded()


@given(st.lists(st.lists(st.integers(-5, 5), max_size=3), min_size=1, max_size=6))
def test_joined_rows_are_the_concatenation_of_all(parts: list[list[int]]) -> None:
    names = ColumnNameCache("test")
    first, *later = [Rows(pd.DataFrame({"a": part}, dtype="int64"), names) for part in parts]
    for rows in later:
        assert first.may_join(rows, first.nbytes)
        first.join(rows)
    assert first.count == sum(map(len, parts))
    expected = pd.DataFrame({"a": [value for part in parts for value in part]}, dtype="int64")
    assert first.text() == Rows(expected, names).text()


def test_a_batch_holds_due_records_or_all_records_when_urgent() -> None:
    queue = MemoryQueue(DeliveryLimits(merge_seconds=1000.0, batch_bytes=25))
    waiting = [PendingRecord(None, 10, since, None, None, None) for since in (-2000.0, -1000.0, 1e12)]  # type: ignore[arg-type]
    for item in waiting[:2]:
        queue.add(item)
    assert queue.take(urgent=False) == waiting[:2]
    queue.add(waiting[2])
    assert queue.take(urgent=False) == []
    assert queue.wait_seconds() > 0
    waiting[2].since = 0.0
    queue.add(PendingRecord(None, 20, 0.0, None, None, None))  # type: ignore[arg-type]
    assert queue.take(urgent=True) == [waiting[2]]
    assert len(queue) == 1


_KEY = merge_key("model_inputs", "a", None, None)


def test_frames_with_another_collection_id_trace_or_chosen_time_have_other_keys() -> None:
    keys = [
        merge_key(*frame)
        for frame in (
            ("a", "b/c", None, None),
            ("a.b", "c", None, None),
            ("a", "b", None, None),
            ("a", "b", 1, None),
            ("a", "b", None, 1),
            ("a", "b", None, 0),
            ("a", "b", 1, 1),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert merge_key("a", "b", 1, 2) == merge_key("a", "b", 1, 2)


class _Joining:
    """A queue whose records all have one key, and the records and events of it."""

    def __init__(self) -> None:
        self.queue = MemoryQueue(DeliveryLimits(merge_seconds=1000.0))
        self.records: dict[str, Record] = {}
        self.taken: list[PendingRecord] = []

    def put(self, name: str, event_id: str = "") -> None:
        record = _record(name)
        record.event_id = event_id
        charge = record.body.nbytes
        if not self.queue.join(_KEY, record, charge):
            self.queue.add(PendingRecord(record, charge, time.monotonic(), None, None, None, _KEY))  # type: ignore[arg-type]
        self.records[name] = record

    def take(self) -> None:
        self.taken += self.queue.take(urgent=True)

    def check(self) -> None:
        """Every record is in one event, at the row that it knows, and under its id if it has one."""
        self.take()
        found = {}
        for event in self.taken:
            rows = json.loads(LogRecord.FromString(event.record.encode()).body.string_value)
            found.update({row["a"]: (event.record.event_id, number) for number, row in enumerate(rows)})
            self.queue.settle(event.charge)
        own = {name: (record.event_id or found[name][0], record.first_row) for name, record in self.records.items()}
        assert own == found
        assert self.queue.nbytes == 0


def _put(joining: _Joining) -> None:
    joining.put("nested", "id of nested")


def _take_and_put(joining: _Joining) -> None:
    joining.take()
    joining.put("nested", "id of nested")


def _put_and_take(joining: _Joining) -> None:
    joining.put("nested", "id of nested")
    joining.take()


@pytest.mark.parametrize("meanwhile", [_Joining.take, _take_and_put, _put, _put_and_take])
def test_frames_that_join_while_others_join_or_are_taken_know_their_rows(
    meanwhile: Callable[[_Joining], object],
) -> None:
    """At every third opcode, to save time."""
    for at in itertools.count(0, 3):
        joining = _Joining()
        joining.put("first")
        joining.put("second")
        reached = interrupt(
            at, lambda joining=joining: meanwhile(joining), lambda joining=joining: joining.put("third", "id of third")
        )
        joining.check()
        if not reached:
            break
    assert at > 100


def test_an_event_that_is_being_taken_makes_no_room_for_another_one() -> None:
    seen: list[tuple[int, int]] = []

    class Watched(MemoryQueue):
        def _end_joining(self, pending: PendingRecord) -> None:
            seen.append((self.taken, len(self)))
            super()._end_joining(pending)

    queue = Watched(DeliveryLimits(merge_seconds=0.0))
    for value in "abc":
        queue.add(PendingRecord(_record(value), 1, time.monotonic(), None, None, None))  # type: ignore[arg-type]
    assert len(queue.take(urgent=True)) == 3
    assert seen == [(1, 2), (2, 1), (3, 0)]
