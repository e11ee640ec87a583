"""A record that cannot become a line: the parts that are kept, and the reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..otlp_messages import Span
from . import log_record, otlp
from .quarantine import Rejected

if TYPE_CHECKING:
    from .event import Record

_NONCE_BYTES: Final = 16


def rejected(record: Record, reason: str, *, resource: bytes, endpoint: str | None) -> Rejected:
    """The rejection of `record`, sent with the encoded `resource`, for `reason`."""
    if isinstance(record, Span):
        return Rejected(
            reason=reason,
            record=record.SerializeToString(),
            resource=resource,
            endpoint=endpoint,
            collection=semconv.TRACE_COLLECTION,
            time_ns=record.end_time_unix_nano,
            nonce=b"" if any(record.trace_id) and any(record.span_id) else os.urandom(_NONCE_BYTES),
        )
    try:
        decoded = otlp.log_record(record)
    except BadRecordError:
        return rejected_bytes(record, reason, resource=resource, endpoint=endpoint)
    return Rejected(
        reason=reason,
        record=record,
        resource=resource,
        endpoint=endpoint,
        collection=log_record.collection_hint(decoded),
        time_ns=decoded.time_unix_nano or decoded.observed_time_unix_nano,
        nonce=b"" if log_record.has_event_id(decoded) else os.urandom(_NONCE_BYTES),
    )


def rejected_bytes(raw: bytes, reason: str, *, resource: bytes, endpoint: str | None) -> Rejected:
    """The rejection of an encoded record that cannot be decoded, so that no event id is known."""
    return Rejected(reason=reason, record=raw, resource=resource, endpoint=endpoint, nonce=os.urandom(_NONCE_BYTES))


def rejected_by_bug(record: Record, error: Exception, *, resource: bytes, endpoint: str | None) -> Rejected:
    """The rejection of a record that hits an internal error; a retry of its request would fail again."""
    # Only the type: the message of an unexpected error may quote the record.
    reason = f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
    return rejected(record, reason, resource=resource, endpoint=endpoint)
