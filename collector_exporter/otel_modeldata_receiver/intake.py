"""A request becomes lines by folder, without any input or output: the pure half of the service.

One bad record never costs its neighbors: each is read on its own, and what cannot become a line becomes a `Rejected`
with its bytes and the reason. That holds for a record that runs into a defect of ours, too: its request would come
again and fail again, for ever, with everything that waits behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from . import cloudevent, event, origin, otlp, rolling
from .exceptions import BadRecordError
from .quarantine import Rejected
from .rolling import RollingRate
from .sink import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


class Oversized(NamedTuple):
    """An event whose rows need an object of their own before its line can be written.

    Attributes:
        event: what the line says.
        record: the record it was read from, to be kept should its rows not be storable.
        resource: the encoded resource of the record.
        endpoint: its endpoint.
    """

    event: event.Event
    record: LogRecord
    resource: bytes
    endpoint: str


@dataclass(slots=True, kw_only=True)
class Intake:
    """What a request asks the sink to store; it fills while the request is read.

    Attributes:
        lines: the lines by folder, in the order of the records.
        oversized: events whose rows need an object of their own before their line can be written.
        rejected: records that cannot become lines.
        defects: errors of ours that made records rejected; the reasons name their types only.
        records: how many records the request had.
    """

    lines: dict[str, list[Line]] = field(default_factory=dict)
    oversized: list[Oversized] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)
    records: int = 0

    def add_line(self, folder: str, line: Line) -> None:
        """Append `line` to those of `folder`."""
        lines = self.lines.get(folder)
        if lines is None:
            self.lines[folder] = [line]
        else:
            lines.append(line)

    def reject_defect(
        self, records: Sequence[LogRecord], error: Exception, *, resource: bytes, endpoint: str | None
    ) -> None:
        """Keep `records` aside that no line can be made of through a fault of ours."""
        self.defects.append(error)
        # Only the type: what an unexpected error says may quote the record.
        reason = f"defect: expected to make a line, got {type(error).__name__}; report it with the receiver's log"
        reject(self, records, reason, resource, endpoint)


def read(request: bytes, *, arrival_ns: int, rolling_rate: RollingRate | None) -> Intake:
    """Read an encoded `ExportLogsServiceRequest`.

    Args:
        request: the bytes as they arrived.
        arrival_ns: when, in ns since the epoch.
        rolling_rate: the receiver's own setting; None leaves the choice to each deployment, then to Hour.

    Raises:
        UndecodableError: not even the outline of the request could be read.
    """
    intake = Intake()
    ids = event.Ids()
    for scope_records in otlp.decode(request):
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
        rate = rolling_rate or records_origin.rolling_rate or RollingRate.HOUR
        rolling.warn_unless_hour(rate)
        source = event.Source(
            origin=records_origin,
            resource=scope_records.resource,
            agent=event.agent_of(scope_records.scope),
            rolling_rate=rate,
            arrival_ns=arrival_ns,
            ids=ids,
        )
        _take(intake, scope_records.records, source)
        _reject_damaged(intake, scope_records, endpoint=records_origin.endpoint)
    return intake


def tenant_of(request: bytes) -> str:
    """`endpoint/deployment` of the first resource of an encoded request, at the cost of a look; empty if unknown."""
    try:
        sender = origin.read(otlp.first_resource(request))
    except Exception:  # noqa: BLE001 (third edge: whatever is wrong with a resource is told when records are read)
        return ""
    return f"{sender.endpoint}/{sender.deployment}"


def reject(intake: Intake, records: Iterable[LogRecord], reason: str, resource: bytes, endpoint: str | None) -> None:
    """Keep `records` aside, for the same reason."""
    intake.rejected.extend(
        Rejected(
            reason=reason,
            record=record.SerializeToString(),
            resource=resource,
            endpoint=endpoint,
            collection=event.collection_hint(record),
            time_ns=record.time_unix_nano or record.observed_time_unix_nano,
        )
        for record in records
    )


def _take(intake: Intake, records: Iterable[LogRecord], source: event.Source) -> None:
    for record in records:
        try:
            _take_one(intake, record, source)
        except BadRecordError as error:
            reject(intake, (record,), str(error), source.resource, source.origin.endpoint)
        except Exception as error:  # noqa: BLE001 (third edge: a defect costs the record it is about, see above)
            intake.reject_defect((record,), error, resource=source.resource, endpoint=source.origin.endpoint)


def _take_one(intake: Intake, record: LogRecord, source: event.Source) -> None:
    read_event = event.read(record, source)
    line = cloudevent.encode(read_event.line, read_event.extensions)
    if len(line) <= cloudevent.MAX_LINE_BYTES:
        intake.add_line(read_event.folder, Line(read_event.line.id, line))
    else:
        _check_head(read_event)
        intake.oversized.append(Oversized(read_event, record, source.resource, source.origin.endpoint))


def _check_head(oversized: event.Event) -> None:
    """Refuse an event whose line stays too long without its rows.

    Raises:
        BadRecordError: attributes alone fill an append block.
    """
    head = cloudevent.encode(cloudevent.at_reference(oversized.line, ""), oversized.extensions)
    if len(head) > cloudevent.MAX_HEAD_BYTES:
        raise BadRecordError(
            f"attributes too large: expected at most {cloudevent.MAX_HEAD_BYTES} bytes beside the rows, "
            f"got {len(head)}; put large values into the rows"
        )


def _reject_damaged(intake: Intake, scope_records: otlp.ScopeRecords, *, endpoint: str | None) -> None:
    intake.rejected.extend(
        Rejected(reason=damaged.reason, record=damaged.raw, resource=scope_records.resource, endpoint=endpoint)
        for damaged in scope_records.damaged
    )
