"""Parked objects that cannot be delivered, because their names have other content in their folder by now."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import TYPE_CHECKING, Final

from otel_modeldata.log_throttle import LogThrottle

from ...retry import retry_for
from . import parked_names
from .listed_folder import listed_folder

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
        self._log = LogThrottle(logger, math.inf)

    async def keep(self, folder: ParkedFolder, name: str, content: bytes, error: ValueError) -> None:
        """Keep an object that its folder refuses, or nothing if it was erased there.

        Args:
            folder: where it is to be delivered.
            name: its own name.
            content: its bytes.
            error: why it is refused.

        Raises:
            StoreError: the folder cannot be listed, or the object is not known to be kept.
        """
        if (await listed_folder(self._store, folder.name)).files.get(name) == 0:
            text = "parked objects of %s are not delivered, because they are empty in their folder: they were erased"
            self._log.log(logging.WARNING, f"{folder.place} erased", text, folder.place)
            return
        kept = parked_names.refused_object(name, hashlib.sha256(content).hexdigest())
        await retry_for(lambda: self._store.put(kept, content, "application/octet-stream"), _RETRY_SECONDS)
        text = "a parked object of %s is not delivered, but kept as %s: %s"
        self._log.log(logging.WARNING, folder.place, text, folder.place, kept, error)
