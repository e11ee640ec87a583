"""OTLP in JSON is read as Protocol Buffers read JSON, but for hexadecimal ids; what is wrong costs only itself."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import record as record_of

from otel_modeldata_receiver.exceptions import BadRecordError, UndecodableError
from otel_modeldata_receiver.listeners.otlp_json import JSON_LOGS, JSON_SPANS, JsonSignal, _request_of
from otel_modeldata_receiver.mapping import log_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

Draw = Any
"""The function that Hypothesis gives to a composite strategy."""
IDS = {"trace_id", "span_id", "parent_span_id"}
MOST_DEPTH = 7
"""A request, resource, scope, record, attribute, value and list; deeper ones have no further kinds of fields."""
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: st.text(st.characters(codec="utf-8"), max_size=5),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=17),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_FIXED64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
}


def fill(draw: Draw, message: Message, depth: int = MOST_DEPTH) -> None:
    """Give values to some fields of `message`."""
    for field in message.DESCRIPTOR.fields:
        is_message = field.type == FieldDescriptor.TYPE_MESSAGE
        # The parts that lead to a record are there more often than not.
        if (is_message and depth == 0) or not draw(st.integers(0, 3 if depth > MOST_DEPTH - 3 else 1)):
            continue
        if is_message and field.is_repeated:
            for _ in range(draw(st.integers(1, 2))):
                fill(draw, getattr(message, field.name).add(), depth - 1)
        elif is_message:
            getattr(message, field.name).SetInParent()
            fill(draw, getattr(message, field.name), depth - 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(SCALARS[field.type], max_size=2)))
        elif field.type == FieldDescriptor.TYPE_ENUM:
            setattr(message, field.name, draw(st.sampled_from(list(field.enum_type.values_by_number))))
        else:
            setattr(message, field.name, draw(SCALARS[field.type]))


class Form(NamedTuple):
    """How a request is written in JSON.

    Attributes:
        snake: whether a key is written as in the .proto file.
        null: whether an absent key, or the other form of a present one, is there as null.
        upper: whether ids are in upper case.
    """

    snake: Callable[[], bool]
    null: Callable[[], bool]
    upper: bool


def as_otlp(value: Any, descriptor: Descriptor, form: Form) -> Any:
    """A message from `MessageToDict` in OTLP's encoding."""
    encoded: dict[str, Any] = {}
    for field in descriptor.fields:
        name, other = (field.name, field.json_name) if form.snake() else (field.json_name, field.name)
        inner = value.get(field.json_name)
        if inner is not None and field.type == FieldDescriptor.TYPE_MESSAGE:
            items = inner if field.is_repeated else [inner]
            made = [as_otlp(item, field.message_type, form) for item in items]
            inner = made if field.is_repeated else made[0]
        elif inner is not None and field.name in IDS:
            inner = b64decode(inner).hex()
            inner = inner.upper() if form.upper else inner
        pairs = {name: inner} if inner is not None or form.null() else {}
        pairs |= {other: None} if other != name and form.null() else {}
        encoded |= pairs if form.snake() else dict(reversed(pairs.items()))
    return encoded


@st.composite
def requests(draw: Draw, kind: type[Message]) -> tuple[Message, bytes]:
    """A request, and one of its forms in JSON."""
    request = kind()
    fill(draw, request)
    snake = draw(st.sampled_from([lambda: True, lambda: False, lambda: draw(st.booleans())]))
    null = draw(st.sampled_from([lambda: False, lambda: draw(st.booleans())]))
    form = Form(snake, null, upper=draw(st.booleans()))
    plain = MessageToDict(request, use_integers_for_enums=draw(st.booleans()))
    return request, json.dumps(as_otlp(plain, request.DESCRIPTOR, form)).encode()


@settings(max_examples=60)
@given(requests(ExportLogsServiceRequest))
def test_every_field_of_logs_is_read_as_protocol_buffers_do(given: tuple[Message, bytes]) -> None:
    request, text = given
    assert ExportLogsServiceRequest.FromString(_request_of(text, JSON_LOGS)) == request


@settings(max_examples=60)
@given(requests(ExportTraceServiceRequest))
def test_every_field_of_spans_is_read_as_protocol_buffers_do(given: tuple[Message, bytes]) -> None:
    request, text = given
    assert ExportTraceServiceRequest.FromString(_request_of(text, JSON_SPANS)) == request


def members(kind: type[Message]) -> list[str]:
    """The names of a message's fields, in both forms."""
    return [name for field in kind.DESCRIPTOR.fields for name in (field.json_name, field.name)]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.sampled_from(members(LogRecord)), ANYTHING)
def test_a_member_of_a_record_costs_its_own_record_at_most(name: str, value: object) -> None:
    neighbor = {"body": {"stringValue": "[1]"}, "traceId": "0a" * 16}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [neighbor, {name: value}, neighbor]}]}]}
    made = ExportLogsServiceRequest.FromString(_request_of(json.dumps(body).encode(), JSON_LOGS))
    first, middle, last = made.resource_logs[0].scope_logs[0].log_records
    assert first == last == LogRecord(body={"string_value": "[1]"}, trace_id=b"\n" * 16)
    if middle.event_name == "undecodable OTLP/JSON record":
        assert json.loads(middle.body.string_value).keys() == {name}
    if value is None:
        assert middle == LogRecord()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"body":{"stringValue":"\\ud800"}}', '{"body":{"stringValue":"\\ud800"}}'),
        ("null", "null"),
        ('{"traceId":"CgoKCgoKCgoKCgoKCgoKCg=="}', '{"traceId":"CgoKCgoKCgoKCgoKCgoKCg=="}'),
        ('{"body":{"doubleValue":1e400}}', '{"body":{"doubleValue":Infinity}}'),
        ('{"body":{"doubleValue":NaN}}', '{"body":{"doubleValue":NaN}}'),
    ],
)
def test_what_only_a_record_has_wrong_costs_that_record(text: str, kept: str) -> None:
    body = f'{{"resource_logs":[null,{{"scope_logs":[null,{{"log_records":[{text},{{"flags":1}}]}}]}}]}}'
    made = ExportLogsServiceRequest.FromString(_request_of(body.encode(), JSON_LOGS))
    wrong, right = made.resource_logs[0].scope_logs[0].log_records
    assert (wrong.event_name, wrong.body.string_value) == ("undecodable OTLP/JSON record", kept)
    assert right == LogRecord(flags=1)


def test_text_that_is_not_utf_8_costs_its_record() -> None:
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":"\xff"},{"flags":1}]}]}]}'
    made = ExportLogsServiceRequest.FromString(_request_of(body, JSON_LOGS))
    wrong, right = made.resource_logs[0].scope_logs[0].log_records
    assert (wrong.body.string_value, right) == ('{"severityText":"\\udcff"}', LogRecord(flags=1))


@pytest.mark.parametrize("signal", [JSON_LOGS, JSON_SPANS])
def test_a_resource_that_cannot_be_read_costs_its_own_records(signal: JsonSignal) -> None:
    resources, scopes, records = signal.keys
    good = {scopes: [{records: [{"flags": 1}]}]}
    bad = {"resource": {"attributes": 5}, scopes: [{records: [{"flags": 2}, {"flags": 3}]}]}
    made: Any = signal.request().FromString(_request_of(json.dumps({resources: [bad, good]}).encode(), signal))
    kept, read = getattr(made, signal.fields[0])
    assert [one.flags for one in getattr(getattr(read, signal.fields[1])[0], signal.fields[2])] == [1]
    assert [(one.key, json.loads(one.value.string_value)) for one in kept.resource.attributes] == [
        ("otlp.json", {"resource": {"attributes": 5}, scopes: [{}]})
    ]
    fault = "a resource or scope with a number in place of a list in attributes; correct the sender"
    assert list(getattr(getattr(kept, signal.fields[1])[0], signal.fields[2])) == [
        signal.unreadable('{"flags":2}', fault),
        signal.unreadable('{"flags":3}', fault),
    ]


DEEP = json.dumps({"stringValue": "x"})
for _ in range(60):
    DEEP = f'{{"arrayValue":{{"values":[{DEEP}]}}}}'
TOO_LARGE = "that its field cannot hold; send an integer of 64 bits, or another type"
OTHER_TYPE = "a value of another type than OTLP has in {}; correct the sender"


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (f'{{"body":{DEEP}}}', "values that nest more than 48 levels deep; send them flatter, or as JSON in a text"),
        ('{"body":{"intValue":"%s"}}' % ("9" * 5000), f"a number in body {TOO_LARGE}"),
        ('{"body":{"intValue":%s}}' % ("9" * 5000), f"a number in body {TOO_LARGE}"),
        ('{"body":{"intValue":12345678901234567890}}', f"a number in body.intValue {TOO_LARGE}"),
        ('{"timeUnixNano":1000000000000000000000000}', f"a number in timeUnixNano {TOO_LARGE}"),
        ('{"timeUnixNano":-1}', f"a number in timeUnixNano {TOO_LARGE}"),
        ('{"timeUnixNano":1.5}', OTHER_TYPE.format("timeUnixNano")),
        ('{"traceId":"CgoKCg=="}', "a traceId that is not hexadecimal; write ids in hexadecimal digits"),
        ('{"span_id":5}', "a spanId that is not hexadecimal; write ids in hexadecimal digits"),
        ('{"body":"text"}', "a text in place of an object in body; correct the sender"),
        ('{"attributes":["a"]}', "a text in place of an object in attributes; correct the sender"),
        ('{"attributes":{"a":1}}', "an object in place of a list in attributes; correct the sender"),
        ('{"attributes":[{"key":"a","value":true}]}', "a boolean in place of an object in value; correct the sender"),
        ('{"body":["x"]}', "a list in place of an object in body; correct the sender"),
        ('{"body":{"bytesValue":"no base64!"}}', "a text in bytesValue that is not base64; correct the sender"),
        ('{"flags":1,"body":null,"x_y":1,"severity_text":"a","severityText":"b"}', (
            "two values of a key that is there in both forms; correct the sender"
        )),
        ("5", "a number in place of an object; correct the sender"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_says_why(record: str, fault: str) -> None:
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record},{{"flags":1}}]}}]}}]}}'
    made = ExportLogsServiceRequest.FromString(_request_of(body.encode(), JSON_LOGS))
    wrong, right = made.resource_logs[0].scope_logs[0].log_records
    assert right == LogRecord(flags=1)
    assert wrong.severity_text == fault
    with pytest.raises(BadRecordError) as caught:
        log_record._collection({}, wrong)
    assert str(caught.value) == f"undecodable record: expected OTLP in JSON, got {fault}"


def test_a_request_that_nests_too_deep_says_so() -> None:
    body = b'{"resourceLogs":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    with pytest.raises(UndecodableError, match=r"that is not \(values that nest more than 48 levels deep\); send"):
        _request_of(body, JSON_LOGS)


@pytest.mark.parametrize("number", ["1e300", "12345678901234567000", "-1000000000000000000000"])
def test_large_numbers_as_javascript_writes_them_are_doubles(number: str) -> None:
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"intValue":{number}}}}}]}}]}}]}}'
    made = ExportLogsServiceRequest.FromString(_request_of(body.encode(), JSON_LOGS))
    assert made.resource_logs[0].scope_logs[0].log_records[0].body.double_value == float(number)


@pytest.mark.parametrize("names", [("traceId", "trace_id"), ("trace_id", "traceId")])
def test_a_record_with_both_forms_of_a_key_is_read_if_one_is_null_or_both_are_equal(names: tuple[str, str]) -> None:
    first, second = names

    def read(record: str) -> LogRecord:
        body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}'
        made = ExportLogsServiceRequest.FromString(_request_of(body.encode(), JSON_LOGS))
        return made.resource_logs[0].scope_logs[0].log_records[0]

    ids = LogRecord(trace_id=b"\n" * 16)
    assert read(f'{{"{first}":"{"0a" * 16}","{second}":null}}') == ids
    assert read(f'{{"{first}":null,"{second}":"{"0a" * 16}"}}') == ids
    assert read(f'{{"{first}":"{"0a" * 16}","{second}":"{"0a" * 16}"}}') == ids
    assert read(f'{{"{first}":"{"0a" * 16}","{second}":"{"0b" * 16}"}}').event_name == "undecodable OTLP/JSON record"


def test_null_in_a_list_is_an_empty_value_in_an_array_and_absent_elsewhere() -> None:
    record = {
        "attributes": [None, {"key": "a", "value": {"kvlistValue": {"values": [None, {"key": "b", "value": None}]}}}],
        "body": {"array_value": {"values": [{"intValue": "1"}, None, {"stringValue": "x", "intValue": None}]}},
    }
    span = {"links": [None, {"traceId": "0a" * 16, "spanId": None}], "events": None}
    logs = {"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]}
    made = ExportLogsServiceRequest.FromString(_request_of(json.dumps(logs).encode(), JSON_LOGS))
    expected = record_of([1, None, "x"], {"a": {"b": None}}, collection=None, time_ns=0)
    expected.attributes[0].value.kvlist_value.values[0].ClearField("value")
    assert made.resource_logs[0].scope_logs[0].log_records[0] == expected
    traces = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    spans = ExportTraceServiceRequest.FromString(_request_of(json.dumps(traces).encode(), JSON_SPANS))
    assert spans.resource_spans[0].scope_spans[0].spans[0] == Span(links=[Span.Link(trace_id=b"\n" * 16)])
