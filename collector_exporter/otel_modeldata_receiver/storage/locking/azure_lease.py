"""The lock of a store in Azure: a lease of 60 seconds on a blob, renewed until it is released.

A process that dies renews it no more, and another command gets it after a minute at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from azure.core.exceptions import AzureError

from .store_lock import LOCK_NAME, LockLostError, held_by

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient, BlobLeaseClient

__all__ = ["LEASE_TAKEN", "AzureLease"]

LEASE_TAKEN: Final = "LeaseAlreadyPresent"
"""The service's code for a lease that somebody else holds."""
_LEASE_SECONDS: Final = 60
_RENEW_SECONDS: Final = 15.0
_SAFE_SECONDS: Final = 45.0
"""So long after a renewal the lease is surely held: the service counts from the moment at which it got the request."""
_HOLDER: Final = "holder"
"""The metadata that says who holds it."""


class AzureLease:
    """A held lock; see `StoreLock`. `taken` makes one.

    Args:
        lease: acquired.
        started: `time.monotonic()` before it was acquired.
    """

    def __init__(self, lease: BlobLeaseClient, started: float) -> None:
        self._lease = lease
        self._renewed = started
        self._task = asyncio.ensure_future(self._renew())

    async def check(self) -> None:
        """See `StoreLock.check`."""
        if time.monotonic() - self._renewed > _SAFE_SECONDS:
            await self._renew_once()

    async def release(self) -> None:
        """See `StoreLock.release`; a lease that cannot be ended now ends by itself."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(AzureError):
            await self._lease.release()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(LockLostError):  # `check` raises it where somebody is about to change the store
                await self._renew_once()

    async def _renew_once(self) -> None:
        started = time.monotonic()
        try:
            await self._lease.renew()
        except AzureError as error:
            code = getattr(error, "error_code", None) or type(error).__name__
            raise LockLostError(f"expected the lease of {LOCK_NAME}, got {code}: run the command again") from None
        self._renewed = started

    @classmethod
    async def taken(cls, blob: BlobClient, holder: str) -> AzureLease:
        """The lock, taken.

        Args:
            blob: that exists.
            holder: see `LockableStore.lock`.

        Raises:
            LockHeldError: another command holds it.
            AzureError: the service does not answer.
        """
        started = time.monotonic()
        try:
            lease = await blob.acquire_lease(lease_duration=_LEASE_SECONDS)
        except AzureError as error:
            if getattr(error, "error_code", None) != LEASE_TAKEN:
                raise
            found = (await blob.get_blob_properties()).metadata.get(_HOLDER, "")
            raise held_by(found, f", or {_LEASE_SECONDS} seconds after it has died") from None
        await blob.set_blob_metadata({_HOLDER: holder.encode("ascii", "replace").decode()}, lease=lease)
        return cls(lease, started)
