"""Records that go through a LoggerProvider of the application equal those that the SDK sends itself."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from opentelemetry._logs import Logger, NoOpLoggerProvider, get_logger_provider
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from otel_modeldata import Collector, flush
from otel_modeldata._delivery.process import current_process
from otel_modeldata._encoding import otel_logger
from otel_modeldata.context import BasicCorrelationContext, WrapperContext
from otel_modeldata.exceptions import ConfigError, UnsupportedDataError, UnsupportedValueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recording_backend import RecordingBackend

FRAME = pd.DataFrame({"n": [1, 2], "x": [0.1, None], "text": ["Zoë", "雪"]})
FRAMES = {
    "mixed": FRAME,
    "numbers": pd.DataFrame({"a": [0.1, 1e300], "b": [2.5, float("nan")]}),
    "many": pd.DataFrame({"n": range(3000), "t": pd.date_range("2026-01-01", periods=3000, freq="s", tz="UTC")}),
    "no rows": FRAME[:0],
}
CONTEXTS = {
    "plain": BasicCorrelationContext(id="order-17", timestamp=1_795_348_800),
    "headers": BasicCorrelationContext(
        id="Zoë 1", timestamp=1_795_348_800, headers={"x-request-id": "r-1", "tenant": "acme"}
    ),
}
LEFT_OUT: set[str] = (
    set() if "context" in signature(Logger.emit).parameters else {"event_name", "observed_time_unix_nano"}
)
"""What exporters of old releases do not write; the attribute `cloudevents.event_type` has the name of the event."""
NAMES = {"azureml.endpoint.name": "credit", "azureml.deployment.name": "blue"}


@pytest.fixture(autouse=True)
def own_numbers() -> None:
    """Start each test like a process that has not collected yet."""
    otel_logger._sequences.clear()


@contextmanager
def provider_to(backend: RecordingBackend, **names: str) -> Iterator[LoggerProvider]:
    """A provider with the stock processor and exporter."""
    provider = LoggerProvider(resource=Resource.create(names), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(backend.endpoint, insecure=True)))
    yield provider
    provider.shutdown()


def parts(record: Any) -> dict[str, Any]:
    """Everything of a record but its event id."""
    attributes = {attribute.key: attribute.value for attribute in record.attributes}
    assert len(attributes.pop("cloudevents.event_id").string_value) == 36
    fields = {field.name: value for field, value in record.ListFields() if field.name != "attributes"}
    for name in ("trace_id", "span_id"):  # old exporters write an id of zeros where there is no span: OTLP equals both
        if not any(fields.get(name, b"")):
            fields.pop(name, None)
    return {**fields, "attributes": attributes}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("in_span", [True, False])
def test_a_record_equals_that_of_the_direct_way(
    backend: RecordingBackend, frame: pd.DataFrame, context: BasicCorrelationContext, in_span: bool
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with provider_to(backend) as provider:
        collectors = [Collector(name="raw", model_version="7", logger_provider=given) for given in (None, provider)]
        for collector in collectors:
            if in_span:
                with tracer.start_as_current_span("score", record_exception=False) as span:
                    trace = span.get_span_context()
                    collector.collect(frame, context)
            else:
                trace = None
                collector.collect(frame, context)
            assert flush().pending == 0  # so that the direct one is sent first
    direct, through = backend.records()
    if trace is not None:
        assert direct.trace_id != b"" != through.trace_id
        assert direct.flags == through.flags != 0
        for record in (direct, through):
            record.ClearField("trace_id")
            record.ClearField("span_id")
    expected = parts(direct)
    for name in LEFT_OUT - set(parts(through)):
        expected.pop(name, None)  # releases before the name of an event have no field for it
    assert parts(through) == expected
    scopes = [
        logs.scope for request in backend.log_requests() for res in request.resource_logs for logs in res.scope_logs
    ]
    assert scopes[0] == scopes[1]


def test_a_record_is_in_the_span_in_which_it_was_collected(backend: RecordingBackend) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with provider_to(backend, **NAMES) as provider, tracer.start_as_current_span("score") as span:
        collector = Collector(name="raw", logger_provider=provider)
        collector.collect(FRAME)
        collector.collect(FRAME)
    assert [int.from_bytes(record.trace_id, "big") for record in backend.records()] == [
        span.get_span_context().trace_id
    ] * 2
    assert [int.from_bytes(record.span_id, "big") for record in backend.records()] == [
        span.get_span_context().span_id
    ] * 2
    attributes = span.attributes  # type: ignore[attr-defined]
    day = dt.datetime.fromtimestamp(backend.records()[1].time_unix_nano // 10**9, dt.timezone.utc)
    assert attributes["azureml.data.folder"] == f"credit/blue/raw/{day:%Y/%m/%d/%H}"


def test_neither_the_queue_nor_the_endpoint_of_the_sdk_is_used(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")  # an error for the SDK's own delivery
    with provider_to(backend) as provider:
        context = Collector(name="raw", logger_provider=provider).collect(FRAME)
        assert context.row_ids == [f"{context.get_id()}_0", f"{context.get_id()}_1"]  # type: ignore[attr-defined]
        assert current_process() is None
    assert len(backend.records()) == 1


def test_each_frame_has_an_event_and_a_number(backend: RecordingBackend) -> None:
    with provider_to(backend) as provider:
        collectors = [Collector(name=name, logger_provider=provider) for name in ("own_a", "own_b", "own_a")]
        for collector in collectors:
            collector.collect(FRAME, BasicCorrelationContext(id="one"))
    found = [parts(record)["attributes"] for record in backend.records()]
    numbers = [(it["azureml.collection.name"].string_value, it["azureml.producer.sequence"].int_value) for it in found]
    assert numbers == [("own_a", 0), ("own_b", 0), ("own_a", 1)]


def test_sampling_debug_contexts_and_refusals_are_those_of_the_direct_way(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "deployment.yml"
    config.write_text("data_collector:\n  sampling_rate: 0.5\n  collections:\n    raw: {enabled: 'True'}\n")
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(config))
    monkeypatch.setenv("AZUREML_MDC_DEBUG", "true")
    heard: list[Exception] = []
    with provider_to(backend) as provider:
        collector = Collector(name="raw", on_error=heard.append, logger_provider=provider)
        results: list[Any] = [collector.collect(FRAME, BasicCorrelationContext(id=number)) for number in range(20)]
        sampled = next(result for result in results if result.get_message() == "accepted")
        collector.collect([1], sampled)  # type: ignore[arg-type]
        collector.collect(pd.DataFrame({"a": [object()]}), sampled)
    assert all(isinstance(result, WrapperContext) for result in results)
    accepted = [str(result.get_id()) for result in results if result.get_message() == "accepted"]
    assert 0 < len(accepted) < 20
    assert {result.get_message() for result in results} == {"accepted", "dropped_sampling"}
    stored = [parts(record)["attributes"]["azureml.correlation.id"].string_value for record in backend.records()]
    assert stored == accepted
    assert [type(error) for error in heard] == [UnsupportedDataError, UnsupportedValueError]


def test_what_the_provider_raises_is_heard_where_it_happens() -> None:
    class Broken:
        def get_logger(self, *_: object) -> Any:
            raise RuntimeError("the provider is closed")

    heard: list[Exception] = []
    Collector(name="raw", on_error=heard.append, logger_provider=Broken()).collect(FRAME)  # type: ignore[arg-type]
    assert [str(error) for error in heard] == ["the provider is closed"]


def test_names_that_only_the_configuration_has_are_named(
    backend: RecordingBackend,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = tmp_path / "deployment.yml"
    config.write_text(
        "endpoint_name: credit\nname: blue\ndata_collector:\n  rolling_rate: Day\n"
        "  collections:\n    raw: {enabled: 'True'}\n"
    )
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(config))
    with provider_to(backend, **{"service.name": "shop"}) as provider:
        Collector(name="raw", logger_provider=provider).collect(FRAME)
    with provider_to(backend, **NAMES, **{"azureml.data_collector.rolling_rate": "Day"}) as provider:
        Collector(name="raw", logger_provider=provider).collect(FRAME)
    assert caplog.messages == [
        (
            "collection raw: expected azureml.endpoint.name=credit, azureml.deployment.name=blue, "
            "azureml.data_collector.rolling_rate=Day in the resource of the logger provider, got neither or others: "
            "its events are stored below shop/default; make the provider with Resource.create(...) of these attributes"
        )
    ]


@pytest.mark.parametrize("provider", ["no-op", "none set"])
def test_a_provider_that_drops_everything_is_named(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    given = NoOpLoggerProvider() if provider == "no-op" else get_logger_provider()
    collector = Collector(name="raw", logger_provider=given)
    collector.collect(FRAME)
    collector.collect(FRAME)
    assert caplog.messages == [
        (
            "collection raw: expected a logger provider that exports, got one that drops every record: give the "
            "provider of your program, with a processor, and leave OTEL_SDK_DISABLED unset"
        )
    ]


@pytest.mark.parametrize(("given", "named"), [("otlp", "str"), (LoggerProvider, "<class .*LoggerProvider'>")])
def test_something_else_than_a_provider_is_an_error_in_init(given: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"expected an OpenTelemetry LoggerProvider in logger_provider, got {named}: "):
        Collector(name="raw", logger_provider=given)


def test_names_that_a_receiver_refuses_are_logged(backend: RecordingBackend, caplog: pytest.LogCaptureFixture) -> None:
    with provider_to(backend, **{"azureml.endpoint.name": "team/credit"}) as provider:
        Collector(name="raw", logger_provider=provider).collect(FRAME)
    (message,) = caplog.messages
    assert message.startswith("collection raw: expected 1 to 128 characters of A-Z a-z 0-9 . _ -, ")
    assert message.endswith(
        "in azureml.endpoint.name of the logger provider's resource, got 'team/credit', so a receiver refuses its "
        "events: make the provider with other names"
    )


def test_the_folder_of_a_span_has_the_legal_name_of_the_service(backend: RecordingBackend) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with (
        provider_to(backend, **{"service.name": "ms/cart"}) as provider,
        tracer.start_as_current_span("score", record_exception=False) as span,
    ):
        Collector(name="raw", logger_provider=provider).collect(FRAME)
    assert span.attributes["azureml.data.folder"].startswith("ms-cart/default/raw/")  # type: ignore[attr-defined]


def test_a_wrong_configuration_is_an_error_in_init(backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", "/no/such/file.yml")
    with provider_to(backend) as provider, pytest.raises(ConfigError, match=r"/no/such/file\.yml"):
        Collector(name="raw", logger_provider=provider)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning")  # eventlet, if a test has imported it
def test_a_forked_child_counts_from_zero() -> None:
    assert [otel_logger._next_number("raw") for _ in range(3)] == [0, 1, 2]
    child = os.fork()
    if not child:
        os._exit(otel_logger._next_number("raw"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert otel_logger._next_number("raw") == 3
