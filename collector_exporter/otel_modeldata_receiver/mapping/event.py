"""An event: one record after all checks. It becomes a line, or a large payload that a line refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..line import Line
from . import cloudevent

if TYPE_CHECKING:
    from .scope import ScopeContext

Record: TypeAlias = bytes
"""A log record or a span stays encoded until it is read."""


class Event(msgspec.Struct, frozen=True):
    """A log record or a span that passed every check.

    Attributes:
        collection: its collection.
        folder: the folder of its line, relative to the store.
        line: the keys of the line.
        extensions: further keys of the line, set by the caller.
        content: the text of the key `data`, or, of a binary payload, its bytes: the line has their URL.
        binary: whether the payload is binary.
    """

    collection: str
    folder: str
    line: cloudevent.CloudEvent
    extensions: dict[str, str]
    content: bytes
    binary: bool = False


class PlacedLine(msgspec.Struct, frozen=True, gc=False):
    """A line and the folder where it is stored."""

    folder: str
    line: Line


class LargePayload(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose payload is stored as an object before its line can be written.

    Attributes:
        event: the event; its line has no `data` where the payload is binary.
        record: the record, for quarantine if its payload cannot be stored; or what stands before and after the content
            in it.
        resource: the encoded resource of the record.
        endpoint: the endpoint of the record.
    """

    event: Event
    record: Record | tuple[bytes, bytes]
    resource: bytes
    endpoint: str

    @property
    def content(self) -> bytes:
        """The bytes of the object."""
        return self.event.content

    @property
    def content_type(self) -> str:
        """The media type of the object."""
        return self.event.line.datacontenttype if self.event.binary else semconv.JSON_CONTENT_TYPE

    def whole_record(self) -> Record:
        """The record, with its content."""
        return self.record if isinstance(self.record, bytes) else self.content.join(self.record)

    def object_name(self) -> str:
        """The object's name in the store; it contains a digest of the content, which takes time to compute."""
        if self.event.binary:
            name = cloudevent.binary_object_name(self.content)
        else:
            name = cloudevent.rows_object_name(self.event.line.id, self.content)
        return f"{self.event.folder}/files/{name}"

    def line_at(self, url: str) -> bytes:
        """The line that refers to the object at `url`."""
        referring = cloudevent.at_blob if self.event.binary else cloudevent.at_reference
        return cloudevent.encode(referring(self.event.line, url), self.event.extensions)


Outcome: TypeAlias = "PlacedLine | LargePayload | None"
"""The result for a record; None where the settings exclude it."""


def outcome_of(event: Event, record: Record, scope: ScopeContext) -> PlacedLine | LargePayload:
    """The result for `event`, which was read from `record`: a line or a large payload.

    Raises:
        BadRecordError: the attributes alone are too large for a line.
    """
    if not event.binary and len(event.content) < cloudevent.MAX_LINE_BYTES:  # else encoding it would be a copy in vain
        line = cloudevent.encode(event.line, event.extensions)
        if len(line) <= cloudevent.MAX_LINE_BYTES:
            return PlacedLine(event.folder, Line(event.line.id, line))
    large = LargePayload(event=event, record=record, resource=scope.encoded_resource, endpoint=scope.resource.endpoint)
    size = len(large.line_at(""))
    if size > cloudevent.MAX_HEAD_BYTES:
        raise BadRecordError(
            f"attributes too large: expected at most {cloudevent.MAX_HEAD_BYTES} bytes beside the rows, "
            f"got {size}; put large values into the rows"
        )
    return large
