"""The worker against scripted endpoints: every history ends with accepted = delivered + lost + pending."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata._delivery.delivery_queue import DeliveryQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.exceptions import DeliveryError, QueueFullError, RecordTooLargeError
from otel_modeldata.report import DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Refused, Retry

OpenDelivery = "Callable[..., Worker]"


def test_accepted_records_arrive_in_order(delivery_to: OpenDelivery) -> None:
    endpoint = Endpoint()
    delivery = delivery_to(endpoint)
    names = [f"r{n}" for n in range(1000)]
    for name in names:
        delivery.put(FakeRecord(name), None)
    assert delivery.flush(30) == DeliveryReport(accepted=1000, delivered=1000)
    assert endpoint.stored == names


def test_requests_are_limited_in_bytes_and_a_large_record_is_sent_alone(delivery_to: OpenDelivery) -> None:
    endpoint = Endpoint()
    delivery = delivery_to(endpoint, batch_bytes=10_000, linger_seconds=5.0)
    for name, size in [("a", 4000), ("b", 4000), ("c", 4000), ("large", 50_000), ("d", 10)]:
        delivery.put(FakeRecord(name, size), None)
    delivery.flush(30)
    assert sorted(len(names) for names in endpoint.requests if "large" in names) == [1]
    assert endpoint.stored == ["a", "b", "c", "large", "d"]


def test_one_bad_record_affects_only_itself(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    delivery = delivery_to(endpoint := Endpoint(), linger_seconds=5.0)
    for n in range(20):
        delivery.put(FakeRecord(f"r{n}", encodable=n != 7), errors.append)
    assert delivery.flush(30) == DeliveryReport(accepted=20, delivered=19, lost={"unencodable": 1})
    assert endpoint.stored == [f"r{n}" for n in range(20) if n != 7]
    assert [(type(e), e.reason, e.event_ids, str(e)) for e in errors if isinstance(e, DeliveryError)] == [
        (DeliveryError, "unencodable", ("r7",), "1 event(s) lost, unencodable: ValueError: cannot be encoded")
    ]


def test_a_refused_request_is_halved_until_the_bad_record_is_alone(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    endpoint = Endpoint(lambda names: Refused("INTERNAL", "bad") if "r300" in names else Delivered())
    delivery = delivery_to(endpoint, linger_seconds=5.0, linger_records=512)
    for n in range(512):
        delivery.put(FakeRecord(f"r{n}"), errors.append)
    assert delivery.flush(30) == DeliveryReport(accepted=512, delivered=511, lost={"refused": 1})
    assert endpoint.stored == [f"r{n}" for n in range(512) if n != 300]
    assert [str(e) for e in errors] == ["1 event(s) lost, refused: INTERNAL: bad"]


def test_records_that_the_endpoint_rejects_are_lost_and_reported(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    delivery = delivery_to(Endpoint(lambda _: Delivered(2, "not model data")), linger_seconds=5.0)
    for n in range(5):
        delivery.put(FakeRecord(f"r{n}"), errors.append)
    assert delivery.flush(30) == DeliveryReport(accepted=5, delivered=3, lost={"rejected": 2})
    (error,) = errors
    assert isinstance(error, DeliveryError)
    assert (error.count, error.event_ids) == (2, ("r0", "r1", "r2", "r3", "r4"))
    assert str(error) == "2 event(s) lost, rejected: 2 of 5 by the endpoint: not model data"


def test_an_outage_loses_nothing_and_the_same_bytes_are_sent_again(delivery_to: OpenDelivery) -> None:
    answers = iter([Retry("UNAVAILABLE", "down")] * 5)
    endpoint = Endpoint(lambda _: next(answers, Delivered()))
    delivery = delivery_to(endpoint)
    delivery.put(FakeRecord("a"), None)
    assert delivery.flush(30) == DeliveryReport(accepted=1, delivered=1)
    assert endpoint.requests == [["a"]] * 6


def test_a_transport_that_fails_unexpectedly_neither_ends_the_thread_nor_loses_data(delivery_to: OpenDelivery) -> None:
    failures = iter([RuntimeError("defect"), OSError("defect")])

    def script(_: list[str]) -> Answer:
        if (failure := next(failures, None)) is not None:
            raise failure
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(script))
    delivery.put(FakeRecord("a"), None)
    assert delivery.flush(30) == DeliveryReport(accepted=1, delivered=1)
    assert endpoint.stored == ["a"]


def test_records_count_against_the_queue_limit_until_they_are_settled(delivery_to: OpenDelivery) -> None:
    gate = threading.Event()

    def script(_: list[str]) -> Answer:
        gate.wait(30)
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(script), queue_bytes=10_000)
    accepted = 10_000 // (1000 + 1350)
    for n in range(accepted):
        delivery.put(FakeRecord(f"r{n}", 1000), None)
    with pytest.raises(QueueFullError) as raised:
        delivery.put(FakeRecord("one too many", 1000), None)
    assert str(raised.value) == (
        "Too many requests lead to message queue is full, please reduce the number of requests."
    )
    gate.set()
    assert delivery.flush(30) == DeliveryReport(accepted=accepted, delivered=accepted)
    delivery.put(FakeRecord("again", 1000), None)
    delivery.flush(30)
    assert endpoint.stored[-1] == "again"


def test_the_queue_can_be_bounded_in_records_as_azures_is(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down")), queue_records=3)
    for n in range(3):
        delivery.put(FakeRecord(f"r{n}"), None)
    with pytest.raises(QueueFullError):
        delivery.put(FakeRecord("r3"), None)


def test_the_retry_delay_of_the_endpoint_is_used(delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(DeliveryQueue, "pause", lambda _, seconds: pauses.append(seconds) or True)
    answers = iter([Retry("UNAVAILABLE", "", 0.25), Retry("UNAVAILABLE", "", 3600.0), Retry("UNAVAILABLE", "")])
    delivery = delivery_to(
        Endpoint(lambda _: next(answers, Delivered())), first_retry_seconds=1.0, max_retry_seconds=15.0
    )
    state = random.getstate()
    delivery.put(FakeRecord("a"), None)
    delivery.flush(30)
    assert pauses[:2] == [0.25, 15.0]
    assert 4 * 0.8 <= pauses[2] <= 4 * 1.2
    assert random.getstate() == state  # a program that seeds `random` gets the same numbers as without the SDK


_ANSWERS = st.sampled_from(["ok", "later", "reject", "refuse_odd"])


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60), st.lists(_ANSWERS, max_size=30), st.integers(1, 3))
def test_every_record_is_settled_exactly_once_with_any_answers(
    sizes: list[int], script: list[str], most_at_once: int
) -> None:
    steps = iter(script)

    def answer(names: list[str]) -> Answer:
        step = next(steps, "ok")
        if step == "later":
            return Retry("UNAVAILABLE", "")
        if step == "refuse_odd" and any(int(name[1:]) % 2 for name in names):
            return Refused("INVALID_ARGUMENT", "odd")
        return Delivered(1 if step == "reject" else 0, "")

    errors: list[DeliveryError] = []
    endpoint = Endpoint(answer, most_at_once)
    delivery = Worker(
        RequestEnvelope({}, "p"),
        endpoint,
        DeliveryLimits(**FAST, batch_bytes=4000),  # type: ignore[arg-type]
    )
    for n, size in enumerate(sizes):
        delivery.put(FakeRecord(f"r{n}", size), errors.append)  # type: ignore[arg-type]
    report = delivery.shutdown(30)
    assert report.pending == 0
    assert report.accepted == len(sizes) == report.delivered + sum(report.lost.values())
    lost = Counter(dict.fromkeys(report.lost, 0))
    for error in errors:
        lost[error.reason] += error.count
    assert lost == Counter(report.lost)
    refused = {name for error in errors if error.reason == "refused" for name in error.event_ids}
    assert Counter(endpoint.stored) == Counter({f"r{n}" for n in range(len(sizes))} - refused)


def test_each_collection_has_its_own_numbers_and_refused_records_take_none(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(), queue_bytes=20_000)
    records = [FakeRecord(f"r{n}", collection=f"c{n % 2}") for n in range(6)]
    for record in records[:4]:
        delivery.put(record, None)
    with pytest.raises(RecordTooLargeError):
        delivery.put(FakeRecord("large", 20_000, collection="c0"), None)
    for record in records[4:]:
        delivery.put(record, None)
    delivery.flush(30)
    assert [record.sequence for record in records] == [0, 0, 1, 1, 2, 2]


def test_a_record_the_endpoint_finds_too_large_alone_is_lost_with_its_size_and_the_limit(
    delivery_to: OpenDelivery,
) -> None:
    """With the message that gRPC servers send."""
    errors: list[Exception] = []
    text = "SERVER: Received message larger than max (5000123 vs. 4194304)"

    def script(names: list[str]) -> Answer:
        return Refused("RESOURCE_EXHAUSTED", text) if "large" in names else Delivered()

    delivery = delivery_to(endpoint := Endpoint(script), linger_seconds=5.0)
    for name, size in [("a", 10), ("large", 3_000_000), ("b", 10)]:
        delivery.put(FakeRecord(name, size), errors.append)
    assert delivery.flush(30) == DeliveryReport(accepted=3, delivered=2, lost={"too_large": 1})
    assert endpoint.stored == ["a", "b"]
    (error,) = errors
    assert str(error).startswith("1 event(s) lost, too_large: 3000")
    assert str(error).endswith(f"bytes, more than the endpoint takes: RESOURCE_EXHAUSTED: {text}")


def test_collect_may_wait_for_room_and_gets_it(delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    await_room = DeliveryQueue._await_room

    def await_room_and_say_so(queue: DeliveryQueue, seen: int, end: float) -> bool:
        waits.set()
        return await_room(queue, seen, end)

    def script(_: list[str]) -> Answer:
        assert waits.wait(60)
        return Delivered()

    monkeypatch.setattr(DeliveryQueue, "_await_room", await_room_and_say_so)
    delivery = delivery_to(endpoint := Endpoint(script), queue_records=3, block_seconds=60.0)
    for n in range(4):
        delivery.put(FakeRecord(f"r{n}"), None)
    assert waits.is_set()
    assert delivery.flush(30) == DeliveryReport(accepted=4, delivered=4)
    assert endpoint.stored == ["r0", "r1", "r2", "r3"]


def test_each_condition_has_its_own_log_line(delivery_to: OpenDelivery, caplog: pytest.LogCaptureFixture) -> None:
    """An earlier outage does not suppress the report of a loss."""
    answers = iter([Retry("UNAVAILABLE", "down"), Retry("UNAVAILABLE", "down"), Refused("INTERNAL", "bad")])
    delivery = delivery_to(Endpoint(lambda _: next(answers, Delivered(1, "quarantined"))))
    hint = "`otel-modeldata doctor` looks for the cause"
    with caplog.at_level(logging.WARNING):
        for n in range(3):
            delivery.put(FakeRecord(f"r{n}"), None)
            delivery.flush(30)
    assert [record.getMessage() for record in caplog.records] == [
        f"1 event(s) wait for the endpoint, which answers UNAVAILABLE: down ({hint})",
        "1 event(s) lost, refused: INTERNAL: bad",
        "1 event(s) lost, rejected: 1 of 1 by the endpoint: quarantined",
    ]


def test_the_next_request_is_encoded_while_the_one_before_is_sent(delivery_to: OpenDelivery) -> None:
    encoded = threading.Event()

    class Second(FakeRecord):
        def encode(self) -> bytes:
            encoded.set()
            return super().encode()

    overlapped: list[bool] = []

    def answer(names: list[str]) -> Answer:
        if names == ["r0"]:
            overlapped.append(encoded.wait(30))
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(answer), linger_seconds=5.0, batch_bytes=3000)
    with delivery._queue.lock:  # both are in one batch, but need two requests
        for record in (FakeRecord("r0", 2000), Second("r1", 2000)):
            record.body.nbytes = 10
            delivery.put(record, None)
    assert delivery.flush(60) == DeliveryReport(accepted=2, delivered=2)
    assert (overlapped, endpoint.stored) == ([True], ["r0", "r1"])


def test_the_thread_does_work_for_collect_before_each_batch() -> None:
    seen: list[tuple[threading.Thread, list[str]]] = []
    endpoint = Endpoint()
    delivery = Worker(
        RequestEnvelope({}, "producer"),
        endpoint,
        DeliveryLimits(**FAST),  # type: ignore[arg-type]
        between_batches=lambda: seen.append((threading.current_thread(), list(endpoint.stored))),
    )
    for name in ("a", "b"):
        delivery.put(FakeRecord(name), None)
        delivery.flush(30)
    delivery.shutdown(timeout=30)
    assert {thread.name for thread, _ in seen} == {"otel-modeldata-delivery"}
    assert {tuple(stored) for _, stored in seen} >= {(), ("a",)}
