"""Metrics under the OpenTelemetry Collector's names, and where they are exported."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader

from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.telemetry import export


def test_instruments_have_the_otel_collectors_names_where_they_exist() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    instruments = telemetry.instruments(provider.get_meter("test"))
    for signal in ("log_records", "spans"):
        instruments.received[signal].accepted.add(1)
        instruments.received[signal].refused.add(1)
    for counter in (instruments.duplicates, instruments.quarantined, instruments.left_out):
        counter.add(1)
    for counter in (instruments.refused_requests, instruments.appends, instruments.append_bytes):
        counter.add(1)
    for counter in (instruments.retries, instruments.fences, instruments.rolls):
        counter.add(1)
    instruments.tenant_records.add(1, "credit/blue", "accepted")
    instruments.delay.record(0.1)
    instruments.in_flight.add(1)
    instruments.append_duration.record(0.1)
    data = reader.get_metrics_data()
    assert data is not None
    names = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert names == {
        "otelcol_receiver_accepted_log_records",
        "otelcol_receiver_refused_log_records",
        "otelcol_receiver_accepted_spans",
        "otelcol_receiver_refused_spans",
        "otel_modeldata.spans.left_out",
        "otel_modeldata.duplicates",
        "otel_modeldata.quarantined",
        "otel_modeldata.refused_requests",
        "otel_modeldata.appends",
        "otel_modeldata.append.bytes",
        "otel_modeldata.append.duration",
        "otel_modeldata.store.retries",
        "otel_modeldata.fences",
        "otel_modeldata.rolls",
        "otel_modeldata.in_flight",
        "otel_modeldata.tenant.records",
        "otel_modeldata.delay",
    }
    provider.shutdown()


@pytest.mark.parametrize("choice", ["", "none", " None "])
def test_metrics_are_not_exported_by_default(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", choice)
    exported = telemetry.start_metrics("0" * 32)
    exported.stop()
    assert exported.prometheus is None


def test_an_unknown_exporter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    with pytest.raises(ConfigError) as caught:
        telemetry.start_metrics("0" * 32)
    assert str(caught.value) == (
        "Expected otlp, console or none in OTEL_METRICS_EXPORTER, got 'prometheus'; set one of them."
    )


def test_the_variable_chooses_the_exporter() -> None:
    console, otlp = export._exporter("console"), export._exporter("otlp")
    assert isinstance(console, ConsoleMetricExporter)
    assert isinstance(otlp, OTLPMetricExporter)
    console.shutdown()
    otlp.shutdown()


def test_metrics_are_written_when_the_receiver_stops() -> None:
    # In a separate process: a meter provider can be set only once.
    code = (
        "from otel_modeldata_receiver import telemetry\n"
        "stop = telemetry.start_metrics('0' * 32).stop\n"
        "telemetry.instruments().received['log_records'].accepted.add(3)\n"
        "stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"OTEL_METRICS_EXPORTER": "console"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "otelcol_receiver_accepted_log_records" in done.stdout


def test_an_endpoint_that_is_down_does_not_delay_the_end() -> None:
    code = (
        "import sys\n"
        "from otel_modeldata_receiver import telemetry\n"
        "metrics = telemetry.start_metrics('0' * 32)\n"
        "telemetry.instruments().received['log_records'].accepted.add(3)\n"
        "metrics.stop()\n"
    )
    environment = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "the last metrics are not exported: expected an answer within 1.0 s, got none" in done.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "otel-modeldata-receiver"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_SERVICE_NAME": " "}, "otel-modeldata-receiver"),
        ({"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "other"),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name = other"}, "other"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name="}, "otel-modeldata-receiver"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "my.service.name=other"}, "otel-modeldata-receiver"),
        ({"OTEL_SERVICE_NAME": b"a\xff"}, "a?"),
    ],
)
def test_the_service_name_is_that_of_the_variables_or_the_receivers_own(
    variables: dict[str, str | bytes], expected: str
) -> None:
    code = (
        "import sys\n"
        "from otel_modeldata_receiver import telemetry\n"
        "metrics = telemetry.start_metrics('0' * 32, prometheus=True)\n"
        "telemetry.start_at_zero(telemetry.instruments())\n"
        "sys.stdout.buffer.write(metrics.prometheus.text())\n"
    )
    environment = {"OTEL_RESOURCE_ATTRIBUTES": "a.b=1,a_b=2,1st=3"} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60)
    text = done.stdout.decode()
    for name in ("in_flight_bytes", "parked_bytes", "parked_folders", "parked_total", "duplicates_total"):
        assert f"\notel_modeldata_{name} 0.0\n" in text
    (target,) = (line for line in done.stdout.decode().splitlines() if line.startswith("target_info{"))
    assert f'service_name="{expected}"' in target
    if "OTEL_RESOURCE_ATTRIBUTES" not in variables:
        assert 'a_b="1;2"' in target
        assert 'key_1st="3"' in target
