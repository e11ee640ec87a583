"""Line templates make the lines that `log_record.py` makes, and take no record that it rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from otlp_requests import NOON, backwards, invalid_utf8
from template_records import (
    OTHER_UUID,
    UUID,
    by_both_ways,
    by_template,
    in_both_orders,
    in_turn,
    known_templates,
    ordinary,
)

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping.line_template.template_cache import TemplateCache

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


def test_a_template_takes_an_ordinary_record_and_makes_the_same_line() -> None:
    fast, plain = in_both_orders(ordinary(), ordinary(body='[{"other":"rows"}]'))
    assert fast == plain
    assert [[len(lines) for lines in one.lines.values()] for one in fast] == [[2], [2]]
    assert by_template(ordinary(), ordinary()) == [True, True]


@pytest.mark.parametrize(
    "one",
    [
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: ""}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: None}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: "x" * 129}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: 'quo"te'}),
        ordinary({semconv.AZUREML_COLLECTION_NAME: "request"}),
        ordinary({semconv.AZUREML_COLLECTION_NAME: ".."}),
        ordinary({semconv.AZUREML_DATA_CONTENT_TYPE: "text/plain"}),
        ordinary({semconv.AZUREML_AGENT: "x" * 2100}),
        ordinary({semconv.AZUREML_AGENT: ["x"]}),
        ordinary(time_ns=0, observed_time_unix_nano=NOON),
        ordinary(body=None),
        ordinary(body=[{"a": 1}]),
        ordinary(body="no json"),
        ordinary(body=b"[]"),
        ordinary(body='[{"a":"' + "x" * (4 << 20) + '"}]'),
    ],
)
def test_a_record_that_is_not_ordinary_has_no_template(one: LogRecord) -> None:
    fast, plain = in_both_orders(ordinary(), one, ordinary())
    assert fast == plain
    assert by_template(ordinary(), one, ordinary()) == [True, False, True]


@pytest.mark.parametrize(
    "one",
    [
        ordinary({semconv.AZUREML_CORRELATION_ID: "back\\slash"}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: "300"}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: 2**56}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: -1}),
        ordinary({semconv.AZUREML_CORRELATION_ID: 7}),
        ordinary({"cloudevents.extension.tenant": "t"}),
        ordinary({semconv.URL_PATH: "/score"}),
    ],
)
def test_a_value_that_may_not_vary_is_part_of_the_shape(one: LogRecord) -> None:
    fast, plain = in_both_orders(ordinary(), one, ordinary())
    assert fast == plain
    assert by_template(ordinary(), one, ordinary()) == [True, True, True]


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [(UUID, True), ("short", True), (UUID.upper(), True), ("x" * 128, True), ("é" * 18, False), ("ünïcode", False)],
)
def test_a_template_takes_ids_of_any_form_if_they_are_ascii(event_id: str, expected: bool) -> None:
    values: dict[str, object] = dict.fromkeys((semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID), event_id)
    fast, plain = in_both_orders(ordinary(values))
    assert fast == plain
    assert by_template(ordinary(values)) == [expected]


def named(name: str) -> LogRecord:
    """A record as the SDK sends it for a collection."""
    type_ = f"azureml.inference.{name}"
    values = {semconv.AZUREML_COLLECTION_NAME: name, semconv.CLOUDEVENTS_EVENT_TYPE: type_}
    return ordinary(values, event_name=type_)


def test_one_template_serves_all_collections_whose_names_have_the_same_size() -> None:
    names = [f"model_inputs_{number:03}" for number in range(200)]
    fast, plain = in_both_orders(*map(named, names))
    assert fast == plain
    assert [list(one.lines) for one in fast] == [[f"credit/blue/{name}/2026/11/22/12" for name in names]] * 2
    cache = TemplateCache()
    raw = [named(name).SerializeToString() for name in names]
    assert in_turn(raw, cache) == [False] * 3 + [True] * 197
    assert known_templates(cache) == 1


@pytest.mark.parametrize(
    "name",
    ["response", "a_block_blob", "a..bcdef", "abcdefg.", ".abcdefg", "-abcdefg", "abc/defg", "abc defg", "a%2fbcde"],
)
def test_a_template_leaves_special_and_illegal_names_of_collections_to_log_record(name: str) -> None:
    """The other collections have names of the same size."""
    usual = named("outputs".ljust(len(name), "_"))
    for records in ([usual, named(name), usual], [named(name), named(name), usual, usual]):
        fast, plain = in_both_orders(*records)
        assert fast == plain
    assert by_template(usual, named(name), usual) == [True, False, True]
    assert by_template(named(name), named(name), usual, usual) == [False, False, True, True]


def test_event_names_that_differ_from_the_collection_do_not_matter() -> None:
    one, other = named("model_inputs"), named("model_inputs")
    other.event_name = "azureml.inference.model_output"
    fast, plain = in_both_orders(one, other)
    assert fast == plain
    assert by_template(one, other) == [True, True]


def test_the_last_of_two_names_counts_with_and_without_templates() -> None:
    one = named("model_inputs")
    one.attributes.add(key=semconv.AZUREML_COLLECTION_NAME).value.string_value = "model_output"
    fast, plain = in_both_orders(one, named("model_inputs"), one)
    assert fast == plain
    assert list(fast[0].lines) == ["credit/blue/model_output/2026/11/22/12", "credit/blue/model_inputs/2026/11/22/12"]


def test_records_of_many_hours_collections_and_kinds_keep_their_order() -> None:
    records = [
        ordinary(
            {semconv.CLOUDEVENTS_EVENT_ID: f"{number}{end}", semconv.AZUREML_COLLECTION_NAME: name}, time_ns=time_ns
        )
        for number in range(6)
        for name in ("model_inputs", "model_outputs")
        for time_ns in (NOON, NOON + 3600 * 10**9, NOON + 1)
        for end in ("", '"')
    ]
    fast, plain = in_both_orders(*records)
    assert fast == plain
    assert [len(one.lines) for one in fast] == [4, 4]


def test_a_broken_ignored_attribute_rejects_its_record_with_and_without_templates() -> None:
    broken = invalid_utf8(ordinary({"code.text": "BADTEXT"}), "BADTEXT")
    good = ordinary({"code.text": "x" * 7}).SerializeToString()
    fast, plain = by_both_ways([good, broken, good])
    assert fast == plain
    assert [(one.kind, one.record) for one in fast.rejected] == [("undecodable LogRecord", broken)]


@pytest.mark.parametrize(
    ("slot", "other"),
    [
        (NOON.to_bytes(8, "little"), bytes(8)),
        (b"t" * 16, bytes(16)),
        (b"s" * 8, bytes(8)),
        (UUID.encode(), b'quo"te'.ljust(36)),
        (OTHER_UUID.encode(), "é".encode() * 18),
        (b"\x18\xac\x02", b"\x18\x02\xac"),
    ],
)
def test_a_value_that_is_not_ordinary_is_left_to_log_record(slot: bytes, other: bytes) -> None:
    """A zero time or id counts as absent; the last value is a one-byte number followed by another byte."""
    forwards = ordinary().SerializeToString()
    for learned in (forwards, backwards(forwards)):
        assert learned.count(slot) == 1
        changed = learned.replace(slot, other)
        assert in_turn([learned, learned, learned, learned, changed], TemplateCache()) == [False] * 3 + [True, False]
        fast, plain = by_both_ways([learned, learned, learned, changed])
        assert fast == plain


def test_ignored_attributes_may_differ_if_they_are_plain() -> None:
    cache = TemplateCache()
    raw = [ordinary({"code.function": text}).SerializeToString() for text in "abcdefgh"]
    assert in_turn(raw, cache) == [False] * 3 + [True] * 5
    assert known_templates(cache) == 1
    raw = [ordinary({"code.function": text}).SerializeToString() for text in "éèéèéè"]
    assert in_turn(raw, cache) == [False] * 4 + [True] * 2
    assert known_templates(cache) == 1 + 2
