from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from recording_backend import unavailable_with_retry_info

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata._delivery import metrics
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import UnsupportedDataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recording_backend import RecordingBackend

FRAME = pd.DataFrame({"a": [1]})


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    made = InMemoryMetricReader()
    provider = MeterProvider([made])
    metrics._sampled_out.clear()
    metrics._refused.clear()
    metrics.register(provider.get_meter("test"))
    yield made
    provider.shutdown()


def _values(reader: InMemoryMetricReader) -> dict[str, dict[tuple[str, ...], Any]]:
    """By instrument and attribute values."""
    data = reader.get_metrics_data()
    found: dict[str, dict[tuple[str, ...], Any]] = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                name = metric.name.removeprefix("otel_modeldata.sdk.")
                found[name] = {tuple(map(str, p.attributes.values())): p.value for p in metric.data.data_points}
    return found


def test_every_event_is_counted_by_collection_and_outcome(
    reader: InMemoryMetricReader, backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "deployment.yml"
    path.write_text(
        "data_collector: {collections: {model_inputs: {enabled: 'True'}, "
        "model_outputs: {enabled: 'True', sampling_rate: 0.0000001}}}",
        "utf-8",
    )
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(path))
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
    for n in range(3):
        inputs.collect(FRAME, BasicCorrelationContext(id=str(n)))
        outputs.collect(FRAME, BasicCorrelationContext(id=str(n)))
    with pytest.raises(UnsupportedDataError):
        inputs.collect([1])  # type: ignore[arg-type]
    otel_modeldata.flush(60)
    backend.refuse(unavailable_with_retry_info)
    inputs.collect(FRAME)
    before = _values(reader)
    assert before.pop("queue.oldest_age")[()] >= 0
    assert before.pop("queue.bytes")[()] > 0
    otel_modeldata.shutdown(0.0)
    values = _values(reader)
    assert values["events.accepted"] == {("model_inputs",): 4}
    assert values["events.delivered"] == {("model_inputs",): 3}
    assert values["events.lost"] == {("model_inputs", "shutdown"): 1}
    assert values["events.sampled_out"] == {("model_outputs",): 3}
    assert values["events.refused"] == {("model_inputs", "UnsupportedDataError"): 1}
    assert (values["queue.bytes"], values["queue.oldest_age"], values["spool.bytes"]) == ({(): 0}, {(): 0.0}, {(): 0})


def test_a_full_queue_is_a_refusal_with_an_error_and_a_metric(
    reader: InMemoryMetricReader, backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MDC_ENABLED", "true")
    monkeypatch.setenv("AZUREML_MDC_QUEUE_CAPACITY", "2")
    backend.refuse(unavailable_with_retry_info)
    errors: list[str] = []
    collector = Collector(name="model_inputs", on_error=lambda error: errors.append(type(error).__name__))
    for _ in range(5):
        collector.collect(FRAME)
    assert errors == ["QueueFullError"] * 3
    assert _values(reader)["events.refused"] == {("model_inputs", "QueueFullError"): 3}


def test_replayed_events_and_the_size_of_the_spool_are_measured(
    reader: InMemoryMetricReader, backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_SPOOL", str(tmp_path))
    code = """
        import os, pandas as pd
        from otel_modeldata import Collector
        collector = Collector(name="model_inputs")
        for n in range(10):
            collector.collect(pd.DataFrame({"n": [n]}))
        os._exit(0)
        """
    backend.refuse(unavailable_with_retry_info)
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
    backend.refuse(None)
    Collector(name="model_inputs").collect(FRAME)
    otel_modeldata.flush(60)
    values = _values(reader)
    assert values["events.accepted"] == values["events.delivered"] == {("model_inputs",): 1}
    assert values["events.replayed"] == {("model_inputs",): 10}
    assert values["spool.bytes"][()] > 0


def test_the_global_provider_may_be_set_later_and_a_forked_child_counts_from_zero(backend: RecordingBackend) -> None:
    code = """
        import json, os, pandas as pd, otel_modeldata
        from opentelemetry import metrics
        from otel_modeldata import Collector
        collector = Collector(name="model_inputs")
        for n in range(7):
            collector.collect(pd.DataFrame({"n": [n]}))
        otel_modeldata.flush(60)

        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader]))

        def accepted():
            found = [
                point.value
                for resource in reader.get_metrics_data().resource_metrics
                for scope in resource.scope_metrics if scope.scope.name == "otel-modeldata"
                for metric in scope.metrics if metric.name == "otel_modeldata.sdk.events.accepted"
                for point in metric.data.data_points
            ]
            return sum(found)

        print(json.dumps(accepted()), flush=True)
        child = os.fork()
        if not child:
            collector.collect(pd.DataFrame({"n": [0]}))
            assert not otel_modeldata.flush(60).pending
            print(json.dumps(accepted()), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(json.dumps(accepted()), flush=True)
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.split()] == [7, 1, 7]
