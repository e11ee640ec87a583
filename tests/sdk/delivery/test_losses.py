"""Losses: each is reported once, and logged once a minute."""

from __future__ import annotations

import logging

import pytest
from scripted_endpoint import Endpoint, FakeRecord

from otel_modeldata._delivery import on_error
from otel_modeldata.exceptions import RecordTooLargeError
from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata.report import DeliveryReport
from otel_modeldata.transport import Delivered, Refused

OpenDelivery = "Callable[..., Worker]"


def test_a_record_above_the_limit_is_refused_with_its_size_and_the_limit(delivery_to: OpenDelivery) -> None:
    delivery = delivery_to(Endpoint(), record_bytes=100_000)
    with pytest.raises(RecordTooLargeError) as raised:
        delivery.put(FakeRecord("large", 100_000), None)
    assert str(raised.value) == (
        "the frame takes 100000 bytes, at most 98650 can be sent in one event: collect it in parts"
    )
    assert delivery.report() == DeliveryReport()


def test_a_record_that_turns_out_too_large_is_lost_and_reported(delivery_to: OpenDelivery) -> None:
    record = FakeRecord("grown", 5000)
    record.body.nbytes = 10
    delivery = delivery_to(Endpoint(), record_bytes=4000)
    delivery.put(record, None)
    assert delivery.flush(30) == DeliveryReport(accepted=1, lost={"too_large": 1})


def test_losses_without_on_error_are_logged_once_a_minute(
    delivery_to: OpenDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = delivery_to(Endpoint(lambda _: Refused("INTERNAL", "bad")), linger_records=1)
    with caplog.at_level(logging.WARNING):
        for n in range(50):
            delivery.put(FakeRecord(f"r{n}"), None)
        delivery.flush(30)
    assert [r.getMessage() for r in caplog.records] == ["1 event(s) lost, refused: INTERNAL: bad"]


def test_a_failing_on_error_does_not_stop_delivery(
    delivery_to: OpenDelivery, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_error, "_throttle", LogThrottle(on_error.logger))  # another test may have logged the same

    def broken(_: Exception) -> None:
        raise RuntimeError("broken")

    delivery = delivery_to(Endpoint(lambda names: Refused("INTERNAL", "") if "a" in names else Delivered()))
    delivery.put(FakeRecord("a"), broken)
    delivery.flush(30)
    delivery.put(FakeRecord("b"), broken)
    assert delivery.flush(30) == DeliveryReport(accepted=2, delivered=1, lost={"refused": 1})
    assert "on_error itself failed" in caplog.text
