"""One id for many requests is logged; threads and tasks have their own row ids."""

from __future__ import annotations

import asyncio
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from deployment_block import configure

from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext, CorrelationContext, use_correlation_context
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame({"a": [1, 2]})


REPEATED = (
    "collection model_inputs: expected a correlation id for each request, got 'test' again and again: {sampled}their "
    "rows have the same row ids, test_0 and so on; give each request its own id, or no context"
)
SAMPLED = "sampling at 0.5 decides by it, so all of these are collected or none, and "


@pytest.mark.parametrize(("rate", "sampled"), [("0.5", SAMPLED), ("1.0", "")])
def test_one_id_for_many_requests_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rate: str, sampled: str
) -> None:
    block = f"  sampling_rate: {rate}\n  collections:\n    model_inputs: {{enabled: 'True'}}\n"
    configure(monkeypatch, tmp_path, block)
    with capture():
        collector = Collector(name="model_inputs")
        for _ in range(20):
            collector.collect(FRAME, BasicCorrelationContext(id="test"))
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("otel_modeldata.collector", REPEATED.format(sampled=sampled))
    ]


def test_one_context_for_many_requests_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with capture():
        collector, context = Collector(name="model_inputs"), BasicCorrelationContext(id="test")
        for _ in range(100):
            collector.collect(FRAME, context)
    assert caplog.messages == [REPEATED.format(sampled="")]


def test_requests_of_one_id_in_different_seconds_are_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(0, 100, 2))
    with capture():
        collector, context = Collector(name="model_inputs"), BasicCorrelationContext(id="test")
        monkeypatch.setattr("otel_modeldata.collector.time", SimpleNamespace(monotonic=lambda: next(seconds)))
        for _ in range(6):
            collector.collect(FRAME, context)
    assert caplog.messages == [REPEATED.format(sampled="")]


def test_one_id_in_a_collector_for_each_request_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with capture():
        for _ in range(20):
            Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext(id="test"))
    assert caplog.messages == [REPEATED.format(sampled="")]


def test_a_copy_of_a_collector_counts_with_the_collectors_of_its_process(caplog: pytest.LogCaptureFixture) -> None:
    with capture():
        pickled = pickle.dumps(Collector(name="model_inputs"))
        for _ in range(20):
            pickle.loads(pickled).collect(FRAME, BasicCorrelationContext(id="test"))
    assert caplog.messages == [REPEATED.format(sampled="")]


def test_a_constant_id_of_each_thread_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with capture():
        collector = Collector(name="model_inputs")
        for _ in range(20):
            for worker in range(8):  # ids may share a slot, but hardly all of them
                collector.collect(FRAME, BasicCorrelationContext(id=f"worker-{worker}"))
    (message,) = caplog.messages
    assert re.sub("worker-[0-7]", "test", message) == REPEATED.format(sampled="")


def test_frames_of_one_request_may_share_its_id(caplog: pytest.LogCaptureFixture) -> None:
    with capture():
        collectors = [Collector(name=name) for name in ("model_inputs", "model_outputs")]
        for number in range(100):
            context: CorrelationContext = BasicCorrelationContext(id=number)
            for _ in range(10):
                for collector in collectors:
                    context = collector.collect(FRAME, context)
            with use_correlation_context(BasicCorrelationContext(id=f"current-{number}")):
                for _ in range(10):
                    collectors[0].collect(FRAME)
    assert caplog.messages == []


def test_threads_that_share_a_context_each_have_their_own_row_ids() -> None:
    barrier = threading.Barrier(4)

    def collect(rows: int) -> set[int]:
        barrier.wait(60)
        frame = pd.DataFrame({"a": range(rows)})
        return {len(collector.collect(frame, shared).row_ids) for _ in range(200)}  # type: ignore[attr-defined]

    with capture(), ThreadPoolExecutor(4) as threads:
        collector, shared = Collector(name="model_inputs"), BasicCorrelationContext(id="shared")
        assert list(threads.map(collect, (1, 2, 3, 4))) == [{1}, {2}, {3}, {4}]


def test_tasks_that_share_a_context_each_have_their_own_row_ids() -> None:
    async def collect(rows: int) -> list[str]:
        context = collector.collect(pd.DataFrame({"a": range(rows)}), shared)
        await asyncio.sleep(0)
        return [row_id.rpartition("_")[0] for row_id in context.row_ids]  # type: ignore[attr-defined]

    async def collect_all() -> list[list[str]]:
        return await asyncio.gather(*map(collect, (1, 2, 3)))

    with capture():
        collector, shared = Collector(name="model_inputs"), BasicCorrelationContext(id="shared")
        assert asyncio.run(collect_all()) == [["shared"] * 1, ["shared"] * 2, ["shared"] * 3]
