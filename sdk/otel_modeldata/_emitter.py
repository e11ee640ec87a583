"""Makes a record of a frame, its context and span, and puts it into the queue.

`Collector` makes an `Emitter` in its first `collect`: this module imports pandas and the delivery side, `collector.py`
does not.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import get_current
from pandas import DataFrame

from . import semconv
from ._baggage import quick_getter
from ._delivery import process as _process
from ._delivery.native_threads import start_thread
from ._delivery.pending import merge_key
from ._delivery.process_start import this_process
from ._encoding.column_names import ColumnNameCache
from ._encoding.dataframe_json import Rows
from ._encoding.interrupted_otel import interrupts_otel
from ._encoding.log_record import Record, fixed_attributes, fixed_part
from ._encoding.otel_logger import OtelLogger
from .context import REQUEST_ID_HEADER, checked_text, event_time_ns, headers_of, new_uuid, set_collected_rows
from .exceptions import UnsupportedDataError
from .log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.trace import Span, SpanContext

    from ._delivery.pending import MergeKey, OnError
    from ._encoding.log_record import PayloadBody
    from ._settings.settings import Settings
    from .config import CollectorConfig
    from .context import CorrelationContext

logger = logging.getLogger(__name__)

_CORRELATION_ID = semconv.AZUREML_CORRELATION_ID

# Old releases of OpenTelemetry load their context on first use, under a lock that a forked child would inherit. Here
# the first use is part of loading this module, which a fork waits for.
_get_context = quick_getter(get_current)


class FrameEmitter(ABC):
    """Emits the frames of one collector as records; subclasses say where to."""

    def __init__(
        self, name: str, config: CollectorConfig, rate: float, model_version: str, *, rename_columns: bool
    ) -> None:
        self._name = name
        self._prints = config.local_capture
        self._event_type = semconv.event_type(name)
        self._fixed = fixed_part(name, rate, model_version)
        self._folder_pattern = semconv.FOLDER_PATTERNS[config.rolling_rate or "Hour"]
        self._column_names = ColumnNameCache(name, rename=rename_columns)
        self._once = LogThrottle(logger, math.inf)

    def emit(self, frame: DataFrame, correlation_id: str, context: CorrelationContext, *, is_new: bool = False) -> None:
        """Queue a frame, or print it if Azure's local capture is on.

        Args:
            frame: what the caller collects.
            correlation_id: the context's id.
            context: of the frame.
            is_new: the context was made for this frame: it has no time and no headers of its own.

        Raises:
            CollectError: the frame is refused; UnsupportedDataError if it is not a DataFrame.
        """
        if not isinstance(frame, DataFrame):
            raise UnsupportedDataError(frame)
        rows = Rows(frame, self._column_names)
        if rows.count == 0:
            self._warn_once("a frame without rows was collected: its event holds no data for a monitor to read")
        if self._prints:
            _print(self._name, correlation_id, rows)
            return
        chosen_ns = None if is_new else event_time_ns(context)
        otel_context = _get_context()
        span = trace.get_current_span(otel_context) if otel_context else None  # no context, no span
        span_context = None if span is None else span.get_span_context()
        if span_context is not None and not span_context.is_valid:
            span_context = None
        headers = None if is_new else headers_of(context)
        record = Record(
            self._name,
            self._fixed,
            context.made_ns if is_new else time.time_ns() if chosen_ns is None else chosen_ns,  # type: ignore[attr-defined]
            self._attributes(correlation_id, headers) if headers else {_CORRELATION_ID: correlation_id},
            span_context,
            rows,
        )
        is_recording = span is not None and span.is_recording()
        if is_recording:
            record.event_id = new_uuid()
        count = rows.count
        if span_context is None and chosen_ns is None:
            deployment = self._put(record, f"{self._name}/{correlation_id}")  # as `merge_key`, without a call
        else:
            trace_id = None if span_context is None else span_context.trace_id
            deployment = self._put(record, merge_key(self._name, correlation_id, trace_id, chosen_ns))
        if is_new:
            context.collected_rows = record.first_row, count  # type: ignore[attr-defined]  # it is a basic one
        else:
            set_collected_rows(context, (record.first_row, count))
        if span is not None and is_recording and not interrupts_otel():
            date = time.strftime(self._folder_pattern, time.gmtime(record.time_ns // 1_000_000_000))
            self._annotate(span, record, correlation_id, count, f"{deployment}/{self._name}/{date}")

    @abstractmethod
    def _put(self, record: Record, key: MergeKey) -> str:
        """Emit a record; frames of the same key may join it.

        Returns:
            The first two folders of the record, `{endpoint}/{deployment}`.
        """

    def _annotate(self, span: Span, record: Record, correlation_id: str, count: int, folder: str) -> None:
        about: dict[str, str | int] = {
            semconv.AZUREML_COLLECTION_NAME: self._name,
            semconv.AZUREML_CORRELATION_ID: correlation_id,
            semconv.CLOUDEVENTS_EVENT_ID: record.event_id,
            semconv.AZUREML_DATA_ROWS: count,
            semconv.AZUREML_DATA_FOLDER: folder,
        }
        span.set_attributes(about)  # of the last collect: backends search by attributes
        span.add_event(self._event_type, about)  # of every collect, with its time

    def _attributes(self, correlation_id: str, headers: Mapping[str, str]) -> dict[str, str]:
        attributes = {_CORRELATION_ID: correlation_id}
        for header, value in headers.items():
            name = str(header).lower()
            if name == REQUEST_ID_HEADER:
                attributes[semconv.AZUREML_REQUEST_ID] = checked_text(str(value))
            elif semconv.is_extension_name(name) and name not in semconv.RESERVED_LINE_KEYS:
                attributes[semconv.CLOUDEVENTS_EXTENSION_PREFIX + name] = checked_text(str(value))
            else:
                self._warn_once(
                    f"context header {name!r} is not collected: expected lower-case letters and digits, at most 20"
                )
        return attributes

    def _warn_once(self, sentence: str) -> None:
        self._once.log(logging.WARNING, sentence, "collection %s: %s", self._name, sentence)


class Emitter(FrameEmitter):
    """Emits into the queue of this process."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        rate: float,
        on_error: OnError | None,
        model_version: str = semconv.DEFAULT_MODEL_VERSION,
    ) -> None:
        super().__init__(name, settings.config, rate, model_version, rename_columns=settings.rename_columns)
        self._settings = settings
        self._on_error = on_error

    def _put(self, record: Record, key: MergeKey) -> str:
        process = _process.current or this_process(self._settings)
        process.delivery.put(record, self._on_error, key)
        return process.deployment

    def emit_payload(
        self, payload: PayloadBody, attributes: Mapping[str, str | float], time_ns: int, span_context: SpanContext
    ) -> None:
        """Queue the body of a request or response.

        Args:
            payload: the body.
            attributes: correlation id, request id, content type and HTTP attributes, named as in `semconv.py`.
            time_ns: when the request or response began, ns since 1970.
            span_context: the span of the request; an invalid one counts as none.

        Raises:
            CollectError: the body is refused.
        """
        record = Record(
            collection=self._name,
            fixed=self._fixed,
            time_ns=time_ns,
            attributes=attributes,
            span_context=span_context if span_context.is_valid else None,
            body=payload,
        )
        this_process(self._settings).delivery.put(record, self._on_error)


class LoggerEmitter(FrameEmitter):
    """Emits through a LoggerProvider of the application.

    The provider's processors and exporters have locks that are not reentrant. So a signal handler that interrupts the
    SDK of OpenTelemetry does not call them: another thread does, once the interrupted call has released its locks.
    """

    def __init__(  # noqa: PLR0913 - the settings of a collector, and where it emits
        self,
        name: str,
        config: CollectorConfig,
        rate: float,
        model_version: str,
        provider: LoggerProvider,
        *,
        rename_columns: bool,
    ) -> None:
        super().__init__(name, config, rate, model_version, rename_columns=rename_columns)
        self._logger = OtelLogger(provider, fixed_attributes(name, rate, model_version), config)

    def _put(self, record: Record, key: MergeKey) -> str:  # noqa: ARG002 - frames never join
        emit = self._logger.prepare(record)
        if interrupts_otel():
            start_thread(self._emit_later, emit)
        else:
            emit()
        return self._logger.deployment

    def _emit_later(self, emit: Callable[[], object]) -> None:
        try:
            emit()
        except Exception as error:  # noqa: BLE001 - `collect`, which would raise it, has returned
            name = type(error).__name__
            self._warn_once(f"expected the logger provider to take a record, got {name}: {error}: it is lost")


def _print(name: str, correlation_id: str, rows: Rows) -> None:
    """Azure's local capture: one line on standard output, no server."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    sys.stdout.write(f"{moment} | {name} | {correlation_id} | {rows.text().decode()}\n")
