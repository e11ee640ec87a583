"""What is kept of records that cannot become lines: their bytes and the reason, so that nothing accepted is ever lost.

A quarantine line goes through the same sink as every other line and is durable before the sender is told. Its id is a
digest of the bytes, its folder that of the record's own hour (of its arrival where it has none): a retry finds it
stored already. The folder lies outside every collection, where no reader looks.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from .cloudevent import time_text

MAX_INLINE_BYTES: Final = 1024 * 1024
"""A larger record gets an object of its own: base64 adds a third, and a line must stay below 4 MiB."""
MAX_INLINE_RESOURCE_BYTES: Final = 4096
"""A larger resource likewise: it would be repeated in the line of every record under it."""
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
        resource: the encoded `Resource` that the record came with.
        request: the whole request, when not even its outline could be read.
        endpoint: the endpoint, if its name is known and good.
        collection: the collection, likewise.
        time_ns: event time, ns since the epoch; 0 when it is not known.
    """

    reason: str
    record: bytes = b""
    resource: bytes = b""
    request: bytes = b""
    endpoint: str | None = None
    collection: str | None = None
    time_ns: int = 0

    @property
    def kind(self) -> str:
        """The part of the reason that is the same for every record of its kind: bounded, fit for a metric or a log."""
        return self.reason.partition(":")[0]

    @property
    def id(self) -> str:
        """The same for the same bytes; 64 hex digits."""
        digest = hashlib.sha256()
        for part in (self.request, self.resource, self.record):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.hexdigest()

    @property
    def large_parts(self) -> dict[str, bytes]:
        """The parts that need an object of their own, by key of the line."""
        parts = {"record": self.record, "resource": self.resource, "request": self.request}
        return {key: part for key, part in parts.items() if len(part) > _LIMITS[key]}


class QuarantineLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a quarantine blob; bytes are in base64, and `..ref` says where larger ones are.

    Attributes:
        time: when the record arrived.
        size: bytes of the record or request.
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


_encoder: Final = msgspec.json.Encoder()


def encode(rejected: Rejected, *, arrival_ns: int, urls: dict[str, str]) -> bytes:
    """The quarantine line of `rejected`, one JSON object and one LF.

    Args:
        rejected: what to keep.
        arrival_ns: when it came, ns since the epoch.
        urls: where each of its `large_parts` is stored already.
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
    )
    return _encoder.encode(line) + b"\n"


def object_name(part: bytes) -> str:
    """The name of the object that keeps a large part: the same for the same bytes."""
    return f"{hashlib.sha256(part).hexdigest()}.bin"


def _inline(part: bytes, url: str | None) -> str | UnsetType:
    return b64encode(part).decode() if part and url is None else UNSET
