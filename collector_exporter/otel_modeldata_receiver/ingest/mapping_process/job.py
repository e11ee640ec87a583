"""A job: a message as it arrived, and what its mapping needs to know; its steps are those of the mapping process."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from ...mapping import signal as signals
from ...mapping.request import decode, steps
from .. import compression

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from ...config.authorization import Client
    from ...config.kept_spans import KeptSpans
    from ...config.limits import LimitsConfig
    from ...config.receiver import ReceiverConfig
    from ...layout.destination import Destinations
    from ...mapping.bounds.outline import Share
    from ...mapping.event import Outcome
    from ...mapping.outcomes import Step
    from ..request_info import RequestInfo

__all__ = ["Job", "JobStep", "Opened", "Room", "job_of"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A request to map.

    Attributes:
        is_compressed: whether the message is gzip or zlib data.
        convert: turns the decompressed message into an encoded OTLP request; importable by its name.
        spans: which spans become lines; None: the request has log records.
        client: the client that sent it, unless it may send for every deployment.
        arrival_ns: when it arrived, ns since the epoch.
        most_bytes: largest request, decompressed.
        limits: the bounds on what one deployment may have in it.
        has_rates: whether the receiver decides which deployments are above a rate.
    """

    is_compressed: bool = False
    convert: Callable[[bytes], bytes] | None
    spans: KeptSpans | None
    client: Client | None
    arrival_ns: int
    most_bytes: int
    limits: LimitsConfig
    has_rates: bool


def job_of(  # noqa: PLR0913 (each is a part of the job)
    info: RequestInfo,
    arrival_ns: int,
    config: ReceiverConfig,
    *,
    has_rates: bool,
    convert: Callable[[bytes], bytes] | None = None,
    is_compressed: bool = False,
) -> Job:
    """The job of mapping a request; see `Job`."""
    return Job(
        is_compressed=is_compressed,
        convert=convert,
        spans=None if info.signal is signals.LOGS else config.spans,
        client=info.client,
        arrival_ns=arrival_ns,
        most_bytes=config.max_message_bytes,
        limits=config.limits,
        has_rates=has_rates,
    )


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What admission needs to know of a request.

    Attributes:
        tenant: `endpoint/deployment` of its first resource; empty if unknown.
        size: its bytes, decompressed and converted.
    """

    tenant: str
    size: int


class Room(msgspec.Struct, frozen=True):
    """A step that waits until the requests that are mapped at the same time leave room for `size` bytes more."""

    size: int


JobStep: TypeAlias = "Step | Opened | Room"


def job_steps(
    job: Job,
    message: bytes,
    destinations: Destinations,
    admit: Callable[[Sequence[Share]], Mapping[str, str]] | None,
) -> Generator[JobStep, Outcome | Exception | None, None]:
    """Decompress, convert and map a message, step by step.

    Raises:
        ReceiverError: nothing of it becomes lines. Behind `Opened`, an undecodable request is kept in the last piece.
    """
    if job.is_compressed:
        size = yield from compression.counted(message, job.most_bytes)
        yield Room(size)
        message = compression.decompress_now(message, size)
    else:
        yield Room(len(message))
    yield None
    if job.convert is not None:
        message = job.convert(message)
    decoded = decode(message, signals.LOGS if job.spans is None else signals.spans(job.spans))
    yield Opened(tenant=decoded.tenant, size=len(decoded.request))
    mapping = steps(
        decoded,
        arrival_ns=job.arrival_ns,
        destinations=destinations,
        limits=job.limits,
        client=job.client,
        admit=admit,
        in_pieces=True,
    )
    del message, decoded  # the bytes of a large request must not be held while its records are mapped
    yield from mapping
