"""What all records of one scope in one request share, and what maps them."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from . import otlp
from .bounds.event_time import ANY_TIME, EventTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    from ..layout.destination import Destination
    from .event import Outcome, PlacedLine
    from .line_template.record_run import RecordRun
    from .otlp import Record
    from .protowire import EmbeddedMessages
    from .resource import DeploymentResource
    from .signal import RecordMapper

MAX_AGENT_CHARS: Final = 256
"""One scope is repeated in the line of every record under it: a large text would multiply."""
_DEFAULT_AGENT: Final = "opentelemetry"
_MOST_CACHED_BYTES: Final = 256
"""1024 scopes of this size are remembered at most."""


class ScopeContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all records of one scope in one request share.

    Attributes:
        resource: the deployment that their resource describes.
        encoded_resource: the resource as it was sent.
        agent: the library that collected them, unless a record names another one.
        destinations: where their lines are stored, by collection.
        arrival_ns: when the request arrived, ns since the epoch: the time of records that have none.
        times: the times that events may have.
    """

    resource: DeploymentResource
    encoded_resource: bytes
    agent: str
    destinations: Mapping[str, Destination]
    arrival_ns: int
    times: EventTimes = ANY_TIME


def new_event_id() -> str:
    """A random id for a record that brings none.

    It is not made of the record: two equal records are two events. So only a sender that sets ids, or a gateway that
    sets them before its queue, can send a record again without a copy.
    """
    return str(uuid.uuid4())


def agent_of(scope: InstrumentationScope) -> str:
    """`{name}/{version}` of the instrumentation scope: the agent of records that name none."""
    agent = f"{scope.name}/{scope.version}" if scope.version else scope.name
    return agent if scope.name and len(agent) <= MAX_AGENT_CHARS and agent.isprintable() else _DEFAULT_AGENT


def agent_of_encoded(scope: bytes) -> str:
    """The same of an encoded scope; for a known one this costs a dictionary look-up."""
    return _cached(scope) if len(scope) <= _MOST_CACHED_BYTES else agent_of(otlp.scope(scope))


@lru_cache(maxsize=1024)
def _cached(scope: bytes) -> str:
    return agent_of(otlp.scope(scope))


class Mappers:
    """The mappers of one scope.

    Args:
        mapper: maps them.
        make_alone: makes the mapper of those that take long, which are mapped in a thread.
        resource: the encoded resource.
        endpoint: the endpoint, if its name is known and valid.
        times: the times that events may have.
    """

    __slots__ = ("_alone", "_make_alone", "endpoint", "mapper", "resource", "times")

    def __init__(
        self,
        *,
        mapper: RecordMapper,
        make_alone: Callable[[], RecordMapper],
        resource: bytes,
        endpoint: str | None,
        times: EventTimes,
    ) -> None:
        self.mapper = mapper
        self._make_alone = make_alone
        self._alone: RecordMapper | None = None
        self.resource = resource
        self.endpoint = endpoint
        self.times = times

    @property
    def alone(self) -> RecordMapper:
        """The mapper of those that take long: nearly no scope has any."""
        if self._alone is None:
            self._alone = self._make_alone()
        return self._alone

    @property
    def calls_without_content(self) -> int:
        """See `RecordMapper`; of all its records."""
        return self.mapper.calls_without_content + (self._alone.calls_without_content if self._alone else 0)


def rejecting(error: Exception, resource: bytes, times: EventTimes) -> Mappers:
    """Rejects every record of a resource that cannot be read because of `error`."""
    mapper = _Rejecting(error)
    return Mappers(mapper=mapper, make_alone=lambda: mapper, resource=resource, endpoint=None, times=times)


class _Rejecting:
    """The mapper for the records of a resource that cannot be read."""

    calls_without_content = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    def map(self, _: bytes) -> Outcome:
        raise self._error

    def runs_of(self, _: EmbeddedMessages) -> Sequence[RecordRun]:
        return ()

    def line_of_large(self, _: Record) -> PlacedLine | None:
        return None
