"""What is parked already: it is found at the start, and looked for again from time to time.

A process before this one may have parked it. A store that is restored from an older copy may have something again that
is delivered already, or that is missing in its folder now. And what another receiver has parked may be left by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from ...exceptions import StoreError
from ...retry import backoff, retry_for
from .parked_listing import ParkedListing, parked_listing
from .parked_names import PARKED

if TYPE_CHECKING:
    from ..store import Store
    from .delivery import Delivery
    from .parked_folders import ParkedFolders

__all__ = ["ParkedBefore"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 60.0
"""Pause between two looks for what this process does not know; each is one request for some thousand names."""
_FIRST_RESUME_SECONDS: Final = 0.25
_LONGEST_RESUME_SECONDS: Final = 5.0


class ParkedBefore:
    """Finds what is parked, and hands it to the delivery.

    Args:
        store: the main store.
        instance: that of this receiver.
        folders: the parked folders.
        delivery: delivers it.
    """

    def __init__(self, store: Store, instance: str, folders: ParkedFolders, delivery: Delivery) -> None:
        self._store = store
        self._instance = instance
        self._folders = folders
        self._delivery = delivery
        self._found: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.is_found = False
        """Whether it is known what is parked since before the start."""

    async def start(self) -> None:
        """See `ParkingSink.start`."""
        while not self.is_found:
            if self._found is None or self._found.done():
                self._found = asyncio.get_running_loop().create_task(self._find(), name="parked lines")
            found = self._found
            try:
                await asyncio.shield(found)
            except asyncio.CancelledError:
                if not found.cancelled() or not self._is_stopping:  # the caller was cancelled
                    raise
                raise StoreError("expected an open sink, got one that stops: send the lines again") from None

    async def resume(self) -> None:
        """See `ParkingSink.resume`."""
        for pause in backoff(_FIRST_RESUME_SECONDS, _LONGEST_RESUME_SECONDS):
            try:
                await self.start()
            except StoreError:
                await asyncio.sleep(pause)
            else:
                break
        while not self._is_stopping:
            await asyncio.sleep(_AGAIN_SECONDS)
            with contextlib.suppress(StoreError):
                await self._find_again()

    async def wait(self) -> None:
        """Wait for the end of a start that is under way."""
        if self._found is not None:
            await asyncio.wait({self._found})

    def stop(self) -> None:
        """Find no more."""
        self._is_stopping = True
        if self._found is not None:
            self._found.cancel()

    async def _find(self) -> None:
        listing = await self._list()
        for folder, size in listing.folders.items():
            self._delivery.add(self._folders.find(folder, size, listing.objects.get(folder, ())))
        self._look_at_foreign(listing)
        self.is_found = True
        if count := sum(1 for size in listing.folders.values() if size):
            logger.warning("lines of %d folders are parked since before the start, they are delivered now", count)
        if listing.others:
            logger.warning(
                "lines or payloads are parked that only receivers with the instance ids %s deliver: "
                "start one with --instance-id",
                ", ".join(sorted(listing.others)[:10]),
            )

    async def _find_again(self) -> None:
        """Find what is parked of folders that take lines, and deliver it."""
        known = {folder.name for folder in self._folders}
        listing = await self._list()
        for folder, size in listing.folders.items():
            if size and folder not in known and self._folders.get(folder) is None:
                self._delivery.find_again(folder, size, listing.objects.get(folder, ()))
        self._look_at_foreign(listing)

    def _look_at_foreign(self, listing: ParkedListing) -> None:
        for name, left in listing.foreign.items():
            self._delivery.look_at(name, left)

    async def _list(self) -> ParkedListing:
        objects = await retry_for(lambda: self._store.walk(PARKED), _RETRY_SECONDS)
        return parked_listing(self._store, objects, self._instance, self._delivery.is_left)
