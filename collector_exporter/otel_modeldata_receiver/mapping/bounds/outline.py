"""The outline of a request: its records by resource and scope, as bytes, within the bounds of each deployment.

Nothing is decoded but resources and scopes. The outline of a request of tiny parts takes far more time than the request
took on the wire, so it is read in steps: `outline` is a generator that yields between them.

The bounds count for each deployment in a request (`Share`): a gateway puts the records of many deployments into one
request, and one of them must not cost the others. What is beyond a bound is not refused and not lost: its bytes are
kept once, together, in quarantine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...exceptions import UndecodableError
from .. import otlp, protowire
from .. import resource as resources

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from ...config.authorization import Client
    from ...config.limits import LimitsConfig
    from ..resource import ReadResource

__all__ = ["ALLOWANCE_BYTES", "Part", "Share", "bytes_bound", "folders_bound", "outline"]

ALLOWANCE_BYTES: Final = 64 * 1024
"""Added to the bound on growth: a line has about a kilobyte beside its rows, however small its record is."""
SMALL_PART_BYTES: Final = 64
"""A smaller part names no deployment and has no record of model data; beyond the bound on parts it is not opened."""
MOST_FIELDS: Final = 1_000_000
"""Of resources, scopes and records of a request; what follows is kept as it is."""
_MOST_ORDINARY_BYTES: Final = 8 * 1024
"""Of the resources of a request whose outline is read at once."""
_STEP: Final = 512
"""Fields that are read in one step, in less than a millisecond."""
_BYTES_OF_A_FIELD: Final = 64
"""A resource counts as fields by its size: it may have an attribute in every second byte."""

# Tags: number << 3 | 2, length-delimited.
_RESOURCE_LOGS: Final = 0x0A  # ExportLogsServiceRequest.resource_logs, ExportTraceServiceRequest.resource_spans
_RESOURCE, _SCOPE_LOGS = 0x0A, 0x12  # ResourceLogs.resource, .scope_logs; ResourceSpans.resource, .scope_spans
_SCOPE, _RECORDS = 0x0A, 0x12  # ScopeLogs.scope, .log_records; ScopeSpans.scope, .spans
_SCHEMA_URL: Final = 0x1A


class _NotOrdinaryError(Exception):
    """An outline is left to `_Reader`."""


class Share(msgspec.Struct, kw_only=True):
    """What one deployment has in one request.

    Attributes:
        tenant: `endpoint/deployment`; empty where the resource cannot be read.
        size: its bytes in the request.
        records: its records that are read.
        rejected: how many of them were rejected so far.
        line_bytes: bytes of the lines that they became so far.
        folders: folders of the lines so far.
        rest: encoded `ResourceLogs` or `ResourceSpans` of what is beyond a bound.
        rest_records: how many records are in them, as far as they were counted.
        bound: which bound it was, as a sentence.
    """

    tenant: str
    size: int = 0
    records: int = 0
    rejected: int = 0
    line_bytes: int = 0
    folders: int = 0
    rest: list[bytes] = msgspec.field(default_factory=list)
    rest_records: int = 0
    bound: str = ""

    def room(self, limits: LimitsConfig) -> int:
        """Bytes that its lines may still take."""
        most = min(limits.max_request_line_bytes, int(self.size * limits.max_growth) + ALLOWANCE_BYTES)
        return most - self.line_bytes

    def keep(self, rest: bytes, records: int, bound: str) -> None:
        """Keep an encoded `ResourceLogs` as it is."""
        self.rest.append(rest)
        self.rest_records += records
        self.bound = self.bound or bound


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The records of one scope of one resource, and whose they are."""

    records: otlp.ScopeRecords
    resource: ReadResource
    share: Share


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request, and what each deployment has in it."""

    parts: Sequence[Part]
    shares: Sequence[Share]


def outline(
    request: bytes, first: ReadResource, limits: LimitsConfig, client: Client | None = None
) -> Generator[None, None, Outline]:
    """Read the outline of an encoded request of log records or spans; yields after each step.

    Args:
        request: an `ExportLogsServiceRequest` or an `ExportTraceServiceRequest`, which have the same field numbers.
        first: its first resource, which is read already.
        limits: the bounds.
        client: the client that sent it, unless it may send for every deployment.

    Raises:
        UndecodableError: not even the outline can be read.
        ForbiddenError: `client` may not send for one of the deployments in it.
    """
    ordinary = _ordinary(request, first, limits)
    if ordinary is not None:
        if client is not None and not isinstance(first.result, Exception):
            client.check(first.result.endpoint, first.result.deployment)
        return ordinary
    reader = _Reader(request, first, limits, client)
    yield from reader.read()
    return Outline(parts=reader.parts, shares=[*reader.shares.values()])


def _ordinary(request: bytes, first: ReadResource, limits: LimitsConfig) -> Outline | None:
    """The outline of a request of one deployment and few records, each resource with one scope, in the usual order.

    None for another one. It is what `_Reader` makes of it, in a quarter of the time, but that records with the resource
    and scope of those before them are in the same part. Nearly all requests of few records are of this kind.
    """
    if limits.max_request_records < _STEP or limits.max_request_parts < 2 * _STEP:  # two parts for each record
        return None
    try:
        return _read_at_once(request, first)
    except (_NotOrdinaryError, UndecodableError):  # the reader reports where
        return None


def _read_at_once(request: bytes, first: ReadResource) -> Outline:
    position, room, known = 0, _MOST_ORDINARY_BYTES, first
    share, parts = Share(tenant=first.tenant), list[Part]()
    resource, scope = first.encoded, b""
    records = protowire.EmbeddedMessages(request)
    while position < len(request):
        start, end = _content(request, position, len(request), _RESOURCE_LOGS)
        begin, position = _content(request, start, end, _RESOURCE)
        is_same = position - begin == len(resource) and request.startswith(resource, begin)
        if not is_same:
            resource = request[begin:position]
        begin, stop = _content(request, position, end, _SCOPE_LOGS)
        begin, position = _content(request, begin, stop, _SCOPE)
        if not (parts and is_same and scope == request[begin:position]):
            scope, room = request[begin:position], room - len(resource)
            if room < 0 or not (parts or is_same):
                raise _NotOrdinaryError
            if not is_same:
                known = resources.try_read(resource)
            if known.tenant != first.tenant:
                raise _NotOrdinaryError
            records = protowire.EmbeddedMessages(request)
            of_scope = otlp.ScopeRecords(resource=resource, encoded_scope=scope, records=records)
            parts.append(Part(records=of_scope, resource=known, share=share))
        before = len(records.starts)
        position = records.add_run(position, stop, _RECORDS, _STEP - 1 - share.records)
        found = len(records.starts) - before
        if position != end or not found:
            raise _NotOrdinaryError
        share.records += found
        share.size += end - start
    if not parts:
        raise _NotOrdinaryError
    return Outline(parts=parts, shares=(share,))


def _content(message: bytes, position: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the field with this tag, which is at this position, begins and ends."""
    if position >= end or message[position] != tag:
        raise _NotOrdinaryError
    size, start = protowire.varint(message, position + 1)
    if start + size > end:
        raise _NotOrdinaryError
    return start, start + size


class _Reader:
    """Reads one request."""

    def __init__(self, request: bytes, first: ReadResource, limits: LimitsConfig, client: Client | None) -> None:
        self._request = request
        self._first = first
        self._limits = limits
        self._client = client
        self._fields = 0
        self._opened = 0
        """Resources and scopes so far."""
        self.parts: list[Part] = []
        self.shares: dict[str, Share] = {}

    def read(self) -> Iterator[None]:
        request, small = self._request, bytearray()
        for tag, start, end in protowire.fields(request, 0, len(request)):
            self._fields += 1
            if not self._fields % _STEP:
                yield
            if tag != _RESOURCE_LOGS or start == end:
                if self._fields > MOST_FIELDS:
                    small += request[end:]
                    break
                continue
            if self._fields > MOST_FIELDS:
                small += protowire.field(1, request[start:end])
                small += request[end:]  # as it is: reading on would take longer than the request is worth
                break
            if self._is_beyond(end - start):
                small += protowire.field(1, request[start:end])
                continue
            yield from self._resource_logs(start, end)
        if small:
            self._share("").keep(bytes(small), 1, self._parts_bound)

    def _resource_logs(self, start: int, end: int) -> Iterator[None]:
        self._opened += 1
        request, encoded, schema_url = self._request, [], b""
        scopes: list[tuple[int, int]] = []
        small = bytearray()
        for tag, begin, stop in protowire.fields(request, start, end):
            self._fields += 1
            if not self._fields % _STEP:
                yield
            if tag == _RESOURCE:
                encoded.append(request[begin:stop])
            elif tag == _SCHEMA_URL:
                schema_url = request[begin:stop]
            elif tag == _SCOPE_LOGS and begin < stop:
                if self._fields > MOST_FIELDS or self._is_beyond(stop - begin):
                    small += protowire.field(2, request[begin:stop])
                else:
                    self._opened += 1
                    scopes.append((begin, stop))
            if self._fields > MOST_FIELDS:  # of any kind: fields that are unknown take as long
                small += request[stop:end]
                break
        resource = b"".join(encoded)  # a message field that occurs twice is merged, as joined bytes are
        yield from self._count(len(resource) // _BYTES_OF_A_FIELD)
        known = self._first if resource == self._first.encoded else resources.try_read(resource)
        if self._client is not None and not isinstance(known.result, Exception):
            self._client.check(known.result.endpoint, known.result.deployment)
        share = self._share(known.tenant)
        share.size += end - start
        for begin, stop in scopes:
            yield from self._scope(begin, stop, known, share, schema_url.decode(errors="replace"))
        if small:
            share.keep(protowire.field(1, protowire.field(1, resource) + small), 1, self._parts_bound)

    def _scope(self, start: int, end: int, resource: ReadResource, share: Share, schema_url: str) -> Iterator[None]:
        """The records of one scope; the first byte of those beyond the bound is where the rest begins."""
        request, position, encoded_scope = self._request, start, []
        records = protowire.EmbeddedMessages(request)
        rest_start, rest_records, bound = end, 0, self._records_bound
        while position < end:
            room = self._limits.max_request_records - share.records
            before = position
            most = min(_STEP, room) if room > 0 else _STEP
            into = records if room > 0 else protowire.EmbeddedMessages(request)
            known = len(into)
            position = into.add_run(position, end, _RECORDS, most)
            if len(into) == known:
                tag, begin, position = next(protowire.fields(request, position, end))
                if tag == _RECORDS:
                    into.add(begin, position)
                elif tag == _SCOPE:
                    encoded_scope.append(request[begin:position])
            found = len(into) - known
            if room > 0:
                share.records += found
            elif found:
                rest_start = min(rest_start, before)
                rest_records += found
            yield from self._count(max(1, found))
            if self._fields > MOST_FIELDS:
                if position < rest_start:
                    rest_start, rest_records, bound = position, 1, self._parts_bound
                break
        if rest_start < end:
            rest = protowire.field(1, resource.encoded) + protowire.field(2, request[rest_start:end])
            share.keep(protowire.field(1, rest), rest_records, bound)
        if records:
            of_scope = otlp.ScopeRecords(
                resource=resource.encoded,
                encoded_scope=b"".join(encoded_scope),
                records=records,
                schema_url=schema_url,
            )
            self.parts.append(Part(records=of_scope, resource=resource, share=share))

    def _count(self, fields: int) -> Iterator[None]:
        before = self._fields // _STEP
        self._fields += fields
        if self._fields // _STEP != before:
            yield

    def _is_beyond(self, size: int) -> bool:
        """Whether a part of this size is not opened; large ones are, because other deployments may be in them."""
        beyond = self._opened - self._limits.max_request_parts
        return beyond >= 0 and (size <= SMALL_PART_BYTES or beyond >= self._limits.max_request_parts)

    def _share(self, tenant: str) -> Share:
        share = self.shares.get(tenant)
        if share is None:
            share = self.shares[tenant] = Share(tenant=tenant)
        return share

    @property
    def _parts_bound(self) -> str:
        return (
            f"too many parts: expected at most {self._limits.max_request_parts} resources and scopes in one request "
            "(limits.max_request_parts), got more; send larger parts, or several requests"
        )

    @property
    def _records_bound(self) -> str:
        return (
            f"too many records: expected at most {self._limits.max_request_records} of one deployment in one request "
            "(limits.max_request_records), got more; send several requests"
        )


def folders_bound(limits: LimitsConfig) -> str:
    """The bound on folders, as a sentence."""
    return (
        f"too many folders: expected lines of a deployment in a request for at most {limits.folders_per_request} "
        "collections and hours (limits.folders_per_request), got more; send old events in smaller requests"
    )


def bytes_bound(share: Share, limits: LimitsConfig) -> str:
    """The bound on bytes of lines, as a sentence."""
    return (
        f"too many bytes of lines: expected at most {limits.max_growth:g} times the {share.size} bytes of a deployment "
        f"in a request, and at most {limits.max_request_line_bytes} (limits.max_growth, "
        "limits.max_request_line_bytes), got more; shorten the resource, or put more rows into a record"
    )
