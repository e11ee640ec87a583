"""The line: one CloudEvent in the JSON format, with the keys, order and value formats of Azure ML's own collector.

The first seven keys are always in this order. Every value is a JSON string except `data`, which is inserted as the
bytes that arrived: numbers and escapes are never parsed and printed again. This module does not depend on OTLP.

`CloudEvent` is the one table of line keys. To add an attribute of log records to the line, add a field there and its
meaning to the docstring:

    batch: Annotated[str | UnsetType, FromAttribute(semconv.AZUREML_BATCH)] = UNSET

Reading (`log_record.py`), the line templates (`line_template/`), their tests and `docs/reference/line-format.md` follow
from the table.
"""

from __future__ import annotations

import enum
import hashlib
import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from otel_modeldata import semconv

from ..layout.partition import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A line is never split over two appends, and an append block holds 4 MiB in every Azure account; 100 MiB is a preview.
The rows of a longer line are stored as an object."""
MAX_HEAD_BYTES: Final = MAX_LINE_BYTES - 64 * 1024
"""The size of such a line without its rows; the rest is room for the URL of the object."""


class Varies(enum.Enum):
    """How the values of an attribute may differ between records that share a line template (`line_template/`).

    Attributes:
        NO: the attribute is checked, or other keys depend on it: the value is the same in all records.
        TEXT: a text that is valid in every line if it has no special characters; the line has it as it was sent.
        NUMBER: an integer; the line has its decimal digits.
        COLLECTION: the name of a tabular collection; the type and the folder of the line follow from it.
    """

    NO = "no"
    TEXT = "text"
    NUMBER = "number"
    COLLECTION = "collection"


class FromAttribute(NamedTuple):
    """Marks a line key as the value of an attribute of log records.

    Attributes:
        name: of the attribute. An empty value counts as absent.
        varies: see `Varies`.
    """

    name: str
    varies: Varies = Varies.NO


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a line, in their order; extension attributes of the caller follow.

    Attributes:
        specversion: version of CloudEvents.
        id: the event's id, a UUID made by `collect`. A retry has the same id, and each id is stored once. For a record
            of another SDK that has none, it is made by the gateway, or by the receiver each time the record arrives.
        source: the deployment: its ARM id (`cloud.resource_id`), else `/endpoints/{endpoint}/deployments/{name}`.
        type: `azureml.inference.{collection}`.
        datacontenttype: media type of `data`, usually `application/json`.
        time: `YYYY-MM-DDTHH:MM:SSZ`; Azure's lines have whole seconds, `timens` has the rest.
        data: JSON text, inserted as it is; unset in a line with `dataref`.
        dataref: the URL of rows that are too large for a line; in a local store the absolute path, not encoded, which
            is the only form that Azure ML's reader opens. The object is `files/{last segment}` beside the blob, also
            after the store was moved or copied.
        path: of a request, with its query.
        method: HTTP method of a request.
        contentrange: `bytes 0-{n-1}/{n}`, n = bytes of the body as it was collected; see `content_range`.
        datainblob: `"true"` where `data` is the URL of a binary payload.
        correlationid: joins the inputs and outputs of a request. Row n of `data` has the row id `{correlationid}_{n}`.
        xrequestid: the request's `x-request-id`, else the correlation id.
        modelversion: version of the model, `default` where none is given.
        collectdatatype: always set in tabular collections, so that their lines have one set of keys.
        agent: name and version of the library that collected.
        statuscode: of a response.
        latencyms: from the first byte of a request to the end of its response.
        timens: nanoseconds since the epoch; a string, because JSON readers lose digits of such integers.
        samplingrate: share of correlation ids that are collected: the event represents 1/samplingrate events.
        producer: the process that collected.
        producersequence: number of the event among those of its producer and collection, from 0; lines of
            a blob may be in another order. It is not CloudEvents' extension `sequence`, which orders all events of a
            source as texts.
        datatypes: the types of the columns of `data`, in their order, run-length coded: `f8*15,i8*4,s,c`; see
            [data types](data-types.md).
        traceparent: CloudEvents extension "Distributed Tracing": the span in which the event was collected.
    """

    specversion: str = "1.0"
    id: Annotated[str, FromAttribute(semconv.CLOUDEVENTS_EVENT_ID, Varies.TEXT)]
    source: str
    type: str
    datacontenttype: str
    time: str
    data: msgspec.Raw | UnsetType = UNSET
    dataref: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    contentrange: str
    datainblob: str | UnsetType = UNSET
    correlationid: Annotated[str, FromAttribute(semconv.AZUREML_CORRELATION_ID, Varies.TEXT)]
    xrequestid: Annotated[str, FromAttribute(semconv.AZUREML_REQUEST_ID, Varies.TEXT)]
    modelversion: Annotated[str, FromAttribute(semconv.AZUREML_MODEL_VERSION)]
    collectdatatype: Annotated[str | UnsetType, FromAttribute(semconv.AZUREML_DATA_TYPE)] = UNSET
    agent: Annotated[str, FromAttribute(semconv.AZUREML_AGENT)]
    statuscode: str | UnsetType = UNSET
    latencyms: str | UnsetType = UNSET
    timens: str
    samplingrate: Annotated[str | UnsetType, FromAttribute(semconv.AZUREML_SAMPLING_RATE)] = UNSET
    producer: str | UnsetType = UNSET
    producersequence: Annotated[str | UnsetType, FromAttribute(semconv.AZUREML_PRODUCER_SEQUENCE, Varies.NUMBER)] = (
        UNSET
    )
    datatypes: Annotated[str | UnsetType, FromAttribute(semconv.AZUREML_DATA_TYPES)] = UNSET
    traceparent: str | UnsetType = UNSET


def _line_attributes() -> dict[str, FromAttribute]:
    hints = get_type_hints(CloudEvent, include_extras=True)
    marks = {key: getattr(hint, "__metadata__", ()) for key, hint in hints.items()}
    return {key: mark for key, found in marks.items() for mark in found if isinstance(mark, FromAttribute)}


LINE_ATTRIBUTES: Final = _line_attributes()
"""The attributes that become line keys, by line key: what `CloudEvent` declares."""
_NOT_EXTENSIONS: Final = semconv.RESERVED_LINE_KEYS.union(
    CloudEvent.__struct_fields__,
    ("dataschema", "subject"),  # context attributes of CloudEvents 1.0 with a meaning of their own
    (semconv.ERASED_ROWS_KEY,),  # a sender cannot hide rows from readers
)
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_encoder: Final = msgspec.json.Encoder()


def is_free_key(name: str) -> bool:
    """Whether a caller's extension attribute may be the line key `name`.

    CloudEvents 1.0 "Naming Conventions" allow only lower-case letters and digits. So no such key equals another key of
    the line up to case, which Spark requires.
    """
    return semconv.is_extension_name(name) and name not in _NOT_EXTENSIONS


def encode(event: CloudEvent, extensions: Mapping[str, str]) -> bytes:
    """The line of `event`: one JSON object and one LF, in UTF-8, with no other line break in it."""
    head = _encoder.encode(event)
    if not extensions:
        return head + b"\n"
    return b"%b,%b\n" % (head[:-1], _encoder.encode(extensions)[1:])


def rows_object_name(event_id: str, rows: bytes) -> str:
    """The name of the object for the rows of an event: the same for a retry, another one for other rows.

    Readers use the URL as it is, without decoding: letters, digits and hyphens only.
    """
    safe_id = event_id if _URL_SAFE.fullmatch(event_id) else hashlib.sha256(event_id.encode()).hexdigest()
    return f"{safe_id}-{hashlib.sha256(rows).hexdigest()[:16]}.json"


def binary_object_name(content: bytes) -> str:
    """The name of the object for a binary payload: 64 hex digits, the SHA-256 of its bytes.

    Azure ML's collector names it by the event. Here the name comes from the content, so an image that is scored twice
    in an hour is stored once; the line of the event has its URL. The name has no extension, because the bytes may be
    anything.
    """
    return hashlib.sha256(content).hexdigest()


def at_reference(event: CloudEvent, url: str) -> CloudEvent:
    """`event` with its rows at `url` instead of inline."""
    return msgspec.structs.replace(event, data=UNSET, dataref=url)


def at_blob(event: CloudEvent, url: str) -> CloudEvent:
    """`event` with its binary payload at `url`, in the form that Azure ML's collector gives such lines."""
    return msgspec.structs.replace(event, data=msgspec.Raw(_encoder.encode(url)), datainblob="true")


def content_range(size: int, total: int | str | None = None) -> str:
    """The key `contentrange` of the first `size` bytes of a body.

    Args:
        size: bytes that were collected.
        total: bytes of the whole body, `*` where this is unknown, None where all of it was collected.

    An empty body has no range; its key is `bytes */{total}` (RFC 9110 section 14.4).
    """
    if size:
        return f"bytes 0-{size - 1}/{size if total is None else total}"
    return f"bytes */{total}" if isinstance(total, int) else "bytes */0"


def time_text(time_ns: int) -> str:
    """The key `time`: whole seconds in UTC, as in every recorded line of Azure's collector."""
    return _second_text(time_ns // NS_PER_SECOND)


def moment_text(time_ns: int) -> str:
    """ISO 8601 in UTC with microseconds, the form that Azure's GenAI preprocessor reads as a time."""
    return f"{time_text(time_ns)[:-1]}.{time_ns % NS_PER_SECOND // 1000:06d}Z"


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
