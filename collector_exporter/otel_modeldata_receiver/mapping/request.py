"""Maps a request to lines by folder; does no I/O.

`decode` opens a request, `steps` maps it: both are pure and return frozen values. A bad record never affects others:
each is read on its own, and one that cannot become a line becomes a `Rejected` with its bytes and the reason. This
includes a record that hits an internal error: otherwise its request would be sent again and fail again, forever, with
everything that waits behind it.

A request may be far larger than it was on the wire, and its lines far larger than the request. So it is mapped in
steps, between which other requests go on, and in pieces that are stored before the next one is mapped. `outline.py`
has the bounds on what one deployment may have in it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from ..config.limits import LimitsConfig
from ..exceptions import UndecodableError
from . import otlp
from . import resource as resources
from .bounds.event_time import event_times
from .bounds.outline import outline
from .outcomes import Mapped, Outcomes
from .quarantine import Rejected
from .scope import Mappers, ScopeContext, agent_of_encoded, rejecting
from .signal import LOGS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from ..config.authorization import Client
    from ..layout.destination import Destinations
    from ..line import Line
    from .bounds.outline import Share
    from .event import Outcome
    from .outcomes import Step
    from .resource import ReadResource
    from .signal import Signal

__all__ = ["Decoded", "Mapped", "decode", "map_records", "steps"]


_ANY_TIME: Final = LimitsConfig(backfill=("*",))


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded request, decoded as far as admission needs it; its records are decoded when they are mapped.

    Decoded records take memory in proportion to their number: they are not decoded before they are admitted.

    Attributes:
        request: the bytes as they arrived.
        signal: the signal of its records.
        first_resource: its first resource, for most requests the only one.
        callers: how many wait for its answer: of so many requests it was joined.
    """

    request: bytes
    signal: Signal
    first_resource: ReadResource
    callers: int = 1

    @property
    def tenant(self) -> str:
        """`endpoint/deployment` of the first resource; empty if unknown."""
        return self.first_resource.tenant

    @property
    def size(self) -> int:
        """Bytes of the request."""
        return len(self.request)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of its bytes."""
        return hashlib.sha256(self.request).digest()


def decode(request: bytes, signal: Signal = LOGS) -> Decoded:
    """Open an encoded export request of `signal`; a damaged one is reported when it is mapped."""
    return Decoded(request=request, signal=signal, first_resource=resources.try_read(otlp.first_resource(request)))


def steps(  # noqa: PLR0913 (each is a part of the request's surroundings)
    decoded: Decoded,
    *,
    arrival_ns: int,
    destinations: Destinations,
    limits: LimitsConfig,
    client: Client | None = None,
    admit: Callable[[Sequence[Share]], Mapping[str, str]] | None = None,
    in_pieces: bool = False,
) -> Generator[Step, Outcome | Exception | None, None]:
    """Map the records of a request, step by step; the last piece comes even when it is empty.

    Args:
        decoded: the request.
        arrival_ns: when it arrived, ns since the epoch.
        destinations: where the lines of each collection are stored.
        limits: the bounds on what one deployment may have in a request.
        client: the client that sent it, unless it may send for every deployment.
        admit: called with what the deployments have in the request; returns those whose records are refused, with the
            reason, or raises for all.
        in_pieces: end a piece after about a megabyte of lines, and keep a request that cannot be read in a piece; by
            default an ordinary request is one piece, and the caller keeps the other one.

    Raises:
        UndecodableError: not even the outline of the request can be read; no lines came before.
        ForbiddenError: `client` may not send for one of the deployments in it; no piece came before.
    """
    signal = decoded.signal
    try:
        read = yield from outline(decoded.request, decoded.first_resource, limits, client)
    except UndecodableError as error:
        if in_pieces:
            kept = Rejected(reason=str(error), request=decoded.request, tenant=decoded.tenant)
            yield Mapped(rejected=(kept,), records=1)
        raise
    outcomes = Outcomes(signal, limits, in_pieces=in_pieces)
    refused = admit(read.shares) if admit is not None else {}
    for part in read.parts:
        if part.share.tenant in refused:
            continue
        deployment, resource = part.resource.result, part.records.resource
        if isinstance(deployment, Exception):
            yield from outcomes.map_all(part, rejecting(deployment, resource, event_times(limits, arrival_ns)))
            continue
        endpoint, name = deployment.endpoint, deployment.deployment
        scope = ScopeContext(
            resource=deployment,
            encoded_resource=resource,
            agent=agent_of_encoded(part.records.encoded_scope),
            destinations=destinations.of_deployment(endpoint, name, deployment.rolling_rate),
            arrival_ns=arrival_ns,
            times=event_times(limits, arrival_ns, endpoint, name),
        )
        mappers = Mappers(
            mapper=signal.mapper(part.records, scope),
            make_alone=partial(signal.mapper, part.records, scope, is_shared=False),
            resource=resource,
            endpoint=endpoint,
            times=scope.times,
        )
        yield from outcomes.map_all(part, mappers)
    for share in read.shares:
        if share.tenant in refused:
            outcomes.refuse(share, refused[share.tenant])
        else:
            outcomes.reject_rest(share)
    yield outcomes.piece()


def map_records(
    decoded: Decoded,
    *,
    arrival_ns: int,
    destinations: Destinations,
    client: Client | None = None,
    limits: LimitsConfig | None = None,
) -> Mapped:
    """Map the records of a request at once; see `steps`. Without `limits` events may have any time."""
    mapping = steps(
        decoded, arrival_ns=arrival_ns, destinations=destinations, limits=limits or _ANY_TIME, client=client
    )
    pieces: list[Mapped] = []
    step: Step = next(mapping)
    while True:
        if isinstance(step, Mapped):
            pieces.append(step)
        try:
            step = mapping.send(step() if callable(step) else None)
        except StopIteration:
            return _joined(pieces)


def _joined(pieces: Sequence[Mapped]) -> Mapped:
    if len(pieces) == 1:
        return pieces[0]
    lines: defaultdict[str, list[Line]] = defaultdict(list)
    size: defaultdict[str, int] = defaultdict(int)
    records: defaultdict[str, int] = defaultdict(int)
    for piece in pieces:
        for folder, of_folder in piece.lines.items():
            lines[folder] += of_folder
        for tenant, number in piece.bytes_by_tenant.items():
            size[tenant] += number
        for tenant, number in piece.records_by_tenant.items():
            records[tenant] += number
    return Mapped(
        lines={folder: tuple(of_folder) for folder, of_folder in lines.items()},
        large=tuple(large for piece in pieces for large in piece.large),
        rejected=tuple(one for piece in pieces for one in piece.rejected),
        defects=tuple(defect for piece in pieces for defect in piece.defects),
        records=sum(piece.records for piece in pieces),
        left_out=sum(piece.left_out for piece in pieces),
        calls_without_content=sum(piece.calls_without_content for piece in pieces),
        bytes_by_tenant=dict(size),
        records_by_tenant=dict(records),
    )
