"""What all records of one scope in one request share."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from .event_time import ANY_TIME, EventTimes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..layout.destination import Destination
    from .resource import DeploymentResource

MAX_AGENT_CHARS: Final = 256
"""One scope is repeated in the line of every record under it: a large text would multiply."""
_DEFAULT_AGENT: Final = "opentelemetry"
_ID_NAMESPACE: Final = uuid.UUID("6f6d1c0e-6b52-5d0c-9a51-4c8f4a8f1f2e")


class ScopeContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all records of one scope in one request share.

    Attributes:
        resource: the deployment that their resource describes.
        encoded_resource: the resource as it was sent.
        agent: the library that collected them, unless a record names another one.
        destinations: where their lines are stored, by collection.
        arrival_ns: when the request arrived, ns since the epoch: the time of records that have none.
        ids: makes ids for records that have none.
        times: the times that events may have.
    """

    resource: DeploymentResource
    encoded_resource: bytes
    agent: str
    destinations: Mapping[str, Destination]
    arrival_ns: int
    ids: EventIds
    times: EventTimes = ANY_TIME


class EventIds:
    """Makes ids for the records of one request that have none: a retry of the request gets the same ids.

    Equal records of one request get different ids: they are counted.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def make(self, resource: bytes, record: LogRecord) -> str:
        """The id of `record`, sent with the encoded `resource`."""
        digest = hashlib.sha256(hashlib.sha256(resource).digest() + record.SerializeToString()).digest()
        self._seen[digest] = self._seen.get(digest, 0) + 1
        return str(uuid.uuid5(_ID_NAMESPACE, f"{digest.hex()}#{self._seen[digest]}"))


def agent_of(scope: InstrumentationScope) -> str:
    """`{name}/{version}` of the instrumentation scope: the agent of records that name none."""
    agent = f"{scope.name}/{scope.version}" if scope.version else scope.name
    return agent if scope.name and len(agent) <= MAX_AGENT_CHARS and agent.isprintable() else _DEFAULT_AGENT
