"""What all records of one scope in one request share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from .bounds.event_time import ANY_TIME, EventTimes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    from ..layout.destination import Destination
    from .resource import DeploymentResource

MAX_AGENT_CHARS: Final = 256
"""One scope is repeated in the line of every record under it: a large text would multiply."""
_DEFAULT_AGENT: Final = "opentelemetry"


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
