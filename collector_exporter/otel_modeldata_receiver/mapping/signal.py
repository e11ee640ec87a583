"""The two signals: log records, which are model data, and spans, which describe requests.

They share admission, quarantine, the sink and every guarantee. They differ in how a request is decoded, in the mapper
that turns a record into a line, and in the answer. Each signal is one class below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import otlp
from .line_template.template_cache import TemplateCache
from .log_record_mapper import LogRecordMapper
from .span import SpanMapper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.kept_spans import KeptSpans
    from .event import Outcome
    from .scope import ScopeContext

__all__ = ["LOGS", "TRACE_SERVICE", "LogRecords", "RecordMapper", "Signal", "Spans", "spans"]

_LOGS_SERVICE: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
TRACE_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


class RecordMapper(Protocol):
    """Maps the records of one scope."""

    calls_without_content: int
    """How many of them are calls of a language model that succeeded and carry no content."""

    def map(self, record: Any, /) -> Outcome:
        """Map a record; None where the settings exclude it.

        Raises:
            BadRecordError: it cannot become a line.
        """
        ...


class Signal(Protocol):
    """How the records of one signal are decoded, mapped and answered."""

    @property
    def name(self) -> str:
        """`log_records` or `spans`, as in the metrics of the OpenTelemetry Collector."""
        ...

    @property
    def service(self) -> str:
        """The gRPC service."""
        ...

    def decode(self, request: bytes) -> Sequence[otlp.ScopeRecords[Any]]:
        """The records of an encoded request, by scope.

        Raises:
            UndecodableError: not even the outline of the request can be read.
        """
        ...

    def mapper(self, records: otlp.ScopeRecords[Any], scope: ScopeContext) -> RecordMapper:
        """The mapper of the records of one scope."""
        ...

    def answer(self, rejected: int, reasons: Sequence[str]) -> bytes:
        """The encoded answer to a request in which `rejected` records were rejected, for `reasons`."""
        ...


@dataclass(frozen=True, slots=True)
class LogRecords:
    """Log records, which become lines of model data.

    Attributes:
        templates: the line templates of known senders; None: every line is made by `log_record.py`.
    """

    templates: TemplateCache | None = field(default_factory=TemplateCache)
    name: str = field(default="log_records", init=False)
    service: str = field(default=_LOGS_SERVICE, init=False)

    def decode(self, request: bytes) -> Sequence[otlp.ScopeRecords[bytes]]:
        """See `Signal`."""
        return otlp.decode(request)

    def mapper(self, _: otlp.ScopeRecords[bytes], scope: ScopeContext) -> LogRecordMapper:
        """See `Signal`."""
        return LogRecordMapper(scope, self.templates)

    def answer(self, rejected: int, reasons: Sequence[str]) -> bytes:
        """See `Signal`."""
        return otlp.response(rejected, reasons)


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans, which become lines of `app_traces` or `app_spans`.

    Attributes:
        kept: which of them become lines.
    """

    kept: KeptSpans
    name: str = field(default="spans", init=False)
    service: str = field(default=TRACE_SERVICE, init=False)

    def decode(self, request: bytes) -> Sequence[otlp.ScopeRecords[Any]]:
        """See `Signal`."""
        return otlp.decode_spans(request)

    def mapper(self, records: otlp.ScopeRecords[Any], scope: ScopeContext) -> SpanMapper:
        """See `Signal`."""
        return SpanMapper(records, scope, self.kept)

    def answer(self, rejected: int, reasons: Sequence[str]) -> bytes:
        """See `Signal`."""
        return otlp.span_response(rejected, reasons)


LOGS: Final = LogRecords()
"""The signal of model data."""


def spans(kept: KeptSpans) -> Spans:
    """The signal of spans; `kept` states which of them become lines."""
    return Spans(kept)
