"""Emits records through the application's own OpenTelemetry LoggerProvider, for `Collector(logger_provider=...)`.

The record has the body and the attributes of one that the SDK sends itself (`log_record.py`). Its resource is the
provider's. What happens to it after `emit` is the provider's matter: batching, limits, exporters, losses.

The logs API of OpenTelemetry is not stable, so its two forms are told apart by the parameters of `emit`: later releases
take the parts of a record, earlier ones a record of the SDK.
"""

from __future__ import annotations

import inspect
import itertools
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import NoOpLogger, SeverityNumber, get_logger_provider
from opentelemetry.context import get_current
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from .. import semconv
from .._version import NAME, VERSION
from ..context import new_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry._logs import LoggerProvider

    from ..config import CollectorConfig
    from .log_record import Record

logger = logging.getLogger(__name__)

_NAMES: Final = (semconv.AZUREML_ENDPOINT_NAME, semconv.AZUREML_DEPLOYMENT_NAME)
"""Attributes that were chosen for folders. `service.name` was not, so it is made legal."""
_sequences: dict[tuple[int, str], Iterator[int]] = {}
"""The numbers of the events by process and collection, as the delivery side of the SDK gives them; a forked child has
its own."""


class OtelLogger:
    """Emits the records of one collection.

    Args:
        provider: of the application.
        attributes: those that every record of the collection has.
        config: names that the provider's resource should have are logged if they are missing.

    Attributes:
        deployment: `{endpoint}/{deployment}`, the first two folders, as the resource says.
    """

    def __init__(
        self, provider: LoggerProvider, attributes: Mapping[str, str | float], config: CollectorConfig
    ) -> None:
        self._logger: Any = provider.get_logger(NAME, VERSION)
        self._fixed = attributes
        self._collection = str(attributes[semconv.AZUREML_COLLECTION_NAME])
        self._event_name = str(attributes[semconv.CLOUDEVENTS_EVENT_TYPE])
        self._takes_parts = "body" in inspect.signature(self._logger.emit).parameters
        resource = getattr(getattr(provider, "resource", None), "attributes", {})
        self.deployment = _deployment(resource)
        if isinstance(self._logger, NoOpLogger) or (provider is get_logger_provider() and not _is_set(provider)):
            logger.warning(
                "collection %s: expected a logger provider that exports, got one that drops every record: give the "
                "provider of your program, with a processor, and leave OTEL_SDK_DISABLED unset",
                self._collection,
            )
        elif illegal := [key for key in _NAMES if key in resource and not semconv.is_name(str(resource[key]))]:
            logger.warning(
                "collection %s: expected %s in %s of the logger provider's resource, got %s, so a receiver refuses its "
                "events: make the provider with other names",
                self._collection,
                semconv.NAME_RULE,
                " and ".join(illegal),
                " and ".join(repr(resource[key]) for key in illegal),
            )
        elif missing := _missing(config, resource):
            logger.warning(
                "collection %s: expected %s in the resource of the logger provider, got neither or others: its events "
                "are stored below %s; make the provider with Resource.create(...) of these attributes",
                self._collection,
                ", ".join(f"{key}={value}" for key, value in missing.items()),
                self.deployment,
            )

    def prepare(self, record: Record) -> Callable[[], object]:
        """What gives a record to the provider when it is called, in any thread."""
        record.event_id = record.event_id or new_uuid()
        record.sequence = _next_number(self._collection)
        parts: dict[str, Any] = {
            "timestamp": record.time_ns,
            "observed_timestamp": record.time_ns,
            "severity_number": SeverityNumber.UNSPECIFIED,
            "body": record.body.text().decode(),
            "attributes": {
                **self._fixed,
                semconv.CLOUDEVENTS_EVENT_ID: record.event_id,
                semconv.AZUREML_PRODUCER_SEQUENCE: record.sequence,
                **record.attributes,
            },
        }
        if types := record.types():
            parts["attributes"][semconv.AZUREML_DATA_TYPES] = types
        if self._takes_parts:
            return partial(self._logger.emit, **parts, context=get_current(), event_name=self._event_name)
        return partial(self._logger.emit, self._sdk_record(record, parts))

    def _sdk_record(self, record: Record, parts: dict[str, Any]) -> Any:
        from opentelemetry.sdk import _logs  # noqa: PLC0415 - later releases need it not

        record_class: Any = _logs.LogRecord  # type: ignore[attr-defined]
        known = inspect.signature(record_class.__init__).parameters
        if "context" in known:
            parts["context"] = get_current()
        else:
            span = record.span_context or INVALID_SPAN_CONTEXT
            parts |= {"trace_id": span.trace_id, "span_id": span.span_id, "trace_flags": span.trace_flags}
        if "event_name" in known:
            parts["event_name"] = self._event_name
        if "resource" in known:
            parts["resource"] = getattr(self._logger, "resource", None)
        return record_class(**parts)


def _next_number(collection: str) -> int:
    key = os.getpid(), collection
    return next(_sequences.get(key) or _sequences.setdefault(key, itertools.count()))  # of many threads, one wins


def _is_set(provider: LoggerProvider) -> bool:
    """Whether the API's own provider, which passes records on, has another one behind it."""
    return not type(provider).__module__.startswith("opentelemetry._logs")


def _deployment(resource: Mapping[str, object]) -> str:
    """As the receiver reads it."""
    service = str(resource.get(semconv.SERVICE_NAME, ""))
    is_named = not service.startswith("unknown_service")
    named = (semconv.legal_name(service) if is_named else "") or semconv.DEFAULT_ENDPOINT
    endpoint = resource.get(semconv.AZUREML_ENDPOINT_NAME, named)
    return f"{endpoint}/{resource.get(semconv.AZUREML_DEPLOYMENT_NAME, semconv.DEFAULT_DEPLOYMENT)}"


def _missing(config: CollectorConfig, resource: Mapping[str, object]) -> dict[str, str]:
    """What the configuration says and the resource does not."""
    expected = {
        semconv.AZUREML_ENDPOINT_NAME: config.endpoint,
        semconv.AZUREML_DEPLOYMENT_NAME: config.deployment,
        semconv.AZUREML_ROLLING_RATE: config.rolling_rate,
    }
    return {key: value for key, value in expected.items() if value is not None and resource.get(key) != value}
