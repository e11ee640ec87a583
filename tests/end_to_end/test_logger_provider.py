"""`Collector(logger_provider=...)`: through the stock pipeline into a receiver, beside the SDK's own delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from receiver_process import lines_below

from otel_modeldata import Collector, shutdown
from otel_modeldata._delivery.process import replace_process
from otel_modeldata.context import BasicCorrelationContext

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from receiver_process import StartReceiver

NAMES = {"azureml.endpoint.name": "credit", "azureml.deployment.name": "blue", "cloud.resource_id": "/subscriptions/s"}
IDS = {"id", "producer"}
FRAMES = {
    "order-1": pd.DataFrame({"n": [1, 2], "x": [0.1, None], "text": ["Zoë", "雪"]}),
    "order-2": pd.DataFrame({"a": [0.1, 1e300], "b": [2.5, float("nan")]}),
    "order-3": pd.DataFrame({"n": range(5000), "t": pd.date_range("2026-01-01", periods=5000, freq="s", tz="UTC")}),
}


def test_lines_equal_those_of_the_direct_way_but_for_ids(
    tmp_path: Path, start_receiver: StartReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = start_receiver(str(tmp_path / "store"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.endpoint}")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", ",".join(f"{key}={value}" for key, value in NAMES.items()))
    provider = LoggerProvider(
        resource=Resource.create({"service.instance.id": "host-1", "azureml.deployment.name": "through"})
    )
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(receiver.endpoint, insecure=True)))
    before = replace_process(None)
    try:
        for way in (None, provider):
            collector = Collector(name="model_inputs", model_version="7", logger_provider=way)
            for correlation_id, frame in FRAMES.items():
                context = BasicCorrelationContext(
                    id=correlation_id, timestamp=1_795_348_800, headers={"x-request-id": "r", "tenant": "acme"}
                )
                collector.collect(frame, context)
        shutdown(60)
        assert provider.force_flush(60_000)
    finally:
        provider.shutdown()
        replace_process(before)

    def lines(deployment: str) -> list[dict[str, Any]]:
        found = lines_below(tmp_path / "store" / "credit" / deployment / "model_inputs")
        return [{key: value for key, value in line.items() if key not in IDS} for line in found]

    assert len(lines("blue")) == len(FRAMES)
    assert lines("through") == lines("blue")
    (through, *_) = lines_below(tmp_path / "store" / "credit" / "through")
    assert through["producer"] == "host-1"
