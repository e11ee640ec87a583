"""Histories of a worker with a spool: any room in memory, any segments, any answers, one or two requests at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata._delivery.spool.disk_queue import DiskQueue
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.report import DeliveryReport
from otel_modeldata.transport import Answer, Delivered, Refused, Retry

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata.exceptions import DeliveryError

_ANSWERS = st.sampled_from(["ok", "later", "reject", "refuse_odd"])


def _worker(endpoint: Endpoint, folder: Path, *, room: int, segment_bytes: int, spill: bool = False) -> Worker:
    """A worker with `room` bytes beside the largest record of these tests, and segments of a size."""
    envelope = RequestEnvelope({}, "p")
    limits = DeliveryLimits(**FAST, batch_bytes=4000, queue_bytes=5000 + room)  # type: ignore[arg-type]
    disk_queue = DiskQueue(folder, "p", envelope.request([]), 2**20)
    disk_queue._segment_bytes = segment_bytes
    return Worker(envelope, endpoint, limits, producer="p", disk_queue=disk_queue, only_overflow=spill)


@settings(max_examples=80)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=60),
    script=st.lists(_ANSWERS, max_size=30),
    room=st.integers(1, 8000),
    segment_bytes=st.sampled_from([1, 1000, 5000, 100_000]),
    spill=st.booleans(),
    most_at_once=st.integers(1, 2),
)
def test_every_record_is_settled_exactly_once(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    sizes: list[int],
    script: list[str],
    room: int,
    segment_bytes: int,
    spill: bool,
    most_at_once: int,
) -> None:
    steps = iter(script)

    def answer(names: list[str]) -> Answer:
        step = next(steps, "ok")
        if step == "later":
            return Retry("UNAVAILABLE", "down")
        if step == "refuse_odd" and any(int(name[1:]) % 2 for name in names):
            return Refused("INVALID_ARGUMENT", "odd")
        return Delivered(1 if step == "reject" else 0, "")

    errors: list[DeliveryError] = []
    folder = tmp_path_factory.mktemp("spool")
    endpoint = Endpoint(answer, most_at_once)
    delivery = _worker(endpoint, folder, room=room, segment_bytes=segment_bytes, spill=spill)
    for n, size in enumerate(sizes):
        delivery.put(FakeRecord(f"r{n}", size), errors.append)  # type: ignore[arg-type]
    report = delivery.shutdown(60)
    assert report.pending == 0
    assert report.accepted == len(sizes) == report.delivered + sum(report.lost.values())
    assert sum(error.count for error in errors) == sum(report.lost.values())
    refused = {name for error in errors if error.reason == "refused" for name in error.event_ids}
    stored = [name for name in endpoint.stored if name not in refused]
    if most_at_once > 1:
        stored.sort(key=lambda name: int(name[1:]))
    assert stored == [f"r{n}" for n in range(len(sizes)) if f"r{n}" not in refused]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("most_at_once", [1, 2])
@pytest.mark.parametrize("spill", [False, True])
def test_records_behind_a_segment_that_is_gone_are_found(tmp_path: Path, *, spill: bool, most_at_once: int) -> None:
    """A batch that is read back may end at the last record of a segment, which is removed when it is delivered."""
    endpoint = Endpoint(most_at_once=most_at_once)
    delivery = _worker(endpoint, tmp_path, room=1, segment_bytes=1, spill=spill)
    for n in range(60):
        delivery.put(FakeRecord(f"r{n}", 3000), None)
    assert delivery.flush(60) == DeliveryReport(accepted=60, delivered=60)
    assert delivery.shutdown(60) == DeliveryReport(accepted=60, delivered=60)
    assert sorted(endpoint.stored) == sorted(f"r{n}" for n in range(60))
