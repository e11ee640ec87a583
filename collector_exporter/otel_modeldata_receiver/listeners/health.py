"""Readiness: whether the store took the last write, told through the gRPC health service.

A receiver that is not ready gets no traffic in Kubernetes, so it cannot find out by serving that the store is back: it
probes the store itself, and only while it is down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from grpc_health.v1.health_pb2 import HealthCheckResponse

from ..exceptions import DatastoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grpc_health.v1.health import aio as health_aio

logger = logging.getLogger(__name__)

PROBE_SECONDS: Final = 3.0
"""How often a store that failed is asked whether it works again."""


class StoreHealth:
    """Says SERVING until a write fails, then NOT_SERVING until a check succeeds.

    Args:
        servicer: the gRPC health service to tell.
        services: the names under which it is asked; "" is the whole server.
        check: raises `StoreError` while the store cannot be written.
        probe_seconds: pause between two checks.
    """

    def __init__(
        self,
        servicer: health_aio.HealthServicer,
        services: tuple[str, ...],
        check: Callable[[], Awaitable[None]],
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._servicer = servicer
        self._services = services
        self._check = check
        self._probe_seconds = probe_seconds
        self._probe: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Say SERVING: the store was checked."""
        await self._say(HealthCheckResponse.SERVING)

    def store_failed(self, error: StoreError) -> None:
        """Say NOT_SERVING, and probe until the store works again; calling it again meanwhile changes nothing.

        A datastore beside the store stops the lines of its own collections only: the receiver stays ready for others.
        Calls that fail while the receiver stops change nothing either: it will not be ready again.
        """
        if self._stopped or isinstance(error, DatastoreError):
            return
        if self._probe is None or self._probe.done():
            logger.warning("not ready: %s", error)
            self._probe = asyncio.create_task(self._until_usable())

    async def stop(self) -> None:
        """Say NOT_SERVING for good."""
        self._stopped = True
        if self._probe is not None:
            self._probe.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probe
        await self._servicer.enter_graceful_shutdown()

    async def _until_usable(self) -> None:
        await self._say(HealthCheckResponse.NOT_SERVING)
        while True:
            await asyncio.sleep(self._probe_seconds)
            try:
                await self._check()
            except StoreError:
                continue
            logger.warning("ready again: the store can be written")
            await self._say(HealthCheckResponse.SERVING)
            return

    async def _say(self, status: HealthCheckResponse.ServingStatus.ValueType) -> None:
        for service in self._services:
            await self._servicer.set(service, status)
