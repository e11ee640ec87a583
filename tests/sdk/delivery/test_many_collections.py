"""Many collections of one process share requests; each keeps its order, its numbers and its counts."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_endpoint import FAST, Endpoint, FakeRecord

import otel_modeldata
from otel_modeldata import Collector, semconv
from otel_modeldata._delivery.native_threads import wait_until
from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import DeliveryError, QueueFullError
from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Refused, Retry

if TYPE_CHECKING:
    from pathlib import Path

    from recording_backend import RecordingBackend

OpenDelivery = "Callable[..., Worker]"
MANY = 300


def by_collection(names: list[str]) -> dict[str, list[int]]:
    """The numbers of records named `{collection}/{number}`, as they arrived."""
    arrived: defaultdict[str, list[int]] = defaultdict(list)
    for name in names:
        collection, _, number = name.partition("/")
        arrived[collection].append(int(number))
    return dict(arrived)


def put(delivery: Worker, names: list[str], errors: list[Exception] | None = None) -> None:
    for name in names:
        record = FakeRecord(name, collection=name.partition("/")[0])
        delivery.put(record, None if errors is None else errors.append)  # type: ignore[arg-type]


def in_turn(collections: int, rounds: int) -> list[str]:
    """The names of records that go to the collections in turn."""
    return [f"c{n}/{number}" for number in range(rounds) for n in range(collections)]


def test_one_request_holds_the_frames_of_many_collections_and_every_value_arrives(backend: RecordingBackend) -> None:
    collectors = {name: Collector(name=name) for name in (f"inputs_{n}" for n in range(MANY))}
    for number in range(2):
        for n, (name, collector) in enumerate(collectors.items()):
            context = BasicCorrelationContext(id=f"{name}-{number}")
            collector.collect(pd.DataFrame({"n": [n], "text": [f"é{number}"]}), context)
    report = otel_modeldata.flush(60)
    arrived = [
        (
            values[semconv.AZUREML_COLLECTION_NAME].string_value,
            values[semconv.AZUREML_PRODUCER_SEQUENCE].int_value,
            values[semconv.AZUREML_CORRELATION_ID].string_value,
            record.body.string_value,
        )
        for record in backend.records()
        for values in [{item.key: item.value for item in record.attributes}]
    ]
    assert sorted(arrived) == sorted(
        (name, number, f"{name}-{number}", f'[{{"n":{n},"text":"é{number}"}}]')
        for n, name in enumerate(collectors)
        for number in range(2)
    )
    assert report.collections == dict.fromkeys(collectors, CollectionReport(accepted=2, delivered=2))
    assert len(backend.log_requests()) < MANY / 10


def test_a_refused_record_of_one_collection_costs_only_itself(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    endpoint = Endpoint(lambda names: Refused("INVALID_ARGUMENT", "bad") if "c7/1" in names else Delivered())
    delivery = delivery_to(endpoint, linger_seconds=5.0, linger_records=10**6)
    put(delivery, in_turn(20, 3), errors)
    report = delivery.flush(30)
    assert by_collection(endpoint.stored) == {f"c{n}": [0, 2] if n == 7 else [0, 1, 2] for n in range(20)}
    assert report.collections == {
        f"c{n}": CollectionReport(accepted=3, delivered=2, lost={"refused": 1})
        if n == 7
        else CollectionReport(accepted=3, delivered=3)
        for n in range(20)
    }
    assert [(error.reason, error.event_ids) for error in errors if isinstance(error, DeliveryError)] == [
        ("refused", ("c7/1",))
    ]


def test_after_a_rejected_record_each_request_holds_one_collection(delivery_to: OpenDelivery) -> None:
    """OTLP counts rejected records and does not name them."""
    bad = {"c1/1"}
    endpoint = Endpoint(lambda names: Delivered(len(bad.intersection(names)), "bad"))
    delivery = delivery_to(endpoint, linger_seconds=5.0, linger_records=10**6)
    requests = []
    for names in (["c0/0", "c1/0"], ["c0/1", "c1/1"], ["c0/2", "c1/2"], ["c0/3", "c1/3"]):
        put(delivery, names)
        delivery.flush(30)
        requests.append(endpoint.requests[:])
        endpoint.requests.clear()
    assert requests == [[["c0/0", "c1/0"]], [["c0/1", "c1/1"]], [["c0/2"], ["c1/2"]], [["c0/3"], ["c1/3"]]]
    assert delivery.report() == DeliveryReport(accepted=8, delivered=7, lost={"rejected": 1})


def test_from_the_second_rejection_on_the_counts_of_each_collection_are_exact(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    endpoint = Endpoint(lambda names: Delivered(sum(name.startswith("c1/") for name in names), "bad"))
    delivery = delivery_to(endpoint, linger_seconds=5.0, linger_records=10**6)
    put(delivery, ["c1/0"])
    delivery.flush(30)
    put(delivery, ["c0/0", "c1/1", "c0/1", "c1/2"], errors)
    report = delivery.flush(30)
    assert endpoint.requests == [["c1/0"], ["c0/0", "c0/1"], ["c1/1", "c1/2"]]
    assert report.collections == {
        "c0": CollectionReport(accepted=2, delivered=2),
        "c1": CollectionReport(accepted=3, lost={"rejected": 3}),
    }
    (error,) = errors
    assert isinstance(error, DeliveryError)
    assert (error.count, error.event_ids) == (2, ("c1/1", "c1/2"))


def test_retries_keep_the_order_within_each_collection_and_send_the_same_bytes(delivery_to: OpenDelivery) -> None:
    answers = iter([Retry("UNAVAILABLE", "down")] * 7)
    endpoint = Endpoint(lambda _: next(answers, Delivered()))
    delivery = delivery_to(endpoint, batch_bytes=20_000)
    put(delivery, in_turn(40, 5))
    assert delivery.flush(30) == DeliveryReport(accepted=200, delivered=200)
    assert by_collection(endpoint.stored) == {f"c{n}": list(range(5)) for n in range(40)}
    assert endpoint.requests[:8] == [endpoint.requests[0]] * 8


@pytest.mark.parametrize("rounds", [2, 8])
def test_a_backlog_of_many_is_sent_by_collection_so_that_a_request_holds_many_records_of_each(
    delivery_to: OpenDelivery, rounds: int
) -> None:
    delivery = delivery_to(endpoint := Endpoint(), batch_bytes=113_500, merge_seconds=60.0)
    for name in in_turn(40, rounds):
        delivery.put(FakeRecord(name, 10_000, collection=name.partition("/")[0]), None)
    delivery.flush(30)
    assert endpoint.stored == [f"c{n}/{number}" for n in range(40) for number in range(rounds)]
    full, rest = divmod(40 * rounds, 11)
    assert [len(names) for names in endpoint.requests] == [*[11] * full, rest]


def test_a_request_holds_no_more_records_than_the_receiver_maps_in_one_go(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(endpoint := Endpoint(), batch_records=10, merge_seconds=60.0)
    put(delivery, in_turn(2, 12))
    delivery.flush(30)
    assert endpoint.stored == in_turn(2, 12)
    assert [len(names) for names in endpoint.requests] == [10, 10, 4]


def test_the_records_of_a_few_collections_are_sent_in_the_order_of_collect(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(endpoint := Endpoint(), batch_bytes=113_500, merge_seconds=60.0)
    for name in in_turn(4, 15):
        delivery.put(FakeRecord(name, 10_000, collection=name.partition("/")[0]), None)
    delivery.flush(30)
    assert endpoint.stored == in_turn(4, 15)
    assert [len(names) for names in endpoint.requests] == [11, 11, 11, 11, 11, 5]


def test_requests_of_one_record_each_keep_the_order_across_collections(delivery_to: OpenDelivery) -> None:
    endpoint = Endpoint(lambda _: Delivered())
    delivery = delivery_to(endpoint, linger_seconds=5.0, linger_records=10**6, batch_bytes=1)
    names = in_turn(3, 8)
    put(delivery, names)
    delivery.flush(30)
    assert endpoint.stored == names


def test_records_of_many_collections_that_fill_a_request_each_are_sent_by_collection_too(
    delivery_to: OpenDelivery,
) -> None:
    """Each is more than half of what is taken for one request; encoded, two of them fill one."""
    delivery = delivery_to(endpoint := Endpoint(), batch_bytes=21_000, merge_seconds=60.0)
    for name in [*in_turn(40, 1), "c0/1"]:
        delivery.put(FakeRecord(name, 10_000, collection=name.partition("/")[0]), None)
    delivery.flush(30)
    assert by_collection(endpoint.stored) == {f"c{n}": [0, 1] if n == 0 else [0] for n in range(40)}
    assert [len(names) for names in endpoint.requests] == [2] * 20 + [1]


def test_records_of_requests_that_are_answered_take_no_memory_while_the_rest_of_the_backlog_is_sent(
    delivery_to: OpenDelivery,
) -> None:
    alive: weakref.WeakSet[FakeRecord] = weakref.WeakSet()
    counts: list[int] = []

    def answer(_: list[str]) -> Answer:
        counts.append(len(alive))
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(answer), batch_bytes=113_500, merge_seconds=60.0)
    for name in in_turn(4, 15):
        record = FakeRecord(name, 10_000, collection=name.partition("/")[0])
        alive.add(record)
        delivery.put(record, None)
    del record
    delivery.flush(30)
    sent = [0, *itertools.accumulate(map(len, endpoint.requests))]
    # The request that was answered last may not be forgotten yet.
    assert [count <= 60 - before for count, before in zip(counts, [0, *sent], strict=False)] == [True] * 6


def test_flush_waits_for_all_records_accepted_before_it_and_for_no_others(delivery_to: OpenDelivery) -> None:
    """Records of several collections are not settled in the order in which they were accepted."""
    begun, gate = threading.Event(), threading.Event()

    def answer(_: list[str]) -> Answer:
        begun.set()
        assert gate.wait(60)
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(answer))
    put(delivery, ["c0/0"])
    assert begun.wait(60)
    put(delivery, ["c0/1", "c1/0"])
    reports: list[DeliveryReport] = []
    flushing = threading.Thread(target=lambda: reports.append(delivery.flush(60)))
    flushing.start()
    assert wait_until(lambda: delivery._queue._flush_up_to == 3, 60)
    put(delivery, ["c0/2", "c1/1"])
    gate.set()
    flushing.join(60)
    delivery.flush(60)
    assert endpoint.requests == [["c0/0"], ["c0/1", "c1/0"], ["c0/2", "c1/1"]]
    assert reports[0].delivered >= 3


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=80),
    st.lists(st.sampled_from(["ok", "later", "reject", "refuse"]), max_size=30),
)
def test_every_collection_is_in_order_and_accounted_for_with_any_answers(owners: list[int], script: list[str]) -> None:
    steps = iter(script)

    def answer(names: list[str]) -> Answer:
        step = next(steps, "ok")
        if step == "later":
            return Retry("UNAVAILABLE", "")
        if step == "refuse" and any(name.startswith("c3/") for name in names):
            return Refused("INVALID_ARGUMENT", "")
        return Delivered(1 if step == "reject" else 0)

    counts: Counter[int] = Counter()
    names = []
    for owner in owners:
        names.append(f"c{owner}/{counts[owner]}")
        counts[owner] += 1
    endpoint = Endpoint(answer)
    delivery = Worker(RequestEnvelope({}, "p"), endpoint, DeliveryLimits(**FAST, batch_bytes=8000))  # type: ignore[arg-type]
    put(delivery, names)
    report = delivery.shutdown(30)
    assert {name: one.accepted for name, one in report.collections.items()} == {f"c{n}": counts[n] for n in counts}
    assert all(one.accepted == one.delivered + sum(one.lost.values()) for one in report.collections.values())
    refused = report.collections["c3"].lost.get("refused", 0) if "c3" in report.collections else 0
    arrived = by_collection(endpoint.stored)
    assert all(numbers == sorted(numbers) for numbers in arrived.values())
    assert {name: len(numbers) for name, numbers in arrived.items() if name != "c3"} == {
        f"c{n}": counts[n] for n in counts if n != 3
    }
    assert len(arrived.get("c3", ())) == counts[3] - refused


def test_a_spool_of_many_collections_is_sent_by_the_next_process_in_order_and_counted_by_collection(
    tmp_path: Path,
) -> None:
    def worker(endpoint: Endpoint, producer: str) -> Worker:
        envelope = RequestEnvelope({}, producer)
        disk_queue = DiskQueue(tmp_path, producer, envelope.request([]), 2**24)
        return Worker(envelope, endpoint, DeliveryLimits(**FAST), producer=producer, disk_queue=disk_queue)  # type: ignore[arg-type]

    down = worker(Endpoint(lambda _: Retry("UNAVAILABLE", "down")), "alice")
    put(down, in_turn(MANY, 3))
    kept = down.shutdown(0.0)
    assert kept == DeliveryReport(accepted=3 * MANY, pending=3 * MANY)
    up = worker(endpoint := Endpoint(), "bob")
    put(up, in_turn(MANY, 1))
    report = up.shutdown(60)
    everything = {f"c{n}" for n in range(MANY)}
    assert report.replayed == {"alice": dict.fromkeys(everything, CollectionReport(accepted=3, delivered=3))}
    assert report.collections == dict.fromkeys(everything, CollectionReport(accepted=1, delivered=1))
    arrived: defaultdict[str, list[str]] = defaultdict(list)
    for message in endpoint.messages:
        (resource,) = message.resource_logs
        (producer,) = [
            item.value.string_value for item in resource.resource.attributes if item.key == semconv.SERVICE_INSTANCE_ID
        ]
        arrived[producer] += [record.severity_text for record in resource.scope_logs[0].log_records]
    assert {producer: by_collection(names) for producer, names in arrived.items()} == {
        "alice": {f"c{n}": [0, 1, 2] for n in range(MANY)},
        "bob": {f"c{n}": [0] for n in range(MANY)},
    }
    assert len(endpoint.requests) < MANY / 10


@pytest.mark.parametrize("room", [1, 3])
def test_the_bound_in_bytes_counts_the_records_of_all_collections(delivery_to: OpenDelivery, room: int) -> None:
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down")), queue_bytes=room * (1000 + 1350))
    for n in range(room):
        delivery.put(FakeRecord(f"c{n}/0", 1000, collection=f"c{n}"), None)
    with pytest.raises(QueueFullError):
        delivery.put(FakeRecord("other/0", 1000, collection="other"), None)
