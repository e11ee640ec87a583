"""Records in quarantine: the producer and the number of each, if it can be read."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from audited_lines import RESOURCE, SOURCE, numbered, only, quarantined, stored
from audited_store import audited, raw_event, send, statement
from otlp_requests import DEPLOYMENT, field, invalid_utf8, raw_request, record, resource

from otel_modeldata import semconv
from otel_modeldata_reader.auditing import quarantined_request
from otel_modeldata_reader.auditing.ledger import Ledger
from otel_modeldata_reader.auditing.quarantine_line import (
    QuarantinedEvent,
    QuarantinedLine,
    decode_base64,
    identify,
)
from otel_modeldata_receiver.mapping.quarantine import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver


def test_a_record_in_quarantine_is_identified() -> None:
    expected = QuarantinedEvent(
        producer="p", collection="model_inputs", number=7, source=SOURCE, tenant=("credit", "blue")
    )
    assert identify(numbered(7), RESOURCE) == expected
    damaged = invalid_utf8(record("0000", {semconv.AZUREML_PRODUCER_SEQUENCE: 7}, time_ns=1), "0000")
    assert identify(damaged, RESOURCE) == expected


def test_a_collection_may_be_named_by_the_type_alone() -> None:
    for raw in (
        numbered(7, collection=None, event_name="azureml.inference.other"),
        record("x", {semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.other"}, collection=None).SerializeToString(),
    ):
        assert identify(raw, RESOURCE).collection == "other"


def test_a_resource_with_impossible_names_still_has_the_producer() -> None:
    bad = resource({semconv.SERVICE_INSTANCE_ID: "p", semconv.AZUREML_ENDPOINT_NAME: ".."}).SerializeToString()
    assert identify(numbered(7), bad) == QuarantinedEvent(producer="p", collection="model_inputs", number=7)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"\x08", field(6, b"\xff\xff"), field(6, field(1, b"\xff"))])
def test_a_record_that_cannot_be_read_has_no_producer(raw: bytes) -> None:
    assert identify(raw, raw).producer == ""
    ledger = Ledger({})
    ledger.add_quarantined("a", identify(raw, raw))
    assert (ledger.unattributed, ledger.reconcile({}, whole=True)) == (1, [])


def test_the_same_record_in_quarantine_again_counts_once() -> None:
    ledger = stored(0)
    for _ in range(3):
        ledger.add_quarantined("a", quarantined(1))
    assert (only(ledger).quarantined, only(ledger).last, only(ledger).is_accounted_for) == (1, 1, True)


def test_a_record_that_is_in_quarantine_in_another_hour_is_not_missing() -> None:
    ledger = stored(3, 5)
    ledger.add_quarantined("a", quarantined(4), other_hour=True)
    ledger.add_quarantined("b", quarantined(4, "q"), other_hour=True)
    ledger.add_quarantined("c", QuarantinedEvent(), other_hour=True)
    assert (only(ledger, whole=False).gaps, only(ledger, whole=False).quarantined) == ([], 0)
    assert ledger.unattributed == 0


def test_text_that_is_not_base64_identifies_no_record() -> None:
    assert (decode_base64("!"), decode_base64("é"), decode_base64("cGF5")) == (b"", b"", b"pay")


# --- requests ---------------------------------------------------------------------------------------------------------


def kept(request: bytes, **keys: object) -> QuarantinedLine:
    return QuarantinedLine(id="line", request=b64encode(request).decode(), **{"endpoint": "credit", **keys})  # type: ignore[arg-type]


def test_the_records_of_a_request_in_quarantine_are_counted_in_their_accounts() -> None:
    request = raw_request([numbered(1), numbered(2, collection="other")], RESOURCE) + raw_request(
        [numbered(5)], resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: "q"}).SerializeToString()
    )
    events = [event for _, event in quarantined_request.events(kept(request), request)]
    assert [(one.producer, one.collection, one.number, one.tenant) for one in events] == [
        ("p", "model_inputs", 1, ("credit", "blue")),
        ("p", "other", 2, ("credit", "blue")),
        ("q", "model_inputs", 5, ("credit", "blue")),
    ]


def test_a_record_that_is_in_quarantine_alone_and_in_a_request_counts_once() -> None:
    request = raw_request([numbered(1), numbered(2)], RESOURCE)
    ids = [event_id for event_id, _ in quarantined_request.events(kept(request), request)]
    assert ids == [Rejected(reason="x", record=numbered(number), resource=RESOURCE).id for number in (1, 2)]


def test_equal_records_without_an_event_id_are_several_records() -> None:
    raw = record("no rows", {semconv.AZUREML_PRODUCER_SEQUENCE: 1}, time_ns=1).SerializeToString()
    request = raw_request([raw, raw], RESOURCE)
    assert [event_id for event_id, _ in quarantined_request.events(kept(request), request)] == ["line/0", "line/1"]


@pytest.mark.parametrize("endpoint", ["", "fraud"])
def test_a_request_whose_sender_is_not_known_changes_no_account(endpoint: str) -> None:
    """A request that was not read to its end may name deployments for which its sender may not write."""
    request = raw_request([numbered(1)], RESOURCE)
    assert quarantined_request.events(kept(request, endpoint=endpoint), request) == []


@pytest.mark.parametrize("end", [b"\x0a", b"\xff\xff", b"\x0a\x05\x12\x7f"])
def test_the_readable_records_of_a_damaged_request_are_counted(end: bytes) -> None:
    request = raw_request([numbered(1)], RESOURCE) + end
    assert [event.number for _, event in quarantined_request.events(kept(request), request)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 200_000], ids=["inline", "in a file"])
def test_records_beyond_a_bound_explain_the_gaps_in_the_numbers(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("limits: {max_request_records: 4}")
    receiver = start_receiver(str(tmp_path / "store"), "--config", str(config))
    send(receiver.endpoint, *(raw_event(number, f'[{{"x":"{"y" * size}"}}]') for number in range(12)))
    receiver.stop()
    code, facts = audited(capsys, tmp_path / "store", "--running")
    assert (code, facts["findings"], facts["unattributed_quarantined"]) == (0, [], 0)
    assert [statement(facts)[name] for name in ("stored", "quarantined", "missing", "last")] == [4, 8, 0, 11]
    for path in tmp_path.glob("store/_quarantine/**/files/*"):
        path.unlink()
        facts = audited(capsys, tmp_path / "store", "--running")[1]
        assert (statement(facts)["stored"], facts["unattributed_quarantined"]) == (4, 8)
