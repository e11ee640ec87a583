"""Line templates make the lines that `log_record.py` makes, and take no record that it rejects."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from otlp_requests import (
    DEPLOYMENT,
    NOON,
    ROWS,
    any_value,
    backwards,
    invalid_utf8,
    key_values,
    raw_request,
    record,
    resource,
)

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import log_record
from otel_modeldata_receiver.mapping import resource as resources
from otel_modeldata_receiver.mapping.cloudevent import LINE_ATTRIBUTES, FromAttribute, Varies
from otel_modeldata_receiver.mapping.line_template import scope_templates, template_cache
from otel_modeldata_receiver.mapping.line_template.scope_templates import _MAX_LEARNED, ScopeTemplates
from otel_modeldata_receiver.mapping.line_template.template_cache import MAX_SENDERS, MAX_TEMPLATES, TemplateCache
from otel_modeldata_receiver.mapping.log_record_mapper import LogRecordMapper
from otel_modeldata_receiver.mapping.request import decode, map_records
from otel_modeldata_receiver.mapping.scope import ScopeContext
from otel_modeldata_receiver.mapping.signal import LogRecords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.mapping.request import Mapped

UUID = "6f6d1c0e-6b52-5d0c-9a51-4c8f4a8f1f2e"
OTHER_UUID = "00000000-6b52-5d0c-9a51-4c8f4a8f1f2e"
WITHOUT_TEMPLATES = LogRecords(templates=None)
ORDINARY = {
    semconv.AZUREML_COLLECTION_NAME: "model_inputs",
    semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.model_inputs",
    semconv.AZUREML_MODEL_VERSION: "default",
    semconv.AZUREML_DATA_TYPE: semconv.DATAFRAME_TYPE,
    semconv.AZUREML_DATA_CONTENT_TYPE: "application/json",
    semconv.AZUREML_AGENT: "otel-modeldata/0.1.0",
    semconv.AZUREML_SAMPLING_RATE: 0.5,
    semconv.CLOUDEVENTS_EVENT_ID: UUID,
    semconv.AZUREML_PRODUCER_SEQUENCE: 300,
    semconv.AZUREML_CORRELATION_ID: OTHER_UUID,
}
"""A record as the SDK sends it."""
TEXTS = st.sampled_from(
    ["", "x", UUID, OTHER_UUID, 'quo"te', "back\\slash", "é", "\u2028", "\r\n", "a/../b", "x" * 600]
)
VALUES = TEXTS | st.none() | st.integers(-2, 300) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.just(["x"])
KEYS = st.sampled_from(
    [
        *ORDINARY,
        semconv.AZUREML_REQUEST_ID,
        semconv.URL_PATH,
        semconv.AZUREML_DATA_TOTAL_BYTES,
        "cloudevents.extension.tenant",
        "cloudevents.extension.id",
        "code.line",
    ]
)
BODIES = st.sampled_from(
    [ROWS, "[]", "{}", '[{"a":\r\n"é"}]', "[1]", "no json", "", None, b"[{}]", b"\xff", {"a": 1}, '[{"a":"\\ud800"}]']
)
SPANS = st.sampled_from([b"", bytes(8), bytes(16), b"12345678", b"1234567890123456"])


@pytest.fixture(autouse=True, scope="module")
def known_ids() -> Iterator[None]:
    """Records without an id get the same one both ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_record, "new_event_id", lambda: "made-by-the-receiver")
        yield


def mapped(raw: bytes, signal: LogRecords = WITHOUT_TEMPLATES) -> Mapped:
    return map_records(decode(raw, signal), arrival_ns=NOON + 1, destinations=Destinations())


def by_both_ways(records: Iterable[bytes], raw_resource: bytes | None = None) -> tuple[Mapped, Mapped]:
    """The results for a request with templates, and without.

    It is mapped several times, so that its repeated shapes get templates.
    """
    raw = raw_request(records, raw_resource)
    with_templates = LogRecords()
    for _ in range(4):
        last = mapped(raw, with_templates)
    return last, mapped(raw)


def in_both_orders(*records: LogRecord, **resource_values: object) -> tuple[list[Mapped], list[Mapped]]:
    """The same for records in the order of an SDK, and in that of the OpenTelemetry Collector."""
    sender = resource(DEPLOYMENT | resource_values).SerializeToString()
    raw = [one.SerializeToString() for one in records]
    forwards, reverse = by_both_ways(raw, sender), by_both_ways(map(backwards, raw), sender)
    return [forwards[0], reverse[0]], [forwards[1], reverse[1]]


def ordinary(values: dict[str, object] | None = None, body: object = ROWS, **fields: Any) -> LogRecord:
    settings = {"time_ns": NOON, "trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1} | fields
    return record(body, ORDINARY | (values or {}), collection=None, **settings)


def scope(endpoint: str = "credit", agent: str = "test-sdk/1.0") -> ScopeContext:
    encoded = resource({semconv.AZUREML_ENDPOINT_NAME: endpoint}).SerializeToString()
    return ScopeContext(
        resource=resources.read(encoded),
        encoded_resource=encoded,
        agent=agent,
        destinations=Destinations().of_deployment(endpoint, "default", None),
        arrival_ns=NOON,
    )


def in_turn(raw: Iterable[bytes], cache: TemplateCache, of: ScopeContext | None = None) -> list[bool]:
    """Which records a template takes, when they are mapped in one scope, one after the other."""
    of = of or scope()
    templates, mapper = ScopeTemplates(of, cache), LogRecordMapper(of, cache)
    taken = []
    for one in raw:
        taken.append(templates.line_of(one) is not None)
        with contextlib.suppress(BadRecordError):
            mapper.map(one)
    return taken


def by_template(*records: LogRecord) -> list[bool]:
    """Which records a template takes, when each was mapped several times before."""
    taken = []
    raw = [one.SerializeToString() for one in records]
    for order in (bytes, backwards):
        ordered = list(map(order, raw))
        cache = TemplateCache()
        for _ in range(4):
            in_turn(ordered, cache)
        taken.append(in_turn(ordered, cache))
    assert taken[0] == taken[1]
    return taken[0]


def known_templates(cache: TemplateCache) -> int:
    return sum(len(sender.templates) for sender in cache._senders.values())


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


def test_a_record_with_other_ids_and_times_is_not_learned_again() -> None:
    cache = TemplateCache()
    raw = []
    for number in range(1, 9):
        values = {
            semconv.CLOUDEVENTS_EVENT_ID: f"{UUID[:-1]}{number}",
            semconv.AZUREML_PRODUCER_SEQUENCE: 300 + number,
            semconv.AZUREML_CORRELATION_ID: f"{OTHER_UUID[:-1]}{number}",
            "code.function": f"f{number}",
        }
        time = {"time_ns": NOON + number, "trace_id": bytes([number]) * 16, "observed_time_unix_nano": NOON - number}
        raw.append(ordinary(values, f'[{{"a":{"1" * number}}}]', **time).SerializeToString())
    assert in_turn(raw, cache) == [False] * 3 + [True] * 5
    assert known_templates(cache) == 1


def unlike(number: int) -> bytes:
    """A record with a shape of its own for each number."""
    return ordinary({semconv.AZUREML_MODEL_VERSION: f"v{number:04}"}).SerializeToString()


def test_shapes_that_are_seen_once_are_never_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = []
    original = template_cache.shape_of
    monkeypatch.setattr(template_cache, "shape_of", lambda raw, record: cuts.append(raw) or original(raw, record))
    cache = TemplateCache()
    assert in_turn(map(unlike, range(1000)), cache) == [False] * 1000
    assert known_templates(cache) == 0
    assert len(cuts) < 100
    again = ordinary().SerializeToString()
    assert in_turn([again] * 100, cache)[-1]  # a new shape that repeats is still learned


def test_senders_of_one_record_never_cause_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """More senders than are remembered, in rotation: no record is cut, and nothing is learned."""
    monkeypatch.setattr(template_cache, "shape_of", None)
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for _ in range(4):
        for number in range(MAX_SENDERS + 1):
            assert in_turn(one, cache, scope(endpoint=f"e-{number}")) == [False]
    assert known_templates(cache) == 0
    assert len(cache) == MAX_SENDERS


def test_senders_that_are_remembered_have_their_own_templates() -> None:
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for expected in (False, False, False, True):
        for number in range(20):
            assert in_turn(one, cache, scope(endpoint=f"e-{number}")) == [expected]
    assert known_templates(cache) == 20


def test_templates_per_sender_and_learned_per_request_are_limited() -> None:
    cache = TemplateCache()
    pairs = [unlike(number // 2) for number in range(4 * MAX_TEMPLATES)]
    in_turn(pairs, cache)
    assert known_templates(cache) == _MAX_LEARNED
    for start in range(0, len(pairs), 8):
        in_turn(pairs[start : start + 8] * 2, cache)
    assert known_templates(cache) == MAX_TEMPLATES


def test_a_repeated_shape_without_a_template_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(scope_templates, "learn", lambda *_: tried.append(1))
    assert in_turn([ordinary().SerializeToString()] * 20, TemplateCache()) == [False] * 20
    assert tried == [1]


def test_a_template_that_makes_another_line_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is declared to vary although other keys depend on it, so the probe gives another line than the record."""
    monkeypatch.setattr(log_record, "varies", lambda _: Varies.TEXT)
    raw = ordinary({semconv.URL_PATH: "/x"}).SerializeToString()
    assert not any(in_turn([raw] * 20, TemplateCache()))


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
