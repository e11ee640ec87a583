"""Outages of a store are logged once at the start and once at the end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest
from http_posts import HTTP, http_receiver
from live_receiver import INSTANCE, until
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_requests import NOON, record, request
from recorded_metrics import RecordedMetrics
from served_store import BrokenStore, health, one

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio

FULL_SUCCESS = ExportLogsServiceResponse()
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def outage_log(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """All log records of the receiver: module, level, message."""
    return [
        (record.name.removeprefix("otel_modeldata_receiver."), record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("otel_modeldata_receiver")
    ]


async def test_an_outage_of_the_store_is_logged_once_at_its_start_and_once_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of requests, their protocols and their folders do not matter."""
    caplog.set_level(logging.DEBUG, "otel_modeldata_receiver")
    store = BrokenStore(tmp_path)
    recorded = RecordedMetrics()
    sink = Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0), instruments=recorded.instruments)
    async with http_receiver(tmp_path, sink=sink, instruments=recorded.instruments) as receiver:
        store.broken = StoreError("disk full")
        for number in range(3):
            for collection in ("model_inputs", "model_outputs"):
                raw = request(record(event_id=str(number), collection=collection, time_ns=NOON))
                with pytest.raises(grpc.aio.AioRpcError):
                    await receiver.live.export(raw)
                assert (await receiver.post(HTTP, "/v1/logs", raw, PROTOBUF)).status == 503
        with pytest.raises(grpc.aio.AioRpcError):
            await receiver.live.export(request(record("no json", time_ns=NOON)))
        store.broken = None

        async def ready() -> bool:
            return await health(receiver.live.channel) == "SERVING"

        await until(ready)
        assert await receiver.live.export(one("1")) == FULL_SUCCESS
        assert outage_log(caplog) == [
            ("listeners.health", "WARNING", "not ready: the store cannot be written: disk full"),
            ("listeners.health", "WARNING", "ready again: the store can be written"),
        ]
        assert recorded.values()["otel_modeldata.refused_requests"] == {
            (("error.type", "StoreError"), ("transport", "grpc")): 7,
            (("error.type", "StoreError"), ("transport", "http")): 6,
        }
    recorded.close()
