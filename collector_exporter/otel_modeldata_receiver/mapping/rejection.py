"""A record that cannot become a line: the parts that are kept, and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..otlp_messages import Span
from . import log_record, otlp
from .quarantine import Rejected

if TYPE_CHECKING:
    from .event import Record


def rejected(record: Record, reason: str, *, resource: bytes, endpoint: str | None) -> Rejected:
    """The rejection of `record`, sent with the encoded `resource`, for `reason`."""
    raw, collection, time_ns = _identity(record)
    return Rejected(
        reason=reason, record=raw, resource=resource, endpoint=endpoint, collection=collection, time_ns=time_ns
    )


def rejected_by_bug(record: Record, error: Exception, *, resource: bytes, endpoint: str | None) -> Rejected:
    """The rejection of a record that hits an internal error; a retry of its request would fail again."""
    # Only the type: the message of an unexpected error may quote the record.
    reason = f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
    return rejected(record, reason, resource=resource, endpoint=endpoint)


def _identity(record: Record) -> tuple[bytes, str | None, int]:
    """The bytes of a rejected record, and its collection and time if they are known."""
    if isinstance(record, Span):
        return record.SerializeToString(), semconv.TRACE_COLLECTION, record.end_time_unix_nano
    try:
        decoded = otlp.log_record(record)
    except BadRecordError:
        return record, None, 0
    return record, log_record.collection_hint(decoded), decoded.time_unix_nano or decoded.observed_time_unix_nano
