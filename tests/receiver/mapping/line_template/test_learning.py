"""The content of a template; `test_scope_templates.py` compares the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from otlp_requests import NOON, ROWS, any_value, backwards, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import cloudevent, otlp
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.mapping.line_template import learning
from otel_modeldata_receiver.mapping.line_template.learning import learn
from otel_modeldata_receiver.mapping.line_template.record_shape import Kind, RecordShape, layout_of, shape_of
from otel_modeldata_receiver.mapping.scope import ScopeContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_modeldata_receiver.mapping.line_template.template import LineTemplate

RESOURCE = resource().SerializeToString()
SCOPE = ScopeContext(
    resource=resources.read(RESOURCE),
    encoded_resource=RESOURCE,
    agent="agent/1",
    destinations=Destinations().of_deployment("credit", "blue", None),
    arrival_ns=NOON,
)
TIME = b"\x09" + NOON.to_bytes(8, "little")
BODY = b"\x2a" + bytes([len(ROWS) + 2]) + any_value(ROWS).SerializeToString()
TAIL = record(None, event_id="e-1").SerializeToString()[11:]
SEVERITY = b"\x10\x09"


def shape(raw: bytes) -> RecordShape | None:
    return shape_of(raw, otlp.log_record(raw))


def learned(raw: bytes) -> LineTemplate | None:
    found = shape(raw)
    return None if found is None else learn(found, otlp.log_record(raw), SCOPE)


def full(**fields: Any) -> bytes:
    values = {semconv.AZUREML_PRODUCER_SEQUENCE: 300, semconv.AZUREML_REQUEST_ID: "r-1", "code.function": "run"}
    fields = {"observed_time_unix_nano": 5, "trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1} | fields
    one = record(attributes=values, event_id="e-1", time_ns=NOON, severity_number=9, **fields)
    return one.SerializeToString()


@pytest.mark.parametrize("order", [bytes, backwards], ids=["forwards", "backwards"])
def test_a_record_is_cut_into_common_bytes_and_slots(order: Callable[[bytes], bytes]) -> None:
    raw = order(full())
    found = shape(raw)
    assert found is not None
    fitting = found.fit(raw)
    assert fitting is not None
    text, slots = fitting
    assert text == ROWS.encode()
    assert raw.startswith(found.head.common[0])
    assert raw.endswith(found.tail.common[-1])
    assert {slots[index]: slot.kind for index, slot in found.slots.items()} == {
        TIME[1:]: Kind.TIME,
        (5).to_bytes(8, "little"): Kind.TIME,
        b"e-1": Kind.TEXT,
        b"r-1": Kind.TEXT,
        b"run": Kind.TEXT,
        b"\xac\x02": Kind.NUMBER,
        b"t" * 16: Kind.ID,
        b"s" * 8: Kind.ID,
        b"model_inputs": Kind.COLLECTION,
    }


@pytest.mark.parametrize("order", [bytes, backwards], ids=["forwards", "backwards"])
def test_a_template_lists_the_slots_that_are_in_the_line(order: Callable[[bytes], bytes]) -> None:
    raw = order(full())
    found = learned(raw)
    assert found is not None
    fitting = found.shape.fit(raw)
    assert fitting is not None
    _, slots = fitting
    assert isinstance(found.collection, int)
    assert slots[found.collection] == b"model_inputs"
    assert (slots[found.time], slots[found.event_id]) == (TIME[1:], b"e-1")
    assert sorted(found.ids(slots)) == [b"s" * 8, b"t" * 16]
    assert found.zero_ids == {bytes(8), bytes(16)}
    assert [slots[index] for index in found.numbers] == [b"\xac\x02"]
    assert sorted(found.texts(slots)) == [b"e-1", b"model_inputs", b"r-1", b"run"]


def test_a_template_has_the_constant_parts_of_the_line() -> None:
    found = learned(record(event_id="e-1", time_ns=NOON).SerializeToString())
    assert found is not None
    at_id, at_source, at_type, at_time, *others = found.parts[::2]
    assert found.line == b"%b".join(found.parts[::2])
    at_rows, at_range, at_correlation, at_request, at_time_ns, end = others
    assert at_id.endswith(b'"id":"')
    assert at_source == b'","source":"'
    assert at_type == b'","type":"azureml.inference.'
    assert at_time == b'","datacontenttype":"application/json","time":"'
    assert at_rows == b'","data":'
    assert at_range == b',"contentrange":"'
    assert at_correlation == b'","correlationid":"'
    assert at_request == b'","xrequestid":"'
    assert at_time_ns.endswith(b'"agent":"agent/1","timens":"')
    assert end == b'"}\n'


def test_a_template_of_records_that_an_event_name_alone_describes_is_for_one_collection() -> None:
    one = record(collection=None, event_id="e-1", time_ns=NOON, event_name="azureml.inference.model_inputs")
    found = learned(one.SerializeToString())
    assert found is not None
    assert found.collection == b"model_inputs"
    assert {slot.kind for slot in found.shape.slots.values()} == {Kind.TIME, Kind.TEXT}


def test_the_event_names_of_a_record_that_names_its_collection_are_slots_that_are_not_in_the_line() -> None:
    raw = full(event_name="azureml.inference.model_inputs")
    found = learned(raw)
    assert found is not None
    fitting = found.shape.fit(raw)
    assert fitting is not None
    assert b"azureml.inference.model_inputs" in found.texts(fitting[1])
    assert b"azureml.inference.model_inputs" not in found.pick((*fitting[1], *[b""] * 20))


def test_learning_asks_for_no_destination() -> None:
    """A destination is announced when it is used first: the marker in place of a collection must not be."""
    asked = []
    of_deployment = Destinations(on_new=asked.append).of_deployment("credit", "blue", None)
    raw = full()
    found = shape(raw)
    assert found is not None
    assert learn(found, otlp.log_record(raw), replace(SCOPE, destinations=of_deployment)) is not None
    assert asked == []


@pytest.mark.parametrize("fields", [{"trace_id": b""}, {"span_id": b"s" * 7}, {"trace_id": bytes(16)}])
def test_a_trace_id_that_is_not_in_the_line_may_be_anything(fields: dict[str, bytes]) -> None:
    found = learned(full(**fields))
    assert found is not None
    assert found.zero_ids == frozenset()


@pytest.mark.parametrize(
    "raw",
    [
        TIME + BODY,
        BODY + TAIL,
        TIME + TAIL,
        TIME + BODY + BODY + TAIL,
        TIME + BODY + TAIL + TIME,
        TIME + b"\xaa\0" + BODY[1:] + TAIL,
        TIME + BODY + TAIL + b"\x6b\x6c",
        bytes(TIME[:1]) + bytes(8) + BODY + TAIL,
    ],
)
def test_a_record_with_too_few_or_too_many_fields_has_no_template(raw: bytes) -> None:
    for usual in (TIME + SEVERITY + BODY + TAIL, TAIL + BODY + SEVERITY + TIME, BODY + TIME + TAIL):
        assert learned(usual) is not None
    assert learned(raw) is None


@pytest.mark.parametrize("damage", [b"\x52\x01", b"\x1a\x01\xff"])
def test_a_damaged_record_does_not_fit(damage: bytes) -> None:
    found = learned(TIME + BODY + TAIL)
    assert found is not None
    assert found.shape.fit(TIME + BODY + TAIL + damage) is None


@pytest.mark.parametrize("values", [{"collection": "request"}, {"collection": ".."}, {"event_id": None}])
def test_payload_collections_bad_names_and_records_without_an_id_have_no_template(values: dict[str, Any]) -> None:
    assert learned(record(**{"event_id": "e-1", "time_ns": NOON, **values}).SerializeToString()) is None


@pytest.mark.parametrize(
    "guess",
    [
        cloudevent.content_range(len(learning._ROWS)),
        cloudevent.time_text(learning._TIME_NS),
        str(learning._TIME_NS),
    ],
    ids=["contentrange", "time", "timens"],
)
def test_a_text_that_is_equal_to_a_marker_is_not_replaced(guess: str) -> None:
    """A sender can guess the length of the rows: there are only 500."""
    values = {semconv.AZUREML_MODEL_VERSION: guess}
    assert learned(record(attributes=values, event_id="e-1", time_ns=NOON).SerializeToString()) is None


def test_a_short_id_is_not_looked_for_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its two digits may be in any line by chance: `de` is in `model_inputs` and `default`."""
    monkeypatch.setattr("secrets.token_bytes", lambda size: b"\xde" * size)
    raw = full(span_id=b"s")
    found = learned(raw)
    assert found is not None
    fitting = found.shape.fit(raw)
    assert fitting is not None
    assert b"s" not in found.pick((*fitting[1], *[b""] * 20))
    assert found.ids(fitting[1]) == ()


def test_an_attribute_with_repeated_fields_is_not_a_slot() -> None:
    """`log_record.py` decides which of them counts."""
    key, value = b"\n\x14cloudevents.event_id", b"\x12\x04\n\x02id"
    collection = TAIL[: TAIL.index(b"cloudevents.event_id") - 4]

    def with_id(*parts: bytes) -> LineTemplate | None:
        attribute = b"".join(parts)
        return learned(TIME + BODY + collection + b"\x32" + bytes([len(attribute)]) + attribute)

    assert with_id(key, value) is not None
    assert with_id(value, key) is not None
    assert with_id(value, value, key) is None
    assert with_id(value, key, key) is None
    assert with_id(value, key, b"\x1a\x02id") is None


# --- Layouts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [bytes, backwards], ids=["forwards", "backwards"])
@given(st.integers(0, 40), st.sampled_from([1, 90, 120, 128, 200, 16_300, 16_384, 40_000]))
def test_the_layout_of_a_record_with_rows_is_that_of_its_shape(
    order: Callable[[bytes], bytes], name: int, size: int
) -> None:
    one = record(f'[{{"a":"{"x" * size}"}}]', collection="c" * (name + 1), event_id="e-1", time_ns=NOON)
    raw = order(one.SerializeToString())
    found = shape(raw)
    assert found is not None
    assert layout_of(raw) == found.layout


@given(st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 15))
def test_a_layout_is_inside_of_the_record_or_none(before: bytes, behind: bytes, high: int) -> None:
    raw = before + b"\x2a" + b"\xff" * high + b"\x06\x0a\x04[{}]" + behind
    found = layout_of(raw)
    assert found is None or (found[0] > 0 and sum(found) < len(raw))
