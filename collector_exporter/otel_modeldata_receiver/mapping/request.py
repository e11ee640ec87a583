"""A request becomes lines by folder, without any input or output: the pure half of the service.

One bad record never costs its neighbors: each is read on its own, and what cannot become a line becomes a `Rejected`
with its bytes and the reason. That holds for a record that runs into a defect of ours, too: its request would come
again and fail again, for ever, with everything that waits behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from ..line import Line
from . import cloudevent, log_record, otlp
from . import resource as origin
from .quarantine import Rejected
from .signal import LOGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..config.authorization import Client
    from ..layout.destination import Destinations
    from .signal import ReadEvent, Record, Signal
    from .splice import Splicer


class Apart(NamedTuple):
    """An event whose payload needs an object of its own before its line can be written.

    Attributes:
        event: what the line says; without `data` where the payload is binary.
        record: the record it was read from, to be kept should its payload not be storable.
        resource: the encoded resource of the record.
        endpoint: its endpoint.
    """

    event: log_record.Event
    record: Record
    resource: bytes
    endpoint: str

    @property
    def content(self) -> bytes:
        """What the object holds."""
        return self.event.content

    @property
    def content_type(self) -> str:
        """What the object is."""
        return self.event.line.datacontenttype if self.event.binary else semconv.JSON_CONTENT_TYPE

    def object_name(self) -> str:
        """The object's name in the store; it has a digest of the content, which takes its time."""
        if self.event.binary:
            name = cloudevent.binary_object_name(self.content)
        else:
            name = cloudevent.rows_object_name(self.event.line.id, self.content)
        return f"{self.event.folder}/files/{name}"

    def line_at(self, url: str) -> bytes:
        """The line that points to the object."""
        pointing = cloudevent.at_blob if self.event.binary else cloudevent.at_reference
        return cloudevent.encode(pointing(self.event.line, url), self.event.extensions)


@dataclass(slots=True, kw_only=True)
class Intake:
    """What a request asks the sink to store; it fills while the request is read.

    Attributes:
        lines: the lines by folder, in the order of the records.
        apart: events whose payload needs an object of its own before their line can be written.
        rejected: records that cannot become lines.
        defects: errors of ours that made records rejected; the reasons name their types only.
        records: how many records the request had.
        left_out: spans among them that the operator does not want.
    """

    lines: dict[str, list[Line]] = field(default_factory=dict)
    apart: list[Apart] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)
    records: int = 0
    left_out: int = 0

    def add_line(self, folder: str, line: Line) -> None:
        """Append `line` to those of `folder`."""
        lines = self.lines.get(folder)
        if lines is None:
            self.lines[folder] = [line]
        else:
            lines.append(line)

    def reject_defect(
        self, records: Sequence[Record], error: Exception, *, resource: bytes, endpoint: str | None
    ) -> None:
        """Keep `records` aside that no line can be made of through a fault of ours."""
        self.defects.append(error)
        # Only the type: what an unexpected error says may quote the record.
        reason = f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
        reject(self, records, reason, resource, endpoint)


def read(
    request: bytes,
    *,
    arrival_ns: int,
    destinations: Destinations,
    signal: Signal = LOGS,
    client: Client | None = None,
) -> Intake:
    """Read an encoded export request.

    Args:
        request: the bytes as they arrived.
        arrival_ns: when, in ns since the epoch.
        signal: whether it has log records or spans.
        destinations: knows where the lines of each collection go.
        client: who sends it, unless it may send for every deployment.

    Raises:
        UndecodableError: not even the outline of the request could be read.
        ForbiddenError: `client` may not send for one of the deployments in it.
    """
    intake = Intake()
    ids = log_record.Ids()
    for scope_records in signal.decode(request):
        intake.records += len(scope_records.records) + len(scope_records.damaged)
        try:
            records_origin = origin.read(scope_records.resource)
        except BadRecordError as error:
            reject(intake, scope_records.records, str(error), scope_records.resource, None)
            _reject_damaged(intake, scope_records, endpoint=None)
            continue
        except Exception as error:  # noqa: BLE001 (third edge: a defect costs the records it is about, see above)
            intake.reject_defect(scope_records.records, error, resource=scope_records.resource, endpoint=None)
            _reject_damaged(intake, scope_records, endpoint=None)
            continue
        if client is not None:
            client.check(records_origin.endpoint, records_origin.deployment)
        source = log_record.Source(
            origin=records_origin,
            resource=scope_records.resource,
            agent=log_record.agent_of(scope_records.scope),
            destinations=destinations.of_deployment(
                records_origin.endpoint, records_origin.deployment, records_origin.rolling_rate
            ),
            arrival_ns=arrival_ns,
            ids=ids,
        )
        splicer = None if signal.splicer is None else signal.splicer(source, intake.lines)
        _take(intake, scope_records.records, source, signal.reader(scope_records, source), splicer)
        _reject_damaged(intake, scope_records, endpoint=records_origin.endpoint)
    return intake


def tenant_of(request: bytes) -> str:
    """`endpoint/deployment` of the first resource of an encoded request, at the cost of a look; empty if unknown."""
    try:
        sender = origin.read(otlp.first_resource(request))
    except Exception:  # noqa: BLE001 (third edge: whatever is wrong with a resource is told when records are read)
        return ""
    return f"{sender.endpoint}/{sender.deployment}"


def reject(intake: Intake, records: Iterable[Record], reason: str, resource: bytes, endpoint: str | None) -> None:
    """Keep `records` aside, for the same reason."""
    intake.rejected.extend(
        Rejected(
            reason=reason,
            record=raw,
            resource=resource,
            endpoint=endpoint,
            collection=collection,
            time_ns=time_ns,
        )
        for raw, collection, time_ns in map(_about, records)
    )


def _about(record: Record) -> tuple[bytes, str | None, int]:
    """A record that is refused: its bytes, and its collection and time as far as they are known."""
    if isinstance(record, Span):
        return record.SerializeToString(), semconv.TRACE_COLLECTION, record.end_time_unix_nano
    try:
        found = otlp.log_record(record)
    except BadRecordError:
        return record, None, 0
    return record, log_record.collection_hint(found), found.time_unix_nano or found.observed_time_unix_nano


def _take(
    intake: Intake, records: Iterable[Any], source: log_record.Source, read_event: ReadEvent, splicer: Splicer | None
) -> None:
    for record in records:
        try:
            if splicer is not None and splicer.take(record):
                continue
            _take_one(intake, record, source, read_event(record))
        except BadRecordError as error:
            reject(intake, (record,), str(error), source.resource, source.origin.endpoint)
        except Exception as error:  # noqa: BLE001 (third edge: a defect costs the record it is about, see above)
            intake.reject_defect((record,), error, resource=source.resource, endpoint=source.origin.endpoint)


def _take_one(intake: Intake, record: Record, source: log_record.Source, read_event: log_record.Event | None) -> None:
    if read_event is None:
        intake.left_out += 1
        return
    if not read_event.binary:
        line = cloudevent.encode(read_event.line, read_event.extensions)
        if len(line) <= cloudevent.MAX_LINE_BYTES:
            intake.add_line(read_event.folder, Line(read_event.line.id, line))
            return
    apart = Apart(read_event, record, source.resource, source.origin.endpoint)
    _check_head(apart)
    intake.apart.append(apart)


def _check_head(apart: Apart) -> None:
    """Refuse an event whose line stays too long without its payload.

    Raises:
        BadRecordError: attributes alone fill an append block.
    """
    size = len(apart.line_at(""))
    if size > cloudevent.MAX_HEAD_BYTES:
        raise BadRecordError(
            f"attributes too large: expected at most {cloudevent.MAX_HEAD_BYTES} bytes beside the rows, "
            f"got {size}; put large values into the rows"
        )


def _reject_damaged(intake: Intake, scope_records: otlp.ScopeRecords[Any], *, endpoint: str | None) -> None:
    intake.rejected.extend(
        Rejected(reason=damaged.reason, record=damaged.raw, resource=scope_records.resource, endpoint=endpoint)
        for damaged in scope_records.damaged
    )
