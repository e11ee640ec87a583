"""Fixtures of the tests of delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_endpoint import FAST, Endpoint

from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.log_record import RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def delivery_to() -> Iterator[Callable[..., Worker]]:
    opened: list[Worker] = []

    def open_delivery(endpoint: Endpoint, **limits: object) -> Worker:
        envelope = RequestEnvelope({}, "producer")
        opened.append(Worker(envelope, endpoint, DeliveryLimits(**{**FAST, **limits})))  # type: ignore[arg-type]
        return opened[-1]

    yield open_delivery
    for delivery in opened:
        delivery.shutdown(timeout=0.0)
