"""Two requests at a time: what overlaps, what an outage does, and how it ends."""

from __future__ import annotations

import threading
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from scripted_endpoint import Endpoint, FakeRecord
from waiting import wait_until

from otel_modeldata._delivery import retry_sender
from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Refused, Retry, most_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata._delivery.worker import Worker
    from otel_modeldata.exceptions import DeliveryError

    OpenDelivery = Callable[..., Worker]

_DOWN = Retry("UNAVAILABLE", "down")


class _Crossing:
    """Answers with `script` once `together` requests are there, and counts those that are there at the same time."""

    def __init__(self, together: int, script: Callable[[Sequence[str]], Answer] = lambda _: Delivered()) -> None:
        self.most = 0
        self._together, self._script = together, script
        self._inside = 0
        self._changed = threading.Condition()

    def __call__(self, names: list[str]) -> Answer:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._together, 60), names
        answer = self._script(names)
        with self._changed:
            self._inside -= 1
        return answer


def _put(delivery: Worker, count: int, on_error: Callable[[Exception], object] | None = None) -> None:
    """Records of one batch, each of which fills a request."""
    with delivery._queue.lock:
        for n in range(count):
            record = FakeRecord(f"r{n}", 2000, collection=f"c{n % 2}")
            record.body.nbytes = 10
            delivery.put(record, on_error)  # type: ignore[arg-type]


def _one_for_each_request(open_delivery: OpenDelivery, endpoint: Endpoint, **limits: object) -> Worker:
    # Without a pause for frames that may join: else the first record is due before the others, and sent alone.
    return open_delivery(endpoint, linger_seconds=5.0, merge_seconds=0.0, batch_bytes=3000, **limits)


def test_a_transport_that_says_nothing_gets_one_request_at_a_time(delivery_to: OpenDelivery) -> None:
    class Plain:
        def send(self, _: bytes) -> Answer:
            return Delivered()

        def close(self) -> None: ...

    assert most_at_once(Plain()) == 1
    crossing = _Crossing(1)
    delivery = _one_for_each_request(delivery_to, endpoint := Endpoint(crossing))
    _put(delivery, 20)
    assert delivery.flush(60) == DeliveryReport(accepted=20, delivered=20)
    assert (crossing.most, endpoint.stored) == (1, [f"r{n}" for n in range(20)])


def test_two_requests_are_under_way_and_never_three(delivery_to: OpenDelivery) -> None:
    crossing = _Crossing(2)
    delivery = _one_for_each_request(delivery_to, endpoint := Endpoint(crossing, most_at_once=2))
    _put(delivery, 20)
    assert delivery.flush(60) == DeliveryReport(accepted=20, delivered=20)
    assert crossing.most == 2
    assert sorted(endpoint.stored) == sorted(f"r{n}" for n in range(20))


def test_a_request_waits_for_the_end_of_the_one_before_the_last(delivery_to: OpenDelivery) -> None:
    """So of requests that are stored, the places differ by one."""
    third, second_is_stored = threading.Event(), threading.Event()

    def answer(names: list[str]) -> Answer:
        if names == ["r0"]:  # r2 may not begin although r1 is settled
            assert second_is_stored.wait(60)
            assert not third.wait(0.05)
        elif names == ["r2"]:
            third.set()
        return Delivered()

    delivery = _one_for_each_request(delivery_to, endpoint := Endpoint(answer, most_at_once=2))
    _put(delivery, 3)
    wait_until(lambda: endpoint.stored == ["r1"])
    second_is_stored.set()
    assert delivery.flush(60) == DeliveryReport(accepted=3, delivered=3)
    assert endpoint.stored == ["r1", "r0", "r2"]


def test_in_an_outage_one_request_asks_for_both_and_no_other_is_begun(delivery_to: OpenDelivery) -> None:
    is_down, tries = threading.Event(), []
    is_down.set()

    def answer(names: Sequence[str]) -> Answer:
        tries.append(names[0])
        return _DOWN if is_down.is_set() else Delivered()

    endpoint = Endpoint(_Crossing(2, answer), most_at_once=2)
    delivery = _one_for_each_request(delivery_to, endpoint)
    _put(delivery, 6)
    wait_until(lambda: len(tries) >= 10 and len({*tries}) > 1)  # the first one may be tried often before the second
    assert {*tries} == {"r0", "r1"}
    assert min(Counter(tries).values()) == 1  # the other one, which was answered first, asks for both
    assert delivery.outage() == "UNAVAILABLE: down"
    is_down.clear()
    assert delivery.flush(60) == DeliveryReport(accepted=6, delivered=6)
    assert delivery.outage() == ""
    assert sorted(endpoint.stored) == [f"r{n}" for n in range(6)]


class _WatchedLock:
    """A lock that says when a thread waits for it."""

    def __init__(self, released: Callable[[], object] = lambda: None) -> None:
        self.is_awaited = threading.Event()
        self._lock = threading.Lock()
        self.locked, self._released = self._lock.locked, released

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.is_awaited.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._released()


def _pauses(delivery: Worker) -> list[float]:
    """The seconds of each pause before a try; no pause takes any time from here on."""
    seconds: list[float] = []

    def pause(delay: float) -> bool:
        seconds.append(delay)
        return True

    delivery._queue.pause = pause  # type: ignore[method-assign]
    return seconds


@pytest.mark.parametrize("is_ending", [False, True], ids=["flush", "shutdown"])
def test_after_an_outage_the_other_request_is_tried_at_once_whatever_its_old_answer_was(
    delivery_to: OpenDelivery, *, is_ending: bool
) -> None:
    retrying, refused = _WatchedLock(), set[str]()

    def answer(names: Sequence[str]) -> Answer:
        name = names[0]
        if name == "r0" and name not in refused:
            refused.add(name)
            return Retry("UNAVAILABLE", "down", 0.001)
        if name == "r1" and name not in refused:
            wait_until(retrying.locked)
            refused.add(name)
            return Retry("UNAUTHENTICATED", "expired", 3600.0, is_about_credentials=True)
        assert retrying.is_awaited.wait(60)
        return Delivered()

    errors: list[DeliveryError] = []
    endpoint = Endpoint(_Crossing(2, answer), most_at_once=2)
    delivery = _one_for_each_request(delivery_to, endpoint, max_retry_seconds=3600.0)
    delivery._sender._retrying = retrying  # type: ignore[assignment]
    _put(delivery, 4, errors.append)  # type: ignore[arg-type]
    report = delivery.shutdown(60) if is_ending else delivery.flush(60)
    assert report == DeliveryReport(accepted=4, delivered=4)
    assert (errors, delivery.outage()) == ([], "")


@pytest.mark.parametrize("waits_already", [1.0, 7200.0], ids=["some is left", "none is left"])
def test_a_request_that_an_overloaded_endpoint_asked_to_wait_waits_for_the_rest_of_it(
    delivery_to: OpenDelivery, monkeypatch: pytest.MonkeyPatch, waits_already: float
) -> None:
    retrying, now = _WatchedLock(), [0.0]
    refused = {"r0": Retry("UNAVAILABLE", "down", 0.5), "r1": Retry("RESOURCE_EXHAUSTED", "busy", 3600.0)}

    def answer(names: Sequence[str]) -> Answer:
        name = names[0]
        if name == "r1" and name in refused:
            wait_until(retrying.locked)
        if again := refused.pop(name, None):
            return again
        if name == "r0":
            assert retrying.is_awaited.wait(60)
            now[0] += waits_already
        return Delivered()

    delivery = _one_for_each_request(
        delivery_to, Endpoint(_Crossing(2, answer), most_at_once=2), max_retry_seconds=3600.0
    )
    monkeypatch.setattr(retry_sender, "time", SimpleNamespace(monotonic=lambda: now[0]))
    delivery._sender._retrying = retrying  # type: ignore[assignment]
    pauses = _pauses(delivery)
    _put(delivery, 2)
    assert delivery.flush(60) == DeliveryReport(accepted=2, delivered=2)
    assert pauses == [0.5, max(0.0, 3600.0 - waits_already)]


def test_a_request_waits_before_its_next_try_if_no_other_was_retried(delivery_to: OpenDelivery) -> None:
    """Also if the thread that encodes looks at that moment whether one is retried."""
    retrying, tries = _WatchedLock(), []

    def look(begun: threading.Event) -> None:
        with retrying:
            begun.set()
            assert retrying.is_awaited.wait(60)

    def answer(names: list[str]) -> Answer:
        tries.append(names)
        if len(tries) > 1:
            return Delivered()
        threading.Thread(target=look, args=(begun := threading.Event(),)).start()
        assert begun.wait(60)
        return Retry("UNAVAILABLE", "down", 0.005)

    delivery = delivery_to(Endpoint(answer))
    delivery._sender._retrying = retrying  # type: ignore[assignment]
    pauses = _pauses(delivery)
    delivery.put(FakeRecord("r0"), None)  # type: ignore[arg-type]
    assert delivery.flush(60) == DeliveryReport(accepted=1, delivered=1)
    assert pauses == [0.005]


def test_a_request_without_time_for_another_try_is_lost_with_its_own_last_answer(delivery_to: OpenDelivery) -> None:
    """Also if the other request is delivered at that moment."""
    down, errors = {"r0", "r1"}, []
    retrying = _WatchedLock(lambda: wait_until(lambda: delivery.outage() == ""))

    def answer(names: Sequence[str]) -> Answer:
        if names[0] == "r1" and "r1" in down:
            wait_until(retrying.locked)
        is_down = names[0] in down
        down.discard(names[0])
        return _DOWN if is_down else Delivered()

    def pause(_: float) -> bool:
        assert retrying.is_awaited.wait(60)
        return False

    delivery = _one_for_each_request(delivery_to, Endpoint(_Crossing(2, answer), most_at_once=2))
    delivery._sender._retrying = retrying  # type: ignore[assignment]
    delivery._queue.pause = pause  # type: ignore[method-assign]
    _put(delivery, 2, errors.append)  # type: ignore[arg-type]
    assert delivery.flush(60) == DeliveryReport(accepted=2, delivered=1, lost={"shutdown": 1})
    assert [(error.event_ids, str(error)) for error in errors] == [
        (("r0",), "1 event(s) lost, shutdown: UNAVAILABLE: down")
    ]


def test_at_the_end_of_an_outage_both_are_counted_once(delivery_to: OpenDelivery) -> None:
    errors: list[DeliveryError] = []
    delivery = _one_for_each_request(delivery_to, Endpoint(_Crossing(2, lambda _: _DOWN), most_at_once=2))
    _put(delivery, 6, errors.append)  # type: ignore[arg-type]
    assert delivery.shutdown(0.3) == DeliveryReport(accepted=6, lost={"shutdown": 6})
    assert sorted(name for error in errors for name in error.event_ids) == [f"r{n}" for n in range(6)]
    assert {str(error) for error in errors} == {"1 event(s) lost, shutdown: UNAVAILABLE: down"}


def test_at_the_end_two_requests_without_an_answer_are_counted_once(delivery_to: OpenDelivery) -> None:
    def hang(_: Sequence[str]) -> Answer:
        assert endpoint.closed.wait(60)
        return Retry("CANCELLED", "the channel is closed")

    endpoint = Endpoint(_Crossing(2, hang), most_at_once=2)
    errors: list[DeliveryError] = []
    delivery = _one_for_each_request(delivery_to, endpoint)
    _put(delivery, 4, errors.append)  # type: ignore[arg-type]
    wait_until(lambda: len(endpoint.requests) == 2)
    assert delivery.shutdown(0.1) == DeliveryReport(accepted=4, lost={"shutdown": 4})
    assert {str(error) for error in errors} == {"1 event(s) lost, shutdown: it did not answer in time"}


def test_a_refused_record_of_one_request_costs_none_of_the_other(delivery_to: OpenDelivery) -> None:
    def answer(names: Sequence[str]) -> Answer:
        return Refused("INTERNAL", "bad") if "r1" in names else Delivered(len(names) if "r4" in names else 0, "odd")

    errors: list[DeliveryError] = []
    endpoint = Endpoint(_Crossing(2, answer), most_at_once=2)
    delivery = _one_for_each_request(delivery_to, endpoint)
    _put(delivery, 8, errors.append)  # type: ignore[arg-type]
    report = delivery.flush(60)
    assert report == DeliveryReport(accepted=8, delivered=6, lost={"refused": 1, "rejected": 1})
    assert report.collections == {
        "c0": CollectionReport(accepted=4, delivered=3, lost={"rejected": 1}),
        "c1": CollectionReport(accepted=4, delivered=3, lost={"refused": 1}),
    }
    assert sorted((error.reason, error.event_ids) for error in errors) == [("refused", ("r1",)), ("rejected", ("r4",))]


def test_an_endpoint_that_takes_one_request_at_a_time_refuses_one_of_a_batch(delivery_to: OpenDelivery) -> None:
    inside, is_refused = threading.Lock(), threading.Event()
    refused: list[str] = []

    def answer(names: list[str]) -> Answer:
        if not inside.acquire(blocking=False):
            refused.append(names[0])
            is_refused.set()
            return Retry("RESOURCE_EXHAUSTED", "busy")
        try:
            assert is_refused.wait(60)
            return Delivered()
        finally:
            inside.release()

    delivery = _one_for_each_request(delivery_to, Endpoint(answer, most_at_once=2))
    _put(delivery, 20)
    assert delivery.flush(60) == DeliveryReport(accepted=20, delivered=20)
    assert len({*refused}) == 1


def test_on_error_is_called_by_one_thread_at_a_time(delivery_to: OpenDelivery) -> None:
    inside, together, heard = threading.Lock(), [], []

    def on_error(error: DeliveryError) -> None:
        is_alone = inside.acquire(blocking=False)
        together.append(not is_alone)
        heard.append(error.event_ids)
        if len(heard) == 1:
            wait_until(lambda: len(endpoint.requests) >= 2)
        if is_alone:
            inside.release()

    endpoint = Endpoint(_Crossing(2, lambda names: Delivered(len(names), "odd")), most_at_once=2)
    delivery = _one_for_each_request(delivery_to, endpoint)
    _put(delivery, 20, on_error)  # type: ignore[arg-type]
    assert delivery.flush(60) == DeliveryReport(accepted=20, lost={"rejected": 20})
    assert (len(heard), any(together)) == (20, False)
