"""What was changed in a parked blob and is no line any more: it is kept as an object, and reported."""

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

__all__ = ["DamagedLines"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 8.0


class DamagedLines:
    """Keeps parked lines that are no JSON any more as objects, and logs them.

    Args:
        store: the main store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = LogThrottle(logger, math.inf)

    async def keep(self, folder: ParkedFolder, text: bytes) -> None:
        """Keep what is parked of a folder and cannot be delivered, as an object.

        Raises:
            StoreError: it is not known to be kept.
        """
        name = parked_names.damaged_object(folder.name, hashlib.sha256(text).hexdigest())
        await retry_for(lambda: self._store.put(name, text, "application/octet-stream"), _RETRY_SECONDS)
        self._log.log(
            logging.WARNING,
            folder.place,
            "parked lines of %s were changed and are no JSON any more: they are not delivered, but kept as %s",
            folder.place,
            name,
        )
