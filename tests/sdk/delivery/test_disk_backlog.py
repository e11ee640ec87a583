"""Delivery with a spool: records without room in memory wait on disk; records of dead processes are adopted."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from typing import TYPE_CHECKING

import pytest
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata import semconv
from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.exceptions import DeliveryError, QueueFullError, ShutDownError, SpoolError
from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Refused, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOWN = Retry("UNAVAILABLE", "down")
OpenDelivery = "Callable[..., Worker]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def delivery_to(folder: Path) -> Iterator[Callable[..., Worker]]:
    opened: list[Worker] = []

    def open_delivery(
        endpoint: Endpoint,
        producer: str = "alice",
        *,
        max_bytes: int = 2**20,
        only_overflow: bool = False,
        **limits: object,
    ) -> Worker:
        envelope = RequestEnvelope({}, producer)
        disk_queue = DiskQueue(folder, producer, envelope.request([]), max_bytes)
        opened.append(
            Worker(
                envelope,
                endpoint,
                DeliveryLimits(**{**FAST, **limits}),  # type: ignore[arg-type]
                producer=producer,
                disk_queue=disk_queue,
                only_overflow=only_overflow,
            )
        )
        return opened[-1]

    yield open_delivery
    for delivery in opened:
        delivery.shutdown(timeout=0.0)


def _die(delivery: Worker) -> None:
    """Simulate the death of the process: the locks are released, the files stay."""
    backlog = delivery._queue.backlog
    assert backlog is not None
    backlog.disk_queue.abandon()
    backlog.disk_queue._own, backlog.disk_queue._adopted = [], []
    backlog.disk_queue.settle = lambda _: None  # type: ignore[method-assign]


def _records_of(endpoint: Endpoint) -> dict[str, list[str]]:
    """The names that arrived, by the producer of their request."""
    arrived: dict[str, list[str]] = {}
    for message in endpoint.messages:
        for logs in message.resource_logs:
            (producer,) = (a.value.string_value for a in logs.resource.attributes if a.key == "service.instance.id")
            for scope in logs.scope_logs:
                assert scope.scope.name == "otel-modeldata"
                arrived.setdefault(producer, []).extend(record.severity_text for record in scope.log_records)
    return arrived


def _gated() -> tuple[threading.Event, Callable[[list[str]], Answer]]:
    gate = threading.Event()

    def script(_: list[str]) -> Answer:
        assert gate.wait(60)
        return Delivered()

    return gate, script


def test_a_record_is_on_disk_before_put_returns_and_removed_when_it_is_settled(
    delivery_to: OpenDelivery, folder: Path
) -> None:
    gate, script = _gated()
    delivery = delivery_to(Endpoint(script))
    for n in range(3):
        delivery.put(FakeRecord(f"r{n}"), None)
        (path,) = folder.iterdir()
        assert f"r{n}".encode() in path.read_bytes()
    gate.set()
    assert delivery.flush(30) == DeliveryReport(accepted=3, delivered=3)
    assert b"r0" not in path.read_bytes()
    assert delivery.shutdown(30) == DeliveryReport(accepted=3, delivered=3)
    assert list(folder.iterdir()) == []


def test_records_without_room_in_memory_wait_on_disk_and_are_sent_in_order(delivery_to: OpenDelivery) -> None:
    gate, script = _gated()
    delivery = delivery_to(endpoint := Endpoint(script), queue_bytes=5000, batch_bytes=2000)
    names = [f"r{n}" for n in range(300)]
    for name in names:
        delivery.put(FakeRecord(name, 400), None)
    assert delivery.gauges().queue_bytes <= 5000
    gate.set()
    assert delivery.flush(60) == DeliveryReport(accepted=300, delivered=300)
    for name in names[:5]:
        delivery.put(FakeRecord(name + "+"), None)
    assert delivery.flush(60) == DeliveryReport(accepted=305, delivered=305)
    assert endpoint.stored == [*names, *(name + "+" for name in names[:5])]


def test_with_the_policy_spill_only_overflow_is_written(delivery_to: OpenDelivery, folder: Path) -> None:
    gate, script = _gated()
    delivery = delivery_to(endpoint := Endpoint(script), only_overflow=True, queue_records=10)
    names = [f"r{n}" for n in range(100, 125)]
    for name in names[:10]:
        delivery.put(FakeRecord(name), None)
    assert not folder.exists()
    for name in names[10:]:
        delivery.put(FakeRecord(name), None)
    (path,) = folder.iterdir()
    assert [name for name in names if name.encode() in path.read_bytes()] == names[10:]
    gate.set()
    assert delivery.flush(60) == DeliveryReport(accepted=25, delivered=25)
    assert endpoint.stored == names


def test_the_limit_of_the_spool_replaces_the_limit_of_the_queue(delivery_to: OpenDelivery) -> None:
    """Only the limit on disk applies; records above the limit in memory are accepted."""
    gate, script = _gated()
    delivery = delivery_to(Endpoint(script), max_bytes=100_000, queue_bytes=5000)
    count = 0
    with contextlib.suppress(QueueFullError):
        while count < 200:
            delivery.put(FakeRecord(f"r{count}", 1000), None)
            count += 1
    assert 80 < count < 100
    assert delivery.gauges().spool_bytes <= 100_000
    gate.set()
    assert delivery.flush(60) == DeliveryReport(accepted=count, delivered=count)
    delivery.put(FakeRecord("again", 1000), None)
    assert delivery.flush(60).delivered == count + 1


def test_records_that_shutdown_cannot_deliver_are_pending_and_kept_for_the_next_process(
    delivery_to: OpenDelivery, folder: Path
) -> None:
    """An outage that is longer than the process runs."""
    delivery = delivery_to(Endpoint(lambda _: DOWN), queue_bytes=3000)
    for n in range(20):
        delivery.put(FakeRecord(f"r{n}", collection=f"c{n % 2}"), None)
    report = delivery.shutdown(0.05)
    assert report == DeliveryReport(accepted=20, pending=20)
    heir = delivery_to(endpoint := Endpoint(), "bob")
    heir.put(FakeRecord("own"), None)
    report = heir.flush(60)
    assert report == DeliveryReport(accepted=1, delivered=1)
    each = CollectionReport(accepted=10, delivered=10)
    assert report.replayed == {"alice": {"c0": each, "c1": each}}
    arrived = _records_of(endpoint)
    assert arrived["bob"] == ["own"]
    assert sorted(arrived["alice"]) == sorted(f"r{n}" for n in range(20))
    heir.shutdown(30)
    assert list(folder.iterdir()) == []


def test_a_process_that_dies_leaves_exactly_its_unsettled_records(delivery_to: OpenDelivery) -> None:
    hung = threading.Event()
    answered = iter([Delivered()])

    def script(_: list[str]) -> Answer:
        answer = next(answered, None)
        if answer is None:
            hung.wait(60)
        return answer or DOWN

    delivery = delivery_to(first := Endpoint(script), linger_seconds=60.0)
    with delivery._queue.lock:  # so that one batch has them all
        for n in range(5):
            delivery.put(FakeRecord(f"r{n}"), None)
    delivery.flush(30)
    for n in range(5, 9):
        delivery.put(FakeRecord(f"r{n}"), None)
    _die(delivery)
    heir = delivery_to(second := Endpoint(), "bob")
    assert heir.flush(60) == DeliveryReport()
    hung.set()
    assert first.stored == ["r0", "r1", "r2", "r3", "r4"]
    assert _records_of(second) == {"alice": ["r5", "r6", "r7", "r8"]}


def test_records_of_a_running_process_are_not_adopted(delivery_to: OpenDelivery) -> None:
    alice = delivery_to(Endpoint(lambda _: DOWN))
    alice.put(FakeRecord("r0"), None)
    bob = delivery_to(endpoint := Endpoint(), "bob")
    bob.put(FakeRecord("r1"), None)
    assert bob.flush(30).replayed == {}
    assert _records_of(endpoint) == {"bob": ["r1"]}


def test_losses_of_adopted_events_are_reported_to_the_collector_of_the_same_name(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(lambda _: DOWN))
    delivery.put(FakeRecord("r0"), None)
    delivery.shutdown(0.0)
    errors: list[Exception] = []
    heir = delivery_to(Endpoint(lambda names: Refused("INTERNAL", "bad") if "r0" in names else Delivered()), "bob")
    heir.put(FakeRecord("own"), errors.append)
    report = heir.flush(60)
    assert report.replayed == {"alice": {"model_inputs": CollectionReport(accepted=1, lost={"refused": 1})}}
    assert [str(error) for error in errors] == ["1 event(s) lost, refused: INTERNAL: bad"]
    assert isinstance(errors[0], DeliveryError)
    assert errors[0].event_ids == ("r0",)


def test_damage_in_the_spool_loses_only_the_damaged_record(
    delivery_to: OpenDelivery, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From damage on disk to the records that the endpoint gets."""
    delivery = delivery_to(Endpoint(lambda _: DOWN))
    for n in range(9):
        delivery.put(FakeRecord(f"r{n}"), None)
    delivery.shutdown(0.0)
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[content.rindex(b"r4")] ^= 8
    path.write_bytes(content[:-5])
    heir = delivery_to(endpoint := Endpoint(), "bob")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        report = heir.flush(60)
    assert endpoint.stored == ["r0", "r1", "r2", "r3", "r5", "r6", "r7"]
    assert report.replayed == {
        "alice": {
            "(unreadable)": CollectionReport(accepted=1, lost={"corrupt": 1}),
            "model_inputs": CollectionReport(accepted=7, delivered=7),
        }
    }
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert [path.suffix for path in folder.iterdir()] == [".corrupt"]


def test_a_segment_of_a_later_version_is_left_in_place(
    delivery_to: OpenDelivery, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = DiskQueue(folder, "later", b"\xff not what this version writes", 2**20)
    other.append(b"\xff neither")
    other.close()
    heir = delivery_to(endpoint := Endpoint(), "bob")
    heir.put(FakeRecord("own"), None)
    assert heir.flush(60) == DeliveryReport(accepted=1, delivered=1)
    assert endpoint.stored == ["own"]
    assert "cannot be read, it is left where it is" in caplog.text
    heir.shutdown(60)
    assert [path.name for path in folder.iterdir()] == ["later-000000.spool"]


def test_a_record_put_after_shutdown_leaves_nothing_on_disk(delivery_to: OpenDelivery, folder: Path) -> None:
    delivery = delivery_to(Endpoint())
    delivery.put(FakeRecord("r0"), None)
    delivery.shutdown(30)
    with pytest.raises(ShutDownError):
        delivery.put(FakeRecord("late"), None)
    assert list(folder.iterdir()) == []


def test_a_record_that_cannot_be_encoded_is_refused_at_once_and_takes_no_number(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint())
    with pytest.raises(ValueError, match="cannot be encoded"):
        delivery.put(FakeRecord("bad", encodable=False), None)
    delivery.put(good := FakeRecord("good"), None)
    assert good.sequence == 0
    assert delivery.flush(30) == DeliveryReport(accepted=1, delivered=1)


def test_a_replayed_event_keeps_its_sequence_number_and_id(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(lambda _: DOWN))
    for n in range(3):
        delivery.put(FakeRecord(f"r{n}"), None)
    delivery.shutdown(0.0)
    heir = delivery_to(endpoint := Endpoint(), "bob")
    heir.flush(60)
    ids = [
        attribute.value.string_value
        for message in endpoint.messages
        for record in message.resource_logs[0].scope_logs[0].log_records
        for attribute in record.attributes
        if attribute.key == semconv.CLOUDEVENTS_EVENT_ID
    ]
    assert ids == ["r0", "r1", "r2"]


def _remove(folder: Path) -> None:
    """The delivery thread may write in it meanwhile: until the folder is gone."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _replace_with_file(folder: Path) -> None:
    """The delivery thread may write the spool again in between: until the file stands there."""
    while not folder.is_file():
        _remove(folder)
        folder.touch()


def test_a_spool_that_is_removed_while_it_is_used_is_written_again(
    delivery_to: OpenDelivery, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = delivery_to(Endpoint(lambda _: DOWN), queue_bytes=8000)
    for n in range(10):
        delivery.put(FakeRecord(f"r{n}"), None)
    _remove(folder)
    delivery.put(FakeRecord("r10"), None)
    assert "was removed, and is written again" in caplog.text
    assert delivery.shutdown(0.05) == DeliveryReport(accepted=11, pending=11)
    heir = delivery_to(endpoint := Endpoint(), "bob")
    assert heir.flush(60).replayed == {"alice": {"model_inputs": CollectionReport(accepted=11, delivered=11)}}
    assert sorted(endpoint.stored) == sorted(f"r{n}" for n in range(11))


def test_a_spool_that_is_removed_is_written_again_by_shutdown(delivery_to: OpenDelivery, folder: Path) -> None:
    delivery = delivery_to(Endpoint(lambda _: DOWN), queue_bytes=5000)
    for n in range(10):
        delivery.put(FakeRecord(f"r{n}"), None)
    _remove(folder)
    assert delivery.shutdown(0.05) == DeliveryReport(accepted=10, pending=10)
    heir = delivery_to(endpoint := Endpoint(), "bob")
    heir.flush(60)
    assert sorted(endpoint.stored) == sorted(f"r{n}" for n in range(10))


def test_a_spool_that_cannot_be_written_again_is_an_error_and_its_records_are_delivered_or_lost(
    delivery_to: OpenDelivery, folder: Path
) -> None:
    answers: list[Answer] = []
    delivery = delivery_to(endpoint := Endpoint(lambda _: answers[0] if answers else DOWN), queue_bytes=5000)
    errors: list[Exception] = []
    for n in range(10):
        delivery.put(FakeRecord(f"r{n}"), errors.append)
    _replace_with_file(folder)
    with pytest.raises(SpoolError):
        delivery.put(FakeRecord("refused"), None)
    assert delivery.report() == DeliveryReport(accepted=10, pending=10)
    assert delivery.shutdown(0.05) == DeliveryReport(accepted=10, lost={"shutdown": 10})
    assert sum(error.count for error in errors if isinstance(error, DeliveryError)) == 10
    assert endpoint.stored == []


def test_the_delivery_thread_lives_on_if_the_folder_cannot_be_searched(
    delivery_to: OpenDelivery, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with too many open files: searching is not possible, sending over an open connection is."""

    def fail(*_: object) -> Iterator[Path]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(type(folder), "glob", fail)
    delivery = delivery_to(Endpoint())
    for name in ("a", "b"):
        delivery.put(FakeRecord(name), None)
        delivery.flush(30)
    assert delivery.shutdown(30) == DeliveryReport(accepted=2, delivered=2)


def test_records_of_a_removed_spool_are_delivered_while_the_process_lives(
    delivery_to: OpenDelivery, folder: Path
) -> None:
    gate, script = _gated()
    delivery = delivery_to(endpoint := Endpoint(script), queue_bytes=5000)
    for n in range(10):
        delivery.put(FakeRecord(f"r{n}"), None)
    _replace_with_file(folder)
    gate.set()
    assert delivery.flush(60) == DeliveryReport(accepted=10, delivered=10)
    assert endpoint.stored == [f"r{n}" for n in range(10)]


def test_a_spool_that_another_program_empties_is_not_called_kept(delivery_to: OpenDelivery, folder: Path) -> None:
    delivery = delivery_to(Endpoint(lambda _: DOWN))
    for n in range(3):
        delivery.put(FakeRecord(f"r{n}"), None)
    (path,) = folder.iterdir()
    path.write_bytes(b"")
    delivery.put(FakeRecord("r3"), None)
    assert delivery.shutdown(0.05) == DeliveryReport(accepted=4, lost={"shutdown": 3}, pending=1)
