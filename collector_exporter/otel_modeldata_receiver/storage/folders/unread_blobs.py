"""Blobs of a folder that cannot be read now, as archived ones: the others are searched nevertheless.

1. One that could not be read is left out until the next look. Then a few of them are tried again, each in its turn.
2. When reads of some blobs have failed in one look, no more is read in it: perhaps the store answers nothing at all.
   Those that failed are left out of the next look, so it comes to others.

A warning names a blob that cannot be read in a second look either. One that was removed is not in the next listing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ...exceptions import StoreError
from .folder_names import tenant_of_folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..store import Store

__all__ = ["UnreadBlobs"]

logger = logging.getLogger(__name__)

_MOST_FAILURES: Final = 4
"""Reads that may fail in one look."""
_TRIED_AGAIN: Final = 2
"""Blobs that are tried again in one look. Fewer than may fail: the others must come to their turn."""
_WARNING_SECONDS: Final = 3600.0

_throttle = LogThrottle(logger, _WARNING_SECONDS)


class UnreadBlobs:
    """Reads the blobs of one folder.

    Args:
        store: has them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed: dict[str, bool] = {}
        """Blobs whose last read failed, the one first that waits longest; whether it is tried in this look."""
        self._failures = 0

    def begin_look(self, names: Collection[str]) -> None:
        """Begin a look at some blobs; the others are forgotten."""
        failed = [name for name in self._failed if name in names]
        self._failed = {name: number < _TRIED_AGAIN for number, name in enumerate(failed)}
        self._failures = 0

    async def read(self, name: str, start: int, end: int) -> bytes:
        """See `Store.read`.

        Raises:
            StoreError: the blob cannot be read, or is left out of this look.
        """
        if self._failures >= _MOST_FAILURES or not self._failed.get(name, True):
            raise StoreError(f"expected to read {name!r}, got an error before: it is read later")
        try:
            content = await self._store.read(name, start, end)
        except StoreError as error:
            self._failures += 1
            if self._failed.pop(name, False):
                _throttle.log(
                    logging.WARNING,
                    tenant_of_folder(name),
                    "%r cannot be read, so it is not known which payloads its lines need; those that are parked, or "
                    "come again, wait: make it readable (%s)",
                    name,
                    error,
                )
            self._failed[name] = False
            raise
        self._failed.pop(name, None)
        return content
