"""Turns of each tenant: uploads to a place that hangs do not hold up those of others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["UploadTurns"]


class UploadTurns:
    """Lets a few at a time go on, counted for each tenant; all together are bounded by the bytes in flight.

    Args:
        count: how many of one tenant go on at the same time.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._tenants: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a turn, and give it back at the end."""
        semaphore, users = self._tenants.setdefault(tenant, (asyncio.Semaphore(self._count), []))
        users.append(None)
        try:
            async with semaphore:
                yield
        finally:
            users.pop()
            if not users:
                del self._tenants[tenant]
