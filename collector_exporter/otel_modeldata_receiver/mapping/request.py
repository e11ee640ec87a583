"""Maps a request to lines by folder; does no I/O.

`decode` opens a request, `map_records` maps it: both are pure and return frozen values. A bad record never affects
others: each is read on its own, and one that cannot become a line becomes a `Rejected` with its bytes and the reason.
This includes a record that hits an internal error: otherwise its request would be sent again and fail again, forever,
with everything that waits behind it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import BadRecordError
from . import otlp
from . import resource as resources
from .event import LargePayload, PlacedLine
from .rejection import rejected, rejected_by_bug, rejected_bytes
from .scope import ScopeContext, agent_of
from .signal import LOGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..config.authorization import Client
    from ..layout.destination import Destinations
    from ..line import Line
    from .event import Record
    from .quarantine import Rejected
    from .resource import ReadResource
    from .signal import RecordMapper, Signal

__all__ = ["Decoded", "Mapped", "decode", "map_records"]


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded request, decoded as far as admission needs it; its records are decoded when they are mapped.

    Decoded records take memory in proportion to their number: they are not decoded before they are admitted.

    Attributes:
        request: the bytes as they arrived.
        signal: the signal of its records.
        first_resource: its first resource, for most requests the only one.
    """

    request: bytes
    signal: Signal
    first_resource: ReadResource

    @property
    def tenant(self) -> str:
        """`endpoint/deployment` of the first resource; empty if unknown."""
        return self.first_resource.tenant

    def scopes(self) -> Sequence[otlp.ScopeRecords[Any]]:
        """The records by scope.

        Raises:
            UndecodableError: not even the outline of the request can be read.
        """
        return self.signal.decode(self.request)

    def resource_of(self, records: otlp.ScopeRecords[Any]) -> ReadResource:
        """The resource of `records`."""
        first = self.first_resource
        return first if records.resource == first.encoded else resources.try_read(records.resource)


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """A mapped request: the lines and objects for the sink to store.

    Attributes:
        lines: the lines by folder, in the order of the records.
        large: events whose payload is stored as an object before their line.
        rejected: records that cannot become lines.
        defects: internal errors that caused a rejection; the reasons contain only the names of their types.
        records: how many records the request has.
        left_out: how many of them are spans that the settings exclude.
        calls_without_content: how many of them are calls of a language model that succeeded and carry no content.
        records_by_tenant: how many records each tenant sent, `endpoint/deployment`; those of no tenant are left out.
    """

    lines: Mapping[str, Sequence[Line]] = msgspec.field(default_factory=dict)
    large: tuple[LargePayload, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    defects: tuple[Exception, ...] = ()
    records: int = 0
    left_out: int = 0
    calls_without_content: int = 0
    records_by_tenant: Mapping[str, int] = msgspec.field(default_factory=dict)

    @property
    def folders(self) -> list[str]:
        """The folders of all lines, large payloads included."""
        return [*self.lines, *(large.event.folder for large in self.large)]


def decode(request: bytes, signal: Signal = LOGS) -> Decoded:
    """Open an encoded export request of `signal`; a damaged one is reported when it is mapped."""
    return Decoded(request=request, signal=signal, first_resource=resources.try_read(otlp.first_resource(request)))


def map_records(
    decoded: Decoded, *, arrival_ns: int, destinations: Destinations, client: Client | None = None
) -> Mapped:
    """Map the records of a request.

    Args:
        decoded: the request.
        arrival_ns: when it arrived, ns since the epoch.
        destinations: where the lines of each collection are stored.
        client: the client that sent it, unless it may send for every deployment.

    Raises:
        UndecodableError: not even the outline of the request can be read.
        ForbiddenError: `client` may not send for one of the deployments in it.
    """
    outcomes = _Outcomes()
    for records in decoded.scopes():
        deployment = decoded.resource_of(records).result
        if isinstance(deployment, Exception):
            outcomes.reject_all(records, deployment)
            continue
        if client is not None:
            client.check(deployment.endpoint, deployment.deployment)
        scope = ScopeContext(
            resource=deployment,
            encoded_resource=records.resource,
            agent=agent_of(records.scope),
            destinations=destinations.of_deployment(
                deployment.endpoint, deployment.deployment, deployment.rolling_rate
            ),
            arrival_ns=arrival_ns,
        )
        outcomes.map_all(records, scope, decoded.signal.mapper(records, scope))
    return outcomes.mapped()


class _Outcomes:
    """Collects what the records of one request become."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, list[Line]] = defaultdict(list)
        self._large: list[LargePayload] = []
        self._rejected: list[Rejected] = []
        self._defects: list[Exception] = []
        self._records = 0
        self._left_out = 0
        self._calls_without_content = 0
        self._by_tenant: dict[str, int] = {}

    def mapped(self) -> Mapped:
        return Mapped(
            lines={folder: tuple(lines) for folder, lines in self._lines.items()},
            large=tuple(self._large),
            rejected=tuple(self._rejected),
            defects=tuple(self._defects),
            records=self._records,
            left_out=self._left_out,
            calls_without_content=self._calls_without_content,
            records_by_tenant=self._by_tenant,
        )

    def map_all(self, records: otlp.ScopeRecords[Any], scope: ScopeContext, mapper: RecordMapper) -> None:
        """Map the records of one scope."""
        count, tenant = len(records.records) + len(records.damaged), scope.resource.tenant
        self._records += count
        self._by_tenant[tenant] = self._by_tenant.get(tenant, 0) + count
        resource, endpoint = scope.encoded_resource, scope.resource.endpoint
        for record in records.records:
            try:
                outcome = mapper.map(record)
            except BadRecordError as error:
                self._rejected.append(rejected(record, str(error), resource=resource, endpoint=endpoint))
            except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only the record that hits it)
                self._reject_by_bug((record,), error, resource, endpoint)
            else:
                if isinstance(outcome, PlacedLine):
                    self._lines[outcome.folder].append(outcome.line)
                elif isinstance(outcome, LargePayload):
                    self._large.append(outcome)
                else:
                    self._left_out += 1
        self._calls_without_content += mapper.calls_without_content
        self._reject_damaged(records, endpoint)

    def reject_all(self, records: otlp.ScopeRecords[Any], error: Exception) -> None:
        """Reject the records of a resource that cannot be read because of `error`."""
        self._records += len(records.records) + len(records.damaged)
        if isinstance(error, BadRecordError):
            reason = str(error)
            self._rejected += [
                rejected(one, reason, resource=records.resource, endpoint=None) for one in records.records
            ]
        else:
            self._reject_by_bug(records.records, error, records.resource, None)
        self._reject_damaged(records, None)

    def _reject_by_bug(
        self, records: Iterable[Record], error: Exception, resource: bytes, endpoint: str | None
    ) -> None:
        self._defects.append(error)
        self._rejected += [rejected_by_bug(one, error, resource=resource, endpoint=endpoint) for one in records]

    def _reject_damaged(self, records: otlp.ScopeRecords[Any], endpoint: str | None) -> None:
        self._rejected += [
            rejected_bytes(one.raw, one.reason, resource=records.resource, endpoint=endpoint) for one in records.damaged
        ]
