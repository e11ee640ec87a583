"""Flush and shutdown of a worker: no wait is longer than its timeout, and every record is settled or reported."""

from __future__ import annotations

import threading
import time

import pytest
from scripted_endpoint import Endpoint, FakeRecord

from otel_modeldata._delivery.delivery_queue import DeliveryQueue
from otel_modeldata.exceptions import DeliveryError, QueueFullError, ShutDownError
from otel_modeldata.report import DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Retry

OpenDelivery = "Callable[..., Worker]"


def test_flush_reports_pending_records_when_its_time_is_over(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(endpoint := Endpoint(lambda _: Retry("UNAVAILABLE", "down")))
    delivery.put(FakeRecord("a"), None)
    assert endpoint.tried.wait(30)
    assert delivery.flush(0.01) == DeliveryReport(accepted=1, pending=1)


def test_flush_starts_the_thread_if_a_signal_interrupted_the_first_put(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(endpoint := Endpoint())
    delivery._queue.put(FakeRecord("a"), None)  # a signal handler calls `flush` before the thread is started
    assert delivery.flush(30) == DeliveryReport(accepted=1, delivered=1)
    assert endpoint.stored == ["a"]


def test_shutdown_delivers_waiting_records_and_then_refuses_new_ones(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(endpoint := Endpoint(), linger_seconds=60.0)
    for n in range(3):
        delivery.put(FakeRecord(f"r{n}"), None)
    assert delivery.shutdown(30) == DeliveryReport(accepted=3, delivered=3)
    assert endpoint.stored == ["r0", "r1", "r2"]
    assert endpoint.closed.is_set()
    with pytest.raises(ShutDownError) as refused:
        delivery.put(FakeRecord("late"), None)
    cure = "call flush() where collecting goes on, and restart the process or the kernel to collect again"
    assert (str(refused.value), refused.value.__notes__) == (
        "queue closed",
        [f"shutdown() ended delivery in this process: {cure}"],
    )
    assert delivery.shutdown(30) == DeliveryReport(accepted=3, delivered=3)


def test_records_that_shutdown_cannot_deliver_in_time_are_lost_and_reported(delivery_to: OpenDelivery) -> None:
    errors: list[Exception] = []
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down", 3600.0)), batch_bytes=600)
    for n in range(5):
        delivery.put(FakeRecord(f"r{n}"), errors.append)
    assert delivery.shutdown(0.05) == DeliveryReport(accepted=5, lost={"shutdown": 5})
    assert sum(e.count for e in errors if isinstance(e, DeliveryError)) == 5
    assert {e.reason for e in errors if isinstance(e, DeliveryError)} == {"shutdown"}


def test_a_hung_endpoint_blocks_neither_collect_nor_a_flush_with_a_timeout(delivery_to: OpenDelivery) -> None:
    """Nothing is answered until every `put` and `flush` below has returned."""
    returned = threading.Event()

    def script(_: list[str]) -> Answer:
        assert returned.wait(60)
        return Delivered()

    delivery = delivery_to(endpoint := Endpoint(script))
    for n in range(2000):
        delivery.put(FakeRecord(f"r{n}"), None)
        if n == 0:
            assert endpoint.tried.is_set() or delivery.flush(0.001).pending == 1
    assert delivery.flush(0.01) == DeliveryReport(accepted=2000, pending=2000)
    returned.set()
    assert delivery.flush(30) == DeliveryReport(accepted=2000, delivered=2000)


@pytest.mark.parametrize("is_hung", [False, True], ids=["down", "hung"])
def test_on_error_hears_at_the_end_what_the_endpoint_answered_last(
    delivery_to: OpenDelivery, caplog: pytest.LogCaptureFixture, *, is_hung: bool
) -> None:
    answers: list[Answer] = [] if is_hung else [Retry("UNAVAILABLE", "down")]

    def answer_or_hang(_: list[str]) -> Answer:
        if answers:
            return answers.pop()
        assert endpoint.closed.wait(30)
        return Retry("CANCELLED", "the channel is closed")

    endpoint = Endpoint(answer_or_hang)
    delivery = delivery_to(endpoint)
    heard: list[Exception] = []
    delivery.put(FakeRecord("a"), heard.append)
    assert delivery.shutdown(0.3) == DeliveryReport(accepted=1, lost={"shutdown": 1})
    state = "it did not answer in time" if is_hung else "UNAVAILABLE: down"
    assert [str(error) for error in heard] == [f"1 event(s) lost, shutdown: {state}"]
    assert delivery.outage() == ("" if is_hung else state)
    assert "CANCELLED" not in caplog.text


def test_on_error_hears_at_the_end_why_a_request_is_not_done_if_the_transport_knows(delivery_to: OpenDelivery) -> None:
    def hang(_: list[str]) -> Answer:
        assert endpoint.closed.wait(30)
        return Retry("UNAVAILABLE", "no space left")

    endpoint = Endpoint(hang)
    delivery = delivery_to(endpoint)
    heard: list[Exception] = []
    delivery.put(FakeRecord("a"), heard.append)
    assert delivery.shutdown(0.3) == DeliveryReport(accepted=1, lost={"shutdown": 1})
    assert [str(error) for error in heard] == ["1 event(s) lost, shutdown: UNAVAILABLE: no space left"]
    assert delivery.outage() == "UNAVAILABLE: no space left"


def test_a_second_shutdown_with_a_shorter_timeout_ends_the_wait_of_the_first(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down")))
    delivery.put(FakeRecord("r"), None)
    patient = threading.Thread(target=delivery.shutdown, args=(3600.0,))
    patient.start()
    while delivery._queue.stop_at is None:
        time.sleep(0.001)
    assert delivery.shutdown(0.0) == DeliveryReport(accepted=1, lost={"shutdown": 1})
    patient.join(30)
    assert not patient.is_alive()


def test_a_transport_that_does_not_end_when_closed_does_not_block_shutdown(
    delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata._delivery.worker._END_SECONDS", 0.01)
    released = threading.Event()

    def script(_: list[str]) -> Answer:
        assert released.wait(60)
        return Delivered()

    delivery = delivery_to(Endpoint(script))
    delivery.put(FakeRecord("a"), None)
    assert delivery.shutdown(0.01) == DeliveryReport(accepted=1, pending=1)
    released.set()
    assert delivery.flush(30) == DeliveryReport(accepted=1, delivered=1)


def test_shutdown_ends_a_collect_that_waits_for_room(
    delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_room = DeliveryQueue._await_room

    def await_room_while_it_shuts_down(queue: DeliveryQueue, seen: int, end: float) -> bool:
        threading.Thread(target=delivery.shutdown, args=(0.0,)).start()
        return await_room(queue, seen, end)

    monkeypatch.setattr(DeliveryQueue, "_await_room", await_room_while_it_shuts_down)
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down")), queue_records=1, block_seconds=60.0)
    delivery.put(FakeRecord("r0"), None)
    with pytest.raises(ShutDownError):
        delivery.put(FakeRecord("r1"), None)


def test_collect_is_refused_if_it_waited_for_room_without_success(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(lambda _: Retry("UNAVAILABLE", "down")), queue_records=1, block_seconds=0.02)
    delivery.put(FakeRecord("r0"), None)
    with pytest.raises(QueueFullError):
        delivery.put(FakeRecord("r1"), None)
    assert delivery.report() == DeliveryReport(accepted=1, pending=1)


def test_an_ending_interpreter_that_lets_no_thread_start_delivers(
    delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = delivery_to(endpoint := Endpoint(), linger_seconds=5.0, batch_bytes=3000)
    delivery.put(FakeRecord("first"), None)
    delivery.flush(30)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr("otel_modeldata._delivery.retry_sender.start_thread", refuse)
    with delivery._queue.lock:
        for n in range(3):
            record = FakeRecord(f"r{n}", 2000)
            record.body.nbytes = 10
            delivery.put(record, None)
    assert delivery.flush(60) == DeliveryReport(accepted=4, delivered=4)
    assert endpoint.stored == ["first", "r0", "r1", "r2"]


def test_an_ending_interpreter_settles_an_event_that_was_accepted_at_the_very_end(
    delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = delivery_to(Endpoint())
    queue, close = delivery._queue, delivery._sender.close

    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    def collect_and_close() -> None:
        queue.memory.accept(FakeRecord("late"), 100, None, queue._producer, None)
        close()

    monkeypatch.setattr("otel_modeldata._delivery.worker.start_thread", refuse)
    monkeypatch.setattr(delivery._sender, "close", collect_and_close)
    delivery.put(FakeRecord("early"), None)
    report = delivery.shutdown(30)
    assert (report.accepted, report.pending) == (2, 0)
    assert report.delivered + sum(report.lost.values()) == 2
