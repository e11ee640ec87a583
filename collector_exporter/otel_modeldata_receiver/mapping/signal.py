"""The two signals that are taken over one way: log records, which are model data, and spans, which tell of requests.

They differ in four things, which a `Signal` names; admission, quarantine, the sink and the promises are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from . import log_record, otlp
from .span import SpanReader
from .splice import Splicer

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from ..config.kept_spans import KeptSpans
    from ..line import Line

__all__ = ["LOGS", "TRACE_SERVICE", "ReadEvent", "Record", "Signal", "spans"]

TRACE_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"

Record: TypeAlias = "bytes | Span"
"""A log record stays encoded until somebody needs it."""
ReadEvent: TypeAlias = Callable[[Any], log_record.Event | None]
"""Makes the event of one record; None where the operator does not want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How one signal is read.

    Attributes:
        name: as the Collector's metrics have it, `log_records` or `spans`.
        service: the gRPC service that takes it.
        decode: the records of an encoded request, by scope.
        reader: what reads the records of one scope.
        splicer: where the signal has a shorter way from an ordinary record to its line, what goes it; see `splice.py`.
        answer: the encoded answer to a request, from the number and the reasons of what was rejected.
    """

    name: str
    service: str
    decode: Callable[[bytes], Iterable[otlp.ScopeRecords[Any]]]
    reader: Callable[[otlp.ScopeRecords[Any], log_record.Source], ReadEvent]
    answer: Callable[[int, Sequence[str]], bytes]
    splicer: Callable[[log_record.Source, dict[str, list[Line]]], Splicer] | None = None


def _log_reader(_: otlp.ScopeRecords[bytes], source: log_record.Source) -> ReadEvent:
    return lambda raw: log_record.read(otlp.log_record(raw), source)


LOGS: Final = Signal(
    name="log_records",
    service="opentelemetry.proto.collector.logs.v1.LogsService",
    decode=otlp.decode,
    reader=_log_reader,
    answer=otlp.response,
    splicer=Splicer,
)


def spans(kept: KeptSpans) -> Signal:
    """Spans, of which `kept` become lines of `app_traces`."""
    return Signal(
        name="spans",
        service=TRACE_SERVICE,
        decode=otlp.decode_spans,
        reader=partial(SpanReader, kept=kept),
        answer=otlp.span_response,
    )
