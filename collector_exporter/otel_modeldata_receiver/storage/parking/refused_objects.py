"""Parked objects that cannot be delivered, because their names have other content in their folder by now."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ...retry import retry_for
from . import parked_names

if TYPE_CHECKING:
    from ..store import Store
    from .parked_folders import ParkedFolder

__all__ = ["RefusedObjects"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 8.0


class RefusedObjects:
    """Keeps them in the quarantine, so that the lines of their folder need not wait.

    An object that is empty in its folder was erased where nothing may be removed. It stays empty, and the parked copy
    is kept nowhere.

    Args:
        store: the main store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._count = 0
        self._log_kept = LogThrottle(logger)
        self._log_erased = LogThrottle(logger, math.inf)

    def note_erased(self, folder: ParkedFolder) -> None:
        """Note that an object is kept nowhere, because it was erased in its folder."""
        text = "parked objects of %s are not delivered, because they are empty in their folder: they were erased"
        self._log_erased.log(logging.WARNING, folder.place, text, folder.place)

    async def keep(self, folder: ParkedFolder, name: str, content: bytes, error: ValueError) -> None:
        """Keep an object that its folder refuses.

        Args:
            folder: where it is to be delivered.
            name: its own name.
            content: its bytes.
            error: why it is refused.

        Raises:
            StoreError: it is not known to be kept.
        """
        kept = parked_names.refused_object(name, hashlib.sha256(content).hexdigest())
        await retry_for(lambda: self._store.put(kept, content, "application/octet-stream"), _RETRY_SECONDS)
        self._count += 1
        text = "a parked object of %s is not delivered, but kept as %s (%d kept since the start): %s"
        self._log_kept.log(logging.WARNING, folder.place, text, folder.place, kept, self._count, error)
