"""The line: keys, order, texts."""

from __future__ import annotations

import json

import msgspec
import pytest

from otel_modeldata_receiver.mapping import cloudevent
from otel_modeldata_receiver.mapping.cloudevent import CloudEvent

EVENT = CloudEvent(
    id="725aa8af-0834-415c-aaf5-c76d0c08f694",
    source="/endpoints/e/deployments/d",
    type="azureml.inference.model_inputs",
    datacontenttype="application/json",
    time="2022-12-01T08:51:30Z",
    data=msgspec.Raw(b'[{"x": 1.50, "y":"\\/\xe2\x80\xa8"}]'),
    contentrange="bytes 0-23/24",
    correlationid="c",
    xrequestid="r",
    modelversion="default",
    collectdatatype="pandas.core.frame.DataFrame",
    agent="a/1",
    timens="1669884690000000000",
)
LINE = (
    b'{"specversion":"1.0","id":"725aa8af-0834-415c-aaf5-c76d0c08f694","source":"/endpoints/e/deployments/d",'
    b'"type":"azureml.inference.model_inputs","datacontenttype":"application/json","time":"2022-12-01T08:51:30Z",'
    b'"data":[{"x": 1.50, "y":"\\/\xe2\x80\xa8"}],"contentrange":"bytes 0-23/24","correlationid":"c","xrequestid":"r",'
    b'"modelversion":"default","collectdatatype":"pandas.core.frame.DataFrame","agent":"a/1",'
    b'"timens":"1669884690000000000"}\n'
)


def test_the_line_begins_with_the_seven_keys_and_has_the_rows_unchanged() -> None:
    assert cloudevent.encode(EVENT, {}) == LINE


def test_optional_keys_follow_in_a_fixed_order() -> None:
    event = msgspec.structs.replace(
        EVENT, samplingrate="0.5", producer="p", producersequence="7", datatypes="f8*2", traceparent="00-1-2-01"
    )
    added = b',"samplingrate":"0.5","producer":"p","producersequence":"7","datatypes":"f8*2",'
    added += b'"traceparent":"00-1-2-01"}\n'
    assert cloudevent.encode(event, {}) == LINE[:-2] + added


def test_the_keys_of_a_payload_have_the_order_of_azures_documentation() -> None:
    """S47, S48, S70."""
    event = msgspec.structs.replace(
        EVENT, path="/score?size=1", method="POST", statuscode="200", latencyms="1.5", collectdatatype=msgspec.UNSET
    )
    keys = list(json.loads(cloudevent.encode(cloudevent.at_blob(event, "https://a/b"), {})))
    documented = ["data", "path", "method", "contentrange", "datainblob", "correlationid", "xrequestid"]
    assert keys[6:] == [*documented, "modelversion", "agent", "statuscode", "latencyms", "timens"]


def test_a_line_with_a_binary_payload_has_its_url_as_data() -> None:
    line = cloudevent.encode(cloudevent.at_blob(EVENT, "https://a/b"), {})
    expected = LINE.replace(b'[{"x": 1.50, "y":"\\/\xe2\x80\xa8"}]', b'"https://a/b"')
    assert line == expected.replace(b'23/24",', b'23/24","datainblob":"true",')


def test_extensions_come_last() -> None:
    assert cloudevent.encode(EVENT, {"tenant": 'a"b', "z": "\n"}) == LINE[:-2] + b',"tenant":"a\\"b","z":"\\n"}\n'


def test_a_line_whose_rows_are_an_object_has_dataref_instead_of_data() -> None:
    line = cloudevent.encode(cloudevent.at_reference(EVENT, "https://a/b.json"), {})
    assert line == LINE.replace(b'"data":[{"x": 1.50, "y":"\\/\xe2\x80\xa8"}]', b'"dataref":"https://a/b.json"')


@pytest.mark.parametrize("name", ["tenant", "region", "tracestate", "a1", "x" * 20])
def test_a_valid_extension_name_becomes_a_key(name: str) -> None:
    assert cloudevent.is_free_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "data",
        "Data",
        "DATAREF",
        "dataref",
        "correlationid",
        "CorrelationId",
        "id",
        "time",
        "traceparent",
        "timens",
        "subject",
        "dataschema",
        "datainblob",
        "path",
        "method",
        "statuscode",
        "latencyms",
        "data_base64",
        "x-y",
        "a b",
        "é",
        "x" * 21,
        "a\n",
    ],
)
def test_an_extension_cannot_have_a_key_of_the_line_or_an_invalid_name(name: str) -> None:
    assert not cloudevent.is_free_key(name)


@pytest.mark.parametrize(
    ("size", "total", "text"),
    [
        (0, None, "bytes */0"),
        (1, None, "bytes 0-0/1"),
        (6795, None, "bytes 0-6794/6795"),
        (60, "*", "bytes 0-59/*"),
        (1024, 52000, "bytes 0-1023/52000"),
        (0, 52000, "bytes */52000"),
        (0, "*", "bytes */0"),
    ],
)
def test_contentrange_has_first_last_and_total(size: int, total: int | str | None, text: str) -> None:
    """S51, S68."""
    assert cloudevent.content_range(size, total) == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_698_069_599_999_999_999, "2023-10-23T13:59:59Z"),
        (2**64 - 1, "2554-07-21T23:34:33Z"),
    ],
)
# S61
def test_time_has_whole_seconds_and_never_rounds_up(time_ns: int, text: str) -> None:
    assert cloudevent.time_text(time_ns) == text


def test_the_name_of_a_rows_object_needs_no_url_decoding() -> None:
    safe = cloudevent.rows_object_name(EVENT.id, b"[]")
    unsafe = cloudevent.rows_object_name("a/../é %2e?", b"[]")
    assert safe.startswith(f"{EVENT.id}-")
    assert safe.isascii()
    assert set(unsafe.removesuffix(".json")) <= set("0123456789abcdef-")


def test_a_rows_object_has_the_same_name_after_a_retry_and_another_for_other_rows() -> None:
    names = [cloudevent.rows_object_name(EVENT.id, rows) for rows in (b"[]", b"[]", b"[{}]")]
    assert names[0] == names[1] != names[2]


def test_a_binary_payload_is_named_by_its_content_alone() -> None:
    """S70, with another name: Azure's collector names it by the event."""
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert cloudevent.binary_object_name(b"") == digest != cloudevent.binary_object_name(b"x")


def test_every_value_but_data_is_a_json_string() -> None:
    decoded = json.loads(cloudevent.encode(EVENT, {"n": "1"}))
    assert {key for key, value in decoded.items() if not isinstance(value, str)} == {"data"}
