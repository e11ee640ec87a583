"""Records in quarantine: the producer and the number of each, if it can be read."""

from __future__ import annotations

import pytest
from audited_lines import RESOURCE, SOURCE, numbered, only, quarantined, stored
from otlp_requests import field, invalid_utf8, record, resource

from otel_modeldata import semconv
from otel_modeldata_receiver.commands.audit.ledger import Ledger
from otel_modeldata_receiver.commands.audit.quarantine_line import QuarantinedEvent, decode_base64, identify


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
