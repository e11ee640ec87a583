"""The two signals: log records, which are model data, and spans, which describe requests.

They share admission, quarantine, the sink and every guarantee. They differ in the mapper that turns a record
into a line, and in the answer. Each signal is one class below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from . import otlp
from .line_template.template_cache import TemplateCache
from .log_record_mapper import LogRecordMapper
from .rejection import identity_of_log_record, identity_of_span
from .span import SpanMapper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.kept_spans import KeptSpans
    from .event import Outcome, PlacedLine
    from .line_template.record_run import RecordRun
    from .protowire import EmbeddedMessages
    from .rejection import Identity
    from .scope import ScopeContext

__all__ = ["LOGS", "TRACE_SERVICE", "LogRecords", "RecordMapper", "Signal", "Spans", "spans"]

_LOGS_SERVICE: Final = "opentelemetry.proto.collector.logs.v1.LogsService"
TRACE_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


class RecordMapper(Protocol):
    """Maps the records of one scope."""

    calls_without_content: int
    """How many of them are calls of a language model that succeeded and carry no content."""

    def map(self, record: bytes, /) -> Outcome:
        """Map a record; None where the settings exclude it.

        Raises:
            BadRecordError: it cannot become a line.
        """
        ...

    def runs_of(self, records: EmbeddedMessages, /) -> Sequence[RecordRun]:
        """The lines of the first of some small records, if they can be made together; none where that is not known.

        Each run has another folder.
        """
        ...

    def line_of_large(self, record: otlp.Record, /) -> PlacedLine | None:
        """The line of a large record, if it is known to take a millisecond at most; None where that is not known."""
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

    @property
    def message(self) -> str:
        """The message type of a record."""
        ...

    def mapper(self, records: otlp.ScopeRecords, scope: ScopeContext, *, is_shared: bool = True) -> RecordMapper:
        """The mapper of the records of one scope; only a shared one uses what other requests use, as templates are."""
        ...

    def identity(self, record: bytes) -> Identity:
        """The collection and the time of an encoded record, as far as they can be read."""
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
    message: str = field(default="LogRecord", init=False)

    def mapper(self, _: otlp.ScopeRecords, scope: ScopeContext, *, is_shared: bool = True) -> LogRecordMapper:
        """See `Signal`."""
        return LogRecordMapper(scope, self.templates if is_shared else None)

    def identity(self, record: bytes) -> Identity:
        """See `Signal`."""
        return identity_of_log_record(record)

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
    message: str = field(default="Span", init=False)

    def mapper(self, records: otlp.ScopeRecords, scope: ScopeContext, *, is_shared: bool = True) -> SpanMapper:  # noqa: ARG002
        """See `Signal`."""
        return SpanMapper(records, scope, self.kept)

    def identity(self, record: bytes) -> Identity:
        """See `Signal`."""
        return identity_of_span(record)

    def answer(self, rejected: int, reasons: Sequence[str]) -> bytes:
        """See `Signal`."""
        return otlp.span_response(rejected, reasons)


LOGS: Final = LogRecords()
"""The signal of model data."""


def spans(kept: KeptSpans) -> Spans:
    """The signal of spans; `kept` states which of them become lines."""
    return Spans(kept)
