"""Quarantine: the bytes of records that cannot become lines, and the reason, so that nothing accepted is ever lost.

A quarantine line is stored through the same sink as every other line, and is durable before the sender gets its answer.
Its id is a digest of the bytes, and its folder is the record's hour (the hour of arrival if it has no time), so a retry
of a record with an event id, of a span or of a whole request is a duplicate. A log record without an event id is kept
each time it arrives, as it would be if it could become a line. The folder is outside every collection, where readers do
not look.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from .cloudevent import time_text

MAX_INLINE_BYTES: Final = 1024 * 1024
"""A larger record is stored as an object: base64 adds a third, and a line must stay below 4 MiB."""
MAX_INLINE_RESOURCE_BYTES: Final = 4096
"""A larger resource is stored as an object: it would be repeated in the line of every record under it."""
_LIMITS: Final = {
    "record": MAX_INLINE_BYTES,
    "resource": MAX_INLINE_RESOURCE_BYTES,
    "request": MAX_INLINE_BYTES,
}
OTLP_CONTENT_TYPE: Final = "application/x-protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A log record, or a whole request, that cannot become lines.

    Attributes:
        reason: `{kind}: expected .., got ..`; it may quote a name, never a body.
        record: the encoded `LogRecord`, empty when the whole request is kept.
        resource: the encoded `Resource` of the record.
        request: the whole request, when not even its outline can be read, or a request of the records of one
            deployment that are beyond a bound.
        endpoint: the endpoint, if its name is known and valid.
        collection: the collection, if its name is known and valid.
        time_ns: event time, ns since the epoch; 0 when it is not known, or out of bounds.
        records: how many records are in it.
        tenant: `endpoint/deployment`; empty when it is not known.
        nonce: random bytes if two records with these bytes are two records, because nothing in them is an identity.
    """

    reason: str
    record: bytes = b""
    resource: bytes = b""
    request: bytes = b""
    endpoint: str | None = None
    collection: str | None = None
    time_ns: int = 0
    records: int = 1
    tenant: str = ""
    nonce: bytes = field(default=b"", compare=False, repr=False)

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self.record) + len(self.resource) + len(self.request)

    @property
    def kind(self) -> str:
        """The part of the reason that is the same for all records of its kind, for metrics and logs."""
        return self.reason.partition(":")[0]

    @property
    def id(self) -> str:
        """A digest that is the same for the same bytes and nonce; 64 hex digits."""
        digest = hashlib.sha256(self.nonce)
        for part in (self.request, self.resource, self.record):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()

    @property
    def large_parts(self) -> dict[str, bytes]:
        """The parts that are stored as objects, by key of the line."""
        parts = {"record": self.record, "resource": self.resource, "request": self.request}
        return {key: part for key, part in parts.items() if len(part) > _LIMITS[key]}


class QuarantineLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a quarantine blob; bytes are in base64, and `..ref` is the URL of larger ones.

    Attributes:
        time: when the record arrived.
        size: bytes of the record or request.
        records: how many records are in the request, if they are known.
    """

    reason: str
    time: str
    endpoint: str | UnsetType = UNSET
    collection: str | UnsetType = UNSET
    id: str
    size: int
    record: str | UnsetType = UNSET
    recordref: str | UnsetType = UNSET
    resource: str | UnsetType = UNSET
    resourceref: str | UnsetType = UNSET
    request: str | UnsetType = UNSET
    requestref: str | UnsetType = UNSET
    records: int | UnsetType = UNSET


_encoder: Final = msgspec.json.Encoder()


def encode(rejected: Rejected, *, arrival_ns: int, urls: dict[str, str]) -> bytes:
    """The quarantine line of `rejected`, one JSON object and one LF.

    Args:
        rejected: the record or request.
        arrival_ns: when it arrived, ns since the epoch.
        urls: the URLs of its `large_parts`.
    """
    line = QuarantineLine(
        reason=rejected.reason,
        time=time_text(arrival_ns),
        endpoint=rejected.endpoint or UNSET,
        collection=rejected.collection or UNSET,
        id=rejected.id,
        size=len(rejected.record or rejected.request),
        record=_inline(rejected.record, urls.get("record")),
        recordref=urls.get("record", UNSET),
        resource=_inline(rejected.resource, urls.get("resource")),
        resourceref=urls.get("resource", UNSET),
        request=_inline(rejected.request, urls.get("request")),
        requestref=urls.get("request", UNSET),
        records=rejected.records if rejected.records > 1 else UNSET,
    )
    return _encoder.encode(line) + b"\n"


def object_name(part: bytes) -> str:
    """The name of the object for a large part: the same for the same bytes."""
    return f"{hashlib.sha256(part).hexdigest()}.bin"


def _inline(part: bytes, url: str | None) -> str | UnsetType:
    return b64encode(part).decode() if part and url is None else UNSET
