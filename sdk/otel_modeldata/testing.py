"""Events that a score.py collects, for its tests, without a server.

```python
from otel_modeldata.testing import capture

def test_inputs_are_collected():
    with capture() as captured:
        score.init()
        score.run('{"data": {"col1": [1]}}')
    assert captured.events[0].rows == [{"col1": 1}]
```

Everything up to the wire is the real code; only the network is replaced.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import semconv
from ._delivery.process import replace_process
from ._delivery.process_start import start_process
from ._encoding.otlp_messages import ExportLogsServiceRequest
from ._settings.delivery import DeliverySettings
from ._settings.settings import Settings
from .transport import Answer, Delivered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._encoding.otlp_messages import AnyValue, LogRecord

__all__ = ["Captured", "CollectedEvent", "capture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedEvent:
    """One event as it leaves the process.

    Attributes:
        collection: the collection's name.
        rows: one dict per row of the frame; empty for payload logging.
        payload: the body of a request or response, as text or bytes; None for a frame.
        correlation_id: joins the events of a request.
        event_id: the event's own id.
        time_ns: event time, ns since 1970.
        trace_id: 32 hex digits; empty outside of a span.
        span_id: 16 hex digits; empty outside of a span.
        attributes: all attributes of the record, named as in `semconv`.
        resource: all attributes of the resource.
    """

    collection: str
    rows: list[dict[str, Any]]
    payload: str | bytes | None = None
    correlation_id: str
    event_id: str
    time_ns: int
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Captured:
    """The events of one `capture`, in the order in which they were collected."""

    def __init__(self) -> None:
        self._requests: list[bytes] = []
        self._flush: Callable[[], object] = lambda: None

    @property
    def events(self) -> list[CollectedEvent]:
        """Everything collected so far."""
        self._flush()
        messages = [ExportLogsServiceRequest.FromString(request) for request in self._requests]
        return [
            _event(record, _values(logs.resource.attributes))
            for message in messages
            for logs in message.resource_logs
            for scope in logs.scope_logs
            for record in scope.log_records
        ]

    def send(self, request: bytes) -> Answer:
        """Accept a request as an endpoint would."""
        self._requests.append(request)
        return Delivered()

    def close(self) -> None:
        """Nothing to release."""


@contextmanager
def capture() -> Iterator[Captured]:
    """Keep the events of this process's collectors instead of sending them."""
    captured = Captured()
    # One event per request keeps the order across collections.
    settings = Settings.from_env()
    one_each = DeliverySettings(limits=dataclasses.replace(settings.delivery.limits, batch_bytes=1))
    process = start_process(dataclasses.replace(settings, delivery=one_each), captured)
    captured._flush = process.delivery.flush  # noqa: SLF001 - of this module
    before = replace_process(process)
    try:
        yield captured
    finally:
        replace_process(before)
        process.delivery.shutdown(timeout=10.0)
        captured._flush = lambda: None  # noqa: SLF001


def _event(record: LogRecord, resource: dict[str, Any]) -> CollectedEvent:
    attributes = _values(record.attributes)
    collection = attributes[semconv.AZUREML_COLLECTION_NAME]
    is_payload = collection in semconv.PAYLOAD_COLLECTIONS
    return CollectedEvent(
        collection=collection,
        rows=[] if is_payload else json.loads(record.body.string_value),  # a Decimal may exceed a float
        payload=_value(record.body) if is_payload else None,
        correlation_id=attributes[semconv.AZUREML_CORRELATION_ID],
        event_id=attributes[semconv.CLOUDEVENTS_EVENT_ID],
        time_ns=record.time_unix_nano,
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        attributes=attributes,
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: _value(item.value) for item in attributes}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
