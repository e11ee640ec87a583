"""The line: one CloudEvent in the JSON format, with the keys, the order and the texts of Azure ML's own collector.

The first seven keys always stand in this order. Every value is a JSON string except `data`, which is spliced in as the
bytes that arrived: numbers and escapes are never parsed and printed again. Nothing here knows OTLP.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from otel_modeldata import semconv

from .rolling import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A line is never split over two appends, and an append block holds 4 MiB in every Azure account (facts of the service:
100 MiB is a preview). A longer line keeps its rows in an object of their own."""
MAX_HEAD_BYTES: Final = MAX_LINE_BYTES - 64 * 1024
"""What such a line may have beside its rows; the rest is room for the URL that points to them."""


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says, in the order in which it says it; extension attributes of the caller follow.

    Attributes:
        time: `YYYY-MM-DDTHH:MM:SSZ`; Azure's lines carry whole seconds, `timens` has the rest.
        data: JSON text, spliced; unset when `dataref` stands in its place.
        dataref: where the rows are kept that are too large for a line.
        contentrange: `bytes 0-{n-1}/{n}`, n = bytes of the body as it was collected.
        collectdatatype: always set in tabular collections, so that their lines have one set of keys.
        timens: nanoseconds since the epoch; a string, because JSON readers lose digits of such integers.
        producer: the process that collected; `sequence` counts its events per collection.
        traceparent: CloudEvents extension "Distributed Tracing": the span in which the event was collected.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    datacontenttype: str
    time: str
    data: msgspec.Raw | UnsetType = UNSET
    dataref: str | UnsetType = UNSET
    contentrange: str
    correlationid: str
    xrequestid: str
    modelversion: str
    collectdatatype: str | UnsetType = UNSET
    agent: str
    timens: str
    samplingrate: str | UnsetType = UNSET
    producer: str | UnsetType = UNSET
    sequence: str | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET


_NOT_EXTENSIONS: Final = semconv.RESERVED_LINE_KEYS.union(
    CloudEvent.__struct_fields__,
    ("dataschema", "subject"),  # context attributes of CloudEvents 1.0 with a meaning of their own
    ("datainblob",),  # says that `data` is a URL: true of lines we write ourselves only
)
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_encoder: Final = msgspec.json.Encoder()


def is_free_key(name: str) -> bool:
    """Whether a caller's extension attribute may be the line key `name`.

    CloudEvents 1.0 "Naming Conventions" allow lower-case letters and digits only; this also keeps keys apart from ours
    up to case, as Spark demands.
    """
    return semconv.is_extension_name(name) and name not in _NOT_EXTENSIONS


def encode(event: CloudEvent, extensions: Mapping[str, str]) -> bytes:
    """The line of `event`: one JSON object and one LF, in UTF-8, with no other line break in it."""
    head = _encoder.encode(event)
    if not extensions:
        return head + b"\n"
    return b"%b,%b\n" % (head[:-1], _encoder.encode(extensions)[1:])


def rows(event: CloudEvent) -> bytes:
    """The JSON text of an event that has its rows inline."""
    return b"" if isinstance(event.data, UnsetType) else bytes(event.data)


def rows_object_name(event: CloudEvent) -> str:
    """The name of the object that keeps the rows of `event`: the same for a retry, another for other rows.

    Readers take the URL as it stands, without decoding: letters, digits and hyphens only.
    """
    event_id = event.id if _URL_SAFE.fullmatch(event.id) else hashlib.sha256(event.id.encode()).hexdigest()
    return f"{event_id}-{hashlib.sha256(rows(event)).hexdigest()[:16]}.json"


def at_reference(event: CloudEvent, url: str) -> CloudEvent:
    """`event` with its rows at `url` instead of inline."""
    return msgspec.structs.replace(event, data=UNSET, dataref=url)


def content_range(size: int) -> str:
    """The key `contentrange` of a whole body of `size` bytes; an empty one has no range (RFC 9110 section 14.4)."""
    return f"bytes 0-{size - 1}/{size}" if size else "bytes */0"


def time_text(time_ns: int) -> str:
    """The key `time`: whole seconds in UTC, as every recorded line of Azure's collector has it."""
    return _second_text(time_ns // NS_PER_SECOND)


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
