"""Readiness, through the gRPC health service and `/readyz`, and the only log lines about an outage of the main store.

A receiver that is not ready gets no traffic in Kubernetes, so no request can show that the store works again. It checks
the store itself while the store is down, and while no data arrives: a store that is gone is noticed before the first
request needs it.

A tenant whose own place takes no lines is no outage: its lines are parked (`storage/parking/`). A failure arrives here
only when the main store does not take them either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from grpc_health.v1.health_pb2 import HealthCheckResponse

from otel_modeldata.log_throttle import LogThrottle

from ..exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grpc_health.v1.health import aio as health_aio

__all__ = ["PROBE_SECONDS", "StoreHealth"]

logger = logging.getLogger(__name__)

PROBE_SECONDS: Final = 3.0
"""Pause between two checks of a store that failed."""
IDLE_PROBE_SECONDS: Final = 15.0
"""Pause between two checks of a store that works, while no line is stored in it."""


class StoreHealth:
    """Reports SERVING until a write fails, then NOT_SERVING until a check succeeds.

    Args:
        servicer: the gRPC health service that reports the status.
        services: the names under which clients ask; "" is the whole server.
        check: raises `StoreError` while the store cannot be written.
        probe_seconds: pause between two checks while the store is down.
        idle_seconds: pause between two checks while no line is stored.
    """

    def __init__(
        self,
        servicer: health_aio.HealthServicer,
        services: tuple[str, ...],
        check: Callable[[], Awaitable[None]],
        probe_seconds: float = PROBE_SECONDS,
        idle_seconds: float = IDLE_PROBE_SECONDS,
    ) -> None:
        self._servicer = servicer
        self._services = services
        self._check = check
        self._probe_seconds = probe_seconds
        self._idle_seconds = idle_seconds
        self._idle_probe: asyncio.Task[None] | None = None
        self._has_stored = False
        self._reason: str | None = "starting"
        self._probe: asyncio.Task[None] | None = None
        self._stopped = False
        self._log = LogThrottle(logger)

    async def start(self) -> None:
        """Report SERVING: the store was checked."""
        await self._set(HealthCheckResponse.SERVING)
        self._reason = None
        self._idle_probe = asyncio.create_task(self._probe_while_idle(), name="probe of the store")

    @property
    def reason(self) -> str | None:
        """Why the receiver is not ready; None when it is."""
        return self._reason

    def store_failed(self, error: StoreError) -> None:
        """Note a failure: the first one begins an outage, further ones change nothing.

        Failures while the receiver stops change nothing either: it will not be ready again.
        """
        if self._stopped:
            return
        if self._probe is None or self._probe.done():
            # The error may name a parked blob: parking was tried last.
            self._reason = f"the store cannot be written: {error}"
            logger.warning("not ready: %s", self._reason)
            self._probe = asyncio.create_task(self._until_usable())

    def stored(self) -> None:
        """Note that something was stored: the store need not be checked."""
        self._has_stored = True

    async def stop(self) -> None:
        """Report NOT_SERVING permanently."""
        self._stopped = True
        self._reason = "stopping"
        for probe in (self._probe, self._idle_probe):
            if probe is not None:
                probe.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await probe
        await self._servicer.enter_graceful_shutdown()

    async def _until_usable(self) -> None:
        await self._set(HealthCheckResponse.NOT_SERVING)
        while not await self._is_usable():
            pass
        logger.warning("ready again: the store can be written")
        self._reason = None
        await self._set(HealthCheckResponse.SERVING)

    async def _probe_while_idle(self) -> None:
        """Check the store whenever nothing was stored for a while and no outage is known."""
        while True:
            self._has_stored = False
            await asyncio.sleep(self._idle_seconds)
            if self._has_stored or self._reason is not None:
                continue
            if (error := await self._error_of_check()) is not None:
                self.store_failed(error)

    async def _is_usable(self) -> bool:
        """Whether the main store can be written, after a pause."""
        await asyncio.sleep(self._probe_seconds)
        return await self._error_of_check() is None

    async def _error_of_check(self) -> StoreError | None:
        """Why the main store cannot be written, if it cannot."""
        try:
            await self._check()
        except StoreError as error:
            return error
        except Exception as error:  # noqa: BLE001 (a bug must not end the checks: only they make it ready again)
            self._log.log(logging.ERROR, "check", "the store cannot be checked (bug)", exc_info=error)
            return StoreError("expected to check the store, got an internal error: its log line has the cause")
        return None

    async def _set(self, status: HealthCheckResponse.ServingStatus.ValueType) -> None:
        for service in self._services:
            await self._servicer.set(service, status)
