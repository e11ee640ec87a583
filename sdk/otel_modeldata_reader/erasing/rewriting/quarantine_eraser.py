"""Takes chosen records out of the quarantine: base64 of records, and of whole requests, inline or in objects.

A record alone goes with its line. Of a request that is kept as a whole, only the chosen records go, and the others stay
as they were sent. What is so damaged that its records cannot be told apart goes as a whole if it has a chosen id.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from otel_modeldata import semconv
from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.layout.payload_path import payload_path
from otel_modeldata_receiver.mapping import protowire
from otel_modeldata_receiver.mapping.quarantine import OTLP_CONTENT_TYPE, object_name
from otel_modeldata_receiver.otlp_messages import LogRecord
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

from ...auditing import quarantine_line
from ..places import deployment_of
from .line_eraser import LineChange, NewObject, rows_of
from .line_keys import LineKeys, members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...auditing.quarantine_line import Origin, QuarantinedLine
    from ...blobs.store_access import StoreAccess
    from ..choosing.quarantine_condition import QuarantineCondition
    from ..choosing.selection import Selection

__all__ = ["QuarantineEraser", "QuarantinedRecord"]

_MOST_BYTES: Final = 512 << 20
_TOKEN: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/-]{0,511}")
_FIRST: Final = 0x0A
"""The tag of the resources of a request, and of the resource of their records."""
_SECOND: Final = 0x12
"""The tag of the scopes of a resource, and of the records of a scope."""
_encode: Final = msgspec.json.Encoder().encode


class QuarantinedRecord(NamedTuple):
    """A record in quarantine, as far as it can be read.

    Attributes:
        keys: as a line would have them.
        origin: who sent it.
        body: its rows; empty if they are no text.
    """

    keys: LineKeys
    origin: Origin
    body: bytes


class QuarantineEraser:
    """Erases from the lines of one folder of the quarantine; see `LineEraser`.

    Args:
        selection: the chosen rows.
        store: has the objects that lines refer to.
        folder: where they are looked for.
        objects: what lines may refer to, see `objects_of`.
        scope: a deployment, or a collection of it: records of other deployments stay.
        only: whether records of other collections than `scope` stay, too.
        parked_by: as for `LineEraser`.
        condition: chooses records by their rows, in addition to the selection.
    """

    def __init__(  # noqa: PLR0913 (made in one place)
        self,
        selection: Selection,
        store: StoreAccess,
        folder: str,
        objects: Mapping[str, tuple[str, int]],
        *,
        scope: str,
        only: bool = False,
        parked_by: str | None = None,
        condition: QuarantineCondition | None = None,
    ) -> None:
        # Rows that cannot be read belong to the request that they name.
        self._selection = msgspec.structs.replace(selection, exact=frozenset())
        self._store = store
        self._folder = folder
        self._objects = objects
        self._deployment = tuple(deployment_of(scope).lower().split("/")) if deployment_of(scope) else None
        self._only = scope if only else ""
        self._parked_by = parked_by
        self._condition = condition

    def touched(self, content: bytes, count: int) -> None:
        """Every line is looked at: see `LineEraser.touched`."""

    def change(self, line: bytes) -> LineChange | None:
        """See `LineEraser.change`.

        Raises:
            StoreUnavailableError: an object of the line cannot be read.
        """
        members = members_of(line)
        try:
            found = quarantine_line.decode(line) if members is not None else None
        except (ValueError, RecursionError):
            found = None
        if found is None or members is None:
            return LineChange(line=b"", rows=0, keys=None) if self._selection.is_in(line) else None
        if found.request or found.requestref:
            return self._of_request(members, found)
        record, name = self._part(found.record, found.recordref)
        resource, _ = self._part(found.resource, found.resourceref)
        read = read_record(record, quarantine_line.origin_of(resource))
        if not self._is_chosen(read, record):
            return None
        stored, size = self._objects.get(name, ("", 0))
        return LineChange(line=b"", rows=0, keys=read.keys, old_object=stored, object_size=size)

    def _of_request(self, members: dict[str, msgspec.Raw], found: QuarantinedLine) -> LineChange | None:
        request, name = self._part(found.request, found.requestref)
        stored, size = self._objects.get(name, ("", 0))
        chosen: list[LineKeys] = []
        kept = 0

        def stays(resource: bytes, record: bytes) -> bool:
            nonlocal kept
            read = read_record(record, quarantine_line.origin_of(resource))
            if self._is_chosen(read, record):
                chosen.append(read.keys)
                return False
            kept += 1
            return True

        try:
            rest = _without(request, stays)
        except UndecodableError:
            whole = LineChange(line=b"", rows=0, keys=None, old_object=stored, object_size=size)
            return whole if self._has_token(request) else None
        if not chosen:
            return None
        if not kept:
            return LineChange(line=b"", rows=0, keys=chosen[0], old_object=stored, object_size=size)
        members = dict(members)
        new = None
        if found.requestref:
            new_name = f"{self._folder}/files/{object_name(rest)}"
            new_stored = new_name
            if self._parked_by is not None:
                new_stored = parked_object(new_name, OTLP_CONTENT_TYPE, self._parked_by)
            new = NewObject(name=new_stored, content=rest)
            members["requestref"] = msgspec.Raw(_encode(self._store.url_of(new_name)))
        else:
            members["request"] = msgspec.Raw(_encode(b64encode(rest).decode()))
        members["size"] = msgspec.Raw(_encode(len(rest)))
        if "records" in members:
            members["records"] = msgspec.Raw(_encode(kept))
        content = b",".join(b"%b:%b" % (_encode(key), bytes(value)) for key, value in members.items())
        return LineChange(
            line=b"{%b}\n" % content, rows=0, keys=None, old_object=stored, new_object=new, object_size=size
        )

    def _is_chosen(self, read: QuarantinedRecord, record: bytes) -> bool:
        tenant = read.origin.tenant
        if self._deployment is not None and tenant is not None and tuple(map(str.lower, tenant)) != self._deployment:
            return False
        keys = read.keys
        collection = keys.type.removeprefix(semconv.EVENT_TYPE_PREFIX)
        root = f"{'/'.join(tenant or ('', ''))}/{collection}"
        if self._only and root.lower() != self._only.lower():
            return False
        if self._selection.rows_of(root, keys.id, keys.correlation_id, keys.trace_id):
            return True
        if self._selection.in_rows(root) and self._names_any(root, read.body):
            return True
        if self._condition is not None and self._condition.is_chosen(read):
            return True
        return not keys.id and not keys.correlation_id and self._has_token(record)

    def _names_any(self, root: str, body: bytes) -> bool:
        rows = rows_of(body)
        return any(self._selection.names_any(root, row) for row in ([body] if rows is None else rows))

    def _has_token(self, content: bytes) -> bool:
        """Whether bytes have a chosen id as a text; the byte before a text is its length, and may be a letter."""
        for match in _TOKEN.finditer(content):
            text = match[0].decode()
            if self._selection.is_named(text) or self._selection.is_named(text[1:]):
                return True
        return False

    def _part(self, inline: str, reference: str) -> tuple[bytes, str]:
        """The bytes of a part of a line, and the name of its object; empty where they are gone."""
        if not reference:
            return quarantine_line.decode_base64(inline), ""
        name = payload_path(self._folder, reference).found(self._objects) or ""
        stored, size = self._objects.get(name, ("", 0))
        return (self._store.read(stored, size) if stored and size <= _MOST_BYTES else b""), name


def read_record(record: bytes, origin: Origin) -> QuarantinedRecord:
    """What an encoded record says about itself; any of it may be damaged."""
    texts = quarantine_line.texts_of(record)
    event = quarantine_line.event_of(record, texts, origin)
    trace_id, body = "", b""
    try:
        decoded = LogRecord.FromString(record)
    except DecodeError:
        pass
    else:
        trace_id = decoded.trace_id.hex()
        kind = decoded.body.WhichOneof("value")
        body = decoded.body.string_value.encode() if kind == "string_value" else b""
        body = decoded.body.bytes_value if kind == "bytes_value" else body
    keys = LineKeys(
        id=texts.get(semconv.CLOUDEVENTS_EVENT_ID, ""),
        source=event.source,
        type=semconv.event_type(event.collection),
        correlation_id=texts.get(semconv.AZUREML_CORRELATION_ID),
        trace_id=trace_id,
        data=body,
        dataref=None,
        is_binary=False,
        erased=None,
        producer=event.producer,
        sequence=event.number,
    )
    return QuarantinedRecord(keys, origin, body)


def _without(request: bytes, stays: Callable[[bytes, bytes], bool]) -> bytes:
    """A request without some records; all others, and everything around them, as they were.

    Raises:
        UndecodableError: the bytes are no request.
    """
    parts = []
    for tag, start, end, raw in _raw_fields(request, 0, len(request)):
        if tag != _FIRST:
            parts.append(raw)
            continue
        resource = b"".join(
            request[begin:stop] for one, begin, stop in protowire.fields(request, start, end) if one == _FIRST
        )
        scopes = []
        for inner, begin, stop, raw_scope in _raw_fields(request, start, end):
            if inner != _SECOND:
                scopes.append(raw_scope)
                continue
            records = [
                raw_record
                for last, first, until, raw_record in _raw_fields(request, begin, stop)
                if last != _SECOND or stays(resource, request[first:until])
            ]
            scopes.append(protowire.field(_SECOND >> 3, b"".join(records)))
        parts.append(protowire.field(_FIRST >> 3, b"".join(scopes)))
    return b"".join(parts)


def _raw_fields(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, bytes]]:
    """The fields of a message, each with its content and with all of its bytes."""
    position = start
    for tag, begin, stop in protowire.fields(message, start, end):
        yield tag, begin, stop, message[position:stop]
        position = stop
