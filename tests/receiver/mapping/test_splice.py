"""The hot path makes the lines that the other one makes, and takes nothing that the other one refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

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
    request,
    resource,
)

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import request as intake
from otel_modeldata_receiver.mapping import splice
from otel_modeldata_receiver.mapping.signal import LOGS

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.mapping.request import Intake

UUID = "6f6d1c0e-6b52-5d0c-9a51-4c8f4a8f1f2e"
OTHER_UUID = "00000000-6b52-5d0c-9a51-4c8f4a8f1f2e"
WHOLE_ROAD = replace(LOGS, splicer=None)
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
"""What our SDK sends."""
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


def taken(raw: bytes, signal: Any = LOGS) -> Intake:
    return intake.read(raw, arrival_ns=NOON + 1, destinations=Destinations(), signal=signal)


def both(*records: LogRecord, **resource_values: object) -> tuple[list[Intake], list[Intake]]:
    """What is taken by both ways, of records in the order of an SDK and in that of a Collector."""
    sender = resource(DEPLOYMENT | resource_values).SerializeToString()
    raw = [one.SerializeToString() for one in records]
    requests = [raw_request(raw, sender), raw_request(map(backwards, raw), sender)]
    return [taken(one) for one in requests], [taken(one, WHOLE_ROAD) for one in requests]


def ordinary(values: dict[str, object] | None = None, body: object = ROWS, **fields: Any) -> LogRecord:
    settings = {"time_ns": NOON, "trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1} | fields
    return record(body, ORDINARY | (values or {}), collection=None, **settings)


def by_splicer(*records: LogRecord) -> list[bool]:
    """Which of the records it took."""
    seen: list[bool] = []

    class Watched(splice.Splicer):
        def take(self, raw: bytes) -> bool:
            seen.append(super().take(raw))
            return seen[-1]

    raw = [one.SerializeToString() for one in records]
    taken(raw_request(raw), replace(LOGS, splicer=Watched))
    forwards = seen.copy()
    seen.clear()
    taken(raw_request(map(backwards, raw)), replace(LOGS, splicer=Watched))
    assert forwards == seen
    return seen


def test_an_ordinary_record_is_taken_and_its_line_is_that_of_the_other_way() -> None:
    hasty, thorough = both(ordinary(), ordinary(body='[{"other":"rows"}]'))
    assert hasty == thorough
    assert [[len(lines) for lines in one.lines.values()] for one in hasty] == [[2], [2]]
    assert by_splicer(ordinary(), ordinary()) == [True, True]


@pytest.mark.parametrize(
    "one",
    [
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: ""}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: None}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: "x" * 129}),
        ordinary({semconv.CLOUDEVENTS_EVENT_ID: 'quo"te'}),
        ordinary({semconv.AZUREML_CORRELATION_ID: "back\\slash"}),
        ordinary({semconv.AZUREML_COLLECTION_NAME: "request"}),
        ordinary({semconv.AZUREML_COLLECTION_NAME: ".."}),
        ordinary({semconv.AZUREML_DATA_CONTENT_TYPE: "text/plain"}),
        ordinary({semconv.AZUREML_AGENT: "x" * 2100}),
        ordinary({semconv.AZUREML_AGENT: ["x"]}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: "300"}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: 2**56}),
        ordinary({semconv.AZUREML_PRODUCER_SEQUENCE: -1}),
        ordinary({semconv.AZUREML_CORRELATION_ID: 7}),
        ordinary(time_ns=0, observed_time_unix_nano=NOON),
        ordinary(body=None),
        ordinary({"cloudevents.extension.tenant": "t"}),
        ordinary({semconv.URL_PATH: "/score"}),
        ordinary(body=[{"a": 1}]),
        ordinary(body="no json"),
        ordinary(body=b"[]"),
        ordinary(body='[{"a":"' + "x" * (4 << 20) + '"}]'),
    ],
)
def test_what_is_not_ordinary_is_left_to_who_knows_everything(one: LogRecord) -> None:
    hasty, thorough = both(ordinary(), one, ordinary())
    assert hasty == thorough
    assert by_splicer(ordinary(), one, ordinary()) == [True, False, True]


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [(UUID, True), ("short", True), (UUID.upper(), True), ("x" * 128, True), ("é" * 18, False), ("ünïcode", False)],
)
def test_ids_of_any_form_are_taken_if_they_are_ascii(event_id: str, expected: bool) -> None:
    values: dict[str, object] = dict.fromkeys((semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID), event_id)
    hasty, thorough = both(ordinary(values))
    assert hasty == thorough
    assert by_splicer(ordinary(values)) == [expected]


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
    hasty, thorough = both(*records)
    assert hasty == thorough
    assert [len(one.lines) for one in hasty] == [4, 4]


def test_a_broken_attribute_that_nobody_needs_refuses_its_record_on_both_ways() -> None:
    broken = invalid_utf8(ordinary({"code.text": "BADTEXT"}), "BADTEXT")
    good = ordinary().SerializeToString()
    hasty, thorough = (taken(raw_request([good, broken, good]), signal) for signal in (LOGS, WHOLE_ROAD))
    assert hasty == thorough
    assert [(one.kind, one.record) for one in hasty.rejected] == [("undecodable LogRecord", broken)]


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (NOON.to_bytes(8, "little"), bytes(8)),
        (b"t" * 16, bytes(16)),
        (b"s" * 8, bytes(8)),
        (UUID.encode(), b'quo"te'.ljust(36)),
        (OTHER_UUID.encode(), "é".encode() * 18),
        (b"\x18\xac\x02", b"\x18\x02\xac"),
    ],
)
def test_what_fits_a_mold_and_is_not_ordinary_is_left_to_who_knows_everything(place: bytes, other: bytes) -> None:
    """Times and ids of zeros are none; the last is a number of one byte and something else."""
    forwards = ordinary().SerializeToString()
    for learned in (forwards, backwards(forwards)):
        assert learned.count(place) == 1
        raw = raw_request([learned, learned.replace(place, other)])
        assert taken(raw) == taken(raw, WHOLE_ROAD)


def test_what_nobody_reads_may_differ_as_long_as_it_is_plain() -> None:
    splice._molds.clear()
    assert by_splicer(*(ordinary({"code.function": text}) for text in "fg")) == [True, True]
    assert known_molds() == 2
    assert by_splicer(*(ordinary({"code.function": text, "code.line": 5}) for text in "éè")) == [True, True]
    assert known_molds() == 2 + 4


def known_molds() -> int:
    """How many there are; a record that comes in both orders has two."""
    return sum(map(len, splice._molds.values()))


def test_a_record_like_one_before_is_not_learned_again() -> None:
    splice._molds.clear()
    for number in range(1, 5):
        values = {
            semconv.CLOUDEVENTS_EVENT_ID: f"{UUID[:-1]}{number}",
            semconv.AZUREML_PRODUCER_SEQUENCE: 300 + number,
            semconv.AZUREML_CORRELATION_ID: f"{OTHER_UUID[:-1]}{number}",
            "code.function": f"f{number}",
        }
        time = {"time_ns": NOON + number, "trace_id": bytes([number]) * 16, "observed_time_unix_nano": NOON - number}
        assert by_splicer(ordinary(values, f'[{{"a":{"1" * number}}}]', **time)) == [True]
    assert known_molds() == 2


def test_molds_that_are_remembered_are_bounded() -> None:
    """Whether a sender never says the same again, or all senders are new: a peer may send what it likes."""
    splice._molds.clear()
    of_one_request = splice._MOST_LEARNED
    for number in range(splice._MOST_MOLDS // of_one_request // 2):
        unlike = [ordinary({semconv.AZUREML_MODEL_VERSION: f"v{number:02}{other:02}"}) for other in range(20)]
        assert by_splicer(*unlike) == [True] * of_one_request + [False] * (20 - of_one_request)
    assert known_molds() == splice._MOST_MOLDS
    assert by_splicer(*(ordinary({semconv.AZUREML_AGENT: f"a{other}"}) for other in range(5))) == [True] + [False] * 4
    assert known_molds() == splice._MOST_MOLDS
    for number in range(splice._MOST_SENDERS + 10):
        raw = request(ordinary(), resource_values={semconv.AZUREML_ENDPOINT_NAME: f"e-{number}"})
        assert taken(raw) == taken(raw, WHOLE_ROAD)
    assert len(splice._molds) == splice._MOST_SENDERS


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
def test_both_ways_lead_to_the_same_lines_and_refusals(
    specified: list[tuple[list[tuple[str, object]], object, Moment]],
) -> None:
    """An attribute may come twice, and then the last one counts."""
    splice._molds.clear()
    records = []
    for pairs, body, moment in specified:
        one = ordinary(body=body, **moment._asdict())
        for key, value in pairs:
            one.attributes.add(key=key, value=any_value(value))
        only_these = record(body, collection=None, time_ns=moment.time_ns)
        only_these.attributes.extend(key_values(dict(pairs)))
        records += [one, only_these, one]
    hasty, thorough = both(*records, **{semconv.SERVICE_INSTANCE_ID: "p-1"})
    assert hasty == thorough


LEARNED = ordinary(
    {semconv.AZUREML_REQUEST_ID: "r-1", "code.function": "f"}, severity_text="*", observed_time_unix_nano=NOON + 2
).SerializeToString()
ORDERS = pytest.mark.parametrize("learned", [LEARNED, backwards(LEARNED)], ids=["forwards", "backwards"])


@ORDERS
@given(st.lists(st.tuples(st.integers(0, len(LEARNED) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_byte_of_a_record_that_fits_a_mold_is_mistaken_for_another(
    learned: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(learned)
    for position, byte in changes:
        changed[position] = byte
    raw = raw_request([learned, bytes(changed), learned])
    assert taken(raw) == taken(raw, WHOLE_ROAD)


@ORDERS
def test_every_single_byte_matters_or_is_a_place(learned: bytes) -> None:
    """Each byte of a record in turn, changed in its lowest and its highest bit."""
    for position in range(len(learned)):
        for bit in (0x01, 0x80):
            changed = bytearray(learned)
            changed[position] ^= bit
            raw = raw_request([learned, bytes(changed)])
            assert taken(raw) == taken(raw, WHOLE_ROAD), position
