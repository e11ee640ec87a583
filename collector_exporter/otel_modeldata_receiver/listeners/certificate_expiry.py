"""Logs that a certificate of the listeners expires."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from ..config.certificate_expiry import expiring

if TYPE_CHECKING:
    from otel_modeldata.validation.problems import Problem

    from ..config.receiver import TlsConfig

__all__ = ["ExpiryWatch"]

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0
"""Pause between two looks at the files."""


class ExpiryWatch:
    """Logs once when a certificate will expire soon, and once when it has expired.

    Args:
        tls: names the files; None without TLS.
        look_seconds: pause between two looks.
    """

    def __init__(self, tls: TlsConfig | None, look_seconds: float = LOOK_SECONDS) -> None:
        self._tls = tls
        self._look_seconds = look_seconds
        self._reported: frozenset[Problem] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, and again until `stop`."""
        if self._tls is not None:
            self._task = asyncio.create_task(self._watch(self._tls), name="expiry of certificates")

    async def stop(self) -> None:
        """Stop looking; safe to call twice and before `start`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self, tls: TlsConfig) -> None:
        while True:
            found = await asyncio.to_thread(lambda: frozenset(expiring(tls)))
            for problem in sorted(found - self._reported, key=str):
                logger.warning("%s", problem)
            self._reported = found
            await asyncio.sleep(self._look_seconds)
