"""Records become events: attributes, defaults, ids, folders."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from otlp_requests import BAD_NAMES, NOON, ROWS, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import http_attributes, log_record
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.mapping.cloudevent import CloudEvent
from otel_modeldata_receiver.mapping.event import Event
from otel_modeldata_receiver.mapping.scope import ScopeContext, agent_of

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

RESOURCE = resource().SerializeToString()
ARRIVAL = NOON + 3_600_000_000_000


def scope() -> ScopeContext:
    return ScopeContext(
        resource=resources.read(RESOURCE),
        encoded_resource=RESOURCE,
        agent="test-sdk/1.0",
        destinations=Destinations().of_deployment("credit", "blue", None),
        arrival_ns=ARRIVAL,
    )


def read(one: LogRecord) -> Event:
    return log_record.read(one, scope())


def test_a_full_record_fills_every_key() -> None:
    one = record(
        attributes={
            semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.model_inputs",
            semconv.AZUREML_CORRELATION_ID: "c-1",
            semconv.AZUREML_REQUEST_ID: "r-1",
            semconv.AZUREML_MODEL_VERSION: "3",
            semconv.AZUREML_DATA_TYPE: "numpy.ndarray",
            semconv.AZUREML_DATA_CONTENT_TYPE: "application/json; charset=utf-8",
            semconv.AZUREML_AGENT: "otel-modeldata/0.1.0",
            semconv.AZUREML_SAMPLING_RATE: 0.25,
            semconv.AZUREML_PRODUCER_SEQUENCE: 0,
            "cloudevents.extension.tenant": "t",
            "cloudevents.extension.attempt": 2,
            "code.line": [1],
        },
        event_id="e-1",
        time_ns=NOON + 5,
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        flags=0x101,
    )
    assert read(one) == Event(
        collection="model_inputs",
        folder="credit/blue/model_inputs/2026/11/22/12",
        line=CloudEvent(
            id="e-1",
            source="/endpoints/credit/deployments/blue",
            type="azureml.inference.model_inputs",
            datacontenttype="application/json; charset=utf-8",
            time="2026-11-22T12:00:00Z",
            data=msgspec.Raw(ROWS.encode()),
            contentrange="bytes 0-27/28",
            correlationid="c-1",
            xrequestid="r-1",
            modelversion="3",
            collectdatatype="numpy.ndarray",
            agent="otel-modeldata/0.1.0",
            timens=str(NOON + 5),
            samplingrate="0.25",
            producersequence="0",
            traceparent="00-000102030405060708090a0b0c0d0e0f-0001020304050607-01",
        ),
        extensions={"tenant": "t", "attempt": "2"},
        content=ROWS.encode(),
    )


def test_a_record_that_names_its_collection_only_gets_every_default() -> None:
    line = read(record(time_ns=NOON)).line
    assert line == CloudEvent(
        id=line.id,
        source="/endpoints/credit/deployments/blue",
        type="azureml.inference.model_inputs",
        datacontenttype="application/json",
        time="2026-11-22T12:00:00Z",
        data=msgspec.Raw(ROWS.encode()),
        contentrange="bytes 0-27/28",
        correlationid=line.id,
        xrequestid=line.id,
        modelversion="default",
        collectdatatype="pandas.core.frame.DataFrame",
        agent="test-sdk/1.0",
        timens=str(NOON),
    )
    assert uuid.UUID(line.id).version == 4


@pytest.mark.parametrize(
    "one",
    [
        record(collection=None, event_name="azureml.inference.x"),
        record(collection=None, attributes={semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.x"}),
        record(collection=None, event_name="other", attributes={semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.x"}),
        record(collection="x", event_name="azureml.inference.y"),
    ],
)
def test_the_collection_is_found_in_the_attribute_then_in_either_event_type(one: LogRecord) -> None:
    assert read(one).line.type == "azureml.inference.x"


def test_an_ordinary_log_line_is_not_model_data() -> None:
    with pytest.raises(BadRecordError, match=r"^not model data: expected the attribute azureml.collection.name "):
        read(record("user logged in", collection=None, event_name="login"))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_collection_outside_the_allow_list_is_rejected(name: str) -> None:
    with pytest.raises(BadRecordError, match=r"^name: expected as collection "):
        read(record(collection=name))
    with pytest.raises(BadRecordError, match=r"^name: expected as collection "):
        read(record(collection=None, event_name="azureml.inference." + name))


@pytest.mark.parametrize("name", ["a\r\nb", "nul\x00", "\x85"])
def test_control_characters_in_a_collection_name_are_rejected(name: str) -> None:
    with pytest.raises(BadRecordError, match=r"^attribute text: expected azureml\.collection\.name "):
        read(record(collection=name))


def test_a_collection_name_with_the_shadow_suffix_is_rejected() -> None:
    with pytest.raises(BadRecordError, match=r"^name: expected a collection that does not end with _block_blob"):
        read(record(collection="model_inputs_block_blob"))


def test_only_tabular_collections_have_a_data_type_by_default() -> None:
    assert read(record('{"any": "json"}', collection="request")).line.collectdatatype is msgspec.UNSET
    assert read(record("[]", collection="model_outputs")).line.collectdatatype == semconv.DATAFRAME_TYPE


EXCHANGE = {
    semconv.URL_PATH: "/score",
    semconv.URL_QUERY: "size=1",
    semconv.HTTP_REQUEST_METHOD: "POST",
    semconv.HTTP_RESPONSE_STATUS_CODE: 429,
    semconv.AZUREML_RESPONSE_LATENCY_MS: 12.5,
}


def test_a_payload_has_the_keys_of_its_http_exchange() -> None:
    """S47, S48, S71."""
    line = read(record("{}", EXCHANGE, collection="response", event_id="e", time_ns=NOON)).line
    assert line == CloudEvent(
        id="e",
        source="/endpoints/credit/deployments/blue",
        type="azureml.inference.response",
        datacontenttype="application/json",
        time="2026-11-22T12:00:00Z",
        data=msgspec.Raw(b"{}"),
        path="/score?size=1",
        method="POST",
        contentrange="bytes 0-1/2",
        correlationid="e",
        xrequestid="e",
        modelversion="default",
        agent="test-sdk/1.0",
        statuscode="429",
        latencyms="12.5",
        timens=str(NOON),
    )


def test_a_payload_that_was_cut_off_has_the_size_of_the_whole_body() -> None:
    """S51."""
    values = {semconv.AZUREML_DATA_TOTAL_BYTES: 52_000, semconv.AZUREML_DATA_CONTENT_TYPE: "application/json"}
    line = read(record('{"a', values, collection="request")).line
    assert (line.contentrange, line.data) == ("bytes 0-2/52000", msgspec.Raw(b'"{\\"a"'))


def test_a_binary_payload_is_not_in_its_line() -> None:
    """S70."""
    values = {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png", semconv.AZUREML_DATA_TOTAL_BYTES: "*"}
    found = read(record(b"\x89PNG", values, collection="request"))
    assert (found.line.data, found.line.datacontenttype) == (msgspec.UNSET, "image/png")
    assert (found.content, found.binary, found.line.contentrange) == (b"\x89PNG", True, "bytes 0-3/*")


def test_a_tabular_line_has_no_keys_of_an_http_exchange() -> None:
    line = read(record(attributes=EXCHANGE | {semconv.AZUREML_DATA_TOTAL_BYTES: "*"})).line
    found = (line.path, line.method, line.statuscode, line.latencyms, line.contentrange)
    assert found == (*[msgspec.UNSET] * 4, "bytes 0-27/28")


def test_no_value_of_a_client_rejects_its_payload() -> None:
    values: dict[str, object] = {key: ["x"] for key in sorted(http_attributes.ATTRIBUTES)}
    values[semconv.AZUREML_DATA_CONTENT_TYPE] = "\x00/;"
    line = read(record("{", values, collection="request")).line
    assert (line.data, line.datacontenttype) == (msgspec.Raw(b'"{"'), "application/octet-stream")
    assert (line.path, line.method, line.contentrange) == (msgspec.UNSET, msgspec.UNSET, "bytes 0-0/1")


@pytest.mark.parametrize("absent", ["", None])
def test_an_empty_correlation_id_counts_as_absent(absent: str | None) -> None:
    line = read(record(event_id="e", attributes={semconv.AZUREML_CORRELATION_ID: absent})).line
    assert (line.correlationid, line.xrequestid) == ("e", "e")


def test_the_request_id_falls_back_to_the_correlation_id() -> None:
    line = read(record(event_id="e", attributes={semconv.AZUREML_CORRELATION_ID: "c"})).line
    assert (line.correlationid, line.xrequestid) == ("c", "c")


def test_the_time_is_that_of_the_event_else_of_its_observation_else_of_its_arrival() -> None:
    assert read(record(time_ns=NOON, observed_time_unix_nano=5)).line.timens == str(NOON)
    assert read(record(time_ns=0, observed_time_unix_nano=5)).line.timens == "5"
    arrived = read(record(time_ns=0))
    assert (arrived.line.timens, arrived.folder) == (str(ARRIVAL), "credit/blue/model_inputs/2026/11/22/13")


def test_equal_records_without_an_id_are_different_events_in_one_request_and_in_two() -> None:
    shared = scope()
    ids = [log_record.read(record(time_ns=1), shared).line.id for _ in range(2)]
    ids += [read(record(time_ns=1)).line.id, read(record(attributes={semconv.CLOUDEVENTS_EVENT_ID: None})).line.id]
    assert len(set(ids)) == len(ids)
    assert [str(uuid.UUID(one)) for one in ids] == ids


@pytest.mark.parametrize("event_id", ["x", "x" * 128, "ünï", "a b", "../.."])
def test_any_short_printable_id_is_kept(event_id: str) -> None:
    assert read(record(event_id=event_id)).line.id == event_id


@pytest.mark.parametrize("event_id", ["", "x" * 129, "a\u2028b", "\u00a0"])
def test_other_ids_are_rejected(event_id: str) -> None:
    with pytest.raises(BadRecordError, match=r"^event id: expected 1 to 128 printable characters, got "):
        read(record(event_id=event_id))


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [
        (b"", b""),
        (bytes(16), b"12345678"),
        (b"1234567890123456", bytes(8)),
        (b"short", b"12345678"),
        (b"1234567890123456", b"short"),
    ],
)
def test_a_record_outside_a_span_has_no_traceparent(trace_id: bytes, span_id: bytes) -> None:
    assert read(record(trace_id=trace_id, span_id=span_id)).line.traceparent is msgspec.UNSET


def test_an_unsampled_span_is_named_with_its_flags() -> None:
    line = read(record(trace_id=b"1" * 16, span_id=b"2" * 8, flags=0)).line
    assert line.traceparent == f"00-{'31' * 16}-{'32' * 8}-00"


def test_an_invalid_extension_is_dropped_and_the_event_is_kept() -> None:
    attributes = {
        "cloudevents.extension.good": "1",
        "cloudevents.extension.Data": "1",
        "cloudevents.extension.data": "1",
        "cloudevents.extension.id": "1",
        "cloudevents.extension.": "1",
        "cloudevents.extension.list": ["1"],
        "cloudevents.extension.control": "\r\n",
        "cloudevents.extension.unset": None,
    }
    assert read(record(attributes=attributes)).extensions == {"good": "1"}


def test_an_attribute_of_the_line_that_is_not_text_is_rejected() -> None:
    with pytest.raises(BadRecordError, match=r"^attribute type: expected a string as azureml\.correlation\.id"):
        read(record(attributes={semconv.AZUREML_CORRELATION_ID: ["x"]}))


@pytest.mark.parametrize(
    ("name", "version", "agent"),
    [
        ("lib", "1.2", "lib/1.2"),
        ("lib", "", "lib"),
        ("", "1", "opentelemetry"),
        ("a\nb", "1", "opentelemetry"),
        ("x" * 257, "", "opentelemetry"),
    ],
)
def test_the_scope_is_the_agent_when_it_has_a_name(name: str, version: str, agent: str) -> None:
    assert agent_of(InstrumentationScope(name=name, version=version)) == agent


@pytest.mark.parametrize(("name", "hint"), [("model_inputs", "model_inputs"), ("..", None), (None, None), (5, None)])
def test_a_rejected_record_names_its_collection_if_the_name_is_valid(name: str | None, hint: str | None) -> None:
    assert (
        log_record.collection_hint(record(collection=None, attributes={semconv.AZUREML_COLLECTION_NAME: name})) == hint
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(log_record.ATTRIBUTES)),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        ),
        max_size=6,
    )
)
def test_a_record_with_any_attributes_is_an_event_or_a_bad_record(pairs: list[tuple[str, str]]) -> None:
    one = record(collection="model_inputs", attributes=dict(pairs), time_ns=NOON)
    try:
        folder = read(one).folder
    except BadRecordError:
        return
    endpoint, deployment, collection, *date = folder.split("/")
    assert (endpoint, deployment, date) == ("credit", "blue", ["2026", "11", "22", "12"])
    assert semconv.is_name(collection)
