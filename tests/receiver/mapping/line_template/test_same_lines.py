"""Any record makes the same line with and without templates."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from otlp_requests import NOON, ROWS, any_value, backwards, key_values, raw_request, record, resource
from template_records import (
    BODIES,
    KEYS,
    SPANS,
    VALUES,
    by_both_ways,
    in_both_orders,
    in_turn,
    known_templates,
    mapped,
    ordinary,
    scope,
)

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.mapping import otlp
from otel_modeldata_receiver.mapping.bounds.record_cost import LONG_BYTES, is_light
from otel_modeldata_receiver.mapping.bounds.rows_check import OWN_AGENT
from otel_modeldata_receiver.mapping.cloudevent import LINE_ATTRIBUTES, FromAttribute, Varies
from otel_modeldata_receiver.mapping.line_template.template_cache import TemplateCache
from otel_modeldata_receiver.mapping.log_record_mapper import LogRecordMapper
from otel_modeldata_receiver.mapping.signal import LogRecords


@pytest.mark.parametrize(("key", "attribute"), LINE_ATTRIBUTES.items())
def test_each_attribute_of_the_table_is_in_the_line_with_and_without_templates(
    key: str, attribute: FromAttribute
) -> None:
    """A new line key in `CloudEvent` is tested here without further changes."""
    numbers = attribute.varies is Varies.NUMBER
    values = [200 + number if numbers else f"value-{number}" for number in range(6)]
    raw = [ordinary({attribute.name: value}).SerializeToString() for value in values]
    for one in (raw, [raw[0]] * 6):
        fast, plain = by_both_ways(one)
        assert fast == plain
    lines = [msgspec.json.decode(line.data) for group in by_both_ways(raw)[0].lines.values() for line in group]
    assert [line[key] for line in lines] == list(map(str, values))
    assert in_turn(raw, TemplateCache())[3:] == [attribute.varies is not Varies.NO] * 3


class Moment(NamedTuple):
    """When and in which span a record was made, and under which event name."""

    time_ns: int = NOON
    trace_id: bytes = b""
    span_id: bytes = b""
    flags: int = 0
    event_name: str = ""


MOMENTS = st.builds(
    Moment,
    st.sampled_from([0, NOON, NOON + 1, 2**64 - 1]),
    SPANS,
    SPANS,
    st.integers(0, 2**32 - 1),
    st.sampled_from(["", "azureml.inference.by_event_name"]),
)


PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=4)


@given(st.lists(st.tuples(PAIRS, BODIES, MOMENTS), min_size=1, max_size=3))
@example([([(semconv.AZUREML_COLLECTION_NAME, None)], ROWS, Moment(event_name="azureml.inference.by_event_name"))])
@example([([(semconv.AZUREML_PRODUCER_SEQUENCE, 2**56)], ROWS, Moment())])
@example([([(semconv.AZUREML_PRODUCER_SEQUENCE, "")], ROWS, Moment())])
@example([([(semconv.AZUREML_MODEL_VERSION, "")], ROWS, Moment())])
def test_lines_and_rejections_are_the_same_with_and_without_templates(
    specified: list[tuple[list[tuple[str, object]], object, Moment]],
) -> None:
    """An attribute may occur twice; then the last value counts."""
    records = []
    for pairs, body, moment in specified:
        one = ordinary(body=body, **moment._asdict())
        for key, value in pairs:
            one.attributes.add(key=key, value=any_value(value))
        only_these = record(body, collection=None, time_ns=moment.time_ns)
        only_these.attributes.extend(key_values(dict(pairs)))
        records += [one, only_these, one]
    fast, plain = in_both_orders(*records, **{semconv.SERVICE_INSTANCE_ID: "p-1"})
    assert fast == plain


LEARNED = ordinary(
    {semconv.AZUREML_REQUEST_ID: "r-1", "code.function": "f"}, severity_text="*", observed_time_unix_nano=NOON + 2
).SerializeToString()


def taught(learned: bytes) -> LogRecords:
    """Log records with the template of `learned`."""
    with_templates = LogRecords()
    mapped(raw_request([learned] * 3), with_templates)
    assert with_templates.templates is not None
    assert known_templates(with_templates.templates) == 1
    return with_templates


ORDERS = pytest.mark.parametrize("learned", [LEARNED, backwards(LEARNED)], ids=["forwards", "backwards"])


SENDERS = st.fixed_dictionaries(
    {},
    optional={
        semconv.SERVICE_INSTANCE_ID: st.sampled_from(["", "p-1", "p-2", 'p"\\é\u2028', "%b%%"]),
        semconv.CLOUD_RESOURCE_ID: st.sampled_from(["", "/s/m/x-1", "/s/é %b", "/onlineEndpoints/other"]),
        semconv.AZUREML_DEPLOYMENT_NAME: st.sampled_from(["blue", "green"]),
    },
)


@ORDERS
@given(st.lists(SENDERS, min_size=1, max_size=5))
def test_a_template_of_one_sender_makes_the_lines_of_others(learned: bytes, senders: list[dict[str, object]]) -> None:
    shared = LogRecords()
    for values in [{semconv.SERVICE_INSTANCE_ID: "p-0"}, {}] * 3 + senders:
        raw = raw_request([learned], resource(values).SerializeToString())
        assert mapped(raw, shared) == mapped(raw)
    assert shared.templates is not None
    assert [len(library.templates) for library in shared.templates._libraries.values()] == [1, 1]


@ORDERS
@given(st.lists(st.tuples(st.integers(0, len(LEARNED) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_never_make_another_line_than_log_record(learned: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(learned)
    for position, byte in changes:
        changed[position] = byte
    raw = raw_request([bytes(changed), learned])
    assert mapped(raw, taught(learned)) == mapped(raw)


@ORDERS
def test_every_byte_is_compared_or_in_a_slot(learned: bytes) -> None:
    """Each byte of a record in turn, changed in its lowest and its highest bit."""
    for position in range(len(learned)):
        for bit in (0x01, 0x80):
            changed = bytearray(learned)
            changed[position] ^= bit
            raw = raw_request([bytes(changed), learned])
            assert mapped(raw, taught(learned)) == mapped(raw), position


LARGE_CELLS = st.sampled_from(
    [b'"x"', '"é"'.encode(), b'"\\"', b"1e400", b"1E400", b'"E"', b"[" * 9 + b"]" * 9, b"\n1", b"}", b"", b'"\xff"']
)


@pytest.mark.parametrize("size", [5_000, 300_000, 530_000])
@settings(max_examples=6)
@given(st.sampled_from(["otel-modeldata/0.1.0", "other/1.0"]), LARGE_CELLS, st.floats(0, 1), st.booleans())
def test_large_rows_make_the_same_lines_with_and_without_templates(
    size: int, agent: str, cell: bytes, at: float, is_backwards: bool
) -> None:
    row = b'{"a":0.123456789},'
    before = int(size * at) // len(row)
    bodies = [row * (size // len(row)), row * before + b'{"a":' + cell + b"}," + row * (size // len(row) - before)]
    raw = []
    for rows in bodies:
        text = b"[" + rows + b"{}]"
        encoded = ordinary({semconv.AZUREML_AGENT: agent}, body="x" * len(text)).SerializeToString()
        encoded = encoded.replace(b"x" * len(text), text)
        raw.append(backwards(encoded) if is_backwards else encoded)
    fast, plain = by_both_ways(raw)
    assert fast == plain


@pytest.mark.parametrize("agent", [None, "", "other/1.0", OWN_AGENT])
def test_the_name_of_a_scope_does_not_make_a_record_one_of_our_sdk(agent: str | None) -> None:
    """Its numbers are checked where an attribute does not name our SDK."""
    good, out_of_range = (
        ordinary({semconv.AZUREML_AGENT: agent}, body).SerializeToString() for body in ('[{"a":1}]', '[{"a":1e400}]')
    )
    of, cache = scope(agent="otel-modeldata/"), TemplateCache()
    in_turn([good] * 4, cache, of)
    if agent != OWN_AGENT:
        with pytest.raises(BadRecordError, match="number out of range"):
            LogRecordMapper(of, cache).map(out_of_range)
    else:
        assert LogRecordMapper(of, cache).map(out_of_range) == LogRecordMapper(of, None).map(out_of_range)


def test_large_attributes_are_not_read_to_learn_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be many values, which are counted first."""
    one = ordinary(body=ROWS)
    values = one.attributes.add(key="values").value.array_value.values
    for _ in range(150_000):
        values.add()
    decoded = []
    monkeypatch.setattr(otlp, "log_record", decoded.append)
    assert LogRecordMapper(scope(), TemplateCache()).line_of_large(one.SerializeToString()) is None
    assert decoded == []


@pytest.mark.parametrize(("size", "expected"), [(300_000, True), (600_000, False)])
def test_a_large_record_of_our_sdk_is_mapped_by_a_template_up_to_a_size(size: int, expected: bool) -> None:
    raw = ordinary(body='[{"a":1}' + ',{"a":0.123456789}' * (size // 18) + "]").SerializeToString()
    templates = TemplateCache()
    lines = [LogRecordMapper(scope(), templates).line_of_large(raw) for _ in range(5)]
    assert [line is not None for line in lines] == [False] * 3 + [expected] * 2


@pytest.mark.parametrize("size", [150_000, 300_000, 510_000])
@pytest.mark.parametrize(("row", "is_quick"), [("{}", False), ('{"a":0.123456789,"b":[1,2,3],"c":"text"}', True)])
def test_large_texts_of_very_many_rows_are_not_checked_on_the_event_loop(size: int, row: str, is_quick: bool) -> None:
    raw = ordinary(body="[" + ",".join([row] * (size // (len(row) + 1))) + "]").SerializeToString()
    of, templates = scope(), TemplateCache()
    in_turn([ordinary().SerializeToString()] * 4, templates, of)
    line = LogRecordMapper(of, templates).line_of_large(raw)
    assert line == (LogRecordMapper(of, None).map(raw) if is_quick else None)
    assert is_light(raw, "LogRecord") == (is_quick and len(raw) <= LONG_BYTES)
