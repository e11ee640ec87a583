"""`Collector`: names, contexts, ids, and what a call accepts or refuses."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_modeldata
from otel_modeldata import Collector, semconv
from otel_modeldata.context import BasicCorrelationContext, CorrelationContext, use_correlation_context
from otel_modeldata.exceptions import (
    CollectionNameError,
    ConfigError,
    ContextError,
    UnsupportedDataError,
    UnsupportedValueError,
)
from otel_modeldata.testing import capture
from otel_modeldata.validation import frame_advice

if TYPE_CHECKING:
    from recording_backend import RecordingBackend

FRAME = pd.DataFrame({"a": [1, 2]})


def _hour(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, timezone.utc).strftime("%Y/%m/%d/%H")


def test_inputs_and_outputs_of_a_request_share_the_correlation_id() -> None:
    with capture() as captured:
        context = Collector(name="model_inputs").collect(FRAME)
        assert Collector(name="model_outputs").collect(FRAME * 10, context) is context
    inputs, outputs = captured.events
    assert (inputs.collection, inputs.rows) == ("model_inputs", [{"a": 1}, {"a": 2}])
    assert (outputs.collection, outputs.rows) == ("model_outputs", [{"a": 10}, {"a": 20}])
    assert inputs.correlation_id == outputs.correlation_id == context.get_id()
    assert inputs.event_id != outputs.event_id


# S3, S5
def test_many_collectors_with_any_names_collect_in_one_process() -> None:
    names = ["model_inputs", "model_outputs", "model_inputs_outputs", "raw", "step_1", "step_2"]
    with capture() as captured:
        for name in names:
            Collector(name=name).collect(FRAME)
    assert [event.collection for event in captured.events] == names


# S6
def test_the_name_is_keyword_only() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        Collector("model_inputs")  # type: ignore[misc, call-arg]


def test_collect_without_a_context_uses_the_current_one() -> None:
    with capture() as captured, use_correlation_context(BasicCorrelationContext(id="request-1")):
        Collector(name="model_inputs").collect(FRAME)
        Collector(name="model_outputs").collect(FRAME)
    assert [event.correlation_id for event in captured.events] == ["request-1", "request-1"]


# S11
def test_each_collection_of_a_producer_counts_its_events() -> None:
    with capture() as captured:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for collector in (inputs, inputs, outputs, inputs):
            collector.collect(FRAME)
    assert [(e.collection, e.attributes[semconv.AZUREML_PRODUCER_SEQUENCE]) for e in captured.events] == [
        ("model_inputs", 0),
        ("model_inputs", 1),
        ("model_outputs", 0),
        ("model_inputs", 2),
    ]


def test_a_refused_frame_takes_no_number_so_that_a_gap_is_always_a_loss() -> None:
    with capture() as captured:
        collector = Collector(name="model_inputs", on_error=lambda _: None)
        collector.collect(FRAME)
        collector.collect(pd.DataFrame({"a": [object()]}))
        collector.collect(FRAME)
    assert [e.attributes[semconv.AZUREML_PRODUCER_SEQUENCE] for e in captured.events] == [0, 1]


@pytest.mark.parametrize(
    "data",
    [None, {"a": [1]}, [1, 2], "text", FRAME["a"], FRAME.to_numpy()],
    ids=lambda data: type(data).__name__,
)
# S7, S12
def test_anything_but_a_dataframe_is_refused_with_azures_text(data: Any) -> None:
    with capture() as captured, pytest.raises(TypeError) as raised:
        Collector(name="model_inputs").collect(data)
    assert isinstance(raised.value, UnsupportedDataError)
    azures = f"data type ({type(data).__name__}) not supported, supported types: pandas.DataFrame"
    advice = frame_advice.advice(data)
    assert str(raised.value) == (azures if advice is None else f"{azures}; {advice}")
    assert captured.events == []


def test_a_subclass_of_dataframe_is_collected_as_a_dataframe() -> None:
    class Mine(pd.DataFrame):
        pass

    with capture() as captured:
        Collector(name="model_inputs").collect(Mine({"a": [1]}))
    assert captured.events[0].attributes[semconv.AZUREML_DATA_TYPE] == "pandas.core.frame.DataFrame"


# S8
def test_with_on_error_nothing_is_raised_and_scoring_goes_on() -> None:
    errors: list[Exception] = []
    with capture() as captured:
        collector = Collector(name="model_inputs", on_error=errors.append)
        assert isinstance(collector.collect([1]), BasicCorrelationContext)  # type: ignore[arg-type]
        assert isinstance(collector.collect(FRAME, "test"), BasicCorrelationContext)  # type: ignore[arg-type]
        collector.collect(pd.DataFrame({"a": [object()]}))
        collector.collect(FRAME)
    assert [type(error) for error in errors] == [UnsupportedDataError, ContextError, UnsupportedValueError]
    assert len(captured.events) == 1


def test_an_error_of_the_callers_context_class_is_given_to_on_error() -> None:
    class Broken(CorrelationContext):
        def get_id(self) -> str:
            raise LookupError("no id")

    errors: list[Exception] = []
    Collector(name="model_inputs", on_error=errors.append).collect(FRAME, Broken())
    assert [repr(error) for error in errors] == ["LookupError('no id')"]
    with pytest.raises(LookupError, match="no id"):
        Collector(name="model_inputs").collect(FRAME, Broken())


@pytest.mark.parametrize("name", ["", None])
def test_a_collector_without_a_name_is_refused_with_azures_text(name: Any) -> None:
    with pytest.raises(CollectionNameError, match=r"^collection name is not provided$"):
        Collector(name=name)


@pytest.mark.parametrize("name", ["..", "a/../b", "a/b", "_a", "a" * 1100, "a\r\n", 5])
def test_a_name_that_cannot_be_a_folder_is_refused(name: Any) -> None:
    with pytest.raises(CollectionNameError, match=r"^collection name: expected 1 to 128 characters .*, got '"):
        Collector(name=name)


def test_the_event_time_is_the_time_of_collect_or_the_contexts_timestamp() -> None:
    with capture() as captured:
        collector = Collector(name="model_inputs")
        before = time.time_ns()
        context = collector.collect(FRAME)
        Collector(name="model_outputs").collect(FRAME, context)
        after = time.time_ns()
        collector.collect(FRAME, BasicCorrelationContext(timestamp=1_700_000_000))
        collector.collect(FRAME, BasicCorrelationContext(timestamp=0))
    first, second, chosen, epoch = captured.events
    assert epoch.time_ns == 0
    assert before <= first.time_ns < second.time_ns <= after
    assert chosen.time_ns == 1_700_000_000_000_000_000


def test_headers_become_the_request_id_and_extensions_of_the_line(caplog: pytest.LogCaptureFixture) -> None:
    headers = {"x-request-id": "r-1", "tenant": "a", "bad name": "x", "Data": "y", "n": 5}
    with capture() as captured:
        collector = Collector(name="model_inputs")
        for _ in range(3):
            collector.collect(FRAME, BasicCorrelationContext(headers=headers))  # type: ignore[arg-type]
    attributes = captured.events[0].attributes
    assert attributes[semconv.AZUREML_REQUEST_ID] == "r-1"
    extensions = {k: v for k, v in attributes.items() if k.startswith(semconv.CLOUDEVENTS_EXTENSION_PREFIX)}
    assert extensions == {"cloudevents.extension.tenant": "a", "cloudevents.extension.n": "5"}
    assert [record.getMessage() for record in caplog.records] == [
        (
            "collection model_inputs: context header 'bad name' is not collected: "
            "expected lower-case letters and digits, at most 20"
        ),
        (
            "collection model_inputs: context header 'data' is not collected: "
            "expected lower-case letters and digits, at most 20"
        ),
    ]


@pytest.mark.parametrize("given", [123, "a\u2028 b", "注文-1", "x" * 1100])
# S17
def test_any_id_is_collected_as_its_text(given: object) -> None:
    with capture() as captured:
        Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext(id=given))
    assert captured.events[0].correlation_id == str(given)


def test_an_id_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ContextError, match=r"^expected text, got a lone surrogate in an id or header"):
        Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext(id="\ud800"))


@pytest.mark.parametrize(
    ("context", "got"),
    [
        (BasicCorrelationContext(id="a\r\nb"), r"'a\\r\\nb'"),
        (BasicCorrelationContext(id="id", headers={"X-Request-Id": "1\x85"}), r"'1\\x85'"),
        (BasicCorrelationContext(id="id", headers={"tenant": "1\x00"}), r"'1\\x00'"),
    ],
)
def test_control_characters_in_ids_and_headers_are_refused_in_collect(
    context: BasicCorrelationContext, got: str
) -> None:
    """A receiver refuses them: the event would be accepted, and lost."""
    with pytest.raises(
        ContextError, match=rf"^expected text without control characters in an id or header, got {got}:"
    ):
        Collector(name="model_inputs").collect(FRAME, context)


def test_the_class_of_a_context_is_refused() -> None:
    with pytest.raises(ContextError, match=r"^expected a correlation context, got the class BasicCorrelationContext: "):
        Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext)  # type: ignore[arg-type]


def test_a_model_version_with_a_line_break_is_refused_in_init() -> None:
    """As `open("VERSION").read()` has it."""
    with pytest.raises(ConfigError, match=r"^expected model_version without control characters, got '1\.2\\n': strip"):
        Collector(name="model_inputs", model_version="1.2\n")


def test_a_context_without_an_id_is_refused() -> None:
    with pytest.raises(ContextError, match=r"^expected a correlation context with an id, got one without: its get_id"):
        Collector(name="model_inputs").collect(FRAME, CorrelationContext())


def test_the_record_names_its_span_and_the_span_names_its_record() -> None:
    tracer = TracerProvider().get_tracer("test")
    with capture() as captured, tracer.start_as_current_span("score") as span:
        context = Collector(name="model_inputs").collect(FRAME)
        Collector(name="model_outputs").collect(FRAME, context)
    inputs, outputs = captured.events
    for event in (inputs, outputs):
        assert event.trace_id == f"{span.get_span_context().trace_id:032x}"
        assert event.span_id == f"{span.get_span_context().span_id:016x}"
    about = [
        {
            "azureml.collection.name": event.collection,
            "azureml.correlation.id": event.correlation_id,
            "cloudevents.event_id": event.event_id,
            "azureml.data.rows": 2,
            "azureml.data.folder": f"local/default/{event.collection}/{_hour(event.time_ns)}",
        }
        for event in (inputs, outputs)
    ]
    assert dict(span.attributes) == about[1]  # type: ignore[attr-defined]
    assert [(event.name, dict(event.attributes)) for event in span.events] == [  # type: ignore[attr-defined]
        ("azureml.inference.model_inputs", about[0]),
        ("azureml.inference.model_outputs", about[1]),
    ]


def test_data_of_an_unsampled_trace_is_collected() -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    with capture() as captured, tracer.start_as_current_span("score") as span:
        Collector(name="model_inputs").collect(FRAME)
    assert captured.events[0].trace_id == f"{span.get_span_context().trace_id:032x}"


def test_outside_of_a_span_an_event_has_no_trace() -> None:
    with capture() as captured:
        Collector(name="model_inputs").collect(FRAME)
    assert (captured.events[0].trace_id, captured.events[0].span_id) == ("", "")


def test_names_that_break_azures_consumer_are_collected_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with capture() as captured:
        collector = Collector(name="model_inputs")
        for _ in range(3):
            collector.collect(pd.DataFrame({"a.b": [1]}))
            collector.collect(pd.DataFrame({"a": []}))
    assert [event.rows for event in captured.events] == [[{"a.b": 1}], []] * 3
    assert sorted(record.getMessage() for record in caplog.records) == [
        "collection model_inputs: a frame without rows was collected: its event holds no data for a monitor to read",
        "collection model_inputs: column 'a.b' has a '.', which Azure's data quality and drift monitors refuse",
    ]


def test_the_applications_otel_settings_neither_truncate_nor_stop_the_data(
    monkeypatch: pytest.MonkeyPatch, backend: RecordingBackend
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5")
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "2")
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1")
    Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext(id="a-long-correlation-id"))
    otel_modeldata.flush(30)
    (record,) = backend.records()
    attributes = {item.key: item.value.string_value for item in record.attributes}
    assert attributes[semconv.AZUREML_CORRELATION_ID] == "a-long-correlation-id"
    assert len(attributes) == 11
    assert record.body.string_value == '[{"a":1},{"a":2}]'


def test_collecting_configures_no_logging(backend: RecordingBackend) -> None:
    before = {name: list(getattr(logger, "handlers", ())) for name, logger in logging.root.manager.loggerDict.items()}
    root = list(logging.root.handlers)
    Collector(name="model_inputs").collect(FRAME)
    otel_modeldata.flush(30)
    assert logging.root.handlers == root
    for name, logger in logging.root.manager.loggerDict.items():
        assert list(getattr(logger, "handlers", ())) == before.get(name, [])


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_MODELDATA_CONFIG"])
def test_a_wrong_configuration_raises_in_init_even_with_on_error(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "localhost:4317")
    with pytest.raises(ConfigError):
        Collector(name="model_inputs", on_error=lambda _: None)


def test_an_on_error_that_cannot_be_called_raises_in_init() -> None:
    with pytest.raises(TypeError) as raised:
        Collector(name="model_inputs", on_error="log")  # type: ignore[arg-type]
    assert str(raised.value) == "expected a function in on_error, got str: it is called with each error"


def test_six_hundred_records_of_100_kb_arrive_at_defaults(backend: RecordingBackend) -> None:
    collector = Collector(name="model_inputs")
    frame = pd.DataFrame({"s": ["x" * 100_000]})
    for _ in range(600):
        collector.collect(frame)
    report = otel_modeldata.flush(60)
    assert (report.accepted, report.delivered, dict(report.lost), report.pending) == (600, 600, {}, 0)
    assert [len(record.body.string_value) for record in backend.records()] == [100_000 + len('[{"s":""}]')] * 600
    assert max(request.ByteSize() for request in backend.log_requests()) < 4 * 2**20


@pytest.mark.parametrize("megabytes", [3.9, 4.1, 16])
def test_a_large_record_arrives(backend: RecordingBackend, megabytes: float) -> None:
    size = int(megabytes * 2**20)
    Collector(name="model_inputs").collect(pd.DataFrame({"s": ["x" * size]}))
    assert otel_modeldata.flush(60).delivered == 1
    assert len(backend.records()[0].body.string_value) == size + len('[{"s":""}]')


def test_an_unreachable_endpoint_never_raises_in_collect_and_shows_in_the_report(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    errors: list[Exception] = []
    collector = Collector(name="model_inputs", on_error=errors.append)
    for _ in range(10):
        collector.collect(FRAME)
    assert errors == []
    report = otel_modeldata.shutdown(timeout=0.5)
    assert (report.accepted, report.delivered, report.lost, report.pending) == (10, 0, {"shutdown": 10}, 0)
    assert sum(error.count for error in errors) == 10  # type: ignore[attr-defined]
    assert "10 event(s) wait for 127.0.0.1:9, which answers UNAVAILABLE" in caplog.text
