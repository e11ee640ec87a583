"""The hot path makes the lines that the other one makes, and takes nothing that the other one refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_modeldata import semconv
from otel_modeldata_receiver import intake, splice
from otel_modeldata_receiver.destinations import Destinations
from otel_modeldata_receiver.signals import LOGS
from otlp_requests import DEPLOYMENT, NOON, ROWS, any_value, invalid_utf8, key_values, raw_request, record, request

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from otel_modeldata_receiver.intake import Intake

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


def both(*records: LogRecord, **resource: object) -> tuple[Intake, Intake]:
    raw = request(*records, resource_values=DEPLOYMENT | resource)
    return taken(raw), taken(raw, WHOLE_ROAD)


def ordinary(values: dict[str, object] | None = None, body: object = ROWS, **fields: Any) -> LogRecord:
    settings = {"time_ns": NOON, "trace_id": b"t" * 16, "span_id": b"s" * 8, "flags": 1} | fields
    return record(body, ORDINARY | (values or {}), collection=None, **settings)


def by_splicer(*records: LogRecord) -> list[bool]:
    """Which of the records it took."""
    raw = request(*records)
    seen: list[bool] = []

    class Watched(splice.Splicer):
        def take(self, raw: bytes) -> bool:
            seen.append(super().take(raw))
            return seen[-1]

    taken(raw, replace(LOGS, splicer=Watched))
    return seen


def test_an_ordinary_record_is_taken_and_its_line_is_that_of_the_other_way() -> None:
    hasty, thorough = both(ordinary(), ordinary(body='[{"other":"rows"}]'))
    assert (hasty, len(hasty.lines)) == (thorough, 1)
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
        ordinary({semconv.AZUREML_AGENT: "x" * 600}),
        ordinary({semconv.AZUREML_AGENT: ["x"]}),
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


@pytest.mark.parametrize("event_id", [UUID, "short", "é" * 18, "ünïcode", UUID.upper(), "x" * 128])
def test_ids_of_any_form_are_taken(event_id: str) -> None:
    values: dict[str, object] = dict.fromkeys((semconv.CLOUDEVENTS_EVENT_ID, semconv.AZUREML_CORRELATION_ID), event_id)
    hasty, thorough = both(ordinary(values))
    assert hasty == thorough
    assert by_splicer(ordinary(values)) == [True]


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
    assert len(hasty.lines) == 4


def test_a_broken_attribute_that_nobody_needs_refuses_its_record_on_both_ways() -> None:
    broken = invalid_utf8(ordinary({"code.text": "BADTEXT"}), "BADTEXT")
    good = ordinary().SerializeToString()
    hasty, thorough = (taken(raw_request([good, broken, good]), signal) for signal in (LOGS, WHOLE_ROAD))
    assert hasty == thorough
    assert [(one.kind, one.record) for one in hasty.rejected] == [("undecodable LogRecord", broken)]


def test_attributes_that_are_remembered_are_bounded() -> None:
    for number in range(3 * splice._MOST_KNOWN):
        records = [ordinary({"unique": f"value {number}", "large": "x" * 10_000})]
        if number % 500 == 0:
            assert by_splicer(*records) == [True]
        else:
            splice._attributes([attribute.SerializeToString() for attribute in records[0].attributes][-2:])
    assert len(splice._known) <= splice._MOST_KNOWN
    assert max(map(len, splice._known)) <= splice._MOST_KNOWN_BYTES


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


@given(st.lists(st.tuples(KEYS, VALUES), max_size=4), BODIES, MOMENTS)
@example([(semconv.AZUREML_COLLECTION_NAME, None)], ROWS, Moment(event_name="azureml.inference.by_event_name"))
@example([(semconv.AZUREML_PRODUCER_SEQUENCE, 2**56)], ROWS, Moment())
@example([(semconv.AZUREML_PRODUCER_SEQUENCE, "")], ROWS, Moment())
@example([(semconv.AZUREML_MODEL_VERSION, "")], ROWS, Moment())
def test_both_ways_lead_to_the_same_lines_and_refusals(
    pairs: list[tuple[str, object]], body: object, moment: Moment
) -> None:
    """An attribute may come twice, and then the last one counts."""
    one = ordinary(body=body, **moment._asdict())
    for key, value in pairs:
        one.attributes.add(key=key, value=any_value(value))
    only_these = record(body, collection=None, time_ns=moment.time_ns)
    only_these.attributes.extend(key_values(dict(pairs)))
    hasty, thorough = both(one, only_these, one, **{semconv.SERVICE_INSTANCE_ID: "p-1"})
    assert hasty == thorough
