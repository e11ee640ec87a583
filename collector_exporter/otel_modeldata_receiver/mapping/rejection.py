"""A record that cannot become a line: the parts that are kept, and the reason."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from . import log_record, otlp
from .quarantine import Rejected

__all__ = [
    "Identity",
    "identity_of_log_record",
    "identity_of_span",
    "reason_of_bug",
    "rejected",
    "rejected_by_bug",
    "unknown_identity",
]

_NONCE_BYTES: Final = 16


class Identity(NamedTuple):
    """What is known of a rejected record.

    Attributes:
        collection: its collection, if it names a valid one.
        time_ns: its time, ns since the epoch; 0 when it is not known.
        nonce: random bytes if nothing in it is an identity: equal ones are different records.
    """

    collection: str | None = None
    time_ns: int = 0
    nonce: bytes = b""


def identity_of_log_record(raw: bytes) -> Identity:
    """The collection and the time of an encoded log record, as far as they can be read."""
    try:
        record = otlp.log_record(raw)
    except BadRecordError:
        return unknown_identity()
    return Identity(
        log_record.collection_hint(record),
        record.time_unix_nano or record.observed_time_unix_nano,
        b"" if log_record.has_event_id(record) else os.urandom(_NONCE_BYTES),
    )


def unknown_identity() -> Identity:
    """The identity of a record that cannot be read."""
    return Identity(nonce=os.urandom(_NONCE_BYTES))


def identity_of_span(raw: bytes) -> Identity:
    """The collection and the time of an encoded span, as far as they can be read."""
    try:
        span = otlp.span(raw)
    except BadRecordError:
        return unknown_identity()
    nonce = b"" if any(span.trace_id) and any(span.span_id) else os.urandom(_NONCE_BYTES)
    return Identity(semconv.TRACE_COLLECTION, span.end_time_unix_nano, nonce)


def rejected(
    record: bytes, reason: str, *, resource: bytes, endpoint: str | None, identity: Identity | None = None
) -> Rejected:
    """The rejection of an encoded `record`, sent with the encoded `resource`, for `reason`."""
    known = identity_of_log_record(record) if identity is None else identity
    return Rejected(
        reason=reason,
        record=record,
        resource=resource,
        endpoint=endpoint,
        collection=known.collection,
        time_ns=known.time_ns,
        nonce=known.nonce,
    )


def rejected_by_bug(
    record: bytes, error: Exception, *, resource: bytes, endpoint: str | None, identity: Identity | None = None
) -> Rejected:
    """The rejection of a record that hits an internal error; a retry of its request would fail again."""
    return rejected(record, reason_of_bug(error), resource=resource, endpoint=endpoint, identity=identity)


def reason_of_bug(error: Exception) -> str:
    """Why a record is rejected that hits an internal error."""
    # Only the type: the message of an unexpected error may quote the record.
    return f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
