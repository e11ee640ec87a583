"""Payloads beside their lines."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from held_pipeline import FULL_SUCCESS, INPUTS, LOGS_BY_GRPC, fixture, inputs
from memory_store import MemoryStore
from otlp_requests import NOON, record, request

from otel_modeldata import semconv
from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.exceptions import (
    StoreError,
)
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


pytestmark = pytest.mark.anyio

PNG = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}
REQUESTS = "credit/blue/request/2026/11/22/12"


def image(event_id: str, content: bytes = b"\x89PNG") -> LogRecord:
    return record(content, PNG, collection="request", event_id=event_id, time_ns=NOON)


async def test_an_image_that_is_scored_twice_is_stored_once_and_both_lines_point_to_it(tmp_path: Path) -> None:
    """S70."""
    async with fixture(tmp_path) as made:
        assert await made.accept(request(image("1"), image("2"), image("1"))) == FULL_SUCCESS
        assert await made.accept(request(image("3"), image("2"))) == FULL_SUCCESS
        lines = made.lines(REQUESTS)
        (kept,) = (tmp_path / REQUESTS / "files").iterdir()
    assert {line["id"] for line in lines} == {"1", "2", "3"}
    assert len(lines) == 3
    assert {(line["data"], line["datainblob"], line["datacontenttype"]) for line in lines} == {
        (str(kept), "true", "image/png")
    }
    assert kept.read_bytes() == b"\x89PNG"


async def test_binary_bodies_are_refused_in_a_tabular_collection(tmp_path: Path) -> None:
    async with fixture(tmp_path) as made:
        bad = record(b"\x89PNG", PNG, event_id="1", time_ns=NOON)
        answer = await made.accept(request(bad))
        assert answer.partial_success.error_message.startswith("binary body: expected JSON text")
        assert len(made.lines("_quarantine/2026/11/22/12")) == 1


async def test_an_inference_request_that_is_not_json_is_stored_as_it_arrived(tmp_path: Path) -> None:
    """S50."""
    async with fixture(tmp_path) as made:
        broken = record('{"data": [1, 2', collection="request", event_id="1", time_ns=NOON)
        assert await made.accept(request(broken)) == FULL_SUCCESS
        assert [line["data"] for line in made.lines(REQUESTS)] == ['{"data": [1, 2']


class HeldPuts(MemoryStore):
    """A store in memory whose objects wait until `free` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.latency = 0.0
        self.free = asyncio.Event()

    async def put(self, name: str, content: bytes, content_type: str) -> str:
        url = await super().put(name, content, content_type)
        await self.free.wait()
        return url


async def test_small_events_do_not_wait_for_large_ones() -> None:
    store = HeldPuts()
    pipeline = Pipeline(
        Sink(store, instance="0" * 32), ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON
    )
    big = json.dumps([{"x": "a" * 5_000_000}])
    noisy = [
        request(record(big, event_id=f"big-{number}", time_ns=NOON), *inputs(f"beside-{number}")) for number in range(6)
    ]
    waiting = [asyncio.create_task(pipeline.accept(raw, LOGS_BY_GRPC)) for raw in noisy]
    await store.reached("put", 4)
    quiet = {semconv.AZUREML_ENDPOINT_NAME: "quiet"}
    assert await pipeline.accept(request(*inputs("small"), resource_values=quiet), LOGS_BY_GRPC) == b""
    assert await pipeline.accept(request(*inputs("same folder")), LOGS_BY_GRPC) == b""
    other = request(record(event_id="other", collection="model_outputs", time_ns=NOON))
    assert await pipeline.accept(other, LOGS_BY_GRPC) == b""
    assert store.count("put") == 4  # few at a time
    while len(store.stored(INPUTS)) < 7:  # noqa: ASYNC110 (a large record is mapped in a thread)
        await asyncio.sleep(0)
    assert sorted(store.stored(INPUTS)) == [*(f"beside-{number}" for number in range(6)), "same folder"]
    assert not any(call.done() for call in waiting)
    store.free.set()
    assert await asyncio.gather(*waiting) == [b""] * 6
    assert sorted(store.stored(INPUTS)[7:]) == [f"big-{number}" for number in range(6)]


async def test_a_line_is_never_stored_before_the_object_it_points_to() -> None:
    store = MemoryStore(["ok", "refused", "refused"])  # blobs, then two puts
    store.latency = 0.0
    limits = SinkLimits(retry_seconds=0.0)
    sink = Sink(store, instance="0" * 32, limits=limits)
    pipeline = Pipeline(sink, ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON)
    raw = request(*inputs("1"), image("2"))
    outcomes = []
    while not outcomes or outcomes[-1] != b"":
        outcomes += await asyncio.gather(pipeline.accept(raw, LOGS_BY_GRPC), return_exceptions=True)
        assert store.objects or store.stored(REQUESTS) == []
    assert [type(outcome) for outcome in outcomes[:-1]] == [StoreError] * (len(outcomes) - 1)
    assert len(outcomes) > 1
    assert (store.stored(INPUTS), store.stored(REQUESTS), len(store.objects)) == (["1"], ["2"], 1)


async def test_after_a_failure_of_the_store_an_object_is_put_again() -> None:
    store = MemoryStore()
    store.latency = 0.0
    sink = Sink(store, instance="0" * 32, limits=SinkLimits(retry_seconds=0.0))
    pipeline = Pipeline(sink, ReceiverConfig(), telemetry.instruments(), clock_ns=lambda: NOON)
    await pipeline.accept(request(image("1")), LOGS_BY_GRPC)
    await pipeline.accept(request(image("2")), LOGS_BY_GRPC)
    assert store.count("put") == 1
    store.fates = iter(["ok", "refused"])  # of the look at the known object, and of the append
    with pytest.raises(StoreError):
        await pipeline.accept(request(image("3")), LOGS_BY_GRPC)
    store.objects.clear()  # as if the container had been deleted and created again
    await pipeline.accept(request(image("3")), LOGS_BY_GRPC)
    assert (store.count("put"), len(store.objects)) == (2, 1)
